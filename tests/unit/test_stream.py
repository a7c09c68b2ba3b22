"""One stream between mailbox and outlet: gate, processing, the camera's own encoder, leases."""

from __future__ import annotations

import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
import simplejpeg
from tests.unit.polling import DEADLINE_S, until

from camfleet.backoff import Backoff
from camfleet.node_link import NodeLink
from camfleet.outbox import Outbox, Outlet
from camfleet_node.camera import Camera
from camfleet_node.detectors import Lookout, Motion
from camfleet_node.encoder import encode
from camfleet_node.processing import Processing
from camfleet_node.sending import Sending
from camfleet_node.settings.camera import WHOLE, MotionSettings
from camfleet_node.sources import Content, Jpeg, Picture, Planes
from camfleet_node.stream import Stream

if TYPE_CHECKING:
    from camfleet.draft import Draft

TO_JPEG = partial(encode, quality=80)


class FakeOutlet(Outlet):
    """Has as many credits as the test says, and keeps what it gets."""

    def __init__(self, name: str = "front/main") -> None:
        outbox = Outbox(NodeLink("pi", 1, Backoff(1, 1, lambda: 0.5)), lambda: None)
        outbox.declare(name)
        super().__init__(outbox, name)
        self.credits = 1_000_000
        self.sent: list[Draft] = []
        self.dropped: Counter[str] = Counter()
        self.captured = 0
        self.wanted = True
        self.detections: list[tuple[str, str, str, tuple[float, ...], bytes]] = []

    @property
    def is_wanted(self) -> bool:
        return self.wanted

    def capture(self) -> int:
        self.captured += 1
        return self.captured - 1

    def wait_credit(self, timeout_s: float) -> bool:
        if self.credits > len(self.sent):
            return True
        threading.Event().wait(min(timeout_s, 0.002))
        return False

    def send(self, draft: Draft) -> None:
        self.sent.append(draft)

    def drop(self, reason: str) -> None:
        self.dropped[reason] += 1

    def detect(  # noqa: PLR0917 - as the outlet has it
        self,
        detector: str,
        state: str,
        region: str,
        captured_ns: int,
        box: tuple[float, ...] = (),
        picture: bytes = b"",
    ) -> None:
        assert captured_ns > 0
        self.detections.append((detector, state, region, box, picture))


class Detectors:
    """What detectors have found, as the test says."""

    def __init__(self) -> None:
        self.is_moving = False
        self.changes = 0


@pytest.fixture
def outlet() -> FakeOutlet:
    return FakeOutlet()


Start = Callable[..., Stream]


@pytest.fixture
def start(outlet: FakeOutlet) -> Iterator[Start]:
    """Start a stream that is stopped with the test."""
    streams: list[Stream] = []

    def started(
        sending: Sending | None = None,
        processing: Processing | None = None,
        detectors: Detectors | None = None,
    ) -> Stream:
        sending, processing = sending or Sending("always"), processing or Processing()
        streams.append(Stream("front", outlet, sending, processing, TO_JPEG, detectors=detectors))
        return streams[-1]

    yield started
    for stream in streams:
        stream.stop()
        stream.join(time.monotonic() + DEADLINE_S)


def picture(content: Content | None = None) -> Picture[Content]:
    content = np.full((48, 64, 3), 100, np.uint8) if content is None else content
    return Picture(content, time.time_ns(), 1000)


