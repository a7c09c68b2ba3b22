"""A viewer's tiles and credits: never more than two unpainted frames, and always the newest."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camfleet.errors import Reason, RemoteProtocolError
from camfleet_hub.web.messages import (
    MAX_TILES,
    Painted,
    Ping,
    Show,
    TileChoice,
    parse,
)
from camfleet_hub.web.viewer import WINDOW, Due, Viewer, join
from camfleet_hub.web.window import Window

if TYPE_CHECKING:
    from tests.unit.conftest import Feed

LAYOUT = struct.Struct("<BBHIdd")
BAD_MESSAGES = {
    "empty": "",
    "not JSON": "show",
    "no object": "[]",
    "null": "null",
    "no type": "{}",
    "unknown type": '{"type": "shut_down"}',
    "no tiles": '{"type": "show"}',
    "tiles are no list": '{"type": "show", "tiles": {}}',
    "camera is a number": '{"type": "show", "tiles": [{"tile": 0, "camera": 1}]}',
    "tile is a text": '{"type": "show", "tiles": [{"tile": "0", "camera": "pi/front"}]}',
    "negative tile": '{"type": "show", "tiles": [{"tile": -1, "camera": "pi/front"}]}',
    "tile beyond 16 bits": '{"type": "show", "tiles": [{"tile": 65536, "camera": "pi/front"}]}',
    "too wide a tile": '{"type":"show","tiles":[{"tile":0,"camera":"a/b","width":65536}]}',
    "tile of less than nothing": '{"type":"show","tiles":[{"tile":0,"camera":"a/b","height": -1}]}',
    "tile of half a pixel": '{"type":"show","tiles":[{"tile":0,"camera":"a/b","width": 1.5}]}',
    "ack of three": '{"type": "painted", "frames": [[0, 1, null]]}',
    "ack of a text": '{"type": "painted", "frames": [[0, "1", null, null]]}',
    "ping without time": '{"type": "ping"}',
    "ping beyond numbers": '{"type": "ping", "sent_ms": 1e999}',
    "half a character": '{"type": "show", "tiles": [{"tile": 0, "camera": "\ud800"}]}',
    "nested without end": '{"type": "show", "tiles": [], "x": ' + "[" * 60_000,
    "nested to an end": '{"type": "show", "tiles": [], "x": ' + "[" * 30_000 + "]" * 30_000 + "}",
}


def showing(*cameras: str, width: int = 0, height: int = 0) -> Viewer:
    """A viewer whose tile 0 shows the first camera, and so on; it paints fast."""
    viewer = Viewer()
    viewer.window = Wide()
    viewer.show(TileChoice(tile, one, width, height) for tile, one in enumerate(cameras))
    return viewer


class Wide(Window):
    """Has room for everything: what a tile may have is looked at here."""

    def has_room(self, _now_ns: int) -> bool:
        return True


def send(viewer: Viewer, one: Due, feed: Feed) -> bytes | None:
    size_bytes = len(one.arrival.frame.payload)
    return viewer.send(one, size_bytes, feed.clock.monotonic_ns(), feed.clock.unix_ns())


def acknowledge(viewer: Viewer, feed: Feed, *frames: tuple[int, int]) -> None:
    """Let the browser be done with frames (tile, number), without a time."""
    told = [(tile, number, None, None) for tile, number in frames]
    viewer.painted(told, feed.clock.monotonic_ns(), feed.clock.unix_ns())


def find_due(viewer: Viewer, feed: Feed) -> list[Due]:
    viewer.choose(feed.fleet.find, feed.clock.monotonic_ns())
    return list(viewer.due())


def serve(viewer: Viewer, feed: Feed) -> list[tuple[int, int]]:
    """Send what is due; return (tile, number) of each."""
    sent = []
    for one in find_due(viewer, feed):
        header = send(viewer, one, feed)
        assert header is not None
        _, _, told_tile, number, _, _ = LAYOUT.unpack(header)
        assert told_tile == one.tile
        sent.append((one.tile, number))
    return sent


def due(viewer: Viewer, feed: Feed) -> list[int]:
    return [one.tile for one in find_due(viewer, feed)]


# what is due


def test_a_viewer_that_shows_nothing_is_due_nothing(feed: Feed) -> None:
    feed.send()
    assert due(Viewer(), feed) == []


def test_a_camera_that_is_not_there_is_not_due(feed: Feed) -> None:
    assert due(showing("pi/front"), feed) == []


def test_a_camera_that_appears_later_is_due_then(feed: Feed) -> None:
    viewer = showing("pi/front")
    serve(viewer, feed)
    feed.send()
    assert due(viewer, feed) == [0]


def test_a_camera_without_a_picture_yet_is_not_due(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    assert due(showing("pi/front"), feed) == []


def test_a_frame_is_due_once(feed: Feed) -> None:
    viewer = showing("pi/front")
    feed.send()
    assert len(serve(viewer, feed)) == 1
    assert due(viewer, feed) == []


def test_two_tiles_of_one_camera_are_both_due(feed: Feed) -> None:
    feed.send()
    assert sorted(due(showing("pi/front", "pi/front"), feed)) == [0, 1]


def test_who_was_sent_nothing_for_longest_comes_first(feed: Feed) -> None:
    cameras = [f"camera{number}" for number in range(4)]
    viewer = showing(*(f"pi/{camera}" for camera in cameras))
    first = []
    for _ in range(8):
        for camera in cameras:
            feed.send(f"{camera}/main")
        one = find_due(viewer, feed)[0]  # there is room for one frame only
        header = send(viewer, one, feed)
        assert header is not None
        acknowledge(viewer, feed, LAYOUT.unpack(header)[2:4])
        first.append(one.tile)
    assert first == [0, 1, 2, 3, 0, 1, 2, 3]


def test_who_was_sent_nothing_for_longest_stays_first_when_the_wall_is_told_anew(
    feed: Feed,
) -> None:
    viewer = showing("pi/front", "pi/back")
    feed.send("front/main")
    serve(viewer, feed)
    viewer.show(TileChoice(tile, one) for tile, one in enumerate(("pi/front", "pi/back")))
    feed.send("front/main")
    feed.send("back/main")
    assert due(viewer, feed) == [1, 0]


def test_tiles_may_change_while_a_round_is_under_way(feed: Feed) -> None:
    feed.send("front/main")
    feed.send("back/main")
    viewer = showing("pi/front", "pi/back")
    viewer.choose(feed.fleet.find, feed.clock.monotonic_ns())
    for _ in viewer.due():
        viewer.show([])
    assert viewer.cameras == set()
    assert due(viewer, feed) == []


def test_a_picture_that_is_none_is_not_due_again(feed: Feed) -> None:
    viewer = showing("pi/front")
    feed.send()
    [one] = find_due(viewer, feed)
    viewer.pass_over(one)
    assert due(viewer, feed) == []
    feed.send()
    assert due(viewer, feed) == [0]


# credits


def test_a_viewer_that_never_acknowledges_gets_two_frames_of_each_tile(feed: Feed) -> None:
    viewer = showing("pi/front", "pi/front")
    sent: list[tuple[int, int]] = []
    for _ in range(10):
        feed.send()
        sent += serve(viewer, feed)
    assert [tile for tile, _ in sent].count(0) == WINDOW
    assert [tile for tile, _ in sent].count(1) == WINDOW


def test_an_acknowledgement_lets_one_more_frame_through(feed: Feed) -> None:
    viewer = showing("pi/front")
    sent = []
    for _ in range(5):
        feed.send()
        sent += serve(viewer, feed)
    acknowledge(viewer, feed, sent[0])
    feed.send()
    assert len(serve(viewer, feed)) == 1
    feed.send()
    assert due(viewer, feed) == []


def test_after_a_wait_the_newest_frame_is_sent(feed: Feed) -> None:
    viewer = showing("pi/front")
    sent = []
    for _ in range(9):
        newest = feed.send()
        sent += serve(viewer, feed)
    acknowledge(viewer, feed, *sent)
    assert [one.arrival.frame for one in find_due(viewer, feed)] == [newest]


def test_an_acknowledgement_counts_once(feed: Feed) -> None:
    viewer = showing("pi/front")
    sent = []
    for _ in range(2):
        feed.send()
        sent += serve(viewer, feed)
    acknowledge(viewer, feed, *[sent[0]] * 3)
    for _ in range(5):
        feed.send()
        sent += serve(viewer, feed)
    assert len(sent) == WINDOW + 1


@pytest.mark.parametrize("ack", [(0, 4_000_000_000), (0, -1), (0, 2**70), (77, 1)])
def test_an_acknowledgement_of_what_was_never_sent_means_nothing(
    feed: Feed, ack: tuple[int, int]
) -> None:
    viewer = showing("pi/front")
    for _ in range(3):
        feed.send()
        serve(viewer, feed)
    acknowledge(viewer, feed, ack)
    assert due(viewer, feed) == []


def test_an_acknowledgement_for_the_wrong_tile_means_nothing(feed: Feed) -> None:
    viewer = showing("pi/front", "pi/front")
    numbers: dict[int, int] = {}
    for _ in range(3):
        feed.send()
        numbers |= dict(serve(viewer, feed))
    feed.send()
    acknowledge(viewer, feed, (0, numbers[1]), (1, numbers[0]))
    assert due(viewer, feed) == []


def test_asking_for_the_same_tiles_again_gives_no_new_credit(feed: Feed) -> None:
    viewer = showing("pi/front")
    for _ in range(3):
        feed.send()
        serve(viewer, feed)
        viewer.show([TileChoice(0, "pi/front")])
    assert due(viewer, feed) == []


def test_a_tile_with_another_camera_begins_anew(feed: Feed) -> None:
    viewer = showing("pi/front")
    for _ in range(3):
        feed.send()
        serve(viewer, feed)
    feed.send("back/main")
    viewer.show([TileChoice(0, "pi/back")])
    assert due(viewer, feed) == [0]


def test_a_tile_that_went_away_meanwhile_is_sent_nothing(feed: Feed) -> None:
    feed.send()
    viewer = showing("pi/front")
    [one] = find_due(viewer, feed)
    viewer.show([])
    assert send(viewer, one, feed) is None


def test_a_tile_that_changed_its_camera_meanwhile_is_not_sent_the_old_one(feed: Feed) -> None:
    feed.send()
    viewer = showing("pi/front")
    [one] = find_due(viewer, feed)
    viewer.show([TileChoice(0, "pi/back")])
    viewer.choose(feed.fleet.find, feed.clock.monotonic_ns())
    assert send(viewer, one, feed) is None


def test_numbers_are_never_the_same_in_two_tiles(feed: Feed) -> None:
    viewer = showing("pi/front", "pi/front", "pi/front")
    sent = []
    for _ in range(2):
        feed.send()
        sent += serve(viewer, feed)
    assert len({number for _, number in sent}) == len(sent) == 6


# counts


def test_frames_that_were_passed_over_are_counted_as_skipped(feed: Feed) -> None:
    viewer = showing("pi/front")
    feed.send()
    serve(viewer, feed)
    for _ in range(4):
        feed.send()
    serve(viewer, feed)
    assert feed.stream().dropped["wall", "newer"] == 3


def test_a_frame_that_comes_while_one_is_being_sent_is_not_skipped(feed: Feed) -> None:
    viewer = showing("pi/front")
    feed.send()
    for one in find_due(viewer, feed):
        feed.send()
        send(viewer, one, feed)
    serve(viewer, feed)
    assert feed.stream().dropped["wall", "newer"] == 0


def test_what_came_before_the_viewer_is_not_counted_as_skipped(feed: Feed) -> None:
    for _ in range(50):
        feed.send()
    serve(showing("pi/front"), feed)
    assert feed.stream().dropped["wall", "newer"] == 0


# the header before a JPEG


def test_the_header_is_version_kind_tile_number_capture_time_and_uncertainty(feed: Feed) -> None:
    feed.send(latency_ms=40)
    viewer = Viewer()
    viewer.show([TileChoice(513, "pi/front")])
    [one] = find_due(viewer, feed)
    header = send(viewer, one, feed)
    captured_ms = feed.clock.unix_ns() / 1e6 - 40
    assert header == struct.pack("<BBHIdd", 1, 1, 513, 1, captured_ms, 1.0)


def test_an_unknown_capture_time_is_zero_with_an_uncertainty_of_minus_one(feed: Feed) -> None:
    feed.send()
    viewer = showing("pi/front")
    [one] = find_due(viewer, feed)
    header = send(viewer, one, feed)
    assert header is not None
    assert LAYOUT.unpack(header)[4:] == (0.0, -1.0)


def test_several_frames_are_one_message_each_with_its_size_before_it() -> None:
    assert join([(b"head", b"jpeg")]) == b"headjpeg"
    several = join([(b"head", b"jpeg"), (b"HEAD", memoryview(b"longer"))])
    sizes = struct.pack("<I", 8), struct.pack("<I", 10)
    assert (
        several == struct.pack("<BBH", 1, 2, 2) + sizes[0] + b"headjpeg" + sizes[1] + b"HEADlonger"
    )


# streams and sizes


def see_preview(feed: Feed, main: tuple[int, int], preview: tuple[int, int]) -> None:
    """Let a frame of either stream arrive, of a height and a width."""
    feed.send("front/main", shape=(*main, 3))
    feed.send("front/preview", shape=(*preview, 3))


def test_a_small_tile_shows_the_preview_and_wants_nothing_else(feed: Feed) -> None:
    see_preview(feed, (480, 640), (120, 160))
    viewer = showing("pi/front", width=176, height=144)
    assert [one.stream.id for one in find_due(viewer, feed)] == ["pi/front/preview"]
    assert viewer.wanted == {"pi/front/preview"}
    assert viewer.cameras == {"pi/front"}


def test_until_the_preview_comes_the_main_stream_is_shown(feed: Feed) -> None:
    feed.hello("pi", "front/main", "front/preview")
    feed.send("front/main", shape=(480, 640, 3))
    viewer = showing("pi/front", width=176, height=144)
    assert [one.stream.id for one in find_due(viewer, feed)] == ["pi/front"]
    assert viewer.wanted == {"pi/front", "pi/front/preview"}
    feed.send("front/preview", shape=(120, 160, 3))
    assert [one.stream.id for one in find_due(viewer, feed)] == ["pi/front/preview"]
    assert viewer.wanted == {"pi/front/preview"}


def test_a_preview_that_ends_is_replaced_by_the_main_stream(feed: Feed) -> None:
    see_preview(feed, (480, 640), (120, 160))
    viewer = showing("pi/front", width=176, height=144)
    serve(viewer, feed)
    feed.clock.advance(60)
    feed.send("front/main", shape=(480, 640, 3))
    assert [one.stream.id for one in find_due(viewer, feed)] == ["pi/front"]


def test_a_preview_that_is_too_small_is_neither_shown_nor_wanted(feed: Feed) -> None:
    see_preview(feed, (480, 640), (120, 160))
    viewer = showing("pi/front", width=640, height=480)
    [one] = find_due(viewer, feed)
    assert (one.stream.id, one.eighths) == ("pi/front", 8)
    assert viewer.wanted == {"pi/front"}


def test_who_asks_for_no_size_gets_the_main_stream_whole(feed: Feed) -> None:
    see_preview(feed, (480, 640), (120, 160))
    viewer = showing("pi/front")
    [one] = find_due(viewer, feed)
    assert (one.stream.id, one.eighths) == ("pi/front", 8)


def test_a_camera_without_a_preview_is_shrunk_for_a_small_tile(feed: Feed) -> None:
    feed.send("front/main", shape=(1080, 1920, 3))
    viewer = showing("pi/front", width=320, height=180)
    [one] = find_due(viewer, feed)
    assert (one.stream.id, one.eighths) == ("pi/front", 2)


def test_a_tile_that_grows_gets_the_main_stream_and_keeps_its_unpainted_frames(feed: Feed) -> None:
    see_preview(feed, (480, 640), (120, 160))
    viewer = showing("pi/front", width=176, height=144)
    sent = serve(viewer, feed)
    see_preview(feed, (480, 640), (120, 160))
    sent += serve(viewer, feed)
    viewer.show([TileChoice(0, "pi/front")])
    see_preview(feed, (480, 640), (120, 160))
    assert due(viewer, feed) == []
    acknowledge(viewer, feed, sent[0])
    assert [one.stream.id for one in find_due(viewer, feed)] == ["pi/front"]


def test_a_tile_goes_never_back_in_time_when_its_stream_changes(feed: Feed) -> None:
    feed.send("front/main", shape=(480, 640, 3))
    feed.clock.advance(0.5)
    feed.send("front/preview", shape=(120, 160, 3))
    viewer = showing("pi/front", width=176, height=144)
    serve(viewer, feed)
    viewer.show([TileChoice(0, "pi/front")])
    assert due(viewer, feed) == []
    feed.send("front/main", shape=(480, 640, 3))
    assert due(viewer, feed) == [0]


def test_skipped_frames_of_a_preview_are_counted_for_its_camera(feed: Feed) -> None:
    see_preview(feed, (480, 640), (120, 160))
    viewer = showing("pi/front", width=176, height=144)
    serve(viewer, feed)
    for _ in range(4):
        see_preview(feed, (480, 640), (120, 160))
    serve(viewer, feed)
    assert feed.stream("pi/front").dropped["wall", "newer"] == 3


def test_a_change_of_stream_is_not_counted_as_skipped(feed: Feed) -> None:
    for _ in range(9):
        see_preview(feed, (480, 640), (120, 160))
    viewer = showing("pi/front", width=176, height=144)
    serve(viewer, feed)
    viewer.show([TileChoice(0, "pi/front")])
    feed.send("front/main", shape=(480, 640, 3))
    serve(viewer, feed)
    assert not feed.stream("pi/front").dropped
    assert not feed.stream("pi/front/preview").dropped


# what was painted


def paint_one(viewer: Viewer, feed: Feed, after_ms: float, uncertainty_ms: float = 0.5) -> None:
    """Send one frame, and let it be painted so long afterwards and be told 20 ms afterwards."""
    [(tile, number)] = serve(viewer, feed)
    painted_ms = feed.clock.unix_ns() / 1e6 + after_ms
    feed.clock.advance(0.02)
    told = [(tile, number, painted_ms, uncertainty_ms)]
    viewer.painted(told, feed.clock.monotonic_ns(), feed.clock.unix_ns())
    viewer.painted(told, feed.clock.monotonic_ns(), feed.clock.unix_ns())  # counts once


def looking(feed: Feed) -> Viewer:
    """A viewer who has seen what lay at the hub before."""
    viewer = showing("pi/front")
    feed.send(latency_ms=40)
    acknowledge(viewer, feed, *serve(viewer, feed))
    return viewer


def test_what_lay_at_the_hub_before_somebody_looked_has_no_latency(feed: Feed) -> None:
    feed.send(latency_ms=40)
    feed.clock.advance(30)
    paint_one(showing("pi/front"), feed, after_ms=10)
    paintings = feed.stream().paintings
    assert (paintings.painted, paintings.timed, sum(paintings.latency.counts)) == (1, 0, 0)


def test_a_painting_is_counted_once_with_its_latency_and_both_uncertainties(feed: Feed) -> None:
    viewer = looking(feed)
    feed.send(latency_ms=40)
    paint_one(viewer, feed, after_ms=10)
    paintings = feed.stream().paintings
    assert (paintings.painted, paintings.timed, paintings.rejected) == (1, 1, 0)
    assert paintings.latency.sum == pytest.approx(0.05, abs=1e-5)
    assert paintings.uncertainty_s == pytest.approx(0.0015)


def test_a_painting_of_a_preview_is_counted_for_its_camera(feed: Feed) -> None:
    see_preview(feed, (480, 640), (120, 160))
    paint_one(showing("pi/front", width=176, height=144), feed, after_ms=10)
    assert feed.stream("pi/front").paintings.painted == 1
    assert feed.stream("pi/front/preview").paintings.painted == 0


def test_a_painting_with_an_unknown_time_of_capture_has_no_latency(feed: Feed) -> None:
    viewer = looking(feed)
    feed.send()
    paint_one(viewer, feed, after_ms=10)
    paintings = feed.stream().paintings
    assert (paintings.painted, paintings.timed, sum(paintings.latency.counts)) == (1, 0, 0)


@pytest.mark.parametrize("after_ms", [-1.0, 21.0, -1e300, 1e300, 1e308])
def test_a_painting_before_it_was_sent_or_after_it_was_told_is_rejected(
    feed: Feed, after_ms: float
) -> None:
    feed.send(latency_ms=40)
    paint_one(showing("pi/front"), feed, after_ms)
    paintings = feed.stream().paintings
    assert (paintings.painted, paintings.rejected) == (0, 1)
    assert sum(paintings.latency.counts) == 0


@pytest.mark.parametrize("uncertainty_ms", [-0.1, 100.1, 1e300])
def test_a_browser_without_a_clock_paints_nothing_that_counts(
    feed: Feed, uncertainty_ms: float
) -> None:
    feed.send(latency_ms=40)
    paint_one(showing("pi/front"), feed, 10, uncertainty_ms)
    assert (feed.stream().paintings.painted, feed.stream().paintings.rejected) == (0, 1)


def test_an_unsure_clock_makes_no_latency_that_cannot_be(feed: Feed) -> None:
    viewer = looking(feed)
    feed.send(latency_ms=40)
    paint_one(viewer, feed, after_ms=-30, uncertainty_ms=50)
    assert feed.stream().paintings.latency.sum == pytest.approx(0.04, abs=1e-5)


def test_a_frame_that_was_skipped_is_not_painted(feed: Feed) -> None:
    viewer = showing("pi/front")
    feed.send(latency_ms=40)
    acknowledge(viewer, feed, *serve(viewer, feed))
    assert (feed.stream().paintings.painted, feed.stream().paintings.rejected) == (0, 0)


# what a browser says


def test_the_three_messages_are_read() -> None:
    assert parse('{"type":"show","tiles":[{"tile":1,"camera":"pi/front"}]}') == Show(
        [TileChoice(1, "pi/front")]
    )
    assert parse(
        '{"type":"show","tiles":[{"tile":1,"camera":"pi/front","width":9,"height":8}]}'
    ) == (Show([TileChoice(1, "pi/front", 9, 8)]))
    assert parse('{"type":"painted","frames":[[1,2,3.5,0.5],[1,3,null,null]]}') == Painted(
        [(1, 2, 3.5, 0.5), (1, 3, None, None)]
    )
    assert parse('{"type":"ping","sent_ms":1}') == Ping(1.0)


@pytest.mark.parametrize("text", BAD_MESSAGES.values(), ids=BAD_MESSAGES)
def test_a_bad_message_is_rejected_as_a_bad_header(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(text)
    assert caught.value.reason is Reason.HEADER


@given(st.text() | st.text('{}[]":,typeshowtil0123456789.e- '))
def test_any_text_is_read_or_rejected(text: str) -> None:
    with contextlib.suppress(RemoteProtocolError):
        parse(text)


def test_a_wall_has_at_most_256_tiles() -> None:
    tiles = [{"tile": tile, "camera": "pi/front"} for tile in range(MAX_TILES + 1)]
    assert parse(json.dumps({"type": "show", "tiles": tiles[:-1]}))
    with pytest.raises(RemoteProtocolError):
        parse(json.dumps({"type": "show", "tiles": tiles}))
