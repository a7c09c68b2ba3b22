"""What a fleet makes of detections: counts, and what its cameras find now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.events import Detected
from camfleet.wire import DetectionCounters
from camfleet_hub.fleet import Fleet

if TYPE_CHECKING:
    from tests.unit.conftest import Feed


def test_a_detection_is_counted_by_its_camera_and_told_to_who_watches(feed: Feed) -> None:
    watched: list[Detected] = []
    feed.fleet.watchers = (watched.append,)
    feed.hello("pi", "front/main", "front/preview")
    feed.detect(0)
    feed.detect(1, stream="front/preview")
    assert feed.stream().detections == {("motion", "moving"): 2}
    assert [one.header.number for one in watched] == [0, 1]


def test_a_camera_finds_what_any_of_its_regions_found_last(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.detect(0, region="drive")
    feed.detect(1, "still", region="gate")
    assert feed.stream().finds("motion", "moving")
    feed.detect(2, "still", region="drive")
    assert not feed.stream().finds("motion", "moving")


def test_after_a_loss_nobody_knows_what_detectors_find(feed: Feed) -> None:
    feed.hello("pi", "front/main", "back/main")
    feed.detect(0)
    feed.detect(2, stream="back/main")
    assert not feed.stream().finds("motion", "moving")
    assert feed.stream("pi/back").finds("motion", "moving")
    feed.heartbeat("pi", detections=DetectionCounters(4, 1))
    assert not feed.stream("pi/back").finds("motion", "moving")
    stats = feed.stream().node.detections
    assert (stats.received, stats.lost, stats.dropped) == (2, 2, 1)


def test_a_restarted_nodes_detectors_begin_anew_and_a_reconnected_ones_go_on(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.detect(0)
    feed.hello("pi", "front/main")
    assert feed.stream().finds("motion", "moving")
    feed.hello("pi", "front/main", session=8)
    assert not feed.stream().finds("motion", "moving")


def test_a_hostile_node_cannot_fill_the_memory_with_words_and_regions(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    for number in range(100):
        word = chr(ord("a") + number // 26) + chr(ord("a") + number % 26)
        feed.detect(number, word, word, region=word)
    counts = feed.stream().detections
    assert len(counts) == 9
    assert counts["other", "other"] == 92
    assert len(feed.stream()._found) == 32


def test_a_rejected_detection_is_not_lost_too(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    error = RemoteProtocolError(Reason.RATE, "found x, want y")
    error.stream, error.detection = "front/main", 0
    feed.fleet.reject("pi", error)
    feed.detect(1)
    assert feed.stream().node.detections.lost == 0
    assert feed.fleet.rejected["pi", "front", Reason.RATE] == 1


def test_a_detection_of_a_camera_that_had_no_room_is_rejected(feed: Feed) -> None:
    feed.fleet = Fleet(1, monotonic_ns=feed.clock.monotonic_ns)
    feed.hello("pi", "front/main", "back/main")
    feed.detect(0, stream="back/main")
    assert feed.fleet.rejected["pi", "", Reason.TOO_MANY] == 2
    assert feed.stream().node.detections.lost == 0
