"""What a hub takes of a node's detections."""

from __future__ import annotations

import pytest

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.intake import A_SECOND, BURST, Intake
from camfleet.wire import Detection, DetectionCounters

S = 1_000_000_000


def detection(number: int, region: str = "") -> Detection:
    return Detection("front/main", 7, number, "motion", "moving", 1, region)


def rejected(intake: Intake, number: int, at_ns: int = 0, **fields: str) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        intake.take(detection(number, **fields), b"", at_ns)
    return caught.value


def test_each_is_taken_once_and_a_gap_is_no_reason_to_reject() -> None:
    intake = Intake()
    intake.take(detection(0), b"", 0)
    intake.take(detection(5), b"", 0)
    error = rejected(intake, 5)
    assert error.reason is Reason.NO_CREDIT
    assert error.detection is None
    assert str(error) == "detection 5 came, want 6 or a later one"


def test_a_hello_begins_anew_and_a_heartbeat_only_goes_on() -> None:
    intake = Intake()
    intake.begin(DetectionCounters(9))
    assert rejected(intake, 8).reason is Reason.NO_CREDIT
    intake.report(DetectionCounters(20))
    assert rejected(intake, 19).reason is Reason.NO_CREDIT
    intake.report(DetectionCounters(1))
    assert rejected(intake, 19).reason is Reason.NO_CREDIT
    intake.begin(DetectionCounters(0))
    intake.take(detection(0), b"", 0)


def test_a_flood_is_rejected_and_is_not_lost() -> None:
    intake = Intake()
    for number in range(BURST):
        intake.take(detection(number), b"", 0)
    error = rejected(intake, BURST)
    assert error.reason is Reason.RATE
    assert error.detection == BURST
    intake.take(detection(BURST + 1), b"", S // A_SECOND)


def test_a_hello_brings_no_new_allowance() -> None:
    intake = Intake()
    for number in range(BURST):
        intake.take(detection(number), b"", 0)
    intake.begin(DetectionCounters(0))
    assert rejected(intake, 0).reason is Reason.RATE


def test_what_is_rejected_for_what_it_says_is_not_lost() -> None:
    error = rejected(Intake(), 3, region="a/b")
    assert error.reason is Reason.NAME
    assert error.detection == 3
