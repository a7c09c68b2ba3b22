from __future__ import annotations

import pytest
from msgspec.structs import replace

from camfleet.frame import Frame, FrameHeader, Stages
from camfleet.stats import DetectionStats, Histogram, Jitter, RateMeter, StreamStats
from camfleet.wire import Counters, DetectionCounters

T = 1_800_000_000_000_000_000
MS = 1_000_000


def frame(
    sent: int,
    *,
    sequence: int | None = None,
    session: int = 1,
    captured_ns: int = T,
    received_ns: int = T,
    offset_ns: int = 0,
) -> Frame:
    header = FrameHeader(
        stream="front/main",
        session=session,
        sequence=sent if sequence is None else sequence,
        sent=sent,
        captured_ns=captured_ns,
        codec="raw",
        shape=(2, 3),
        clock_offset_ns=offset_ns,
        clock_uncertainty_ns=0,
    )
    return Frame("pi-1", header, bytes(6), received_ns)


def counters(captured: int, sent: int, **dropped: int) -> Counters:
    return Counters("front/main", captured, sent, dropped)


@pytest.fixture
def stats() -> StreamStats:
    stats = StreamStats()
    stats.begin(1, counters(0, 0))
    return stats


def test_frames_and_their_bytes_are_counted(stats: StreamStats) -> None:
    for sent in range(3):
        stats.account(frame(sent))
    assert (stats.received, stats.received_bytes, stats.lost) == (3, 18, 0)


def test_a_gap_is_lost(stats: StreamStats) -> None:
    stats.account(frame(0))
    stats.account(frame(3))
    assert (stats.received, stats.lost) == (2, 2)


def test_what_was_sent_before_a_heartbeat_and_is_not_here_is_lost(stats: StreamStats) -> None:
    stats.account(frame(0))
    stats.report(counters(5, 3))
    stats.account(frame(3))
    assert (stats.received, stats.lost) == (2, 2)


def test_a_repeated_heartbeat_loses_nothing_twice(stats: StreamStats) -> None:
    stats.report(counters(5, 3))
    stats.report(counters(5, 3))
    assert stats.lost == 3


def test_what_was_dropped_is_not_lost(stats: StreamStats) -> None:
    stats.report(counters(10, 0, newer=7, no_credit=3))
    assert stats.lost == 0
    assert stats.dropped == {"newer": 7, "no_credit": 3}


def test_what_was_rejected_is_not_lost(stats: StreamStats) -> None:
    stats.account(frame(0))
    stats.reject(2)
    stats.report(counters(3, 3))
    assert (stats.received, stats.lost) == (1, 1)


def test_a_frame_that_was_rejected_twice_is_not_found_again(stats: StreamStats) -> None:
    stats.account(frame(0))
    stats.reject(0)
    stats.report(counters(1, 1))
    assert stats.lost == 0


def test_restarts_count_from_the_first_heartbeat_and_over_sessions(stats: StreamStats) -> None:
    assert StreamStats().restarts is None
    for count in (5, 5, 7):
        stats.restart(count)
    assert stats.restarts == 2
    stats.begin(2, counters(0, 0))
    for count in (0, 1):
        stats.restart(count)
    assert stats.restarts == 3


def test_a_new_session_is_no_loss(stats: StreamStats) -> None:
    stats.account(frame(0))
    stats.report(counters(7, 1, newer=6))
    stats.begin(2, counters(5, 3, newer=2))
    stats.account(frame(3, session=2))
    stats.report(counters(7, 4, newer=3))
    assert (stats.received, stats.lost, stats.captured) == (2, 0, 9)
    assert stats.dropped == {"newer": 7}


def test_a_session_that_joins_again_goes_on_counting(stats: StreamStats) -> None:
    stats.account(frame(0))
    stats.begin(1, counters(9, 5, newer=4))
    stats.report(counters(9, 5, newer=4))
    assert (stats.received, stats.lost, stats.captured) == (1, 4, 9)
    assert stats.dropped == {"newer": 4}


def test_a_restarted_hub_counts_from_what_the_node_had_by_then() -> None:
    stats = StreamStats()
    stats.begin(1, counters(1000, 600, newer=400))
    stats.report(counters(1003, 601, newer=401, no_credit=1))
    assert (stats.captured, stats.lost) == (3, 1)
    assert stats.dropped == {"newer": 1, "no_credit": 1}


def test_a_camera_whose_hello_was_not_heard_is_counted_from_its_first_frame() -> None:
    stats = StreamStats()
    stats.account(frame(1000, sequence=4999))
    stats.report(counters(5000, 1001, newer=4000))
    stats.report(counters(5003, 1003, newer=4001, no_credit=1))
    assert (stats.received, stats.lost, stats.captured) == (1, 2, 4)
    assert stats.dropped == {"newer": 1, "no_credit": 1}


def test_frames_of_another_session_begin_anew_without_a_hello(stats: StreamStats) -> None:
    stats.account(frame(0))
    stats.account(frame(700, session=2))
    stats.account(frame(702, session=2))
    assert (stats.received, stats.lost) == (3, 1)


def test_frames_that_nobody_numbered_are_never_lost() -> None:
    stats = StreamStats()
    for _ in range(5):
        stats.account(frame(0, session=0))
    assert (stats.received, stats.lost) == (5, 0)


def test_a_node_cannot_fill_the_memory_with_reasons(stats: StreamStats) -> None:
    for n in range(1000):
        stats.report(counters(0, 0, **{f"reason {n}": 1}))
    assert len(stats.dropped) <= 32


