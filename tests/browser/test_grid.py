"""How the wall fills a screen, for any number of cameras: captions, doubled tiles and groups."""

from __future__ import annotations

import json
import math
import random
from itertools import count
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


BURIED: Final = """(tile) => {
  const canvas = tile.querySelector("canvas");
  const above = (part, { left, right, top, bottom } = part.getBoundingClientRect()) => {
    const found = document.elementsFromPoint((left + right) / 2, (top + bottom) / 2);
    return found.includes(part) && !found.slice(0, found.indexOf(part)).includes(canvas);
  };
  const parts = [".latency", ".fps", ".age"].map((one) => tile.querySelector(one));
  return parts.filter((one) => !above(one)).map((one) => one.className);
}"""


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
    expect(tile(lone_page, last).locator("canvas")).to_be_visible()
    assert tile(lone_page, last).evaluate(BURIED) == []
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
        ([2] * 4, 4, 4),
        ([2, 2, 2, 2, 1, 1, 1, 1], 5, 4),
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


def rows_in_turn(spans: list[int], columns: int) -> int:
    """The rows of a wall that gives each doubled tile the first free place, then single ones."""
    taken: set[tuple[int, int]] = set()
    for span in sorted(min(span, columns) for span in spans)[::-1]:
        places = ({"row": at // columns, "column": at % columns, "span": span} for at in count())
        taken |= next(
            found
            for place in places
            if place["column"] + span <= columns and not (found := cells(place)) & taken
        )
    return max((row + 1 for row, _ in taken), default=0)


def test_a_wall_is_no_higher_than_with_its_doubled_tiles_in_turn(lone_page: Page) -> None:
    lone_page.goto("/")
    chance = random.Random(8)  # noqa: S311 - nothing secret
    for _ in range(200):
        columns = chance.randint(1, 9)
        spans = [2 if chance.random() < 0.6 else 1 for _ in range(chance.randint(1, 20))]
        found = lone_page.evaluate(PACK, [spans, columns])
        assert found["rows"] <= rows_in_turn(spans, columns), (spans, columns)


SHELVE: Final = """async ([shapes, columns, depth]) => {
  const { shelved } = await import("/static/pack.js");
  return shelved(shapes, columns, depth);
}"""


def test_a_doubled_tile_of_a_group_has_two_columns_wherever_there_are_two(lone_page: Page) -> None:
    lone_page.goto("/")
    chance = random.Random(6)  # noqa: S311 - nothing secret
    for _ in range(200):
        columns, depth = chance.randint(2, 12), chance.randint(1, 8)
        groups = [
            [2 if chance.random() < 0.3 else 1 for _ in range(chance.randint(1, 9))]
            for _ in range(chance.randint(1, 12))
        ]
        shapes = [{"hasHeading": True, "spans": spans} for spans in groups]
        boxes = lone_page.evaluate(SHELVE, [shapes, columns, depth])["boxes"]
        found = [[place["span"] for place in box["places"]] for box in boxes]
        assert found == groups, (columns, depth)
        for box in boxes:
            assert box["column"] + box["width"] <= columns
            assert all(p["column"] + p["span"] <= box["width"] for p in box["places"])


DEPTHS: Final = """async ([shapes, columns]) => {
  const { heightOf, scrolled } = await import("/static/grid.js");
  const { shelved } = await import("/static/pack.js");
  const grid = scrolled(shapes, columns, 1280, 720, 4 / 3);
  const depths = [1, 2, 3, 4, 5, 6, 7, 8];
  const others = depths.map((depth) => ({ ...grid, shelves: shelved(shapes, columns, depth) }));
  return [heightOf(grid), Math.min(...others.map(heightOf))];
}"""


def test_no_other_depth_of_the_shelves_makes_a_lower_wall(lone_page: Page) -> None:
    lone_page.goto("/")
    chance = random.Random(7)  # noqa: S311 - nothing secret
    for _ in range(200):
        groups = [
            [2 if chance.random() < 0.3 else 1 for _ in range(chance.randint(1, 4))]
            for _ in range(chance.randint(2, 10))
        ]
        shapes = [{"hasHeading": True, "spans": spans} for spans in groups]
        columns = chance.randint(2, 12)
        found, lowest = lone_page.evaluate(DEPTHS, [shapes, columns])
        assert found == lowest, (groups, columns)


def test_a_group_of_one_doubled_tile_leaves_room_for_others_beside_it(lone_page: Page) -> None:
    lone_page.goto("/")
    lone_page.evaluate("localStorage.setItem('camfleet.double', '[\"n0/c\"]')")
    open_wall(lone_page, LAPTOP, ["n0/c", "n1/c", "n2/c"], "/?group=node")
    tops = [box["y"] for one in lone_page.locator(".heading").all() if (box := one.bounding_box())]
    assert tops == [tops[0]] * 3


WORK: Final = """async () => {
  const { fit } = await import("/static/grid.js");
  const Known = Set;
  let packed = 0;
  globalThis.Set = class extends Known { constructor(...all) { super(...all); packed += 1; } };
  const shape = { hasHeading: true, spans: [2, 1, 1, 1] };
  fit(Array.from({ length: 60 }, () => structuredClone(shape)), 1920, 1080, 4 / 3, 10);
  globalThis.Set = Known;
  return packed; // a packing with a doubled tile makes one set, and where that has holes another
}"""


def test_groups_that_are_alike_are_packed_once_for_each_width(lone_page: Page) -> None:
    lone_page.goto("/")
    assert 0 < lone_page.evaluate(WORK) <= 48


KNOWN: Final = """async () => {
  const { Layout } = await import("/static/layout.js");
  const layout = new Layout({ clientWidth: 1280, clientHeight: 720 }, document.body);
  const size = { width: 64, height: 48 };
  const wall = (count) => [{ heading: null, tiles: Array(count).fill({ size, span: 1 }) }];
  const ceil = Math.ceil;
  let work = 0;
  Math.ceil = (value) => { work += 1; return ceil(value); };
  const ask = (from, to) => {
    work = 0;
    for (let count = from; count <= to; count++) layout.fits(wall(count), null);
    return work;
  };
  const asked = [[1, 100], [1, 100], [101, 256], [1, 1], [257, 257], [2, 2], [1, 1]];
  const found = asked.map(([from, to]) => ask(from, to) > 0);
  Math.ceil = ceil;
  return found;
}"""


def test_what_was_laid_out_is_known_and_the_oldest_is_forgotten_first(lone_page: Page) -> None:
    lone_page.goto("/")
    # 256 are known: all again, the first is asked for once more, one new one displaces the second.
    assert lone_page.evaluate(KNOWN) == [True, False, True, False, True, True, False]


def test_the_page_shows_a_doubled_tile_where_it_was_put(lone_page: Page) -> None:
    names = many(9)
    lone_page.goto("/")
    lone_page.evaluate("localStorage.setItem('camfleet.double', '[\"node-2/cam-8\"]')")
    open_wall(lone_page, LAPTOP, names)
    found = lone_page.evaluate(LOOK)
    assert found["seen"] == len(names)
    boxes = boxes_of(lone_page)
    assert len(boxes) == len(names)
    assert_apart(boxes)
    single, double = boxes[:-1], boxes[-1]
    width, height = single[0]["width"], single[0]["height"]
    for box in single:
        assert (box["width"], box["height"]) == pytest.approx((width, height), abs=0.5)
    want = (2 * width + GAP, 2 * height + GAP)
    assert (double["width"], double["height"]) == pytest.approx(want, abs=0.5)
    # The last in the order, and so at the end of the wall.
    ends = [(box["x"] + box["width"], box["y"] + box["height"]) for box in boxes]
    assert ends[-1] == pytest.approx(tuple(map(max, zip(*ends, strict=True))), abs=0.5)


@pytest.mark.parametrize("doubled", [["a/x"], ["a/x", "b/y"], ["a/x", "b/y", "c/z"]])
def test_few_cameras_do_not_lose_room_to_those_that_are_doubled(
    lone_page: Page, doubled: list[str]
) -> None:
    names = ["a/x", "b/y", "c/z"][: max(2, len(doubled))]
    open_wall(lone_page, LAPTOP, names)
    single = min(box["width"] for box in boxes_of(lone_page))
    lone_page.evaluate("(all) => localStorage.setItem('camfleet.double', all)", json.dumps(doubled))
    open_wall(lone_page, LAPTOP, names)
    expect(lone_page.locator(".tile.double")).to_have_count(len(doubled))
    boxes = dict(zip(names, boxes_of(lone_page), strict=True))
    assert_apart(list(boxes.values()))
    assert not lone_page.evaluate(LOOK)["scrolls"]
    for name in doubled:
        assert boxes[name]["width"] >= single - GAP
        assert boxes[name]["height"] * ASPECT >= single
    for name in set(names) - set(doubled):
        assert 2 * boxes[name]["width"] + GAP == pytest.approx(boxes[doubled[0]]["width"], abs=0.5)


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


@pytest.mark.parametrize(
    ("size", "groups"),
    [
        (LAPTOP, [[1], [2], [1], [1], [1], [1]]),
        (LAPTOP, [[1], [1, 1, 1], [2, 1, 2]]),
        (LAPTOP, [[2], [2, 1, 1], [1, 1, 1, 1], [1, 1], [2, 1, 1], [2, 1]]),
        (DESKTOP, [[1, 1], [1, 1], [1], [1, 1, 1], [1, 1, 1], [1, 2]]),
    ],
)
def test_doubled_tiles_of_groups_have_their_room_and_lie_on_no_other(
    lone_page: Page, size: tuple[int, int], groups: list[list[int]]
) -> None:
    spans = {f"n{i}/c{j}": span for i, group in enumerate(groups) for j, span in enumerate(group)}
    doubled = [name for name, span in spans.items() if span == 2]
    lone_page.goto("/")
    lone_page.evaluate("(all) => localStorage.setItem('camfleet.double', all)", json.dumps(doubled))
    open_wall(lone_page, size, spans, "/?group=node")
    expect(lone_page.locator(".tile.double")).to_have_count(len(doubled))
    boxes = boxes_of(lone_page)
    headings = [box for one in lone_page.locator(".heading").all() if (box := one.bounding_box())]
    assert (len(boxes), len(headings)) == (len(spans), len(groups))
    assert_apart(boxes + headings)
    found = lone_page.evaluate(LOOK)
    assert not found["scrolls"]
    assert found["seen"] == len(spans)
    width = next(box["width"] for box, span in zip(boxes, spans.values(), strict=True) if span == 1)
    want = [span * (width + GAP) - GAP for span in spans.values()]
    assert [box["width"] for box in boxes] == pytest.approx(want, abs=0.5)


def boxes_of(page: Page) -> list[Any]:
    return [box for one in page.locator(".tile").all() if (box := one.bounding_box())]


def assert_apart(boxes: list[Any]) -> None:
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            is_apart = lies_beside(one, other, "x", "width") or lies_beside(
                one, other, "y", "height"
            )
            assert is_apart, (one, other)


def lies_beside(one: Any, other: Any, start: str, size: str) -> bool:  # noqa: ANN401 - boxes
    first, second = sorted((one, other), key=lambda box: float(box[start]))
    return bool(first[start] + first[size] <= second[start])


@pytest.mark.parametrize(
    ("size", "groups", "large", "columns"),
    [(DESKTOP, 6, 20, (1, 4)), (DESKTOP, 8, 12, (2, 4)), (LARGE, 6, 30, (4, 10))],
)  # of the last one the large group has all columns
def test_a_heading_is_as_wide_as_its_group_and_a_large_group_has_more_columns(
    lone_page: Page, size: tuple[int, int], groups: int, large: int, columns: tuple[int, int]
) -> None:
    names = [f"n{group}/c{number}" for group in range(groups) for number in range(4)]
    names += [f"z/c{number:02}" for number in range(large)]
    open_wall(lone_page, size, names, "/?group=node")
    found = lone_page.evaluate(LOOK)
    assert not found["scrolls"]
    assert found["seen"] == len(names)
    boxes = boxes_of(lone_page)
    assert_apart(boxes)
    step = boxes[0]["width"] + GAP
    headings = [box for one in lone_page.locator(".heading").all() if (box := one.bounding_box())]
    widths = [box["width"] + GAP for box in headings]
    want = [columns[0] * step] * groups + [columns[1] * step]
    assert widths == pytest.approx(want, abs=0.5)
    for number, heading in enumerate(headings):
        below = boxes[4 * number : 4 * number + 4] if number < groups else boxes[4 * groups :]
        assert min(box["x"] for box in below) == pytest.approx(heading["x"], abs=0.5)
        right = max(box["x"] + box["width"] for box in below)
        assert right == pytest.approx(heading["x"] + heading["width"], abs=0.5)


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
