"""The gate: which pictures are sent, and why others are not."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camfleet_node.sending import HOT, INTERVAL, SEND, STILL, UNWANTED, Mode, Sending

S = 1_000_000_000
FPS = 10


def judged(gate: Sending, seconds: float, begin_s: float = 0.0, **scene: Any) -> list[str]:  # noqa: ANN401 - as `judge` takes it
    """What becomes of pictures that come ten times a second."""
    return [
        gate.judge(round((begin_s + number / FPS) * S), **scene)
        for number in range(round(seconds * FPS))
    ]


def test_always_sends_everything_wanted_or_not() -> None:
    assert set(judged(Sending("always"), 5, is_wanted=False)) == {SEND}


def test_demand_sends_what_somebody_wants() -> None:
    gate = Sending("demand")
    assert set(judged(gate, 5, is_wanted=False)) == {UNWANTED}
    assert set(judged(gate, 5, is_wanted=True)) == {SEND}


@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_preview_that_nobody_wants_costs_nothing_in_any_mode(mode: Mode) -> None:
    gate = Sending(mode, only_wanted=True)
    assert set(judged(gate, 5, is_wanted=False, is_moving=True, changes=3)) == {UNWANTED}
    assert gate.judge(6 * S) == SEND


def test_interval_sends_one_at_once_and_then_one_each_interval() -> None:
    reasons = judged(Sending("interval", 2.0), 6)
    assert [number / FPS for number, reason in enumerate(reasons) if reason == SEND] == [0, 2, 4]
    assert set(reasons) == {SEND, INTERVAL}


def test_an_interval_that_had_no_picture_is_made_good_by_the_next_one() -> None:
    gate = Sending("interval", 2.0)
    assert gate.judge(0) == SEND
    assert gate.judge(100 * S) == SEND
    assert gate.judge(101 * S) == INTERVAL


def test_motion_sends_while_something_moves_and_now_and_then_while_all_is_still() -> None:
    gate = Sending("motion", 60)
    assert judged(gate, 1) == [SEND] + [STILL] * 9
    assert set(judged(gate, 10, 1, is_moving=True, changes=1)) == {SEND}
    assert judged(gate, 1, 11, changes=2) == [SEND] + [STILL] * 9  # that it came to rest
    assert gate.judge(70 * S, changes=2) == STILL
    assert gate.judge(72 * S, changes=2) == SEND


def test_a_count_is_that_of_each_change() -> None:
    gate = Sending("motion", 60, 3)
    judged(gate, 1)
    moving = judged(gate, 2, 1, is_moving=True, changes=1)
    assert moving == [SEND] * 3 + [STILL] * 17
    assert judged(gate, 1, 3, changes=2) == [SEND] * 3 + [STILL] * 7


def test_a_change_of_light_is_sent_as_well() -> None:
    gate = Sending("motion", 60)
    judged(gate, 1)
    assert judged(gate, 1, 1, changes=1) == [SEND] + [STILL] * 9


def test_while_hot_every_other_picture_is_left_out() -> None:
    gate = Sending("always")
    assert judged(gate, 0.4, is_hot=True) == [HOT, SEND, HOT, SEND]
    assert set(judged(gate, 1)) == {SEND}


def test_what_is_not_sent_anyway_is_not_left_out_for_heat() -> None:
    assert HOT not in judged(Sending("interval", 60), 5, begin_s=1, is_hot=True)[2:]


scenes = st.fixed_dictionaries(
    {
        "is_wanted": st.booleans(),
        "is_moving": st.booleans(),
        "changes": st.integers(0, 3),
        "is_hot": st.booleans(),
    }
)


@given(
    mode=st.sampled_from(get_args(Mode)),
    count=st.integers(0, 5),
    only_wanted=st.booleans(),
    steps=st.lists(st.tuples(st.integers(0, 100), scenes), max_size=60),
)
def test_every_picture_is_sent_or_dropped_for_one_reason_of_its_mode(
    mode: Mode, count: int, *, only_wanted: bool, steps: list[tuple[int, dict[str, Any]]]
) -> None:
    gate = Sending(mode, 1.0, count, only_wanted=only_wanted)
    of_mode = {"motion": STILL, "interval": INTERVAL, "demand": UNWANTED, "always": HOT}[mode]
    possible = {SEND, HOT, of_mode} | ({UNWANTED} if only_wanted else set())
    now_ns, last_hot = 0, False
    for tenths, scene in steps:
        now_ns += tenths * S // 10
        reason = gate.judge(now_ns, **scene)
        assert reason in possible
        assert reason != UNWANTED or not scene["is_wanted"]
        assert reason != HOT or (scene["is_hot"] and not last_hot)
        last_hot = reason == HOT or (last_hot and reason != SEND)
