"""A camera's threads between its source and its outlet: overlap, newest wins, and never a hang."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import structlog
from tests.unit.polling import DEADLINE_S, until

from camfleet.backoff import Backoff
from camfleet.codec import encode_jpeg
from camfleet.frame import FrameHeader
from camfleet.node_link import NodeLink
from camfleet.outbox import Outbox, Outlet
from camfleet.wire import Credit, Grant, Welcome, decode, encode
from camfleet_node.camera import Camera, close_all
from camfleet_node.processing import Processing
from camfleet_node.sending import Sending
from camfleet_node.sources import Picture, SourceError
from camfleet_node.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from camfleet_node.sources import Content, Image, Source

    Start = Callable[..., Camera]

STREAM = "front/main"


def picture(level: int = 100, shape: tuple[int, ...] = (12, 16, 3)) -> Picture[Image]:
    return Picture(np.full(shape, level, np.uint8), time.time_ns(), 1000)


def failing(error: Exception) -> Callable[[Image], bytes]:
    """Make an encoder that fails."""

    def encode(_image: Image) -> bytes:
        raise error

    return encode


class FakeSource:
    """Gives what the test puts into it: pictures, errors to raise, None for its end."""

    def __init__(self, *items: Picture[Image] | Exception | None) -> None:
        self.items: queue.Queue[Picture[Image] | Exception | None] = queue.Queue()
        self.is_closed = False
        for item in items:
            self.items.put(item)

    def read(self) -> Picture[Image] | None:
        item = self.items.get(timeout=60)
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.is_closed = True
        self.items.put(None)


class HangingSource(FakeSource):
    """Hangs in its driver, in `read` and in `close`, until the test is over."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def read(self) -> Picture[Image] | None:
        self.released.wait()
        return None

    def close(self) -> None:
        self.released.wait()


class Hub:
    """The outbox of a node, and a hub that grants credits to it by hand."""

    def __init__(self) -> None:
        link = NodeLink("pi", 1, Backoff(1, 1, lambda: 0.5))
        self.outbox = Outbox(link, lambda: None)
        self.outlet: Outlet = self.outbox.declare(STREAM)
        self._limit = 0
        self._say(encode(Welcome(2, 1000, (Grant(STREAM, 0),))))

    def grant(self, frames: int) -> None:
        """Let so many more frames through."""
        self._limit += frames
        self._say(encode(Credit((Grant(STREAM, self._limit),))))

    def take(self) -> list[FrameHeader]:
        """The headers of the frames that may go out now."""
        headers = [decode(h) for h, _ in self.outbox.take(time.time_ns(), time.monotonic_ns())]
        return [header for header in headers if isinstance(header, FrameHeader)]

    def await_frame(self) -> FrameHeader:
        [frame] = until(self.take)
        return frame

    def counts(self) -> tuple[int, int, dict[str, int]]:
        """How many were captured, sent, and dropped by reason."""
        [counters] = self.outbox.counters()
        return counters.captured, counters.sent, counters.dropped

    def _say(self, header: bytes) -> None:
        self.outbox.receive(header, b"", time.time_ns(), time.monotonic_ns())
        assert self.outbox.rejected == 0


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.outbox.close()


class FakeEncoder:
    """Encodes, or does once what the test says; it keeps the gray level of each picture."""

    def __init__(self) -> None:
        self.levels: list[int] = []
        self.instead: list[Callable[[Image], bytes]] = []

    def __call__(self, content: Content) -> bytes:
        assert isinstance(content, np.ndarray)
        self.levels.append(int(content.flat[0]))
        return self.instead.pop(0)(content) if self.instead else encode_jpeg(content)


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


@pytest.fixture
def events() -> Iterator[list[Any]]:
    """What was logged."""
    with structlog.testing.capture_logs() as captured:
        yield captured


class FakeOpener:
    """Opens the next source of a list, then only such as hang."""

    def __init__(self) -> None:
        self.sources: list[Source | SourceError] = []
        self.count = 0

    def __call__(self) -> Source:
        self.count += 1
        source = self.sources.pop(0) if self.sources else HangingSource()
        if isinstance(source, SourceError):
            raise source
        return source


