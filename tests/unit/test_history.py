"""Ten minutes of a fleet that is fed by hand, in time that the test controls."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

import pytest
from tests.unit.conftest import Feed

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.events import NodeJoined
from camfleet.machine_health import MachineHealth, to_facts
from camfleet.stats import LATENCY_BUCKETS_S
from camfleet.wire import Counters
from camfleet_hub.fleet import IMAGEZMQ_NODE
from camfleet_hub.history import INTERVAL_S, SAMPLES, History
from camfleet_hub.paintings import Shown
from camfleet_hub.stream import Stream
from camfleet_hub.track import MOST_REASONS, quantile

if TYPE_CHECKING:
    from camfleet_hub.history import NodePast
    from camfleet_hub.track import Past

STREAM = "front/main"


def read(feed: Feed, history: History, node: str = "pi") -> NodePast:
    found = next(one for one in feed.fleet.nodes() if one.name == node)
    return history.read(found, list(found.streams.values()), feed.fleet.now_ns())


def past(feed: Feed, history: History, stream_id: str = "pi/front") -> Past:
    return read(feed, history, stream_id.partition("/")[0]).streams[stream_id]


def run(feed: Feed, history: History, seconds: int, fps: int = 0, latency_ms: float = 20) -> None:
    """Let a camera of a node send for so long, with a heartbeat a second."""
    for _ in range(seconds):
        feed.clock.advance(1)
        for _ in range(fps):
            feed.send(STREAM, latency_ms=latency_ms)
        received = feed.stream().stats.received
        feed.heartbeat("pi", Counters(STREAM, received, received, {}))
        history.sample(feed.fleet)


@pytest.fixture
def history(feed: Feed) -> History:
    feed.hello("pi", STREAM)
    history = History()
    history.sample(feed.fleet)
    return history


def test_a_sample_is_taken_every_five_seconds_however_often_it_is_asked_for(
    feed: Feed, history: History
) -> None:
    run(feed, history, 20)
    assert read(feed, history).ages_s == [20, 15, 10, 5, 0]


def test_ten_minutes_are_kept_and_no_more(feed: Feed, history: History) -> None:
    run(feed, history, 900, fps=1)
    found = read(feed, history)
    assert len(found.ages_s) == SAMPLES
    assert found.ages_s[0] == INTERVAL_S * (SAMPLES - 1)
    assert found.streams["pi/front"].fps == [1.0] * SAMPLES


def test_rates_are_of_each_interval(feed: Feed, history: History) -> None:
    run(feed, history, 5, fps=30)
    run(feed, history, 5, fps=10)
    found = past(feed, history)
    assert found.fps == [None, 30, 10]
    assert found.captured_fps == pytest.approx([None, None, 10])


def test_what_a_camera_is_set_to_give_is_kept_as_it_was_and_unknown_where_nobody_tells_it(
    feed: Feed, history: History
) -> None:
    for session, asked_fps in ((8, (12.5,)), (9, (25.0,))):
        joined = NodeJoined("pi", session, (Counters(STREAM, 0, 0, {}),), "", asked_fps=asked_fps)
        feed.fleet.take(joined)
        run(feed, history, 5)
    assert past(feed, history).asked_fps == [None, 12.5, 25.0]


def test_before_a_camera_was_there_nothing_is_known_of_it(feed: Feed, history: History) -> None:
    run(feed, history, 10)
    feed.hello("pi", STREAM, "back/main")
    run(feed, history, 10)
    found = past(feed, history, "pi/back")
    assert found.states == [None, None, None, "stale", "stale"]
    assert found.fps == [None, None, None, None, 0]


def test_latency_is_the_exact_mean_and_the_95th_percentile_to_the_bucket(
    feed: Feed, history: History
) -> None:
    run(feed, history, 5, fps=19, latency_ms=20)
    feed.send(STREAM, latency_ms=400)
    run(feed, history, 5, fps=1, latency_ms=400)
    latency = past(feed, history).latency["received"]
    assert latency.mean_ms == pytest.approx([None, 20, 400])
    assert latency.p95_ms[1] == pytest.approx(17.5 + 0.95 * 7.5)
    assert latency.p95_ms[2] is not None
    assert 350 < latency.p95_ms[2] <= 500


def test_the_uncertainty_of_the_clock_stands_beside_the_latency(
    feed: Feed, history: History
) -> None:
    run(feed, history, 5, fps=2)
    run(feed, history, 5)
    assert past(feed, history).uncertainty_ms == [None, 1, None]


def test_the_latency_to_the_paint_has_the_uncertainty_of_both_clocks(
    feed: Feed, history: History
) -> None:
    feed.clock.advance(5)
    frame = feed.send(STREAM, latency_ms=20)
    shown = Shown.of(frame, frame.received_ns)
    painted_ns = frame.received_ns + 10_000_000
    feed.stream().paintings.take(shown, painted_ns / 1e6, 2, painted_ns + 5_000_000)
    history.sample(feed.fleet)
    found = past(feed, history)
    assert found.latency["painted"].mean_ms[1] == pytest.approx(30, rel=0.01)
    assert found.painted_uncertainty_ms == [None, 3]


def test_an_interval_without_a_frame_has_no_latency(feed: Feed, history: History) -> None:
    run(feed, history, 5, fps=2)
    run(feed, history, 5)
    assert past(feed, history).latency["received"].mean_ms == pytest.approx([None, 20, None])


def test_stages_that_were_never_measured_are_left_out(feed: Feed, history: History) -> None:
    run(feed, history, 5, fps=2)
    assert "delivered" not in past(feed, history).latency


def test_while_a_node_is_away_what_it_captures_is_not_known_and_makes_no_peak_later(
    feed: Feed, history: History
) -> None:
    counts = {"captured": 0}

    def beat(seconds: int, *, is_heard: bool) -> None:
        for _ in range(seconds):
            feed.clock.advance(1)
            counts["captured"] += 30
            if is_heard:
                dropped = {"newer": counts["captured"]}
                feed.heartbeat("pi", Counters(STREAM, counts["captured"], 0, dropped))
            history.sample(feed.fleet)

    beat(10, is_heard=True)
    beat(15, is_heard=False)
    beat(5, is_heard=True)
    found = past(feed, history)
    assert found.captured_fps == pytest.approx([None, None, 30, None, None, None, 30])
    (dropped,) = found.dropped
    assert (dropped.place, dropped.reason) == ("node", "newer")
    assert dropped.per_s == pytest.approx([None, None, 30, None, None, None, 30])
    assert dropped.count == 25 * 30


def test_drops_are_told_by_place_and_reason(feed: Feed, history: History) -> None:
    run(feed, history, 5, fps=1)
    feed.stream().drop("wall", "newer", 10)
    run(feed, history, 5, fps=1)
    (dropped,) = past(feed, history).dropped
    assert (dropped.place, dropped.reason, dropped.count) == ("wall", "newer", 10)
    assert dropped.per_s == [None, 0, 2]


def test_reasons_beyond_the_eighth_are_counted_together(feed: Feed, history: History) -> None:
    run(feed, history, 5)
    for number in range(MOST_REASONS + 3):
        feed.stream().drop("place", f"reason{number}")
    run(feed, history, 5)
    dropped = past(feed, history).dropped
    assert len(dropped) == MOST_REASONS + 1
    assert (dropped[-1].place, dropped[-1].reason, dropped[-1].count) == ("other", "other", 3)


def test_lost_and_rejected_are_counted(feed: Feed, history: History) -> None:
    run(feed, history, 5, fps=1)
    feed.send(STREAM, sent=feed.stream().stats.received + 3)
    feed.reject("pi", Reason.PAYLOAD, STREAM)
    run(feed, history, 5)
    found = past(feed, history)
    assert (found.lost, found.rejected) == (3, 1)
    assert found.lost_per_s == pytest.approx([None, 0, 0.6])
    assert found.rejected_per_s == pytest.approx([None, 0, 0.2])


def test_a_stock_sender_captures_what_arrives(feed: Feed) -> None:
    history = History()
    feed.send("rpi1/main", node=IMAGEZMQ_NODE)
    history.sample(feed.fleet)
    feed.clock.advance(5)
    for _ in range(10):
        feed.send("rpi1/main", node=IMAGEZMQ_NODE)
    history.sample(feed.fleet)
    found = past(feed, history, f"{IMAGEZMQ_NODE}/rpi1")
    assert found.fps == found.captured_fps == [None, 2]


def test_a_node_that_begins_anew_is_seen(feed: Feed, history: History) -> None:
    run(feed, history, 5)
    feed.hello("pi", STREAM, session=8)
    run(feed, history, 5)
    node = read(feed, history).node
    assert node is not None
    assert node["restarts"] == [0, 0, 1]


def test_the_round_trip_of_a_node_that_is_away_is_not_known(feed: Feed, history: History) -> None:
    feed.clock.advance(5)
    feed.heartbeat("pi", round_trip_ns=3_000_000)
    history.sample(feed.fleet)
    feed.clock.advance(5)
    history.sample(feed.fleet)
    node = read(feed, history).node
    assert node is not None
    assert node["round_trip_ms"] == [None, 3, None]


def test_a_machines_health_is_kept_and_gaps_where_it_told_nothing(
    feed: Feed, history: History
) -> None:
    feed.clock.advance(5)
    feed.heartbeat("pi", health=to_facts(MachineHealth(0.5, 1, 4, 61, is_throttled=True)))
    history.sample(feed.fleet)
    feed.clock.advance(5)
    feed.heartbeat("pi")
    history.sample(feed.fleet)
    node = read(feed, history).node
    assert node is not None
    assert node["temperature_c"] == [None, 61, None]
    assert node["throttled"] == [None, 1, None]
    assert node["memory_percent"] == [None, 25, None]
    assert node["under_voltage"] == [None] * 3


def test_a_camera_that_comes_anew_under_an_old_name_has_no_past(
    feed: Feed, history: History
) -> None:
    run(feed, history, 5, fps=2)
    node = feed.stream().node
    namesake = Stream(node, STREAM)
    assert history.read(node, [namesake], feed.fleet.now_ns()).streams == {}


def test_nothing_is_kept_of_a_camera_that_the_fleet_forgot() -> None:
    feed = Feed(max_cameras=1)
    history = History()
    feed.send("old/main", node=IMAGEZMQ_NODE)
    history.sample(feed.fleet)
    track = weakref.ref(feed.stream("imagezmq/old"))
    feed.clock.advance(60)
    with pytest.raises(RemoteProtocolError):
        feed.send("new/main", node=IMAGEZMQ_NODE)
    feed.fleet.sample()
    history.sample(feed.fleet)
    gc.collect()
    assert track() is None


@pytest.mark.parametrize(
    ("counts", "share", "wanted"),
    [
        ([0, 0, 10, 0], 0.5, 3.0),
        ([10, 0, 0, 0], 1.0, 1.0),
        ([5, 5, 0, 0], 0.5, 1.0),
        ([0, 0, 0, 7], 0.5, 4.0),
        ([1, 0, 0, 1], 0.25, 0.5),
    ],
)
def test_a_quantile_lies_in_its_bucket(counts: list[int], share: float, wanted: float) -> None:
    assert quantile((1.0, 2.0, 4.0), counts, share) == pytest.approx(wanted)


def test_quantiles_of_latency_stay_within_the_buckets() -> None:
    counts = [0] * (len(LATENCY_BUCKETS_S) + 1)
    counts[3] = 9
    assert LATENCY_BUCKETS_S[2] < quantile(LATENCY_BUCKETS_S, counts, 0.95) <= LATENCY_BUCKETS_S[3]
