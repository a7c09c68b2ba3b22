"""How the wall fills a screen, for any number of cameras: captions, doubled tiles and groups."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any, Final

import pytest
from playwright.sync_api import expect
from tests.browser.axe import faults
from tests.browser.fake_hub import FakeHub, picture, tile
from tests.browser.test_page import MOST_SHIFT, WATCH_SHIFTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from playwright.sync_api import Page

PHONE, LAPTOP, DESKTOP, LARGE = (375, 812), (1280, 720), (1920, 1080), (3840, 2160)
GAP: Final = 6
ASPECT: Final = 4 / 3  # of the fake hub's cameras
LEAST_PICTURE: Final = 90
FITTING: Final = [
    *((PHONE, count) for count in (1, 2, 4, 9, 16)),
    *((LAPTOP, count) for count in (1, 2, 4, 9, 16, 40, 64)),
    *((DESKTOP, count) for count in (2, 9, 16, 40, 64, 100)),
    *((LARGE, count) for count in (4, 64, 200)),
]

LOOK: Final = """() => {
  const room = document.getElementById("room");
  const inner = room.getBoundingClientRect();
  const within = (box, outer) => box.top >= outer.top && box.bottom <= outer.bottom + 0.5
    && box.left >= outer.left && box.right <= outer.right + 0.5 && box.width > 0 && box.height > 0;
  const tiles = [...document.querySelectorAll(".tile:not([hidden])")];
  const boxOf = (tile, part) => tile.querySelector(part).getBoundingClientRect();
  const first = boxOf(tiles[0], ".picture");
  return {
    room: [room.clientWidth, room.clientHeight],
    scrolls: room.scrollHeight > room.clientHeight,
    seen: tiles.filter((one) => within(one.getBoundingClientRect(), inner)).length,
    told: tiles.filter((one) => [".camera", ".age"].every((part) =>
      within(boxOf(one, part), one.getBoundingClientRect()))).length,
    picture: [first.width, first.height],
    caption: boxOf(tiles[0], ".strip").height,
  };
}"""


def open_wall(page: Page, size: tuple[int, int], names: Iterable[str], path: str = "/") -> FakeHub:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    hub = FakeHub(page, tuple(names))
    page.goto(path)
    expect(page.locator(".tile[data-state=online]")).to_have_count(len(hub.cameras))
    return hub


def many(count: int) -> list[str]:
    return [f"node-{number // 4}/cam-{number}" for number in range(count)]


def largest(count: int, room: tuple[int, int], caption: float) -> float:
    """How wide the pictures are with the best number of columns."""
    found = []
    for columns in range(1, count + 1):
        width = (room[0] - GAP) / columns - GAP
        height = (room[1] - GAP) / math.ceil(count / columns) - GAP - caption
        found.append(min(width, height * ASPECT))
    return max(found)


@pytest.mark.parametrize(("size", "count"), FITTING)
def test_all_cameras_are_seen_at_once_and_as_large_as_they_can_be(
    lone_page: Page, size: tuple[int, int], count: int
) -> None:
    open_wall(lone_page, size, many(count))
    found: dict[str, Any] = lone_page.evaluate(LOOK)
    assert not found["scrolls"]
    assert found["seen"] == count
    assert found["told"] == count
    width = min(found["picture"][0], found["picture"][1] * ASPECT)
    assert width >= LEAST_PICTURE
    assert width >= largest(count, found["room"], found["caption"]) - 2


@pytest.mark.parametrize(("size", "count"), [(PHONE, 64), (LAPTOP, 200)])
def test_tiles_that_would_be_too_small_scroll_and_fit_on_a_kiosk_all_the_same(
    lone_page: Page, size: tuple[int, int], count: int
) -> None:
    open_wall(lone_page, size, many(count))
    found = lone_page.evaluate(LOOK)
    assert found["scrolls"]
    assert found["picture"][0] > LEAST_PICTURE
    open_wall(lone_page, size, many(count), "/?kiosk&cycle=0")
    found = lone_page.evaluate(LOOK)
    assert not found["scrolls"]
    assert found["seen"] == count


FIT: Final = """async ([count, grouped]) => {
  const { fit } = await import("/static/grid.js");
  const shape = { hasHeading: grouped, spans: Array(count).fill(1) };
  return fit([shape], 3840, 2100, 4 / 3, 90)?.columns ?? null;
}"""


def test_no_more_tiles_are_seen_at_once_than_the_hub_sends(lone_page: Page) -> None:
    lone_page.goto("/")
    assert lone_page.evaluate(FIT, [256, False]) > 1
    assert lone_page.evaluate(FIT, [257, False]) is None
    assert lone_page.evaluate(FIT, [0, False]) == 1


@pytest.mark.parametrize(("size", "count"), [(DESKTOP, 64), (LAPTOP, 64), (LAPTOP, 40), (PHONE, 9)])
def test_a_small_tile_tells_the_rest_to_who_is_at_it_and_moves_nothing(
    lone_page: Page, size: tuple[int, int], count: int
) -> None:
    lone_page.add_init_script(WATCH_SHIFTS)
    hub = open_wall(lone_page, size, many(count))
    last = many(count)[-1]
    latency = tile(lone_page, last).locator(".latency")
    expect(latency).to_have_css("opacity", "0")
    picture(lone_page, last).focus()
    expect(latency).to_have_css("opacity", "1")
    expect(latency).to_be_in_viewport(ratio=1)
    for told in hub.cameras.values():
        told.update({"fps": 120.0, "age_ms": 999_000, "marks": ["motion"]})
    hub.tell()
    expect(tile(lone_page, last).locator(".fps")).to_have_text("120 fps")
    lone_page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    shifts = lone_page.evaluate("window.shifts")
    assert sum(value for value, _ in shifts) <= MOST_SHIFT, shifts


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_no_serious_fault_on_a_wall_of_small_tiles(lone_page: Page, scheme: Any) -> None:  # noqa: ANN401 - playwright's
    lone_page.emulate_media(color_scheme=scheme)
    hub = open_wall(lone_page, LAPTOP, many(64))
    names = list(hub.cameras)
    hub.cameras[names[0]] |= {"state": "stale", "age_ms": 5000}
    hub.cameras[names[1]] |= {"state": "offline", "age_ms": 50_000}
    hub.tell()
    expect(tile(lone_page, names[1])).to_have_attribute("data-state", "offline")
    picture(lone_page, names[2]).focus()
    assert faults(lone_page) == []


PACK: Final = """async ([spans, columns]) => {
  const { packed } = await import("/static/pack.js");
  return packed(spans, columns);
}"""


def cells(place: dict[str, int]) -> set[tuple[int, int]]:
    steps = range(place["span"])
    return {(place["row"] + down, place["column"] + right) for down in steps for right in steps}


def test_tiles_lie_on_no_other_and_single_ones_are_read_in_order(lone_page: Page) -> None:
    lone_page.goto("/")
    chance = random.Random(5)  # noqa: S311 - nothing secret
    for _ in range(200):
        columns = chance.randint(1, 9)
        spans = [2 if chance.random() < 0.2 else 1 for _ in range(chance.randint(0, 40))]
        found = lone_page.evaluate(PACK, [spans, columns])
        taken = [cell for place in found["places"] for cell in cells(place)]
        assert len(taken) == len(set(taken)), (spans, columns)
        assert all(column < columns for _, column in taken), (spans, columns)
        assert found["rows"] == max((row + 1 for row, _ in taken), default=0)
        single = [(p["row"], p["column"]) for p in found["places"] if p["span"] == 1]
        assert single == sorted(single), (spans, columns)


@pytest.mark.parametrize(
    ("spans", "columns", "rows"),
    [
        ([1] * 8 + [2], 4, 3),
        ([1, 1, 1, 2, 1], 4, 2),
        ([1, 2, 1, 1, 1], 4, 2),
        ([1] * 5 + [2] + [1] * 3 + [2, 1, 1, 1], 4, 5),
        ([2, 2, 2], 6, 2),
        ([1] * 12 + [2], 4, 4),
    ],
)
def test_a_doubled_tile_leaves_no_cell_empty(
    lone_page: Page, spans: list[int], columns: int, rows: int
) -> None:
    lone_page.goto("/")
    found = lone_page.evaluate(PACK, [spans, columns])
    taken = {cell for place in found["places"] for cell in cells(place)}
    assert found["rows"] == rows
    assert len(taken) == sum(span * span for span in spans)
    whole = {(row, column) for row in range(rows) for column in range(columns)}
    holes = sorted(whole - taken)
    # What remains is the end of the last row, as with single tiles.
    assert all(row == rows - 1 for row, _ in holes), holes


def test_the_page_shows_a_doubled_tile_where_it_was_put(lone_page: Page) -> None:
    names = many(9)
    lone_page.goto("/")
    lone_page.evaluate("localStorage.setItem('camfleet.double', '[\"node-2/cam-8\"]')")
    open_wall(lone_page, LAPTOP, names)
    found = lone_page.evaluate(LOOK)
    assert found["seen"] == len(names)
    boxes = [tile(lone_page, name).bounding_box() for name in names]
    area = sum(box["width"] * box["height"] for box in boxes if box)
    right = max(box["x"] + box["width"] for box in boxes if box)
    top = min(box["y"] for box in boxes if box)
    bottom = max(box["y"] + box["height"] for box in boxes if box)
    assert area >= 0.93 * right * (bottom - top)  # gaps, and at most no hole


@pytest.mark.parametrize(("size", "count"), [(DESKTOP, 16), (LAPTOP, 8), (LARGE, 40)])
def test_small_groups_stand_beside_each_other(
    lone_page: Page, size: tuple[int, int], count: int
) -> None:
    open_wall(lone_page, size, [f"node-{number:02}/cam" for number in range(count)], "/?group=node")
    headings = lone_page.locator(".heading")
    expect(headings).to_have_count(count)
    tops = {round(box["y"]) for one in headings.all() if (box := one.bounding_box())}
    assert len(tops) < count / 2
    found = lone_page.evaluate(LOOK)
    assert not found["scrolls"]
    assert found["seen"] == count
    for number in range(count):
        head, below = headings.nth(number).bounding_box(), lone_page.locator(".tile").nth(number)
        box = below.bounding_box()
        assert head is not None
        assert box is not None
        assert (head["x"], head["width"]) == (box["x"], box["width"])
        assert head["y"] + head["height"] + GAP == pytest.approx(box["y"], abs=1)


def test_a_doubled_tile_alone_in_its_group_lies_on_no_other(lone_page: Page) -> None:
    lone_page.goto("/")
    lone_page.evaluate("localStorage.setItem('camfleet.double', '[\"n1/c\"]')")
    names = [f"n{number}/c" for number in range(6)]
    open_wall(lone_page, LAPTOP, names, "/?group=node")
    boxes = [box for name in names if (box := tile(lone_page, name).bounding_box())]
    boxes += [box for one in lone_page.locator(".heading").all() if (box := one.bounding_box())]
    assert len(boxes) == 2 * len(names)
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            assert lies_beside(one, other, "x", "width") or lies_beside(one, other, "y", "height")


def lies_beside(one: Any, other: Any, start: str, size: str) -> bool:  # noqa: ANN401 - boxes
    first, second = sorted((one, other), key=lambda box: float(box[start]))
    return bool(first[start] + first[size] <= second[start])


def test_groups_of_four_are_blocks_and_a_large_one_has_the_whole_width(lone_page: Page) -> None:
    names = [f"n{group}/c{number}" for group in range(6) for number in range(4)]
    names += [f"z/c{number:02}" for number in range(20)]
    open_wall(lone_page, DESKTOP, names, "/?group=node")
    found = lone_page.evaluate(LOOK)
    assert not found["scrolls"]
    assert found["seen"] == 44
    wide = lone_page.locator(".heading").last.bounding_box()
    assert wide is not None
    last = tile(lone_page, "z/c19").bounding_box()
    assert last is not None
    assert last["x"] + last["width"] <= wide["x"] + wide["width"] + 1


def test_the_arrows_follow_the_screen_around_a_doubled_tile(lone_page: Page) -> None:
    lone_page.goto("/")
    lone_page.evaluate("localStorage.setItem('camfleet.double', '[\"node-0/cam-0\"]')")
    open_wall(lone_page, LAPTOP, many(12))
    picture(lone_page, "node-0/cam-0").focus()
    lone_page.keyboard.press("ArrowRight")
    expect(picture(lone_page, "node-0/cam-1")).to_be_focused()
    lone_page.keyboard.press("ArrowLeft")
    lone_page.keyboard.press("ArrowDown")
    below = lone_page.evaluate("document.activeElement.getBoundingClientRect().top")
    first = tile(lone_page, "node-0/cam-0").bounding_box()
    assert first is not None
    assert below >= first["y"] + first["height"]