@pytest.fixture
def opener() -> FakeOpener:
    return FakeOpener()


@pytest.fixture
def start(hub: Hub, opener: FakeOpener, encoder: FakeEncoder) -> Iterator[Start]:
    """Start a camera that is closed with the test."""
    cameras: list[Camera] = []

    def started(
        source: Source | None = None,
        opens: Callable[[], Source] = opener,
        backoff: Backoff | None = None,
    ) -> Camera:
        backoff = backoff or Backoff(0.001, 0.01, lambda: 0.5)
        stream = Stream("front", hub.outlet, Sending("always"), Processing(), encoder)
        cameras.append(Camera("front", [stream], opens, backoff, source=source))
        return cameras[-1]

    yield started
    for camera in cameras:
        camera.stop()
    hub.outbox.close()  # wakes who waits for a credit, to save the time
    close_all(cameras)


# capture and encode


def test_a_picture_is_sent_with_its_shape_and_times(hub: Hub, start: Start) -> None:
    hub.grant(1)
    taken = picture()
    start(FakeSource(taken))
    frame = hub.await_frame()
    assert (frame.codec, frame.shape, frame.sequence, frame.sent) == ("jpeg", (12, 16, 3), 0, 0)
    assert frame.captured_ns == taken.captured_ns
    assert frame.stages.capture_ns == 1000
    assert frame.stages.encode_ns > 0


def test_nothing_is_encoded_without_a_credit(hub: Hub, start: Start, encoder: FakeEncoder) -> None:
    start(FakeSource(*(picture(level) for level in range(50))))
    until(lambda: hub.counts()[0] == 50)
    assert encoder.levels == []


def test_pictures_without_a_credit_are_dropped_for_newer_ones(hub: Hub, start: Start) -> None:
    start(FakeSource(*(picture() for _ in range(50))))
    until(lambda: hub.counts() == (50, 0, {"newer": 49}))


def test_the_credit_goes_to_the_newest_picture(
    hub: Hub, start: Start, encoder: FakeEncoder
) -> None:
    start(FakeSource(*(picture(level) for level in range(50))))
    until(lambda: hub.counts() == (50, 0, {"newer": 49}))
    hub.grant(1)
    assert hub.await_frame().sequence == 49
    assert encoder.levels == [49]


def test_a_credit_that_came_before_the_picture_is_spent_at_once(hub: Hub, start: Start) -> None:
    hub.grant(3)
    source = FakeSource()
    start(source)
    for sequence in range(3):
        source.items.put(picture())
        assert hub.await_frame().sequence == sequence
    assert hub.counts() == (3, 3, {})


def test_a_slow_encoder_does_not_hold_up_the_capture(
    hub: Hub, start: Start, encoder: FakeEncoder
) -> None:
    is_encoding, may_go_on = threading.Event(), threading.Event()

    def slow(image: Image) -> bytes:
        is_encoding.set()
        may_go_on.wait(DEADLINE_S)
        return encode_jpeg(image)

    encoder.instead = [slow]
    hub.grant(1)
    source = FakeSource(picture())
    start(source)
    assert is_encoding.wait(DEADLINE_S)
    for _ in range(20):
        source.items.put(picture())
    until(lambda: hub.counts()[0] == 21)
    may_go_on.set()
    assert hub.await_frame().sequence == 0


def test_every_captured_picture_is_sent_dropped_or_in_the_mailbox(hub: Hub, start: Start) -> None:
    source = FakeSource()
    start(source)
    hub.grant(40)
    for _ in range(200):
        source.items.put(picture())

    def is_accounted_for() -> bool:  # a picture is dropped after the one that replaces it came
        hub.take()
        captured, sent, dropped = hub.counts()
        known = sent + dropped.get("newer", 0)
        assert known <= captured
        return captured == 200 and known >= captured - 2

    until(is_accounted_for)


