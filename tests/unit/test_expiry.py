"""Who is gone for long leaves no series behind."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client.registry import Collector

from camfleet_hub.expiry import Expiry
from camfleet_hub.fleet import IMAGEZMQ_NODE
from camfleet_hub.metrics import FleetCollector
from camfleet_hub.node_metrics import NodeCollector

if TYPE_CHECKING:
    from tests.unit.conftest import Feed

EXPIRE_S = 600.0


def labels(feed: Feed, *, enrolled: Iterable[str] = ()) -> dict[str, set[tuple[str, ...]]]:
    """The values of all labels of each sample that there is, by its name."""
    expiry = Expiry(feed.fleet, EXPIRE_S)
    collectors: list[Collector] = [
        FleetCollector(feed.fleet, feed.viewers_rejected, expiry),
        NodeCollector(feed.fleet, expiry, lambda: enrolled),
    ]
    found: dict[str, set[tuple[str, ...]]] = {}
    for collector in collectors:
        for metric in collector.collect():
            for sample in metric.samples:
                found.setdefault(sample.name, set()).add(tuple(sample.labels.values()))
    return found


def test_a_node_that_is_gone_has_series_for_the_set_time_and_then_none(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send(latency_ms=5)
    feed.goodbye("pi")
    feed.clock.advance(EXPIRE_S - 1)
    assert ("pi",) in labels(feed)["camfleet_node_online"]
    assert ("pi", "front") in labels(feed)["camfleet_frames_received_total"]
    feed.clock.advance(2)
    assert labels(feed) == {}


def test_a_node_that_returns_has_its_counters_again(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send()
    feed.clock.advance(EXPIRE_S + 1)
    assert labels(feed) == {}
    feed.hello("pi", "front/main")
    assert ("pi", "front") in labels(feed)["camfleet_frames_received_total"]


def test_that_an_enrolled_node_is_offline_is_told_as_long_as_it_is_enrolled(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.clock.advance(EXPIRE_S + 1)
    assert labels(feed, enrolled=["pi", "never"]) == {"camfleet_node_online": {("pi",), ("never",)}}


def test_a_camera_that_its_node_has_no_more_expires_and_the_others_stay(feed: Feed) -> None:
    feed.hello("pi", "front/main", "old/main")
    feed.send("front/main")
    feed.send("old/main")
    feed.hello("pi", "front/main", session=8)
    feed.clock.advance(EXPIRE_S + 1)
    feed.heartbeat("pi")
    assert labels(feed)["camfleet_camera_online"] == {("pi", "front")}


def test_a_camera_that_stalls_is_told_as_long_as_its_node_has_it(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send("front/main")
    feed.clock.advance(EXPIRE_S + 1)
    feed.heartbeat("pi")
    assert labels(feed)["camfleet_camera_online"] == {("pi", "front")}


def test_a_stock_sender_that_is_gone_expires_beside_one_that_sends(feed: Feed) -> None:
    feed.send("rpi1/main", node=IMAGEZMQ_NODE)
    feed.clock.advance(EXPIRE_S + 1)
    feed.send("rpi2/main", node=IMAGEZMQ_NODE)
    assert labels(feed)["camfleet_camera_online"] == {(IMAGEZMQ_NODE, "rpi2")}
