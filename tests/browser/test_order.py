"""What a person makes of the wall: order, sizes, groups, pause, hidden cameras, and the address.

The hub is played by the test, so that a fleet is there at once and does what is wanted.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect
from tests.browser.fake_hub import CAMERAS, DEADLINE_S, FakeHub, camera, picture, tile

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize
    from tests.browser.conftest import Wall

PHONE: Final[ViewportSize] = {"width": 360, "height": 740}


def names(page: Page) -> list[str]:
    """The cameras on the wall, as the eye reads them: by rows."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll(".tile:not([hidden])")]
          .map((tile) => [tile.dataset.camera, tile.getBoundingClientRect()])
          .sort(([, a], [, b]) => a.top - b.top || a.left - b.left)
          .map(([camera]) => camera)"""
    )
    return found


def wait_names(page: Page, want: list[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while names(page) != want:
        assert time.monotonic() < deadline, f"found {names(page)}, want {want}"
        page.wait_for_timeout(50)


def drag(page: Page, name: str, target: str) -> None:
    """Carry a tile with the mouse, in small steps as a hand does."""
    start, end = picture(page, name).bounding_box(), picture(page, target).bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
    page.mouse.down()
    page.mouse.move(end["x"] + end["width"] / 2, end["y"] + end["height"] / 2, steps=8)


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_role("button", name="View").click()
    page.get_by_label(label).select_option(option)
    page.keyboard.press("Escape")
    expect(page.locator("#view-menu")).to_be_hidden()


@pytest.fixture(params=["desktop", "phone"])
def sized(request: pytest.FixtureRequest, lone_page: Page) -> Page:
    """A page as large as a desktop's, and as small as a phone's."""
    if request.param == "phone":
        lone_page.set_viewport_size(PHONE)
    return lone_page


def test_the_order_is_made_by_dragging_kept_and_reset(sized: Page) -> None:
    hub = FakeHub(sized)
    sized.goto("/")
    wait_names(sized, list(CAMERAS))
    drag(sized, "attic/roof", "garden/gate")
    sized.mouse.up()
    made = ["barn/hens", "garden/gate", "attic/roof", "garden/pond", "porch/door"]
    wait_names(sized, made)
    expect(sized.locator("#spoken")).to_have_text("attic / roof: place 3 of 5")
    expect(sized.locator(".staged")).to_have_count(0)  # to drop is not to click
    sized.reload()
    wait_names(sized, made)
    del hub.cameras["garden/gate"]
    hub.cameras["coop/nest"] = camera("coop/nest")
    hub.tell()
    expect(tile(sized, "coop/nest")).to_be_visible()
    sized.reload()  # at once, or a camera that is gone would stay for a while
    wait_names(sized, ["barn/hens", "attic/roof", "garden/pond", "porch/door", "coop/nest"])
    hub.cameras = {name: camera(name) for name in CAMERAS}
    sized.reload()
    wait_names(sized, made)
    sized.get_by_role("button", name="View").click()
    sized.get_by_role("button", name="Reset order and sizes").click()
    wait_names(sized, list(CAMERAS))


def test_a_tile_that_is_carried_goes_back_on_escape(lone_page: Page) -> None:
    FakeHub(lone_page)
    lone_page.goto("/")
    wait_names(lone_page, list(CAMERAS))
    drag(lone_page, "attic/roof", "porch/door")
    wait_names(lone_page, [*CAMERAS[1:], "attic/roof"])
    lone_page.keyboard.press("Escape")
    wait_names(lone_page, list(CAMERAS))
    lone_page.mouse.up()
    wait_names(lone_page, list(CAMERAS))


def test_a_hand_that_let_go_beside_the_wall_carries_nothing_when_it_is_back(
    lone_page: Page,
) -> None:
    FakeHub(lone_page)
    lone_page.goto("/")
    wait_names(lone_page, list(CAMERAS))
    picture(lone_page, "attic/roof").hover()
    lone_page.mouse.down()
    lone_page.locator(".brand").hover()
    lone_page.mouse.up()
    picture(lone_page, "barn/hens").hover()
    picture(lone_page, "porch/door").hover()
    expect(lone_page.locator(".carried")).to_have_count(0)
    wait_names(lone_page, list(CAMERAS))


def test_a_finger_carries_a_tile_by_its_handle(browser: Browser, lone_hub: Wall) -> None:
    context = browser.new_context(
        base_url=lone_hub.url,
        viewport={"width": 360, "height": 740},
        has_touch=True,
        is_mobile=True,
    )
    page = context.new_page()
    FakeHub(page)
    page.goto("/")
    wait_names(page, list(CAMERAS))
    page.get_by_role("button", name="View").tap()
    page.get_by_role("button", name="Arrange by hand").tap()
    page.touchscreen.tap(4, 730)  # beside the menu, which closes it
    expect(page.locator("#view-menu")).to_be_hidden()
    box = tile(page, "attic/roof").locator(".move").bounding_box()
    over = picture(page, "barn/hens").bounding_box()
    assert box is not None
    assert over is not None
    finger = page.context.new_cdp_session(page)
    x, y = box["x"] + 10, box["y"] + 10
    end_x, end_y = over["x"] + over["width"] / 2, over["y"] + over["height"] / 2
    finger.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
    )
    for step in range(1, 9):
        point = {"x": x + (end_x - x) * step / 8, "y": y + (end_y - y) * step / 8}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    wait_names(page, ["barn/hens", "attic/roof", *CAMERAS[2:]])
    context.close()


def test_the_keyboard_moves_a_tile_and_says_where_it_is(sized: Page) -> None:
    FakeHub(sized)
    sized.goto("/?columns=2")
    wait_names(sized, list(CAMERAS))
    picture(sized, "attic/roof").focus()
    sized.keyboard.press("Shift+ArrowRight")
    expect(sized.locator("#spoken")).to_have_text("attic / roof: place 2 of 5")
    wait_names(sized, ["barn/hens", "attic/roof", *CAMERAS[2:]])
    sized.keyboard.press("Shift+ArrowDown")
    expect(sized.locator("#spoken")).to_have_text("attic / roof: place 4 of 5")
    expect(picture(sized, "attic/roof")).to_be_focused()
    sized.keyboard.press("Shift+ArrowUp")
    sized.keyboard.press("Shift+ArrowUp")  # there is nothing above
    expect(sized.locator("#spoken")).to_have_text("attic / roof: place 2 of 5")


def test_a_tile_is_doubled_and_stays_so(lone_page: Page) -> None:
    FakeHub(lone_page)
    lone_page.goto("/")
    wait_names(lone_page, list(CAMERAS))
    picture(lone_page, "garden/gate").focus()
    lone_page.keyboard.press("d")
    expect(lone_page.locator("#spoken")).to_have_text("garden / gate: double size")
    lone_page.reload()
    wide = tile(lone_page, "garden/gate")
    expect(wide).to_have_class(re.compile("double"))
    large, small = wide.bounding_box(), tile(lone_page, "garden/pond").bounding_box()
    assert large is not None
    assert small is not None
    assert large["width"] == pytest.approx(2 * small["width"] + 6, abs=1)
    assert large["height"] == pytest.approx(2 * small["height"] + 6, abs=1)
    room = lone_page.locator("#room").evaluate("(room) => room.scrollHeight <= room.clientHeight")
    assert room, "the wall was not laid out for the double tile"


def test_two_columns_of_a_phone_hold_a_double_tile_and_one_column_does_too(lone_page: Page) -> None:
    lone_page.set_viewport_size({"width": 360, "height": 740})
    FakeHub(lone_page)
    lone_page.goto("/")
    lone_page.evaluate("localStorage.setItem('camfleet.double', '[\"barn/hens\"]')")
    for columns in ("1", "2"):
        lone_page.goto(f"/?columns={columns}")
        expect(tile(lone_page, "barn/hens")).to_have_class(re.compile("double"))
        expect(tile(lone_page, "barn/hens")).to_be_in_viewport(ratio=0.9)
        assert lone_page.evaluate("document.documentElement.scrollWidth") <= 360


def test_groups_have_headings_that_fold_and_stay_folded(sized: Page) -> None:
    hub = FakeHub(sized)
    sized.goto("/")
    choose(sized, "Groups", "node")
    headings = sized.locator(".heading button")
    expect(headings).to_have_text(["attic 1", "barn 1", "garden 2", "porch 1"])
    sized.get_by_role("button", name="garden 2", exact=True).click()
    expect(tile(sized, "garden/gate")).to_be_hidden()
    sized.locator("#search").fill("n")  # all but attic/roof and porch/door
    expect(headings).to_have_text(["barn 1", "garden 2"])
    sized.locator("#search").fill("")
    sized.reload()
    expect(headings.nth(2)).to_have_attribute("aria-expanded", "false")
    hub.wait_shown([name for name in hub.shown[-1] if not name.startswith("garden/")])
    headings.nth(2).focus()
    sized.keyboard.press("Enter")
    expect(tile(sized, "garden/gate")).to_be_visible()


def test_groups_by_state_begin_with_what_wants_a_look(lone_page: Page) -> None:
    hub = FakeHub(lone_page)
    lone_page.goto("/?group=state")
    headings = lone_page.locator(".heading button")
    expect(headings).to_have_text(["online 5"])
    hub.cameras["garden/pond"] |= {"state": "stale", "age_ms": 5000}
    hub.cameras["barn/hens"] |= {"state": "offline", "age_ms": 50_000}
    hub.tell()
    expect(headings).to_have_text(["stale 0 of 1 online", "offline 0 of 1 online", "online 3"])
    wait_names(lone_page, ["garden/pond", "barn/hens", "attic/roof", "garden/gate", "porch/door"])


def test_the_search_finds_words_nodes_and_states(sized: Page) -> None:
    hub = FakeHub(sized)
    hub.cameras["garden/pond"]["state"] = "stale"
    sized.goto("/?search=garden")
    wait_names(sized, ["garden/gate", "garden/pond"])
    search = sized.locator("#search")
    search.fill("state:stale")
    wait_names(sized, ["garden/pond"])
    search.fill("node:gar state:online")
    wait_names(sized, ["garden/gate"])
    search.fill("node:gate")
    expect(sized.locator("#none")).to_be_visible()
    search.press("Escape")
    wait_names(sized, list(CAMERAS))


def test_a_paused_tile_costs_no_frames_and_says_since_when(sized: Page) -> None:
    hub = FakeHub(sized, CAMERAS[:2])
    sized.goto("/")
    hub.wait_shown(list(CAMERAS[:2]))
    picture(sized, "attic/roof").focus()
    sized.keyboard.press("p")
    hub.wait_shown(["barn/hens"])
    roof = tile(sized, "attic/roof")
    expect(roof).to_have_attribute("data-state", "paused")
    expect(roof.locator(".slate")).to_have_text(re.compile(r"paused \d+ m?s ago$"))
    expect(roof.locator(".slate")).to_be_visible()
    expect(roof.locator(".age")).not_to_have_text("\u2013")
    hub.cameras["attic/roof"]["state"] = "stale"
    hub.tell()
    expect(roof.locator(".slate")).to_have_text(re.compile(r"ago; the camera is stale$"))
    sized.get_by_role("button", name="Pause", exact=True).first.click()  # the bar's
    hub.wait_shown([])
    expect(sized.locator("#pause")).to_have_text("Resume")
    sized.keyboard.press("Shift+P")
    hub.wait_shown(list(CAMERAS[:2]))


def test_the_space_bar_pauses_the_camera_that_fills_the_screen(lone_page: Page) -> None:
    hub = FakeHub(lone_page)
    lone_page.goto("/#garden/pond")
    hub.wait_shown(["garden/pond"])
    lone_page.keyboard.press("Space")
    hub.wait_shown([])
    expect(lone_page.locator(".staged")).to_have_attribute("data-state", "paused")
    lone_page.keyboard.press("Space")
    hub.wait_shown(["garden/pond"])


def test_the_address_follows_the_camera_and_leads_back_to_it(sized: Page) -> None:
    FakeHub(sized)
    sized.goto("/")
    picture(sized, "garden/gate").click()
    expect(sized).to_have_url(re.compile(r"/#garden/gate$"))
    sized.get_by_role("button", name="Next camera").click()
    expect(sized).to_have_url(re.compile(r"/#garden/pond$"))
    expect(sized.locator(".staged .pixels")).to_have_text("64 \u00d7 48")
    expect(sized.locator(".staged .numbers")).to_be_in_viewport(ratio=1)
    sized.reload()
    expect(sized.locator(".staged")).to_have_attribute("data-camera", "garden/pond")
    sized.get_by_role("button", name="Previous camera").click()
    expect(sized.locator(".staged")).to_have_attribute("data-camera", "garden/gate")
    sized.go_back()
    expect(sized.locator(".staged")).to_have_count(0)
    expect(sized).to_have_url(re.compile(r"/$"))


def test_a_camera_that_comes_late_is_shown_where_the_address_names_it(lone_page: Page) -> None:
    hub = FakeHub(lone_page, ("barn/hens",))
    lone_page.goto("/#k%C3%BCche/100%25")
    expect(tile(lone_page, "barn/hens")).to_be_visible()
    hub.cameras["k\u00fcche/100%"] = camera("k\u00fcche/100%")
    hub.tell()
    expect(lone_page.locator(".staged")).to_have_attribute("data-camera", "k\u00fcche/100%")


def test_the_keyboard_stays_on_the_wall_when_its_tile_leaves_the_search(lone_page: Page) -> None:
    hub = FakeHub(lone_page)
    hub.cameras["garden/gate"]["state"] = hub.cameras["porch/door"]["state"] = "stale"
    lone_page.goto("/?search=state:stale")
    wait_names(lone_page, ["garden/gate", "porch/door"])
    picture(lone_page, "garden/gate").focus()
    hub.cameras["garden/gate"]["state"] = "online"
    hub.tell()
    wait_names(lone_page, ["porch/door"])
    expect(picture(lone_page, "porch/door")).to_be_focused()


def test_the_keyboard_comes_back_to_the_wall_from_a_camera_outside_the_search(
    lone_page: Page,
) -> None:
    FakeHub(lone_page)
    lone_page.goto("/?search=barn#porch/door")
    expect(tile(lone_page, "porch/door")).to_have_class(re.compile("staged"))
    lone_page.keyboard.press("Escape")
    wait_names(lone_page, ["barn/hens"])
    expect(picture(lone_page, "barn/hens")).to_be_focused()


def test_no_handle_of_another_tile_lies_over_the_camera_that_fills_the_screen(sized: Page) -> None:
    FakeHub(sized)
    sized.goto("/")
    wait_names(sized, list(CAMERAS))
    sized.get_by_role("button", name="View").click()
    sized.get_by_role("button", name="Arrange by hand").click()
    sized.keyboard.press("Escape")
    at = [tile(sized, name).locator(".move").bounding_box() for name in CAMERAS[1:]]
    picture(sized, CAMERAS[0]).click()
    expect(tile(sized, CAMERAS[0])).to_have_class(re.compile("staged"))
    for box in at:
        assert box is not None
        middle = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        found = sized.evaluate(
            "([x, y]) => !document.elementFromPoint(x, y)?.closest('.tile:not(.staged)')", middle
        )
        assert found, box


def test_a_dead_camera_is_hidden_until_it_lives_again(sized: Page) -> None:
    hub = FakeHub(sized, CAMERAS[:2])
    hub.cameras["barn/hens"] |= {"state": "offline", "age_ms": 50_000}
    sized.goto("/")
    hens = tile(sized, "barn/hens")
    expect(hens.locator(".slate")).to_contain_text("offline")
    expect(hens.locator(".age")).to_have_text(re.compile(r"^5\d s$"))
    picture(sized, "attic/roof").focus()
    sized.keyboard.press("h")
    expect(sized.locator("#spoken")).to_have_text("attic / roof is online, and stays")
    sized.keyboard.press("ArrowRight")
    sized.keyboard.press("h")
    expect(hens).to_be_hidden()
    expect(picture(sized, "attic/roof")).to_be_focused()
    sized.reload()
    wait_names(sized, ["attic/roof"])
    sized.get_by_role("button", name="View").click()
    sized.get_by_role("button", name="Show hidden (1)").click()
    expect(hens).to_be_visible()
    sized.get_by_role("button", name="Hide them again").click()
    expect(hens).to_be_hidden()
    hub.cameras["barn/hens"] |= {"state": "online", "age_ms": 20}
    hub.tell()
    expect(hens).to_be_visible()
    expect(sized.locator("#hidden")).to_be_hidden()


def test_a_rejected_camera_and_a_stranger_say_why(sized: Page) -> None:
    rejection = {"reason": "its pictures are too large", "problem": "9 bytes", "age_ms": 100}
    hub = FakeHub(sized, ("barn/hens",), rejected=[])
    hub.cameras["barn/hens"] |= {"age_ms": 4000, "rejection": rejection}
    sized.goto("/")
    hens = tile(sized, "barn/hens")
    expect(hens).to_have_attribute("data-state", "rejected")
    expect(hens.locator(".slate")).to_have_text(re.compile("rejected its pictures are too large"))
    expect(sized.locator("#rejected")).to_be_hidden()
    hub.cameras["barn/hens"]["age_ms"] = 40  # a newer one was accepted
    hub.tell(rejected=[rejection | {"sender": "<b>attic", "reason": "this hub is full"}])
    expect(hens).to_have_attribute("data-state", "online")
    sized.get_by_role("button", name="1 rejected").click()
    expect(sized.locator("#rejected-menu li")).to_have_text("<b>attic: this hub is full 9 bytes")


def test_a_restarted_hub_moves_nothing_and_shows_the_last_pictures(lone_page: Page) -> None:
    hub = FakeHub(lone_page)
    lone_page.goto("/")
    hub.wait_shown(list(CAMERAS))
    wait_names(lone_page, list(CAMERAS))
    before = [lone_page.locator(".tile").nth(i).bounding_box() for i in range(len(CAMERAS))]
    hub.cameras = {}  # its nodes are not back yet
    hub.tell()
    roof = tile(lone_page, "attic/roof")
    expect(roof).to_have_attribute("data-state", "stale")
    expect(roof.locator(".slate")).to_have_text(re.compile(r"last picture \d+ m?s ago"))
    after = [lone_page.locator(".tile").nth(i).bounding_box() for i in range(len(CAMERAS))]
    assert after == before
    hub.cameras = {name: camera(name) for name in CAMERAS}
    hub.tell()
    expect(roof).to_have_attribute("data-state", "online")


def test_every_tile_of_a_phone_tells_all_its_numbers_with_their_names(lone_page: Page) -> None:
    lone_page.set_viewport_size({"width": 360, "height": 740})
    FakeHub(lone_page)
    lone_page.goto("/?columns=2")
    strip = tile(lone_page, "attic/roof").locator(".strip")
    for number, label in ((".fps", ""), (".latency", '"latency "'), (".age", '"age "')):
        shown = strip.locator(number)
        expect(shown).to_be_in_viewport(ratio=1)
        assert label in shown.evaluate("(part) => getComputedStyle(part, '::before').content")
        assert shown.evaluate("(part) => part.scrollWidth <= part.clientWidth + 1")