def test_a_picture_that_no_jpeg_can_hold_is_counted_and_the_next_one_sent(
    hub: Hub, start: Start, events: list[Any]
) -> None:
    hub.grant(1)
    source = FakeSource(picture(shape=(1, 65_501)))
    start(source)
    until(lambda: hub.counts()[2] == {"unfit": 1})
    source.items.put(picture())
    assert hub.await_frame().sequence == 1
    assert [event["event"] for event in events] == ["unfit picture"]


def test_a_picture_that_no_frame_can_hold_is_counted_and_the_next_one_sent(
    hub: Hub, start: Start, encoder: FakeEncoder
) -> None:
    encoder.instead = [lambda _: b"larger than a frame may be"]
    hub.grant(1)
    source = FakeSource(picture())
    start(source)
    until(lambda: hub.counts()[2] == {"unfit": 1})
    source.items.put(picture())
    assert hub.await_frame().sequence == 1


def test_an_unforeseen_error_of_the_encoder_is_survived_and_logged(
    hub: Hub, start: Start, encoder: FakeEncoder, events: list[Any]
) -> None:
    encoder.instead = [failing(ZeroDivisionError("a bug"))]
    hub.grant(1)
    source = FakeSource(picture())
    start(source)
    until(lambda: hub.counts()[2] == {"unfit": 1})
    source.items.put(picture())
    assert hub.await_frame().sequence == 1
    [event] = events
    assert (event["event"], event["problem"]) == ("unfit picture", "ZeroDivisionError: a bug")
    assert isinstance(event["exc_info"], ZeroDivisionError)


def test_pictures_that_the_source_passed_over_are_captured_and_dropped(
    hub: Hub, start: Start
) -> None:
    hub.grant(2)
    source = FakeSource(dataclasses.replace(picture(), passed_over=3))
    start(source)
    assert hub.await_frame().sequence == 3
    source.items.put(dataclasses.replace(picture(), passed_over=2))
    assert hub.await_frame().sequence == 6
    assert hub.counts() == (7, 2, {"newer": 5})


@pytest.mark.parametrize("error", [ValueError("of size 1"), ZeroDivisionError("a bug")])
def test_unfit_pictures_are_told_at_most_once_a_second(
    hub: Hub, start: Start, encoder: FakeEncoder, events: list[Any], error: Exception
) -> None:
    encoder.instead = [failing(error)] * 20
    hub.grant(1)
    source = FakeSource()
    begun_s = time.monotonic()
    start(source)
    for count in range(1, 21):
        source.items.put(picture())
        until(lambda: hub.counts()[2].get("unfit") == count)  # noqa: B023 - used at once
    until(lambda: events)
    assert len(events) <= 1 + (time.monotonic() - begun_s)


# sources that fail


def test_a_source_that_fails_is_closed_and_opened_again(
    hub: Hub, start: Start, opener: FakeOpener
) -> None:
    broken, fine = FakeSource(picture(), SourceError("unplugged")), FakeSource(picture())
    opener.sources = [fine]
    start(broken)
    until(lambda: hub.counts()[0] == 2)
    until(lambda: broken.is_closed)


def test_an_unforeseen_error_of_a_source_is_survived_and_logged(
    hub: Hub, start: Start, opener: FakeOpener, events: list[Any]
) -> None:
    broken = FakeSource(ZeroDivisionError("in a driver"))
    opener.sources = [FakeSource(picture())]
    start(broken)
    until(lambda: hub.counts()[0] == 1)
    until(lambda: broken.is_closed)
    assert [event["event"] for event in events] == ["source broke", "camera failed"]


def test_a_source_that_fails_after_each_picture_does_not_fill_the_log(
    hub: Hub, start: Start, opener: FakeOpener, events: list[Any]
) -> None:
    begun_s = time.monotonic()
    opener.sources = [FakeSource(picture(), SourceError("unplugged")) for _ in range(30)]
    start()
    until(lambda: hub.counts()[0] == 30)
    until(lambda: len(events) >= 8)
    assert len(events) <= 9 + (time.monotonic() - begun_s)


