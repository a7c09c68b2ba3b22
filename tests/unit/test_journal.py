from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.events import Detected, Leaving, NodeJoined, NodeLeft
from camfleet.forward_link import SubscriberJoined, SubscriberLeft
from camfleet.testing import FakeClock
from camfleet.wire import Counters, Detection
from camfleet_hub.journal import Journal

FRONT = (Counters("front/main", 0, 0, {}),)


class Told:
    """A journal in time that a test controls, and what it told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.journal = Journal(self.clock.monotonic_ns)
        self.lines: list[Any] = []

    def node(self, event: NodeJoined | NodeLeft) -> None:
        with capture_logs() as lines:
            self.journal.node(event)
        self.lines += lines

    def reject(self, node: str = "pi", reason: Reason = Reason.NOT_JPEG) -> None:
        with capture_logs() as lines:
            self.journal.rejected(node, RemoteProtocolError(reason, "payload is no JPEG"))
        self.lines += lines


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_subscriber_that_comes_and_leaves_is_told(told: Told) -> None:
    with capture_logs() as lines:
        told.journal.subscriber(SubscriberJoined(b"x", "desk", 1, ("*",), "mine 1"))
        told.journal.subscriber(SubscriberLeft(b"x", "desk", "said goodbye"))
    assert [(line["event"], line["subscriber"]) for line in lines] == [
        ("subscriber joined", "desk"),
        ("subscriber left", "desk"),
    ]


def test_a_node_that_joins_is_told_with_its_streams(told: Told) -> None:
    told.node(NodeJoined("pi", 1, FRONT, "camfleet-node 1"))
    assert told.lines == [
        {
            "event": "node joined",
            "log_level": "info",
            "node": "pi",
            "streams": ["front/main"],
            "software": "camfleet-node 1",
        }
    ]


def test_a_repeated_hello_is_told_once(told: Told) -> None:
    for _ in range(3):
        told.node(NodeJoined("pi", 1, FRONT, ""))
    assert len(told.lines) == 1


def test_a_node_that_was_started_anew_is_told_again(told: Told) -> None:
    told.node(NodeJoined("pi", 1, FRONT, ""))
    told.node(NodeJoined("pi", 2, FRONT, ""))
    assert len(told.lines) == 2


def test_a_node_that_left_and_returns_is_told_again(told: Told) -> None:
    told.node(NodeJoined("pi", 1, FRONT, ""))
    told.node(NodeLeft("pi", "silent for 10 s", Leaving.SILENT))
    told.node(NodeJoined("pi", 1, FRONT, ""))
    assert [line["event"] for line in told.lines] == ["node joined", "node left", "node joined"]


def test_a_cause_that_repeats_is_told_once_and_then_with_its_count(told: Told) -> None:
    for _ in range(5):
        told.reject()
    told.clock.advance(10)
    told.reject()
    assert [line["like_it_before"] for line in told.lines] == [0, 4]


@pytest.mark.parametrize(("node", "reason"), [("pj", Reason.NOT_JPEG), ("pi", Reason.SHAPE)])
def test_another_cause_is_told_at_once(told: Told, node: str, reason: Reason) -> None:
    told.reject()
    told.reject(node, reason)
    assert len(told.lines) == 2


def test_what_was_wrong_is_told(told: Told) -> None:
    told.reject()
    assert told.lines[0]["problem"] == "payload is no JPEG"
    assert told.lines[0]["log_level"] == "warning"


def test_the_causes_that_are_remembered_are_bounded(told: Told) -> None:
    for number in range(5000):
        told.reject(f"node-{number}")
    assert len(told.journal._told_ns) <= 1024


def test_a_peer_that_comes_and_goes_for_ever_does_not_fill_the_log(told: Told) -> None:
    for session in range(5000):
        told.node(NodeJoined("pi", session, FRONT, ""))
    assert len(told.lines) == 64
    told.clock.advance(10)
    for session in range(5000):
        told.node(NodeJoined("pi", session, FRONT, ""))
    assert len(told.lines) == 65


def detected() -> Detected:
    return Detected("pi", Detection("front/main", 7, 0, "motion", "moving", 1, "drive"), b"", 1)


def test_a_detection_is_told_with_its_camera_and_region(told: Told) -> None:
    with capture_logs() as lines:
        told.journal.detected(detected())
    assert lines == [
        {
            "event": "detected",
            "log_level": "info",
            "node": "pi",
            "camera": "front",
            "detector": "motion",
            "state": "moving",
            "region": "drive",
        }
    ]


def test_detectors_that_never_rest_do_not_fill_the_log_nor_silence_who_comes(told: Told) -> None:
    with capture_logs() as lines:
        for _ in range(5000):
            told.journal.detected(detected())
    assert len(lines) == 64
    told.node(NodeJoined("pi", 1, FRONT, ""))
    assert told.lines


def test_a_node_whose_detectors_never_rest_does_not_silence_those_of_others(told: Told) -> None:
    for _ in range(5000):
        told.journal.detected(detected())
    with capture_logs() as lines:
        told.journal.detected(replace(detected(), node="pj"))
    assert [line["node"] for line in lines] == ["pj"]


def test_detections_of_many_nodes_together_do_not_fill_the_log_nor_the_memory(told: Told) -> None:
    with capture_logs() as lines:
        for number in range(5000):
            told.journal.detected(replace(detected(), node=f"pi-{number}"))
    assert len(lines) == 1024
    assert len(told.journal._detections._ones) <= 1024


def test_a_peer_that_comes_and_goes_for_ever_does_not_silence_others(told: Told) -> None:
    for session in range(5000):
        told.node(NodeJoined("pi", session, FRONT, ""))
    told.node(NodeJoined("pj", 1, FRONT, ""))
    assert told.lines[-1]["node"] == "pj"
