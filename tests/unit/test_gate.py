from __future__ import annotations

from dataclasses import replace

import pytest

from camfleet.errors import LocalProtocolError
from camfleet_hub.gate import Wanted, judge, pace
from camfleet_hub.readings import Reading, Readings, parse
from camfleet_hub.watching import watch

BEFORE = Reading(captured=100, received=10, online=1, latency_s=1, timed=10)
AFTER = Reading(captured=400, received=20, online=1, latency_s=2, timed=20)
WANTED = Wanted({"front": 24})
METRICS = """\
# TYPE camfleet_frames_captured counter
camfleet_frames_captured_total{node="pi",camera="front"} 400.0
# TYPE camfleet_camera_online gauge
camfleet_camera_online{node="pi",camera="front"} 1.0
# TYPE camfleet_latency_seconds histogram
camfleet_latency_seconds_bucket{node="pi",camera="front",stage="received",le="+Inf"} 20.0
camfleet_latency_seconds_count{node="pi",camera="front",stage="received"} 20.0
camfleet_latency_seconds_sum{node="pi",camera="front",stage="received"} 2.0
camfleet_latency_seconds_count{node="pi",camera="front",stage="sent"} 7.0
"""


def of_front(reading: Reading | None) -> Readings:
    return {("pi", "front"): reading} if reading else {}


def problems(before: Reading | None, after: Reading | None, wanted: Wanted = WANTED) -> list[str]:
    return judge("pi", wanted, of_front(before), of_front(after), 10)


def test_a_camera_that_does_what_it_should_has_no_problem() -> None:
    assert problems(BEFORE, AFTER) == []


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        (None, None, "the hub has never heard of it"),
        (BEFORE, replace(AFTER, online=0), "it is not online at the hub"),
        (BEFORE, replace(AFTER, captured=300), "20.0 fps captured, want 24.0"),
        (None, AFTER, "0.0 fps captured, want 24.0"),
        (BEFORE, replace(AFTER, received=10), "no frame arrived at the hub"),
        (BEFORE, replace(AFTER, latency_s=31), "3.00 s from capture to hub, want 2 s"),
    ],
)
def test_a_problem_is_told_with_what_was_wanted(
    before: Reading | None, after: Reading | None, problem: str
) -> None:
    wanted = Wanted({"front": 24}, latency_s=2)
    assert problems(before, after, wanted) == [f"camera front: {problem}"]


def test_a_camera_that_sends_by_choice_need_not_send() -> None:
    quiet = Wanted({"front": 24}, frozenset({"front"}))
    assert problems(BEFORE, replace(AFTER, received=10), quiet) == []


def test_a_latency_that_nobody_knows_is_none() -> None:
    assert pace(BEFORE, replace(AFTER, timed=10), 10).latency_s is None


def test_readings_come_out_of_metrics() -> None:
    wanted = Reading(captured=400, online=1, latency_s=2, timed=20)
    assert parse(METRICS) == {("pi", "front"): wanted}


@pytest.mark.parametrize("text", ["what is this", "camfleet_camera_online 1.0\n"])
def test_text_that_is_no_metrics_of_a_hub_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="are no metrics"):
        parse(text)


class Growing:
    """Readings of a camera that captures 30 pictures between two looks."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> Readings:
        self.looks += 1
        return of_front(replace(AFTER, captured=30.0 * self.looks))


def test_watching_ends_as_soon_as_all_was_well_for_long_enough() -> None:
    growing = Growing()
    said = watch(growing, lambda *_: [], name="pi", steady_s=0.02, within_s=10, look_s=0.01)
    assert said.startswith("pi did what it should")
    assert growing.looks >= 2


def test_watching_in_vain_says_what_was_wrong_last() -> None:
    with pytest.raises(LocalProtocolError, match="pi: too few; too late"):
        watch(
            Growing(),
            lambda *_: ["too few", "too late"],
            name="pi",
            steady_s=0.01,
            within_s=0.05,
            look_s=0.01,
        )
