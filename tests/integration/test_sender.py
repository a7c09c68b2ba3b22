"""A program's own pictures over a real socket: their times, and mistakes that are told always."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pytest

from camfleet.codec import encode_jpeg
from camfleet.errors import LocalProtocolError
from camfleet.frame import Frame
from camfleet.receiver import Receiver
from camfleet.sender import Sender

DEADLINE_S: Final = 30.0
AGE_NS: Final = 3_600_000_000_000
IMAGE: Final = np.full((6, 8, 3), 99, np.uint8)
JPEG: Final = encode_jpeg(IMAGE)


@pytest.fixture
def frames() -> queue.Queue[Frame]:
    """What arrives at a hub."""
    return queue.Queue()


@pytest.fixture
def sender(frames: queue.Queue[Frame]) -> Iterator[Sender]:
    """A sender that has a credit for the camera `front`."""

    def keep(event: object) -> None:
        if isinstance(event, Frame):
            frames.put(event)

    with (
        Receiver("tcp://127.0.0.1:0", on_event=keep, plain=True) as hub,
        Sender(hub.address, "pi", plain=True) as made,
    ):
        assert made.stream("front").wait_credit(DEADLINE_S)
        yield made


@pytest.fixture
def lonely() -> Iterator[Sender]:
    """A sender that nobody gives a credit."""
    with Sender("tcp://127.0.0.1:1", "pi", plain=True) as made:
        yield made


def test_a_picture_that_is_a_jpeg_already_goes_as_it_is(
    sender: Sender, frames: queue.Queue[Frame]
) -> None:
    assert sender.send_jpeg("front", JPEG)
    assert bytes(frames.get(timeout=DEADLINE_S).payload) == JPEG


# times


def test_a_picture_without_a_time_was_captured_now(
    sender: Sender, frames: queue.Queue[Frame]
) -> None:
    before_ns = time.time_ns()
    assert sender.send("front", IMAGE)
    header = frames.get(timeout=DEADLINE_S).header
    assert before_ns <= header.captured_ns <= time.time_ns()


@pytest.mark.parametrize(("send", "picture"), [(Sender.send, IMAGE), (Sender.send_jpeg, JPEG)])
def test_an_unknown_time_of_capture_stays_unknown(
    sender: Sender,
    frames: queue.Queue[Frame],
    send: Callable[..., bool],
    picture: Any,  # noqa: ANN401 - an image or a JPEG
) -> None:
    assert send(sender, "front", picture, captured_ns=0)
    header = frames.get(timeout=DEADLINE_S).header
    assert header.captured_ns == 0
    assert header.stages.process_ns == 0


def test_a_pictures_age_is_processing_rather_than_encoding(
    sender: Sender, frames: queue.Queue[Frame]
) -> None:
    assert sender.send("front", IMAGE, captured_ns=time.time_ns() - AGE_NS)
    stages = frames.get(timeout=DEADLINE_S).header.stages
    assert stages.encode_ns < AGE_NS <= stages.process_ns


# mistakes


MISTAKES: Final[dict[str, tuple[Callable[[Sender], bool], type[Exception], str]]] = {
    "an image of floats": (
        lambda sender: sender.send("front", np.zeros((6, 8), np.float32)),
        ValueError,
        "image is float32 of",
    ),
    "bytes that are no JPEG": (
        lambda sender: sender.send_jpeg("front", b"no picture"),
        ValueError,
        "is not a JPEG",
    ),
    "a label too long": (
        lambda sender: sender.send("front", IMAGE, label="x" * 4000),
        LocalProtocolError,
        "label and metadata are",
    ),
    "a time before 1970": (
        lambda sender: sender.send("front", IMAGE, captured_ns=-1),
        LocalProtocolError,
        "captured_ns is -1",
    ),
}


@pytest.mark.parametrize("fixture", ["sender", "lonely"])
@pytest.mark.parametrize(("mistake", "error", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_a_credit_or_without(
    request: pytest.FixtureRequest,
    fixture: str,
    mistake: Callable[[Sender], bool],
    error: type[Exception],
    says: str,
) -> None:
    made: Sender = request.getfixturevalue(fixture)
    with pytest.raises(error, match=says):
        mistake(made)
    [counters] = made.counters()
    assert (counters.captured, counters.dropped) == (1, {"unfit": 1})
