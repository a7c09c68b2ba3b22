"""What a detection may be, at both ends; and those that wait."""

from __future__ import annotations

import math

import numpy as np
import pytest

from camfleet.backlog import A_SECOND, BURST, MAX_WAITING, Backlog, Waiting
from camfleet.codec import encode_jpeg
from camfleet.detection import (
    MAX_PICTURE_BYTES,
    DetectionDraft,
    check_detection,
    check_detection_draft,
)
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.wire import Box, DetectionCounters

JPEG = encode_jpeg(np.zeros((6, 8, 3), np.uint8))
LARGE = encode_jpeg(np.zeros((1024, 1025), np.uint8))
S = 1_000_000_000


@pytest.mark.parametrize(
    "draft",
    [
        DetectionDraft("motion", "moving"),
        DetectionDraft("light", "dark", "north gate", 5, (0.0, 0.0, 100.0, 100.0), JPEG),
        DetectionDraft("gate", "open", "küche", box=(33.3, 66.7, 66.7, 33.3)),
    ],
)
def test_a_detection_that_is_one_is_taken(draft: DetectionDraft) -> None:
    check_detection_draft(draft)


@pytest.mark.parametrize(
    ("draft", "found"),
    [
        (DetectionDraft("Motion", "moving"), "detector is 'Motion'"),
        (DetectionDraft("", "moving"), "detector is ''"),
        (DetectionDraft("motion", "more_than_twelve"), "state is 'more_than_twelve'"),
        (DetectionDraft("motion", "moving", "a/b"), "region 'a/b' looks like a path"),
        (DetectionDraft("motion", "moving", captured_ns=-1), "captured_ns is -1, want 0"),
        (DetectionDraft("motion", "moving", box=(1.0, 2.0)), r"box is \[1.0, 2.0\], want left"),
        (DetectionDraft("motion", "moving", box=(0, 0, math.nan, 1)), "box is"),
        (DetectionDraft("motion", "moving", box=(60, 0, 50, 1)), "box is"),
        (DetectionDraft("motion", "moving", box=(-1, 0, 50, 1)), "box is"),
        (DetectionDraft("motion", "moving", picture=b"GIF89a"), "is not a JPEG"),
        (DetectionDraft("motion", "moving", picture=bytes(65_537)), "is 65537 bytes, want 65536"),
        (DetectionDraft("motion", "moving", picture=LARGE), "is 1025 by 1024, want at most"),
    ],
)
def test_a_detection_that_no_hub_would_take_is_our_bug(draft: DetectionDraft, found: str) -> None:
    with pytest.raises(LocalProtocolError, match=found):
        check_detection_draft(draft)


@pytest.mark.parametrize(
    ("region", "box", "picture", "reason"),
    [
        ("..", (), b"", Reason.NAME),
        ("", (1.0, 2.0, 3.0), b"", Reason.HEADER),
        ("", (), JPEG + bytes(MAX_PICTURE_BYTES), Reason.PAYLOAD_SIZE),
        ("", (), b"\xff\xd8\xff", Reason.NOT_JPEG),
        ("", (), LARGE, Reason.SHAPE),
    ],
)
def test_what_a_node_should_not_send_is_rejected_under_its_reason(
    region: str, box: Box, picture: bytes, reason: Reason
) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        check_detection(region, box, picture)
    assert caught.value.reason is reason


def waiting(state: str = "moving") -> Waiting:
    return Waiting("front/main", DetectionDraft("motion", state), 0)


def test_the_newest_wait_and_the_oldest_are_dropped() -> None:
    backlog = Backlog()
    for number in range(MAX_WAITING + 3):
        backlog.put(waiting(chr(ord("a") + number % 26)))
    assert (len(backlog), backlog.dropped) == (MAX_WAITING, 3)
    first = backlog.take(0)
    assert first is not None
    assert first.draft.state == "d"
    assert backlog.counters() == DetectionCounters(1, 3)


def test_they_go_out_no_faster_than_a_hub_takes_them() -> None:
    backlog = Backlog()
    for _ in range(MAX_WAITING):
        backlog.put(waiting())
    assert sum(backlog.take(S) is not None for _ in range(MAX_WAITING)) == BURST
    assert backlog.due_ns() == S + round(S / A_SECOND)
    assert backlog.take(backlog.due_ns() - 1) is None
    assert backlog.take(backlog.due_ns()) is not None


def test_nothing_that_waits_takes_no_room() -> None:
    backlog = Backlog()
    assert [backlog.take(0) for _ in range(2 * BURST)] == [None] * (2 * BURST)
    backlog.put(waiting())
    assert backlog.take(0) is not None
