from __future__ import annotations

import pytest

from camfleet.backoff import Backoff


def delays(roll: float, count: int = 6) -> list[float]:
    backoff = Backoff(0.25, 2.0, lambda: roll)
    return [backoff.next_s() for _ in range(count)]


def test_delays_double_up_to_the_most() -> None:
    assert delays(1.0) == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]


def test_a_delay_is_never_below_half_its_ceiling() -> None:
    assert delays(0.0) == [0.125, 0.25, 0.5, 1.0, 1.0, 1.0]


def test_two_hundred_nodes_do_not_knock_together() -> None:
    rolls = iter(n / 200 for n in range(200))
    assert len({Backoff(1.0, 2.0, rolls.__next__).next_s() for _ in range(200)}) == 200


def test_success_begins_again_at_the_first_delay() -> None:
    backoff = Backoff(0.25, 2.0, lambda: 1.0)
    backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == pytest.approx(0.25)
