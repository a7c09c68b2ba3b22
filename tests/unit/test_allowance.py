from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camfleet.allowance import Allowance

S = 1_000_000_000


def taken(allowance: Allowance, at_ns: int, tries: int = 100) -> int:
    return sum(allowance.take(at_ns) for _ in range(tries))


@pytest.mark.parametrize("start_ns", [0, 5, 10**18])
def test_a_burst_may_come_at_once_whenever_it_begins(start_ns: int) -> None:
    assert taken(Allowance(16, 10), start_ns) == 16


def test_after_a_burst_so_many_a_second_may_come() -> None:
    allowance = Allowance(16, 10)
    assert taken(allowance, 0) == 16
    assert [taken(allowance, at_s * S) for at_s in (1, 2, 4)] == [10, 10, 16]


def test_a_pause_gives_no_more_than_a_burst() -> None:
    allowance = Allowance(3, 1)
    assert [taken(allowance, at_s * S) for at_s in (0, 3600)] == [3, 3]


def test_it_has_room_when_it_says_and_not_before() -> None:
    allowance = Allowance(1, 3)
    assert allowance.take(7)
    due_ns = allowance.due_ns()
    assert not allowance.take(due_ns - 1)
    assert allowance.due_ns() == due_ns
    assert allowance.take(due_ns)


@settings(deadline=None)
@given(
    burst=st.integers(1, 20),
    per_second=st.floats(0.1, 100),
    steps_ns=st.lists(st.integers(0, 3 * S), max_size=40),
)
def test_it_never_lets_more_through_than_its_burst_and_rate(
    burst: int, per_second: float, steps_ns: list[int]
) -> None:
    allowance = Allowance(burst, per_second)
    at_ns = count = 0
    for step_ns in steps_ns:
        at_ns += step_ns
        count += taken(allowance, at_ns, 5)
        assert count <= burst + at_ns / S * per_second * (1 + 1e-6) + 1e-6
