"""The page of one node in a real browser, fed by a real hub and by programs that send to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pytest
from playwright.sync_api import expect
from tests.browser.axe import faults

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Route
    from tests.browser.conftest import Console, Wall

SAMPLES: Final = 120
GONE: Final = range(50, 58)  # samples at which nothing was known
MISSING: Final = "Failed to load resource"  # a browser says so of every 404
AWAY: Final = ("net::ERR_", MISSING)


def known(value: float) -> list[float | None]:
    return [None if place in GONE else value for place in range(SAMPLES)]


def history(name: str = "garden", camera: str = "front") -> dict[str, Any]:
    """Ten minutes of a node, as the hub tells them."""
    seen = {
        "id": f"{name}/{camera}", "node": name, "camera": camera, "state": "online", "fps": 29.9,
        "captured_fps": 30.0, "latency_ms": 14.0, "uncertainty_ms": 1.2, "age_ms": 20,
        "width": 640, "height": 480, "marks": [],
    }  # fmt: skip
    stream = {
        "now": seen,
        "profile": "main",
        "fps": [0.0 if place in GONE else 29.5 for place in range(SAMPLES)],
        "asked_fps": known(30),
        "captured_fps": known(30),
        "latency": {
            "encoded": {"mean_ms": known(8), "p95_ms": known(9)},
            "received": {"mean_ms": known(14), "p95_ms": known(21)},
            "painted": {"mean_ms": known(22), "p95_ms": known(31)},
        },
        "uncertainty_ms": known(1.25),
        "painted_uncertainty_ms": known(2.5),
        "dropped": [
            {"place": "node", "reason": "no_credit", "per_s": known(2), "count": 1120},
            {"place": "wall", "reason": "newer", "per_s": known(1), "count": 560},
            {"place": "node", "reason": "unwanted", "per_s": known(29), "count": 16_240},
        ],
        "lost_per_s": known(0),
        "lost": 0,
        "rejected_per_s": known(0),
        "rejected": 0,
        "states": ["offline" if place in GONE else "online" for place in range(SAMPLES)],
    }
    lines = {
        "uncertainty_ms": known(1.2), "round_trip_ms": known(2.4), "restarts": known(0),
        "temperature_c": known(61.5), "throttled": known(0), "under_voltage": known(0),
        "cpu_percent": known(25), "memory_percent": known(40), "wifi_signal_dbm": known(-58),
    }  # fmt: skip
    lines["restarts"][GONE[-1] + 1] = 1
    lines["throttled"][-1] = 1
    machine = {
        "cpu_share": 0.25, "memory_used_bytes": 4, "memory_total_bytes": 10, "temperature_c": 61.5,
        "is_under_voltage": False, "is_throttled": True, "was_under_voltage": False,
        "was_throttled": True, "wifi_signal_dbm": -58.0, "disk_free_share": 0.5, "uptime_s": 7200.0,
    }  # fmt: skip
    return {
        "name": name, "state": "online", "software": "camfleet-node 0.1.0", "has_heartbeat": True,
        "heard_s": 0.2, "clock_offset_ms": 3.0, "clock_uncertainty_ms": 1.2, "round_trip_ms": 2.4,
        "interval_s": 5.0, "ages_s": [5.0 * (SAMPLES - 1 - place) for place in range(SAMPLES)],
        "machine": machine, "lines": lines, "streams": [stream],
    }  # fmt: skip


def tell(page: Page, told: dict[str, Any]) -> None:
    """Let the hub tell the page of ten minutes that never were."""

    def answer(route: Route) -> None:
        route.fulfill(json=told)

    page.route("**/api/nodes/*/history", answer)


def plot(page: Page, key: str) -> Locator:
    return page.locator(f'[data-plot="{key}"]')


def row(page: Page, key: str, name: str) -> list[str]:
    cells = plot(page, key).locator("tbody tr").filter(has_text=name).locator("td")
    cells.first.wait_for(state="attached")
    return cells.all_inner_texts()


def test_a_nodes_numbers_come_by_themselves_and_are_drawn(wall: Wall, page: Page) -> None:
    with wall.start_sender("garden") as sender:
        picture = np.full((48, 64, 3), 99, np.uint8)
        sender.send("front", picture)
        page.goto("/node/garden")
        expect(page.locator("#state")).to_have_text("online")
        expect(page.locator(".part-name")).to_have_text("front")
        rate = plot(page, "rate").locator("tbody tr").filter(has_text="received").locator("td")
        for _ in range(200):
            sender.send("front", picture)
            if re.fullmatch(r"[\d.]+ fps", rate.first.inner_text()):
                break
            page.wait_for_timeout(100)
        expect(rate.first).to_have_text(re.compile(r"[\d.]+ fps"))
        expect(plot(page, "rate").locator("svg path.line")).to_have_count(2)
        expect(page.locator("#facts")).to_contain_text("Round trip")


def test_a_node_that_went_says_why(wall: Wall, page: Page) -> None:
    with wall.start_sender("garden") as sender:
        sender.send("front", np.full((48, 64, 3), 99, np.uint8))
        page.goto("/node/garden")
        expect(page.locator("#state")).to_have_text("online")
        expect(page.locator("#facts")).not_to_contain_text("Gone")
    expect(page.locator("#state")).to_have_text("offline")
    expect(page.locator("#facts")).to_contain_text("Gone")
    expect(page.locator("#facts")).to_contain_text("it said goodbye")


def test_what_of_a_node_was_rejected_just_now_is_told(lone_page: Page, console: Console) -> None:
    console.expected = (MISSING,)
    rejection = {"reason": "another machine has its name", "problem": "<b>", "age_ms": 3}
    tell(lone_page, history() | {"rejection": rejection})
    lone_page.goto("/node/garden")
    expect(lone_page.locator("#facts")).to_contain_text("another machine has its name (<b>)")


def test_a_node_that_nobody_knows_is_told_and_found_when_it_comes(
    wall: Wall, page: Page, console: Console
) -> None:
    console.expected = (MISSING,)
    answer = page.goto("/node/garden")
    assert answer is not None
    assert answer.status == 404
    expect(page.locator("#unknown")).to_contain_text("knows no node garden")
    with wall.start_sender("garden") as sender:
        sender.send("front", np.full((48, 64, 3), 99, np.uint8))
        expect(page.locator("#state")).to_have_text("online")
        expect(page.locator("#unknown")).to_be_hidden()


@pytest.mark.parametrize("typed", ["50%", "%", "%zz", "%C3", "a%2"])
def test_an_address_that_cannot_be_decoded_names_a_node_that_nobody_knows(
    lone_page: Page, console: Console, typed: str
) -> None:
    console.expected = (MISSING,)
    lone_page.goto(f"/node/{typed}")
    expect(lone_page.locator("#unknown")).to_be_visible()
    expect(lone_page.locator("#unknown")).to_contain_text(f"knows no node {typed},")


def test_a_name_is_text_and_never_markup(lone_page: Page, console: Console) -> None:
    console.expected = (MISSING,)
    lone_page.goto("/node/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    expect(lone_page.locator("h1")).to_have_text("<img src=x onerror=alert(1)>")
    expect(lone_page.locator("img")).to_have_count(0)
    tell(lone_page, history("<b>pi", '"><i>front'))
    lone_page.goto("/node/%3Cb%3Epi")
    expect(lone_page.locator(".part-name")).to_have_text('"><i>front')
    href = lone_page.locator(".part .snapshot").get_attribute("href")
    assert href == "/snapshot/%3Cb%3Epi/%22%3E%3Ci%3Efront.jpg"


def test_a_gap_is_a_gap_and_not_a_line(lone_page: Page, console: Console) -> None:
    console.expected = (MISSING,)
    tell(lone_page, history())
    lone_page.goto("/node/garden")
    lines = plot(lone_page, "rate").locator("svg path.line")
    captured, received = (lines.nth(place).get_attribute("d") or "" for place in (1, 2))
    assert captured.count("M") == 2
    assert received.count("M") == 1
    expect(plot(lone_page, "rate").locator("rect.offline")).to_have_count(len(GONE))


def test_what_was_asked_for_is_a_line_where_the_node_tells_it(
    lone_page: Page, console: Console
) -> None:
    console.expected = (MISSING,)
    told = history()
    tell(lone_page, told)
    lone_page.goto("/node/garden")
    expect(plot(lone_page, "rate").locator("svg path.line")).to_have_count(3)
    assert row(lone_page, "rate", "asked")[0] == "30.0 fps"
    told["streams"][0]["asked_fps"] = [None] * SAMPLES
    lone_page.reload()
    expect(plot(lone_page, "rate").locator("svg path.line")).to_have_count(2)
    asked = plot(lone_page, "rate").locator("tbody tr").filter(has_text="asked")
    expect(asked).to_have_count(0)


def test_uncertainty_is_a_band_and_stands_beside_the_value(
    lone_page: Page, console: Console
) -> None:
    console.expected = (MISSING,)
    tell(lone_page, history())
    lone_page.goto("/node/garden")
    expect(plot(lone_page, "latency").locator("svg path.band")).to_have_count(4)  # two, with a gap
    assert row(lone_page, "latency", "received, mean") == ["14.0 ± 1.25 ms", "14.0 ms", "14.0 ms"]
    assert row(lone_page, "latency", "painted, mean")[0] == "22.0 ± 2.50 ms"
    assert row(lone_page, "latency", "painted, 95 %")[0] == "31.0 ms"
    assert row(lone_page, "latency", "encoded, mean") == ["8.00 ms", "8.00 ms", "8.00 ms"]


def test_drops_are_stacked_by_reason_and_what_was_chosen_is_not_drawn(
    lone_page: Page, console: Console
) -> None:
    console.expected = (MISSING,)
    tell(lone_page, history())
    lone_page.goto("/node/garden")
    areas = plot(lone_page, "drops").locator("svg path.area")
    expect(areas).to_have_count(6)  # two of each, with a gap
    assert {areas.nth(place).get_attribute("class") for place in range(areas.count())} == {
        "area c5", "area c1", "area c3",
    }  # fmt: skip
    assert row(lone_page, "drops", "no_credit") == ["2.00/s", "2.00/s", "2.00/s", "1,120"]
    assert row(lone_page, "drops", "nobody looked; not drawn")[-1] == "16,240"


def test_one_moment_is_read_in_all_plots_by_pointer_and_by_keyboard(
    lone_page: Page, console: Console
) -> None:
    console.expected = (MISSING,)
    tell(lone_page, history())
    lone_page.goto("/node/garden")
    moments = lone_page.locator("th.moment")
    expect(moments).to_have_text(["now"] * 7)
    area = plot(lone_page, "rate").locator(".plot-area")
    area.focus()
    area.press("ArrowLeft")
    expect(moments).to_have_text(["5 s ago"] * 7)
    area.press("Home")
    expect(moments).to_have_text(["9 min 55 s ago"] * 7)
    spoken = "9 min 55 s ago: online, asked 30.0 fps, captured 30.0 fps, received 29.5 fps"
    expect(area).to_have_attribute("aria-valuetext", spoken)
    area.press("Escape")
    expect(moments).to_have_text(["now"] * 7)
    plot(lone_page, "latency").locator(".plot-area").hover()
    expect(moments.first).to_have_text(re.compile(r"^[45] min \d+ s ago$"))


def test_a_node_that_was_started_anew_is_marked(lone_page: Page, console: Console) -> None:
    console.expected = (MISSING,)
    tell(lone_page, history())
    lone_page.goto("/node/garden")
    expect(plot(lone_page, "link").locator("svg path.mark")).to_have_count(1)
    expect(lone_page.locator("#facts")).to_contain_text("Starts in ten minutes1")


def test_temperature_and_throttling_are_shown_where_they_are_reported(
    lone_page: Page, console: Console
) -> None:
    console.expected = (MISSING,)
    tell(lone_page, history())
    lone_page.goto("/node/garden")
    assert row(lone_page, "temperature", "temperature")[0] == "61.5 °C"
    assert row(lone_page, "temperature", "event") == ["throttled"]
    expect(plot(lone_page, "temperature").locator("svg path.mark")).to_have_count(1)
    assert row(lone_page, "wifi", "signal")[0] == "-58.0 dBm"
    expect(lone_page.locator("#facts")).to_contain_text("throttled now")


def test_a_machine_that_tells_nothing_has_no_plots_of_it(lone_page: Page, console: Console) -> None:
    console.expected = (MISSING,)
    told = history()
    told["machine"] = None
    kept = ("uncertainty_ms", "round_trip_ms", "restarts")
    told["lines"] = {name: line for name, line in told["lines"].items() if name in kept}
    tell(lone_page, told)
    lone_page.goto("/node/garden")
    expect(lone_page.locator("#machine .plot")).to_have_count(1)
    expect(lone_page.locator("#facts")).not_to_contain_text("Temperature")


def test_what_is_told_no_more_leaves_the_page(lone_page: Page, console: Console) -> None:
    console.expected = (MISSING,)
    lone_page.clock.install()
    told = history()
    told["streams"].append(history(camera="back")["streams"][0])
    tell(lone_page, told)
    lone_page.goto("/node/garden")
    expect(lone_page.locator("#machine .plot")).to_have_count(4)
    expect(lone_page.locator("#cameras .part")).to_have_count(2)
    told["lines"] |= {"wifi_signal_dbm": [None] * SAMPLES}
    told["streams"].pop()
    lone_page.clock.run_for(6000)
    expect(lone_page.locator("#machine .plot")).to_have_count(3)
    expect(plot(lone_page, "wifi")).to_have_count(0)
    expect(lone_page.locator("#cameras .part")).to_have_count(1)
    assert row(lone_page, "temperature", "temperature")[0] == "61.5 °C"


def test_the_colours_are_those_that_were_chosen_on_the_wall(
    lone_page: Page, console: Console
) -> None:
    console.expected = (MISSING,)
    lone_page.goto("/")
    lone_page.evaluate("localStorage.setItem('camfleet.theme', 'light')")
    tell(lone_page, history())
    lone_page.goto("/node/garden")
    expect(lone_page.locator("body")).to_have_css("background-color", "rgb(238, 240, 243)")
    line = plot(lone_page, "rate").locator("svg path.line").last
    expect(line).to_have_css("stroke", "rgb(10, 87, 181)")


def test_when_the_hub_is_away_the_numbers_stay_and_their_age_is_told(
    lone_page: Page, console: Console
) -> None:
    console.expected = AWAY
    tell(lone_page, history())
    lone_page.goto("/node/garden")
    expect(lone_page.locator("#state")).to_have_text("online")
    # It goes before the route that is there; without any the hub would be asked for a moment.
    lone_page.route("**/api/nodes/*/history", lambda route: route.abort())
    expect(lone_page.locator("#news")).to_contain_text("the hub does not answer; these numbers")
    assert row(lone_page, "rate", "captured")[0] == "30.0 fps"


def test_who_is_not_logged_in_comes_back_to_the_page_after_the_log_in(locked_page: Page) -> None:
    locked_page.goto("/node/garden")
    expect(locked_page).to_have_url(re.compile(r"/login\?next=/node/garden$"))


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_serious_fault(
    lone_page: Page, console: Console, scheme: Literal["dark", "light"]
) -> None:
    console.expected = (MISSING,)
    lone_page.emulate_media(color_scheme=scheme)
    lone_page.goto("/node/garden")
    expect(lone_page.locator("#unknown")).to_be_visible()
    assert faults(lone_page) == []
    tell(lone_page, history())
    lone_page.goto("/node/garden")
    plot(lone_page, "drops").locator(".plot-area").focus()
    assert faults(lone_page) == []


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light"), (3840, "dark")])
def test_the_page_fits_every_screen(
    browser: Browser, lone_hub: Wall, width: int, scheme: str
) -> None:
    context = browser.new_context(
        base_url=lone_hub.url,
        viewport={"width": width, "height": 844},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    told = history()
    told["streams"].append(
        history(camera="a camera whose name is as long as it may be " * 2)["streams"][0]
    )
    tell(page, told)
    page.goto("/node/garden")
    expect(page.locator(".part:visible")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
