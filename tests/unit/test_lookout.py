"""Detectors at work: which pictures they see, and what is told of what they find."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import simplejpeg
from tests.unit.polling import DEADLINE_S, until

from camfleet.backoff import Backoff
from camfleet.detection import MAX_PICTURE_BYTES
from camfleet.node_link import NodeLink
from camfleet.outbox import Outbox, Outlet
from camfleet_node.detectors import Change, Lookout
from camfleet_node.detectors.lookout import Pace
from camfleet_node.encoder import encode
from camfleet_node.processing import Processing, Region, Turn
from camfleet_node.sources import Content, Image, Jpeg, Picture

S = 1_000_000_000


class FakeDetector:
    """Tells what the test says, once for each picture."""

    kind = "motion"
    is_moving = False

    def __init__(self, name: str = "yard", fps: float = 10, box: Region | None = None) -> None:
        self.name = name
        self.fps = fps
        self.seen: list[tuple[int, tuple[int, ...]]] = []
        self.states: list[str] = []
        self._box = box

    def look(self, image: Image, monotonic_ns: int) -> Change | None:
        self.seen.append((monotonic_ns, image.shape))
        return Change(self.states.pop(0), self._box) if self.states else None


Told = tuple[str, str, str, int, tuple[float, ...], bytes]


class FakeOutlet(Outlet):
    """Keeps what was detected."""

    def __init__(self) -> None:
        outbox = Outbox(NodeLink("pi", 1, Backoff(1, 1, lambda: 0.5)), lambda: None)
        outbox.declare("front/main")
        super().__init__(outbox, "front/main")
        self.told: list[Told] = []

    def detect(  # noqa: PLR0917 - as the outlet has it
        self,
        detector: str,
        state: str,
        region: str,
        captured_ns: int,
        box: tuple[float, ...] = (),
        picture: bytes = b"",
    ) -> None:
        super().detect(detector, state, region, captured_ns, box, picture)  # it checks
        self.told.append((detector, state, region, captured_ns, box, picture))


Start = Callable[..., Lookout]


@pytest.fixture
def outlet() -> FakeOutlet:
    return FakeOutlet()


@pytest.fixture
def start(outlet: FakeOutlet) -> Iterator[Start]:
    """Start a lookout that is stopped with the test."""
    lookouts: list[Lookout] = []

    def started(*detectors: FakeDetector, processing: Processing | None = None) -> Lookout:
        lookouts.append(Lookout("front", outlet, detectors, processing or Processing()))
        return lookouts[-1]

    yield started
    for lookout in lookouts:
        lookout.stop()
        lookout.join(time.monotonic() + DEADLINE_S)


def noise(height: int = 480, width: int = 640) -> Image:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def picture(content: Content | None = None) -> Picture[Content]:
    return Picture(noise() if content is None else content, 123 * S, 0)


def test_a_detector_sees_pictures_at_its_own_rate(start: Start) -> None:
    slow, fast = FakeDetector(fps=1), FakeDetector(fps=10)
    lookout = start(slow, fast)
    for number in range(60):  # 30 fps for two seconds
        before = len(fast.seen)
        lookout.offer(picture(), 1000 * S + number * S // 30)
        if number % 3 == 0:
            until(lambda: len(fast.seen) > before)  # noqa: B023 - used at once
    assert len(fast.seen) == 20
    assert len(slow.seen) == 2


def test_a_rate_beyond_the_cameras_sees_every_picture() -> None:
    pace = Pace(60)
    assert all(pace.is_due(1000 * S + number * S // 30) for number in range(100))


@pytest.mark.parametrize("fps", [4.0, 5.0, 7.0, 12.0])
def test_a_rate_that_does_not_divide_the_cameras_is_kept_on_average(fps: float) -> None:
    pace = Pace(fps)
    seen = sum(pace.is_due(1000 * S + number * S // 30) for number in range(3000))
    assert seen == pytest.approx(100 * fps, rel=0.02)


def test_a_detector_that_is_slow_sees_the_newest_picture(start: Start) -> None:
    detector = FakeDetector(fps=1000)
    lookout = start(detector)
    for number in range(100):
        lookout.offer(picture(), 1000 * S + number * S)
    until(lambda: detector.seen and detector.seen[-1][0] == 1099 * S)
    assert detector.seen == sorted(detector.seen)


def test_a_change_is_told_with_its_box_and_a_small_picture(
    start: Start, outlet: FakeOutlet
) -> None:
    detector = FakeDetector(box=(10, 20, 30, 40))
    detector.states = ["moving"]
    start(detector).offer(picture(), 1000 * S)
    [told] = until(lambda: outlet.told)
    assert told[:5] == ("motion", "moving", "yard", 123 * S, (10, 20, 30, 40))
    assert simplejpeg.decode_jpeg_header(told[5])[:2] == (240, 320)
    assert len(told[5]) <= MAX_PICTURE_BYTES


def test_the_box_lies_in_the_picture_that_is_sent(start: Start, outlet: FakeOutlet) -> None:
    detector = FakeDetector(box=(0, 0, 25, 50))
    detector.states = ["moving"]
    processing = Processing(turn=Turn.of("horizontal", 0), crop=(50, 0, 50, 100))
    start(detector, processing=processing).offer(picture(), 1000 * S)
    [told] = until(lambda: outlet.told)
    assert told[4] == pytest.approx((50, 0, 50, 50))


def test_what_is_not_sent_has_no_box(start: Start, outlet: FakeOutlet) -> None:
    detector = FakeDetector(box=(0, 0, 25, 50))
    detector.states = ["moving"]
    start(detector, processing=Processing(crop=(50, 0, 50, 100))).offer(picture(), 1000 * S)
    [told] = until(lambda: outlet.told)
    assert told[4] == ()


def test_what_the_stream_hides_the_small_picture_hides_as_well(
    start: Start, outlet: FakeOutlet
) -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[::4] = image[1::4] = 255
    detector = FakeDetector()
    detector.states = ["moving"]
    start(detector, processing=Processing(blur=(0, 0, 100, 100))).offer(picture(image), 1000 * S)
    [told] = until(lambda: outlet.told)
    assert np.ptp(simplejpeg.decode_jpeg(told[5], colorspace="GRAY")) < 20


def test_a_small_jpeg_too_large_for_a_detection_is_left_out(
    start: Start, outlet: FakeOutlet
) -> None:
    data = encode(noise(240, 320), 80)
    padded = data[:2] + b"\xff\xfe\xff\xff" + bytes(0xFFFD) + data[2:]  # a comment of 64 KiB
    detector = FakeDetector()
    detector.states = ["moving"]
    start(detector).offer(picture(Jpeg(padded, (240, 320, 3))), 1000 * S)
    [told] = until(lambda: outlet.told)
    assert told[5] == b""


def test_the_first_state_is_told_but_no_change(start: Start, outlet: FakeOutlet) -> None:
    one, other = FakeDetector(), FakeDetector("gate")
    one.states, other.states = ["still", "moving"], ["still"]
    lookout = start(one, other)
    lookout.offer(picture(), 1000 * S)
    until(lambda: len(outlet.told) == 2)
    assert lookout.changes == 0
    lookout.offer(picture(), 1001 * S)
    until(lambda: len(outlet.told) == 3)
    assert lookout.changes == 1


def test_whether_something_moves_is_any_detectors_word(start: Start) -> None:
    one, other = FakeDetector(), FakeDetector("gate")
    lookout = start(one, other)
    assert not lookout.is_moving
    other.is_moving = True
    assert lookout.is_moving


def test_a_picture_that_cannot_be_decoded_is_survived(start: Start) -> None:
    detector = FakeDetector()
    lookout = start(detector)
    lookout.offer(picture(Jpeg(b"no JPEG", (8, 8, 3))), 1000 * S)
    until(lambda: lookout._pictures._items == {})
    lookout.offer(picture(), 1001 * S)
    until(lambda: detector.seen)


def test_it_stops_at_once(start: Start) -> None:
    seconds = []
    for _ in range(3):  # what else the machine does only ever adds to one
        lookout = start(FakeDetector())
        begun_s = time.monotonic()
        lookout.stop()
        lookout.join(begun_s + DEADLINE_S)
        assert not lookout._thread.is_alive()
        seconds.append(time.monotonic() - begun_s)
    assert min(seconds) < 1
