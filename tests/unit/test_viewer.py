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
from camfleet_hub.web.viewer import (
    MAX_TILES,
    WINDOW,
    Painted,
    Ping,
    Show,
    TileChoice,
    Viewer,
    parse,
)

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
    "ack of two": '{"type": "painted", "frames": [[0, 1]]}',
    "ack of a text": '{"type": "painted", "frames": [[0, "1", null]]}',
    "ping without time": '{"type": "ping"}',
    "ping beyond numbers": '{"type": "ping", "sent_ms": 1e999}',
    "half a character": '{"type": "show", "tiles": [{"tile": 0, "camera": "\ud800"}]}',
    "nested without end": '{"type": "show", "tiles": [], "x": ' + "[" * 60_000,
    "nested to an end": '{"type": "show", "tiles": [], "x": ' + "[" * 30_000 + "]" * 30_000 + "}",
}


def showing(*cameras: str) -> Viewer:
    """A viewer whose tile 0 shows the first camera, and so on."""
    viewer = Viewer()
    viewer.show(TileChoice(tile, camera) for tile, camera in enumerate(cameras))
    return viewer


def serve(viewer: Viewer, feed: Feed) -> list[tuple[int, int]]:
    """Send what is due; return (tile, number) of each."""
    sent = []
    for tile, stream, arrival in viewer.due(feed.fleet.find):
        header = viewer.send(tile, stream, arrival)
        assert header is not None
        _, _, told_tile, number, _, _ = LAYOUT.unpack(header)
        assert told_tile == tile
        sent.append((tile, number))
    return sent


def due(viewer: Viewer, feed: Feed) -> list[int]:
    return [tile for tile, _, _ in viewer.due(feed.fleet.find)]


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


def test_every_round_begins_with_another_tile(feed: Feed) -> None:
    cameras = [f"camera{number}" for number in range(4)]
    for camera in cameras:
        feed.send(f"{camera}/main")
    viewer = showing(*(f"pi/{camera}" for camera in cameras))
    assert {due(viewer, feed)[0] for _ in cameras} == {0, 1, 2, 3}


def test_tiles_may_change_while_a_round_is_under_way(feed: Feed) -> None:
    feed.send("front/main")
    feed.send("back/main")
    viewer = showing("pi/front", "pi/back")
    for _ in viewer.due(feed.fleet.find):
        viewer.show([])
    assert viewer.cameras == set()
    assert list(viewer.due(feed.fleet.find)) == []


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
    viewer.painted([(*sent[0], None)])
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
    viewer.painted([(*number, 1.5) for number in sent])
    assert [arrival.frame for _, _, arrival in viewer.due(feed.fleet.find)] == [newest]


def test_an_acknowledgement_counts_once(feed: Feed) -> None:
    viewer = showing("pi/front")
    sent = []
    for _ in range(2):
        feed.send()
        sent += serve(viewer, feed)
    viewer.painted([(*sent[0], None)] * 3)
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
    viewer.painted([(*ack, None)])
    assert due(viewer, feed) == []


def test_an_acknowledgement_for_the_wrong_tile_means_nothing(feed: Feed) -> None:
    viewer = showing("pi/front", "pi/front")
    numbers: dict[int, int] = {}
    for _ in range(3):
        feed.send()
        numbers |= dict(serve(viewer, feed))
    feed.send()
    viewer.painted([(0, numbers[1], None), (1, numbers[0], None)])
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
    [(tile, stream, arrival)] = viewer.due(feed.fleet.find)
    viewer.show([])
    assert viewer.send(tile, stream, arrival) is None


def test_a_tile_that_changed_its_camera_meanwhile_is_not_sent_the_old_one(feed: Feed) -> None:
    feed.send()
    viewer = showing("pi/front")
    [(tile, stream, arrival)] = viewer.due(feed.fleet.find)
    viewer.show([TileChoice(0, "pi/back")])
    assert viewer.send(tile, stream, arrival) is None


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
    for tile, stream, arrival in viewer.due(feed.fleet.find):
        feed.send()
        viewer.send(tile, stream, arrival)
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
    [(tile, stream, arrival)] = viewer.due(feed.fleet.find)
    header = viewer.send(tile, stream, arrival)
    captured_ms = feed.clock.unix_ns() / 1e6 - 40
    assert header == struct.pack("<BBHIdd", 1, 1, 513, 1, captured_ms, 1.0)


def test_an_unknown_capture_time_is_zero_with_an_uncertainty_of_minus_one(feed: Feed) -> None:
    feed.send()
    viewer = showing("pi/front")
    [(tile, stream, arrival)] = viewer.due(feed.fleet.find)
    header = viewer.send(tile, stream, arrival)
    assert header is not None
    assert LAYOUT.unpack(header)[4:] == (0.0, -1.0)


# what a browser says


def test_the_three_messages_are_read() -> None:
    assert parse('{"type":"show","tiles":[{"tile":1,"camera":"pi/front"}]}') == Show(
        [TileChoice(1, "pi/front")]
    )
    assert parse('{"type":"painted","frames":[[1,2,3.5],[1,3,null]]}') == Painted(
        [(1, 2, 3.5), (1, 3, None)]
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
