from __future__ import annotations

import pytest

from camfleet.liveness import Liveness, liveness, usual_interval_s


@pytest.mark.parametrize(
    ("silence_s", "judged"),
    [
        (-1, Liveness.ONLINE),
        (0, Liveness.ONLINE),
        (2.9, Liveness.ONLINE),
        (3, Liveness.STALE),
        (9.9, Liveness.STALE),
        (10, Liveness.OFFLINE),
        (float("inf"), Liveness.OFFLINE),
    ],
)
def test_a_silence_is_judged_by_its_length(silence_s: float, judged: Liveness) -> None:
    assert liveness(silence_s) is judged


@pytest.mark.parametrize(
    ("interval_s", "silence_s", "judged"),
    [
        (0.02, 2.9, Liveness.ONLINE),
        (0.02, 3, Liveness.STALE),
        (5, 14.9, Liveness.ONLINE),
        (5, 15, Liveness.STALE),
        (15, 149, Liveness.STALE),
        (15, 150, Liveness.OFFLINE),
        (86_400, 10_799, Liveness.ONLINE),
        (86_400, 10_800, Liveness.STALE),
        (float("inf"), 36_000, Liveness.OFFLINE),
    ],
)
def test_who_usually_comes_less_often_is_given_three_and_ten_of_its_intervals(
    interval_s: float, silence_s: float, judged: Liveness
) -> None:
    assert liveness(silence_s, interval_s) is judged


@pytest.mark.parametrize(
    ("gaps_s", "usual_s"),
    [
        ((), 0),
        ((15,), 15),
        ((0.1, 600), 0.1),
        ((600, 0.1), 0.1),
        ((0.1, 600, 0.1), 0.1),
        ((5, 6, 4), 5),
        ((600, 600, 0.1), 600),
    ],
)
def test_one_outage_is_no_usual_interval(gaps_s: tuple[float, ...], usual_s: float) -> None:
    assert usual_interval_s(gaps_s) == usual_s
