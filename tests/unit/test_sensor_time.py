from __future__ import annotations

import pytest

from camfleet_node.sources.sensor_time import SensorTime, count_between

S = 1_000_000_000
MS = 1_000_000
NOW_NS = 1_790_000_000 * S


class Clocks:
    """Three clocks that a test sets; the machine was started 100 s ago."""

    def __init__(self) -> None:
        self.unix_ns, self.boot_ns, self.monotonic_ns = NOW_NS, 100 * S, 100 * S
        self.delays_ns: list[int] = []

    def unix(self) -> int:
        if self.delays_ns:
            delay_ns = self.delays_ns.pop(0)
            self.unix_ns += delay_ns
            self.boot_ns += delay_ns
            self.monotonic_ns += delay_ns
        return self.unix_ns

    def time(self) -> SensorTime:
        return SensorTime(self.unix, lambda: self.boot_ns, lambda: self.monotonic_ns)


def test_a_stamp_is_as_long_ago_in_unix_time_as_on_the_clock_since_boot() -> None:
    clocks = Clocks()
    assert clocks.time().capture(100 * S - 40 * MS) == (NOW_NS - 40 * MS, 40 * MS)


def test_the_exposure_began_before_the_stamp() -> None:
    clocks = Clocks()
    assert clocks.time().capture(100 * S - 40 * MS, 10_000) == (NOW_NS - 50 * MS, 50 * MS)


def test_a_long_exposure_is_not_taken_for_an_old_stamp() -> None:
    captured_ns, _ = Clocks().time().capture(99 * S, 600_000_000)
    assert captured_ns == NOW_NS - 601 * S


def test_a_stepped_wall_clock_moves_the_pictures_after_it_along() -> None:
    clocks = Clocks()
    time = clocks.time()
    time.capture(99 * S)
    clocks.unix_ns += 3600 * S
    clocks.boot_ns += S
    clocks.monotonic_ns += S
    assert time.capture(101 * S - 40 * MS) == (NOW_NS + 3600 * S - 40 * MS, 40 * MS)


@pytest.mark.parametrize("clock", ["boot", "monotonic"])
def test_after_a_suspension_the_stamp_may_be_of_either_clock(clock: str) -> None:
    clocks = Clocks()
    clocks.boot_ns += 500 * S
    stamp_ns = (clocks.boot_ns if clock == "boot" else clocks.monotonic_ns) - 40 * MS
    assert clocks.time().capture(stamp_ns) == (NOW_NS - 40 * MS, 40 * MS)


@pytest.mark.parametrize("stamp_ns", [None, 0, 101 * S, 39 * S, -1])
def test_without_a_stamp_that_can_be_right_it_began_now(stamp_ns: int | None) -> None:
    assert Clocks().time().capture(stamp_ns, 10_000) == (NOW_NS, 0)


def test_a_thread_that_runs_between_two_clocks_spoils_nothing() -> None:
    clocks = Clocks()
    clocks.delays_ns = [30 * MS]
    captured_ns, capture_ns = clocks.time().capture(100 * S)
    assert (captured_ns, capture_ns) == (NOW_NS, 30 * MS)


def test_the_clocks_of_this_machine_are_usable() -> None:
    import time

    captured_ns, capture_ns = SensorTime().capture(time.monotonic_ns())
    assert 0 <= capture_ns < S
    assert abs(time.time_ns() - captured_ns) < 10 * S


@pytest.mark.parametrize(
    ("gap_ms", "missed"), [(33, 0), (40, 0), (66, 1), (101, 2), (0, 0), (-33, 0)]
)
def test_a_gap_between_stamps_counts_what_the_sensor_took_meanwhile(
    gap_ms: int, missed: int
) -> None:
    assert count_between(5 * S, 5 * S + gap_ms * MS, 33_333) == missed


@pytest.mark.parametrize("triple", [(None, S, 33_333), (S, None, 33_333), (S, 2 * S, 0)])
def test_nothing_is_counted_without_stamps_and_duration(
    triple: tuple[int | None, int | None, int],
) -> None:
    assert count_between(*triple) == 0


def test_a_mad_stamp_counts_no_million_pictures() -> None:
    assert count_between(0, 10**18, 33_333) == 1000