def planes(height: int = 48, width: int = 64) -> Planes:
    half = np.full((height // 2, width // 2), 128, np.uint8)
    return Planes(np.full((height, width), 100, np.uint8), half, half)


def put_and_wait(stream: Stream, outlet: FakeOutlet, shown: Picture[Content]) -> None:
    """Put a picture, and wait until it is known what became of it."""
    stream.put(shown)
    until(lambda: len(outlet.sent) + sum(outlet.dropped.values()) == outlet.captured)


# what is sent


def test_a_frame_has_the_shape_of_what_was_done_to_it(start: Start, outlet: FakeOutlet) -> None:
    stream = start(processing=Processing(width=32, is_gray=True))
    put_and_wait(stream, outlet, picture(planes()))
    [draft] = outlet.sent
    assert draft.shape == (24, 32)
    assert simplejpeg.decode_jpeg_header(draft.payload)[:3] == (24, 32, "Gray")
    assert draft.stages.process_ns > 0
    assert draft.stages.encode_ns > 0


def test_a_jpeg_is_sent_verbatim_where_nothing_is_to_be_done(
    start: Start, outlet: FakeOutlet
) -> None:
    jpeg = Jpeg(TO_JPEG(np.zeros((48, 64), np.uint8)), (48, 64))
    put_and_wait(start(), outlet, picture(jpeg))
    assert outlet.sent[0].payload is jpeg.data
    assert outlet.sent[0].shape == (48, 64)


def test_the_cameras_own_encoder_is_used_where_nothing_is_to_be_done(
    start: Start, outlet: FakeOutlet
) -> None:
    jpeg = TO_JPEG(planes())
    shown: Picture[Content] = Picture(planes(), time.time_ns(), 0, encode=lambda: jpeg)
    put_and_wait(start(), outlet, shown)
    put_and_wait(start(processing=Processing(is_gray=True)), outlet, shown)
    assert outlet.sent[0].payload is jpeg
    assert outlet.sent[1].payload is not jpeg


def test_the_preview_is_the_small_picture_of_the_camera(start: Start, outlet: FakeOutlet) -> None:
    stream = start(processing=Processing().narrowed(64))
    shown: Picture[Content] = Picture(
        planes(480, 640), time.time_ns(), 0, preview=planes(), encode=lambda: b"of the large one"
    )
    put_and_wait(stream, outlet, shown)
    assert outlet.sent[0].shape == (48, 64, 3)
    assert outlet.sent[0].payload == TO_JPEG(planes())


@pytest.mark.parametrize(
    "content",
    [
        planes(480, 640),
        np.zeros((480, 640, 3), np.uint8),
        Jpeg(TO_JPEG(planes(480, 640)), (480, 640, 3)),
    ],
)
def test_without_one_the_preview_is_made(
    start: Start, outlet: FakeOutlet, content: Content
) -> None:
    put_and_wait(start(processing=Processing().narrowed(64)), outlet, picture(content))
    assert outlet.sent[0].shape == (48, 64, 3)


# what is not


def test_a_picture_that_the_gate_holds_back_is_not_touched(
    start: Start, outlet: FakeOutlet
) -> None:
    outlet.wanted = False
    stream = start(Sending("demand"), Processing(is_gray=True))
    broken = picture(Jpeg(b"no JPEG", (8, 8, 3)))
    put_and_wait(stream, outlet, broken)
    assert outlet.dropped == {"unwanted": 1}


def test_a_picture_that_cannot_be_processed_is_counted_and_the_next_one_sent(
    start: Start, outlet: FakeOutlet
) -> None:
    stream = start(processing=Processing(is_gray=True))
    put_and_wait(stream, outlet, picture(Jpeg(b"no JPEG", (8, 8, 3))))
    put_and_wait(stream, outlet, picture())
    assert outlet.dropped == {"unfit": 1}
    assert outlet.sent[0].sequence == 1


def test_motion_opens_the_gate(start: Start, outlet: FakeOutlet) -> None:
    detectors = Detectors()
    stream = start(Sending("motion", 3600), detectors=detectors)
    for is_moving in (False, False, True, True, False):
        detectors.is_moving = is_moving
        put_and_wait(stream, outlet, picture())
    assert [draft.sequence for draft in outlet.sent] == [0, 2, 3]
    assert outlet.dropped == {"still": 2}


def test_while_hot_every_other_picture_is_dropped(start: Start, outlet: FakeOutlet) -> None:
    stream = start()
    for is_hot in (True, True, True, True, False, False):
        stream.is_hot = is_hot
        put_and_wait(stream, outlet, picture())
    assert [draft.sequence for draft in outlet.sent] == [1, 3, 4, 5]
    assert outlet.dropped == {"hot": 2}


def test_every_captured_picture_is_sent_or_dropped_once(start: Start, outlet: FakeOutlet) -> None:
    detectors = Detectors()
    stream = start(Sending("motion", 0.1, 2), detectors=detectors)
    for number in range(300):
        outlet.credits = number // 2
        detectors.changes = number // 20
        stream.is_hot = number % 50 > 25
        stream.put(picture(Jpeg(b"no JPEG", (8, 8, 3))) if number % 7 == 0 else picture())
    outlet.credits = 1000
    until(lambda: len(outlet.sent) + sum(outlet.dropped.values()) == 300)
    sequences = [draft.sequence for draft in outlet.sent]
    assert sequences == sorted(set(sequences))


# leases


class Memory:
    """Stands for a driver's buffer."""


def lent(content: Content | None = None) -> tuple[Picture[Content], Callable[[], object]]:
    memory = Memory()
    shown = planes() if content is None else content
    return Picture(shown, time.time_ns(), 0, preview=planes(), lease=memory), weakref.ref(memory)


def test_a_picture_that_was_sent_is_given_back_while_the_stream_waits(
    start: Start, outlet: FakeOutlet
) -> None:
    stream = start(processing=Processing(crop=(0, 0, 50, 50)))
    shown, memory = lent()
    stream.put(shown)
    del shown
    until(lambda: outlet.sent)
    until(lambda: memory() is None)


def test_a_picture_that_was_dropped_or_unfit_is_given_back(
    start: Start, outlet: FakeOutlet
) -> None:
    outlet.wanted = False
    for stream, content in (
        (start(Sending("demand")), None),
        (start(processing=Processing(is_gray=True)), Jpeg(b"no JPEG", (8, 8, 3))),
    ):
        shown, memory = lent(content)
        stream.put(shown)
        del shown
        until(lambda: memory() is None)  # noqa: B023 - used at once


def test_of_many_pictures_without_a_credit_only_the_newest_is_held(
    start: Start, outlet: FakeOutlet
) -> None:
    outlet.credits = 0
    stream = start()
    memories = []
    for _ in range(5):
        shown, memory = lent()
        memories.append(memory)
        stream.put(shown)
    del shown
    until(lambda: [memory() is None for memory in memories] == [True] * 4 + [False])


class OneShotSource:
    """Gives one picture, and then waits."""

    def __init__(self, shown: Picture[Content]) -> None:
        self.shown: list[Picture[Content]] = [shown]
        self.is_waiting = threading.Event()
        self.closed = threading.Event()

    def read(self) -> Picture[Content] | None:
        if self.shown:
            return self.shown.pop()
        self.is_waiting.set()
        self.closed.wait()
        return None

    def close(self) -> None:
        self.closed.set()


def test_nobody_holds_a_picture_while_the_camera_waits_for_the_next(outlet: FakeOutlet) -> None:
    streams = [
        Stream("front", outlet, Sending("always"), Processing(), TO_JPEG),
        Stream("front", FakeOutlet(), Sending("always"), Processing().narrowed(32), TO_JPEG),
    ]
    detector = Motion("yard", MotionSettings.model_validate({}), WHOLE)
    lookout = Lookout("front", outlet, [detector], Processing())
    shown, memory = lent()
    source = OneShotSource(shown)
    del shown
    backoff = Backoff(1, 1, lambda: 0.5)
    camera = Camera("front", streams, lambda: source, backoff, lookout=lookout)
    assert source.is_waiting.wait(DEADLINE_S)
    until(lambda: memory() is None)
    camera.close()  # which waits for them for half a second
    names = "encode-front", "look-front"
    until(lambda: not [one for one in threading.enumerate() if one.name.startswith(names)])


def test_heat_spares_every_stream_of_a_camera(outlet: FakeOutlet) -> None:
    streams = [Stream("front", outlet, Sending("always"), Processing(), TO_JPEG) for _ in range(2)]
    source = OneShotSource(picture())
    camera = Camera("front", streams, lambda: source, Backoff(1, 1, lambda: 0.5))
    camera.spare(True)
    assert [stream.is_hot for stream in streams] == [True, True]
    camera.spare(False)
    assert [stream.is_hot for stream in streams] == [False, False]
    camera.close()
