from __future__ import annotations

import pytest

from camfleet.clock import SAMPLES, ClockFilter, Offset

S = 1_000_000_000
MS = 1_000_000
HOUR = 3600 * S


def exchange(
    clock: ClockFilter, at_ns: int, offset_ns: int, there_ns: int = MS, back_ns: int = MS
) -> int:
    """Send at `at_ns` on our clock; return when the answer is back."""
    received_ns = at_ns + there_ns + offset_ns
    returned_ns = at_ns + there_ns + back_ns
    clock.add(at_ns, received_ns, received_ns, returned_ns)
    return returned_ns


def test_nothing_is_known_before_the_first_exchange() -> None:
    assert ClockFilter().offset(S) is None


@pytest.mark.parametrize("offset_ns", [0, 5 * MS, -5 * MS, HOUR, -HOUR])
@pytest.mark.parametrize(("there_ns", "back_ns"), [(MS, MS), (0, 0), (20 * MS, 0), (0, 20 * MS)])
def test_the_true_offset_lies_within_the_uncertainty(
    offset_ns: int, there_ns: int, back_ns: int
) -> None:
    clock = ClockFilter()
    now_ns = exchange(clock, S, offset_ns, there_ns, back_ns)
    believed = clock.offset(now_ns)
    assert believed is not None
    assert abs(believed.offset_ns - offset_ns) <= believed.uncertainty_ns
    assert believed.uncertainty_ns == (there_ns + back_ns) // 2 + 1


def test_the_hubs_time_for_its_answer_is_no_part_of_the_round_trip() -> None:
    clock = ClockFilter()
    clock.add(0, MS, 501 * MS, 502 * MS)
    assert clock.offset(502 * MS) == Offset(0, MS + 1)


def test_the_exchange_with_the_least_round_trip_is_believed() -> None:
    clock = ClockFilter()
    exchange(clock, 1 * S, 0, 40 * MS, 0)
    exchange(clock, 2 * S, 0, MS, MS)
    now_ns = exchange(clock, 3 * S, 0, 0, 40 * MS)
    believed = clock.offset(now_ns)
    assert believed is not None
    assert believed.offset_ns == 0


def test_an_estimate_grows_less_sure_with_time() -> None:
    clock = ClockFilter()
    now_ns = exchange(clock, S, 0)
    assert clock.offset(now_ns) == Offset(0, MS + 1)
    assert clock.offset(now_ns + S) == Offset(0, MS + 1 + 15_000)


@pytest.mark.parametrize("step_ns", [50 * MS, -50 * MS, HOUR, -HOUR])
def test_a_stepped_clock_is_believed_after_one_exchange_even_a_slower_one(step_ns: int) -> None:
    clock = ClockFilter()
    for second in range(SAMPLES):
        exchange(clock, second * S, 0)
    now_ns = exchange(clock, SAMPLES * S, step_ns, 5 * MS, 5 * MS)
    assert clock.offset(now_ns) == Offset(step_ns, 5 * MS + 1)


def test_a_step_in_mid_exchange_leaves_nothing_to_believe() -> None:
    clock = ClockFilter()
    exchange(clock, 10 * S, 0)
    clock.add(20 * S, 20 * S, 20 * S, 15 * S)
    assert clock.offset(15 * S) is None


def test_a_slow_exchange_is_no_contradiction() -> None:
    clock = ClockFilter()
    exchange(clock, S, 0)
    now_ns = exchange(clock, 2 * S, 0, 2 * S, 0)
    believed = clock.offset(now_ns)
    assert believed is not None
    assert believed.offset_ns == 0


def test_only_the_last_exchanges_are_kept() -> None:
    clock = ClockFilter()
    exchange(clock, 0, 0, 0, 0)
    for second in range(1, SAMPLES + 1):
        now_ns = exchange(clock, second * S, 0)
    assert clock.offset(now_ns) == Offset(0, MS + 1)
