"""A display that nobody sits at: it takes turns with what has no room on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect
from tests.browser.fake_hub import DEADLINE_S, FakeHub, picture

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAMES: Final = tuple(f"node-{number // 4}/cam-{number:02}" for number in range(20))
TURN_MS: Final = 3_600_000  # on the page's clock; by itself no test takes so long


def shown(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "() => [...document.querySelectorAll('.tile:not([hidden])')].map((t) => t.dataset.camera)"
    )
    return found


def open_kiosk(page: Page, query: str) -> FakeHub:
    page.clock.install()
    page.set_viewport_size({"width": 1280, "height": 720})
    hub = FakeHub(page, NAMES)
    page.goto(f"/?kiosk{query}")
    expect(page.locator(".tile")).to_have_count(len(NAMES))
    return hub


def wait_shown(page: Page, names: list[str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while shown(page) != names:
        assert time.monotonic() < deadline, f"found {shown(page)}, want {names}"
        page.wait_for_timeout(50)


def test_a_kiosk_takes_turns_and_gets_only_what_is_on_its_sheet(lone_page: Page) -> None:
    hub = open_kiosk(lone_page, "&columns=4&cycle=3600")
    number = lone_page.locator("#sheet")
    expect(number).to_have_text("1 of 3")
    sheets = [list(NAMES[:6]), list(NAMES[6:13]), list(NAMES[13:])]
    for turn in (0, 1, 2, 0):
        wait_shown(lone_page, sheets[turn])
        hub.wait_shown(sheets[turn])
        expect(number).to_have_text(f"{turn + 1} of 3")
        scrolls = "(room) => room.scrollHeight > room.clientHeight"
        assert not lone_page.locator("#room").evaluate(scrolls)
        lone_page.clock.fast_forward(TURN_MS)


def test_a_sheet_stays_while_somebody_pauses_it_or_looks_at_one_camera(lone_page: Page) -> None:
    open_kiosk(lone_page, "&columns=4&cycle=3600")
    number = lone_page.locator("#sheet")
    expect(number).to_have_text("1 of 3")
    lone_page.keyboard.press("Shift+P")
    expect(number).to_have_text("1 of 3, paused")
    lone_page.clock.fast_forward(3 * TURN_MS)
    expect(number).to_have_text("1 of 3, paused")
    lone_page.keyboard.press("Shift+P")
    picture(lone_page, NAMES[2]).focus()
    lone_page.keyboard.press("p")
    lone_page.clock.fast_forward(3 * TURN_MS)
    expect(number).to_have_text("1 of 3, paused")
    lone_page.keyboard.press("p")
    lone_page.keyboard.press("Enter")
    expect(lone_page.locator(".staged")).to_have_attribute("data-camera", NAMES[2])
    lone_page.clock.fast_forward(3 * TURN_MS)
    lone_page.keyboard.press("Escape")
    expect(lone_page.locator(".staged")).to_have_count(0)
    expect(number).to_have_text("1 of 3")
    lone_page.clock.fast_forward(TURN_MS)
    expect(number).to_have_text("2 of 3")


def test_the_arrows_reach_the_cameras_of_the_other_sheets(lone_page: Page) -> None:
    open_kiosk(lone_page, "&columns=4")
    wait_shown(lone_page, list(NAMES[:6]))
    picture(lone_page, NAMES[5]).focus()
    lone_page.keyboard.press("ArrowRight")
    expect(picture(lone_page, NAMES[6])).to_be_focused()
    wait_shown(lone_page, list(NAMES[6:13]))
    lone_page.keyboard.press("ArrowLeft")
    expect(picture(lone_page, NAMES[5])).to_be_focused()


def test_a_tile_that_is_doubled_has_its_room_at_once(lone_page: Page) -> None:
    open_kiosk(lone_page, "&columns=4&cycle=3600")
    wait_shown(lone_page, list(NAMES[:6]))
    picture(lone_page, NAMES[0]).focus()
    lone_page.keyboard.press("d")
    assert shown(lone_page) == list(NAMES[:5])  # at once, and not when the hub tells next
    expect(lone_page.locator("#sheet")).to_have_text("1 of 4")
    scrolls = "(room) => room.scrollHeight > room.clientHeight"
    assert not lone_page.locator("#room").evaluate(scrolls)


def test_the_keyboard_stays_on_a_sheet_whose_last_tile_is_doubled_off_it(lone_page: Page) -> None:
    open_kiosk(lone_page, "&columns=4&cycle=3600")
    wait_shown(lone_page, list(NAMES[:6]))
    picture(lone_page, NAMES[5]).focus()
    lone_page.keyboard.press("d")
    expect(picture(lone_page, NAMES[5])).to_be_hidden()
    expect(picture(lone_page, NAMES[0])).to_be_focused()
    expect(picture(lone_page, NAMES[0])).to_be_in_viewport(ratio=1)
    lone_page.keyboard.press("ArrowRight")
    expect(picture(lone_page, NAMES[1])).to_be_focused()


def test_the_keyboard_stays_on_a_sheet_whose_group_is_folded_off_it(lone_page: Page) -> None:
    open_kiosk(lone_page, "&columns=4&group=node&cycle=3600")
    expect(lone_page.locator("#sheet")).to_have_text("1 of 3")
    lone_page.clock.fast_forward(TURN_MS)
    heading = lone_page.locator(".heading button", has_text="node-3")
    heading.press("Enter")
    expect(heading).to_be_hidden()  # what is folded stands on the first sheet
    expect(lone_page.locator(".tile:visible .open:focus")).to_have_count(1)


def test_the_keyboard_stays_on_the_wall_when_it_turns(lone_page: Page) -> None:
    open_kiosk(lone_page, "&columns=4&cycle=3600")
    picture(lone_page, NAMES[3]).focus()
    lone_page.clock.fast_forward(TURN_MS)
    expect(picture(lone_page, NAMES[6])).to_be_focused()
    lone_page.evaluate("document.activeElement.blur()")
    lone_page.clock.fast_forward(TURN_MS)
    wait_shown(lone_page, list(NAMES[13:]))
    expect(lone_page.locator("body")).to_be_focused()


SHEETS: Final = """async ([room, last]) => {
  const { sheetsOf } = await import("/static/sheets.js");
  const section = { key: "", title: "", isFolded: false, heading: null, tiles: Array(40).fill(1) };
  let asked = 0;
  const fits = ([{ tiles }]) => { asked += 1; return tiles.length <= room; };
  const sheets = sheetsOf([section], fits, last);
  return [sheets.length, sheets.flatMap(([{ tiles }]) => tiles).length, asked];
}"""


@pytest.mark.parametrize("last", [1, 2, 7, 8, 9, 25, 40, 41, 500])
def test_the_sheets_are_as_few_whatever_their_last_count(lone_page: Page, last: int) -> None:
    lone_page.goto("/")
    assert lone_page.evaluate(SHEETS, [5, last])[:2] == [8, 40]
    assert lone_page.evaluate(SHEETS, [1, last])[:2] == [40, 40]
    assert lone_page.evaluate(SHEETS, [40, last])[:2] == [1, 40]


def test_where_nothing_changed_only_the_last_count_and_one_less_are_tried(lone_page: Page) -> None:
    lone_page.goto("/")
    assert lone_page.evaluate(SHEETS, [5, 8])[2] <= 8 + 7


def test_what_fits_needs_no_sheets_and_without_turns_all_fits(lone_page: Page) -> None:
    open_kiosk(lone_page, "&cycle=3600")
    wait_shown(lone_page, list(NAMES))
    expect(lone_page.locator("#sheet")).to_be_hidden()
    lone_page.set_viewport_size({"width": 200, "height": 300})
    expect(lone_page.locator("#sheet")).to_be_visible()
    lone_page.goto("/?kiosk&cycle=0")
    wait_shown(lone_page, list(NAMES))
    expect(lone_page.locator("#sheet")).to_be_hidden()
    scrolls = "(room) => room.scrollHeight > room.clientHeight"
    assert not lone_page.locator("#room").evaluate(scrolls)


def test_a_group_that_goes_on_has_its_heading_on_both_sheets(lone_page: Page) -> None:
    open_kiosk(lone_page, "&columns=4&group=node&cycle=3600")
    expect(lone_page.locator("#sheet")).to_have_text("1 of 3")
    headings = lone_page.locator(".heading:visible")
    expect(headings).to_have_text(["node-0 4", "node-1 4"])
    lone_page.clock.fast_forward(TURN_MS)
    expect(headings).to_have_text(["node-1 4", "node-2 4", "node-3 4"])


@pytest.mark.parametrize(
    ("asked", "period_s"),
    [
        (None, 20), ("", 20), ("often", 20), ("-5", 20), ("Infinity", 20), ("0", 0), ("0.01", 2),
        ("45", 45), ("1e9", 86_400),
    ],
)  # fmt: skip
def test_the_address_may_ask_for_any_period(
    lone_page: Page, asked: str | None, period_s: int
) -> None:
    lone_page.goto("/")
    found = lone_page.evaluate(
        """async (asked) => {
          const { periodOf } = await import("/static/cycle.js");
          return periodOf(asked);
        }""",
        asked,
    )
    assert found == period_s
