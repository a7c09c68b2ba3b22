"""The wall's page: its weight and calm, its colours and help, and that anybody can use it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect
from tests.browser.axe import faults
from tests.browser.fake_hub import CAMERAS, FakeHub, camera, picture, tile

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from tests.browser.conftest import Wall

MOST_BYTES: Final = 100 * 1024
MOST_SHIFT: Final = 0.1  # web.dev/cls: what people take for still
Scheme = Literal["dark", "light"]

WATCH_SHIFTS: Final = """
window.shifts = [];
new PerformanceObserver((list) => {
  for (const { value, sources } of list.getEntries()) {
    const nodes = sources.map(({ node }) => node?.className || node?.nodeName);
    window.shifts.push([value, nodes.join()]);
  }
}).observe({ type: "layout-shift", buffered: true });
"""


def fill(page: Page) -> FakeHub:
    """A wall with a tile of every state."""
    rejection = {"reason": "this hub is full", "problem": "4 cameras", "age_ms": 100}
    hub = FakeHub(page, rejected=[rejection | {"sender": "attic"}])
    hub.cameras["barn/hens"] |= {"state": "stale", "age_ms": 5000}
    hub.cameras["garden/gate"] |= {"state": "offline", "age_ms": 50_000}
    hub.cameras["garden/pond"] |= {"age_ms": 4000, "rejection": rejection}
    hub.cameras["porch/door"] |= {"marks": ["motion", "dark"]}
    return hub


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_serious_fault_on_the_wall(lone_page: Page, scheme: Scheme) -> None:
    lone_page.emulate_media(color_scheme=scheme)
    fill(lone_page)
    lone_page.goto("/?group=node")
    for name, state in zip(CAMERAS, ("online", "stale", "offline", "rejected"), strict=False):
        expect(tile(lone_page, name)).to_have_attribute("data-state", state)
    picture(lone_page, "attic/roof").focus()
    lone_page.keyboard.press("p")
    assert faults(lone_page) == []
    lone_page.get_by_role("button", name="View").click()
    assert faults(lone_page) == []
    lone_page.keyboard.press("Escape")
    lone_page.locator("body").press("?")
    expect(lone_page.get_by_role("dialog")).to_be_visible()
    assert faults(lone_page) == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_serious_fault_on_a_phone_the_stage_and_an_empty_wall(
    lone_page: Page, scheme: Scheme
) -> None:
    lone_page.emulate_media(color_scheme=scheme)
    lone_page.set_viewport_size({"width": 360, "height": 740})
    hub = fill(lone_page)
    lone_page.goto("/")
    expect(tile(lone_page, "attic/roof")).to_have_attribute("data-state", "online")
    assert faults(lone_page) == []
    picture(lone_page, "garden/gate").click()
    expect(lone_page.locator(".staged")).to_be_visible()
    assert faults(lone_page) == []
    hub.cameras = {}
    lone_page.goto("/?kiosk")
    expect(lone_page.locator("#empty")).to_be_visible()
    expect(lone_page.locator("#empty .rejected-list")).to_contain_text("attic: this hub is full")
    assert faults(lone_page) == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_serious_fault_on_the_log_in(locked_page: Page, scheme: Scheme) -> None:
    locked_page.emulate_media(color_scheme=scheme)
    locked_page.goto("/")
    expect(locked_page.get_by_label("Password")).to_be_visible()
    assert faults(locked_page) == []


def test_the_page_is_light_and_asks_nobody_else(lone_hub: Wall, lone_page: Page) -> None:
    sizes: dict[str, int] = {}
    asked: dict[str, str] = {}
    network = lone_page.context.new_cdp_session(lone_page)
    network.send("Network.enable")

    def finish(event: dict[str, Any]) -> None:
        sizes[event["requestId"]] = event["encodedDataLength"]

    def ask(event: dict[str, Any]) -> None:
        asked[event["requestId"]] = event["request"]["url"]

    network.on("Network.loadingFinished", finish)
    network.on("Network.requestWillBeSent", ask)
    lone_page.goto("/")
    expect(lone_page.locator("#link")).to_have_text("connected")
    assert {urlsplit(url).netloc for url in asked.values()} == {urlsplit(lone_hub.url).netloc}
    assert 10_000 < sum(sizes.values()) <= MOST_BYTES, sizes


def test_all_modules_come_as_one_script_that_is_never_asked_for_again(lone_page: Page) -> None:
    loaded = """() => performance.getEntriesByType("resource")
      .filter(({ name }) => name.includes(".js"))
      .map(({ name, transferSize }) => [name, transferSize])"""
    lone_page.goto("/")
    expect(lone_page.locator("#link")).to_have_text("connected")
    ((name, _),) = lone_page.evaluate(loaded)
    assert re.search(r"/static/[0-9a-f]{12}/whole-wall\.js$", name)
    lone_page.goto("/?again")
    expect(lone_page.locator("#link")).to_have_text("connected")
    assert lone_page.evaluate(loaded) == [[name, 0]]


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_shifts_while_the_page_loads_and_the_fleet_lives(
    lone_page: Page, width: int
) -> None:
    lone_page.set_viewport_size({"width": width, "height": 740})
    lone_page.add_init_script(WATCH_SHIFTS)
    hub = FakeHub(lone_page)
    lone_page.goto("/")
    expect(tile(lone_page, "attic/roof")).to_have_attribute("data-painted", "")
    for change in (
        {"fps": 9.5},
        {"fps": 120.0, "age_ms": 99_000, "state": "stale"},
        {"state": "offline", "age_ms": 3e6},
        {"state": "online", "age_ms": 3, "marks": ["motion"]},
        {"rejection": {"reason": "this hub is full", "problem": "x", "age_ms": 1}},
    ):
        for told in hub.cameras.values():
            told.update(change)
        hub.tell(rejected=[{"sender": "x", "reason": "y", "problem": "z", "age_ms": 1}])
        last = tile(lone_page, "porch/door")
        state = "rejected" if "rejection" in change else hub.cameras["porch/door"]["state"]
        expect(last).to_have_attribute("data-state", state)
    picture(lone_page, "attic/roof").focus()
    lone_page.keyboard.press("p")
    lone_page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    shifts = lone_page.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) <= MOST_SHIFT, shifts


def test_the_colours_are_chosen_and_kept(lone_page: Page) -> None:
    lone_page.goto("/")
    ground = "() => getComputedStyle(document.body).backgroundColor"
    assert lone_page.evaluate(ground) == "rgb(13, 16, 20)"  # as the system has it
    lone_page.get_by_role("button", name="View").click()
    lone_page.get_by_label("Colours").select_option("light")
    assert lone_page.evaluate(ground) == "rgb(238, 240, 243)"
    lone_page.reload()
    lone_page.wait_for_function(f"() => ({ground})() === 'rgb(238, 240, 243)'")
    lone_page.goto("/?theme=dark")  # of this page alone
    lone_page.wait_for_function(f"() => ({ground})() === 'rgb(13, 16, 20)'")
    assert lone_page.evaluate("localStorage.getItem('camfleet.theme')") == "light"


def test_the_help_names_every_key_and_gives_the_focus_back(lone_page: Page) -> None:
    FakeHub(lone_page)
    lone_page.goto("/")
    picture(lone_page, "barn/hens").focus()
    lone_page.keyboard.press("?")
    help_page = lone_page.get_by_role("dialog", name="Keys and help")
    expect(help_page).to_be_visible()
    for key in ("Enter", "Esc", "Space", "Shift", "s", "p", "d", "h", "/", "?"):
        expect(
            help_page.locator("kbd", has_text=re.compile(f"^{re.escape(key)}$")).first
        ).to_be_visible()
    lone_page.keyboard.press("ArrowRight")  # the wall's keys wait meanwhile
    lone_page.keyboard.press("Escape")
    expect(help_page).to_be_hidden()
    expect(picture(lone_page, "barn/hens")).to_be_focused()


def test_who_wants_no_motion_sees_none(lone_page: Page) -> None:
    lone_page.emulate_media(reduced_motion="reduce")
    FakeHub(lone_page)
    lone_page.goto("/")
    tile(lone_page, "attic/roof").hover()
    moving = "() => document.getAnimations().length"
    assert lone_page.evaluate(moving) == 0


def test_a_kiosk_has_no_bar_and_after_a_while_no_pointer(lone_page: Page) -> None:
    lone_page.add_init_script("navigator.wakeLock.request = async (kind) => (window.lock = kind)")
    FakeHub(lone_page)
    lone_page.goto("/?kiosk&search=garden&group=node&columns=2")
    expect(tile(lone_page, "garden/pond")).to_be_visible()
    expect(lone_page.locator(".tile:visible")).to_have_count(2)
    expect(lone_page.locator(".heading")).to_have_text("garden 2")
    expect(lone_page.locator(".bar")).to_be_hidden()
    expect(lone_page.locator("body")).to_have_css("cursor", "none")
    assert lone_page.evaluate("window.lock") == "screen"
    lone_page.mouse.move(50, 50)
    expect(lone_page.locator("body")).not_to_have_css("cursor", "none")
    lone_page.mouse.move(60, 60)
    tile(lone_page, "garden/pond").hover()
    expect(tile(lone_page, "garden/pond").locator(".tools")).to_be_hidden()
    assert lone_page.evaluate("Object.keys(localStorage)") == []


def test_a_kiosk_takes_the_page_of_a_newer_hub_once(lone_page: Page) -> None:
    hub = FakeHub(lone_page)
    lone_page.goto("/?kiosk")
    expect(tile(lone_page, "garden/pond")).to_be_visible()
    lone_page.evaluate("window.isOld = true")
    hub.tell(page="another")
    lone_page.wait_for_function("() => !window.isOld")
    expect(tile(lone_page, "garden/pond")).to_be_visible()
    lone_page.evaluate("window.isOld = true")
    hub.cameras["coop/nest"] = camera("coop/nest")
    hub.tell()  # it still is another: a proxy may keep the old one
    expect(tile(lone_page, "coop/nest")).to_be_visible()
    assert lone_page.evaluate("window.isOld")


def test_a_page_that_somebody_uses_says_that_the_hub_is_newer(lone_page: Page) -> None:
    hub = FakeHub(lone_page)
    lone_page.goto("/")
    expect(tile(lone_page, "garden/pond")).to_be_visible()
    hub.tell(page="another")
    expect(lone_page.locator("#problem")).to_have_text(re.compile("newer than this page"))