def test_a_counter_that_runs_back_counts_nothing(stats: StreamStats) -> None:
    stats.report(counters(10, 5))
    stats.report(counters(3, 2))
    assert (stats.captured, stats.lost) == (10, 5)


def test_latency_is_counted_on_the_hubs_clock(stats: StreamStats) -> None:
    stats.account(frame(0, captured_ns=T - 30 * MS, offset_ns=10 * MS))
    assert stats.latency["received"].sum == pytest.approx(0.02)


def test_a_latency_below_zero_is_the_clocks_uncertainty_and_counts_as_none(
    stats: StreamStats,
) -> None:
    stats.account(frame(0, captured_ns=T + MS))
    assert stats.latency["received"].sum == 0
    assert stats.latency["received"].counts[0] == 1


def test_the_stages_before_the_network_need_no_clock_but_the_nodes(stats: StreamStats) -> None:
    stages = Stages(capture_ns=MS, process_ns=2 * MS, encode_ns=3 * MS, queue_ns=4 * MS)
    unknown = replace(frame(0).header, stages=stages, clock_uncertainty_ns=-1)
    stats.account(replace(frame(0), header=unknown))
    assert stats.latency["encoded"].sum == pytest.approx(0.006)
    assert stats.latency["sent"].sum == pytest.approx(0.010)
    assert sum(stats.latency["received"].counts) == 0


def test_an_unknown_capture_time_is_no_latency_and_no_jitter(stats: StreamStats) -> None:
    for sent in range(2):
        stats.account(frame(sent, captured_ns=0, received_ns=T + sent * MS))
    assert not any(sum(histogram.counts) for histogram in stats.latency.values())
    assert stats.jitter.jitter_ns == 0


def test_an_observation_on_a_bound_belongs_below_it() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.add(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.sum == 14


@pytest.mark.parametrize("offset_ns", [0, 3600 * 10**9, -3600 * 10**9])
def test_a_clock_offset_is_not_jitter(offset_ns: int) -> None:
    jitter = Jitter()
    for n in range(10):
        jitter.add(T + n * 33 * MS + offset_ns, T + n * 33 * MS)
    assert jitter.jitter_ns == 0


def test_jitter_is_a_sixteenth_of_each_variation() -> None:
    jitter = Jitter()
    for captured_ns, received_ns in ((0, 0), (10, 26), (20, 20)):
        jitter.add(captured_ns, received_ns)
    assert jitter.jitter_ns == 1 + (16 - 1) / 16


@pytest.mark.parametrize("step_ns", [3600 * 10**9, -3600 * 10**9])
def test_a_clock_that_was_set_is_not_jitter(step_ns: int) -> None:
    jitter = Jitter()
    for n in range(10):
        jitter.add(T + n * 33 * MS + (step_ns if n > 4 else 0), T + n * 33 * MS)
    assert jitter.jitter_ns == 0


def test_another_sessions_clock_is_not_jitter(stats: StreamStats) -> None:
    stats.account(frame(0))
    stats.begin(2, counters(0, 0))
    stats.account(frame(0, session=2, captured_ns=T - 3600 * 10**9))
    assert stats.jitter.jitter_ns == 0


def test_a_rate_is_a_counters_growth_over_three_seconds() -> None:
    meter = RateMeter()
    assert meter.sample(0, 0.0) == 0
    assert [meter.sample(30 * second, second) for second in (1, 2, 3, 4)] == [30] * 4
    assert [round(meter.sample(120, second)) for second in (5, 6, 7)] == [20, 10, 0]


def test_two_readings_at_once_are_no_rate() -> None:
    meter = RateMeter()
    meter.sample(0, 1.0)
    assert meter.sample(5, 1.0) == 0


def test_what_was_captured_is_never_less_than_what_arrived() -> None:
    stats = StreamStats()
    stats.begin(1, counters(0, 0))
    for number in range(5):
        stats.account(frame(number, sequence=2 * number))
    assert (stats.received, stats.captured) == (5, 9)
    stats.report(counters(12, 5))
    assert stats.captured == 12


def test_what_a_camera_withholds_is_counted_by_its_reasons(stats: StreamStats) -> None:
    stats.report(counters(20, 2, still=5, interval=4, unwanted=3, newer=6))
    assert stats.withheld == 12


def counted(stats: DetectionStats) -> tuple[int, int, int]:
    return stats.received, stats.lost, stats.dropped


def test_a_gap_between_detections_is_lost() -> None:
    stats = DetectionStats()
    stats.begin(1, DetectionCounters(3, 9))  # a restarted hub counts from what was there
    for number in (3, 6):
        stats.account(number)
    assert counted(stats) == (2, 2, 0)


def test_detections_before_a_heartbeat_that_are_not_here_are_lost_once() -> None:
    stats = DetectionStats()
    stats.begin(1, DetectionCounters())
    stats.account(0)
    for _ in range(3):
        stats.report(DetectionCounters(4, 2))
    assert counted(stats) == (1, 3, 2)
    stats.begin(1, DetectionCounters(5, 2))  # it reconnected: one was under way
    stats.report(DetectionCounters(5, 2))
    assert counted(stats) == (1, 4, 2)


def test_a_rejected_detection_is_not_lost() -> None:
    stats = DetectionStats()
    stats.begin(1, DetectionCounters())
    stats.reject(0)
    stats.account(1)
    assert counted(stats) == (1, 0, 0)


def test_another_sessions_detections_begin_anew() -> None:
    stats = DetectionStats()
    stats.begin(1, DetectionCounters(7, 3))
    stats.begin(2, DetectionCounters(0, 0))
    stats.account(0)
    stats.report(DetectionCounters(1, 1))
    assert counted(stats) == (1, 0, 1)