def test_a_source_that_cannot_be_opened_is_tried_again(
    hub: Hub, start: Start, opener: FakeOpener
) -> None:
    opener.sources = [SourceError("no device"), SourceError("no device"), FakeSource(picture())]
    start()
    until(lambda: hub.counts()[0] == 1)
    assert opener.count == 3


def test_a_source_that_ends_is_opened_again_after_a_pause(
    hub: Hub, start: Start, opener: FakeOpener, events: list[Any]
) -> None:
    opener.sources = [FakeSource(None), FakeSource(picture())]
    start(FakeSource(None))
    until(lambda: hub.counts()[0] == 1)
    assert [event["problem"] for event in events] == ["its pictures have ended"] * 2


def test_pauses_between_tries_become_longer(
    start: Start, opener: FakeOpener, events: list[Any]
) -> None:
    opener.sources = [SourceError("no device") for _ in range(3)]
    start(backoff=Backoff(0.2, 10, lambda: 0.0))
    until(lambda: len(events) == 3)
    assert [event["retry_s"] for event in events] == [0.1, 0.2, 0.4]


def test_the_sequence_goes_on_over_a_reopened_source(
    hub: Hub, start: Start, opener: FakeOpener
) -> None:
    hub.grant(2)
    broken = FakeSource(picture())
    opener.sources = [FakeSource(picture())]
    start(broken)
    assert hub.await_frame().sequence == 0
    broken.items.put(SourceError("unplugged"))
    assert hub.await_frame().sequence == 1


# closing


def is_quick(make: Callable[[], Callable[[], None]]) -> bool:
    """Whether what `make` returns takes no second, once of up to three times.

    What else the machine does only ever adds to one.
    """
    for _ in range(3):
        close = make()
        begun_s = time.monotonic()
        close()
        if time.monotonic() - begun_s < 1.0:
            return True
    return False


def test_closing_closes_the_source_and_ends_both_threads(start: Start) -> None:
    others = set(threading.enumerate())
    sources: list[FakeSource] = []

    def make() -> Callable[[], None]:
        sources.append(FakeSource(picture()))
        return start(sources[-1]).close

    assert is_quick(make)
    assert all(source.is_closed for source in sources)
    until(lambda: not set(threading.enumerate()) - others)


def test_closing_twice_is_fine(start: Start) -> None:
    camera = start(FakeSource())
    camera.close()
    camera.close()


def test_a_source_that_hangs_does_not_hold_up_the_closing(start: Start) -> None:
    sources: list[HangingSource] = []

    def make() -> Callable[[], None]:
        sources.append(HangingSource())
        return start(sources[-1]).close

    assert is_quick(make)
    for source in sources:
        source.released.set()


def test_many_sources_that_hang_do_not_hold_up_the_closing_either(
    start: Start,
) -> None:
    sources: list[HangingSource] = []

    def make() -> Callable[[], None]:
        several = [HangingSource() for _ in range(8)]
        sources.extend(several)
        return partial(close_all, [start(source) for source in several])

    assert is_quick(make)
    for source in sources:
        source.released.set()


def test_many_cameras_that_wait_for_a_credit_close_together(start: Start) -> None:
    def make() -> Callable[[], None]:
        return partial(close_all, [start(FakeSource(picture())) for _ in range(16)])

    assert is_quick(make)


def test_a_camera_that_pauses_after_a_failure_closes_at_once(
    start: Start, events: list[Any]
) -> None:
    def make() -> Callable[[], None]:
        events.clear()
        camera = start(FakeSource(SourceError("unplugged")))
        until(lambda: events)
        return camera.close

    assert is_quick(make)


def test_a_source_that_opens_only_after_the_closing_is_closed(start: Start) -> None:
    late = FakeSource(picture())
    is_opening, may_open = threading.Event(), threading.Event()

    def open_late() -> Source:
        is_opening.set()
        may_open.wait(DEADLINE_S)
        return late

    camera = start(opens=open_late)
    assert is_opening.wait(DEADLINE_S)
    close_all([camera], 0.01)
    may_open.set()
    until(lambda: late.is_closed)
