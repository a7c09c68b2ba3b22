"""The text that Prometheus reads, of a fleet fed by hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from camfleet.errors import Reason
from camfleet.stats import LATENCY_BUCKETS_S
from camfleet.wire import Counters
from camfleet_hub.fleet import IMAGEZMQ_NODE
from camfleet_hub.metrics import FleetCollector
from camfleet_hub.paintings import Shown

if TYPE_CHECKING:
    from tests.unit.conftest import Feed

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
LATENCY = "camfleet_latency_seconds"
MS = 1_000_000


def exposition(feed: Feed) -> str:
    registry = CollectorRegistry()
    registry.register(FleetCollector(feed.fleet, feed.viewers_rejected))
    return generate_latest(registry).decode()


def scrape(feed: Feed) -> Samples:
    """Every sample by name and labels, none of which may be there twice."""
    samples: Samples = {}
    for family in text_string_to_metric_families(exposition(feed)):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in samples
            samples[key] = sample.value
    return samples


def value(feed: Feed, name: str, **labels: str) -> float | None:
    return scrape(feed).get((name, tuple(sorted(labels.items()))))


def test_an_empty_fleet_tells_its_metrics_without_samples(feed: Feed) -> None:
    assert scrape(feed) == {}
    assert "# TYPE camfleet_frames_received_total counter" in exposition(feed)


def test_forwarded_frames_are_counted_per_node_and_camera(feed: Feed) -> None:
    feed.send("front/main")
    feed.stream().forwarded += 3
    assert value(feed, "camfleet_frames_forwarded_total", node="pi", camera="front") == 3


def test_restarts_are_told_of_cameras_whose_node_counts_them(feed: Feed) -> None:
    counted = [Counters(name, 0, 0, {}) for name in ("front/main", "front/preview", "back/main")]
    feed.hello("pi", *(one.stream for one in counted))
    feed.heartbeat("pi", *counted)
    name = "camfleet_camera_restarts_total"
    assert value(feed, name, node="pi", camera="front") is None
    feed.heartbeat("pi", *counted, restarts=(0, 0, 4))
    feed.heartbeat("pi", *counted, restarts=(2, 2, 4))
    assert value(feed, name, node="pi", camera="front") == 2
    assert value(feed, name, node="pi", camera="back") == 0


@pytest.mark.parametrize("restarts", [(3,), (3, 3, 4, 4)])
def test_restarts_of_another_number_of_streams_are_rejected_and_the_heartbeat_is_not(
    feed: Feed, restarts: tuple[int, ...]
) -> None:
    counted = [Counters(name, 7, 0, {}) for name in ("front/main", "front/preview", "back/main")]
    feed.hello("pi", *(one.stream for one in counted))
    feed.heartbeat("pi", *counted, restarts=restarts)
    assert value(feed, "camfleet_camera_restarts_total", node="pi", camera="front") is None
    assert feed.fleet.rejected == {("pi", "", Reason.HEALTH): 1}
    assert feed.stream().stats.captured == 7


def test_received_frames_and_bytes_are_counted_per_node_and_camera(feed: Feed) -> None:
    size = len(feed.send("front/main").payload)
    feed.send("front/main")
    feed.send("back/main")
    front = {"node": "pi", "camera": "front"}
    assert value(feed, "camfleet_frames_received_total", **front) == 2
    assert value(feed, "camfleet_received_bytes_total", **front) == 2 * size
    assert value(feed, "camfleet_frames_received_total", node="pi", camera="back") == 1


def test_captured_lost_and_dropped_are_three_counters(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.heartbeat("pi", Counters("front/main", 20, 3, {"newer": 5, "no_credit": 1}))
    front = {"node": "pi", "camera": "front"}
    dropped = "camfleet_frames_dropped_total"
    assert value(feed, "camfleet_frames_captured_total", **front) == 20
    assert value(feed, "camfleet_frames_lost_total", **front) == 3
    assert value(feed, dropped, **front, place="node", reason="newer") == 5
    assert value(feed, dropped, **front, place="node", reason="no_credit") == 1


def test_frames_that_a_viewer_did_not_get_are_dropped_at_the_wall(feed: Feed) -> None:
    feed.send()
    feed.stream().drop("wall", "newer", 4)
    name = "camfleet_frames_dropped_total"
    assert value(feed, name, node="pi", camera="front", place="wall", reason="newer") == 4


def test_how_much_a_stock_sender_captured_is_not_pretended_to_be_known(feed: Feed) -> None:
    feed.send("rpi1/main", node=IMAGEZMQ_NODE)
    assert not any(name == "camfleet_frames_captured_total" for name, _ in scrape(feed))


def test_rejected_messages_are_counted_by_reason(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.reject("pi", Reason.NOT_JPEG, "front/main", sent=0)
    feed.reject("pi", Reason.NOT_JPEG, "front/main", sent=1)
    feed.reject("pi", Reason.SHAPE)
    feed.reject("", Reason.MAGIC)
    rejected = "camfleet_messages_rejected_total"
    assert value(feed, rejected, node="pi", camera="front", reason="not_jpeg") == 2
    assert value(feed, rejected, node="pi", camera="", reason="shape") == 1
    assert value(feed, rejected, node="", camera="", reason="magic") == 1


def test_viewers_that_were_sent_away_are_counted_by_reason(feed: Feed) -> None:
    feed.viewers_rejected["origin"] += 2
    assert value(feed, "camfleet_viewers_rejected_total", reason="origin") == 2


def test_latency_is_a_histogram_in_seconds(feed: Feed) -> None:
    for latency_ms in (4, 12, 12, 90, 60_000):
        feed.send(latency_ms=latency_ms)
    front = {"node": "pi", "camera": "front", "stage": "received"}
    buckets = {
        le: value(feed, f"{LATENCY}_bucket", **front, le=le)
        for le in ("0.005", "0.0175", "0.07", "0.1", "5.0", "+Inf")
    }
    assert buckets == {"0.005": 1, "0.0175": 3, "0.07": 3, "0.1": 4, "5.0": 4, "+Inf": 5}
    assert value(feed, f"{LATENCY}_count", **front) == 5
    assert value(feed, f"{LATENCY}_sum", **front) == pytest.approx(60.118)


def test_buckets_rise_to_the_count(feed: Feed) -> None:
    for latency_ms in range(0, 6000, 7):
        feed.send(latency_ms=latency_ms)
    buckets = [
        (float(dict(labels)["le"]), count)
        for (name, labels), count in scrape(feed).items()
        if name == f"{LATENCY}_bucket" and ("stage", "received") in labels
    ]
    assert [bound for bound, _ in buckets] == [*LATENCY_BUCKETS_S, math.inf]
    assert [count for _, count in buckets] == sorted(count for _, count in buckets)


def test_a_camera_whose_latency_is_unknown_has_no_histogram(feed: Feed) -> None:
    feed.send()
    assert LATENCY not in {name.removesuffix("_count") for name, _ in scrape(feed)}


def test_the_uncertainty_stands_beside_the_latency(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.heartbeat("pi", Counters("front/main", 0, 0, {}), round_trip_ns=2 * MS)
    feed.send(latency_ms=3)
    assert value(feed, "camfleet_clock_uncertainty_seconds", node="pi") == 0.001
    assert value(feed, "camfleet_clock_offset_seconds", node="pi") == 0
    assert value(feed, "camfleet_round_trip_seconds", node="pi") == 0.002


def test_an_unknown_clock_is_not_pretended_to_be_known(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send()
    assert not any("clock" in name or "round_trip" in name for name, _ in scrape(feed))


def test_online_is_one_while_a_camera_sends_and_else_zero(feed: Feed) -> None:
    feed.send()
    online = {"name": "camfleet_camera_online", "node": "pi", "camera": "front"}
    assert value(feed, **online) == 1
    feed.clock.advance(30)
    assert value(feed, **online) == 0


def test_a_second_profile_of_a_camera_does_not_claim_the_same_labels(feed: Feed) -> None:
    feed.send("front/main")
    feed.send("front/preview", latency_ms=3)
    assert value(feed, "camfleet_frames_received_total", node="pi", camera="front") == 1


def test_names_with_quotes_and_backslashes_are_escaped(feed: Feed) -> None:
    name = 'the "old" k\u00fcche'
    feed.send(f"{name}/main")
    assert value(feed, "camfleet_frames_received_total", node="pi", camera=name) == 1


def test_every_name_begins_alike_and_says_its_unit_or_total(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send(latency_ms=3)
    feed.reject("pi", Reason.SHAPE)
    plain = {name for name, _ in scrape(feed)}
    assert all(name.startswith("camfleet_") for name in plain)
    told = {name for name in plain if not name.endswith(("_total", "_bucket", "_count", "_sum"))}
    clock = {"camfleet_clock_offset_seconds", "camfleet_clock_uncertainty_seconds"}
    assert told == {"camfleet_camera_online", "camfleet_last_frame_timestamp_seconds", *clock}


def test_detections_are_counted_by_detector_and_state(feed: Feed) -> None:
    feed.hello("pi", "front/main", "front/preview")
    feed.detect(0)
    feed.detect(1, "still")
    feed.detect(3, "still")
    name, front = "camfleet_detections_total", {"node": "pi", "camera": "front"}
    assert value(feed, name, **front, detector="motion", state="moving") == 1
    assert value(feed, name, **front, detector="motion", state="still") == 2
    assert value(feed, "camfleet_detections_lost_total", node="pi") == 1
    assert value(feed, "camfleet_detections_dropped_total", node="pi") == 0


def test_a_preview_is_not_counted_with_its_camera(feed: Feed) -> None:
    feed.hello("pi", "front/main", "front/preview")
    feed.send()
    feed.send("front/preview")
    assert value(feed, "camfleet_frames_received_total", node="pi", camera="front") == 1


def test_paintings_are_told_with_their_latency_and_its_uncertainty(feed: Feed) -> None:
    shown = Shown.of(feed.send(latency_ms=40), feed.clock.unix_ns())
    sent_ms = feed.clock.unix_ns() / MS
    paintings, front = feed.stream().paintings, {"node": "pi", "camera": "front"}
    assert value(feed, f"{LATENCY}_count", **front, stage="painted") is None
    for _ in range(3):
        paintings.take(shown, sent_ms + 10, 0.5, feed.clock.unix_ns() + 20 * MS)
    paintings.take(shown, sent_ms - 10, 0.5, feed.clock.unix_ns() + 20 * MS)
    uncertainty = "camfleet_painted_uncertainty_seconds"
    assert value(feed, "camfleet_frames_painted_total", **front) == 3
    assert value(feed, "camfleet_paintings_rejected_total", **front) == 1
    assert value(feed, f"{LATENCY}_count", **front, stage="painted") == 3
    assert value(feed, f"{LATENCY}_sum", **front, stage="painted") == pytest.approx(0.15, abs=1e-4)
    assert value(feed, f"{uncertainty}_count", **front) == 3
    assert value(feed, f"{uncertainty}_sum", **front) == pytest.approx(0.0045)


def test_a_camera_that_nobody_looked_at_has_no_uncertainty_of_painting(feed: Feed) -> None:
    feed.send()
    front = {"node": "pi", "camera": "front"}
    assert value(feed, "camfleet_frames_painted_total", **front) == 0
    assert value(feed, "camfleet_painted_uncertainty_seconds_count", **front) is None
