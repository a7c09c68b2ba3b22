"""Cameras that hang, in time that a test controls: reopened once, given up when that is in vain."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import structlog
from tests.unit.polling import until

from camfleet.backoff import Backoff
from camfleet.node_link import NodeLink
from camfleet.outbox import Outbox
from camfleet.testing import FakeClock
from camfleet_node.camera import Camera, close_all
from camfleet_node.encoder import encode
from camfleet_node.processing import Processing
from camfleet_node.sending import Sending
from camfleet_node.sources import Picture, SourceError
from camfleet_node.stream import Stream
from camfleet_node.supervisor import Supervisor

if TYPE_CHECKING:
    from camfleet_node.sources import Image, Source

STALL_S: Final = 10.0
LOOK_S: Final = 0.5
RETRY_S: Final = 20.0  # longer than a stall


class FakeSource:
    """Gives what the test puts into it, and hangs while there is nothing, closed or not."""

    def __init__(self, *, hangs_in_close: bool = False) -> None:
        self.items: queue.Queue[Picture[Image] | Exception | None] = queue.Queue()
        self.is_closed = False
        self.released = threading.Event()
        if not hangs_in_close:
            self.released.set()

    def give(self) -> None:
        self.items.put(Picture(np.zeros((4, 4, 3), np.uint8), time.time_ns(), 0))

    def read(self) -> Picture[Image] | None:
        item = self.items.get()
        if isinstance(item, Exception):
            raise item
        return item

    def close(self) -> None:
        self.is_closed = True
        self.released.wait()

    def release(self) -> None:
        """Let go of every thread that hangs in it."""
        self.released.set()
        self.items.put(None)


class Scene:
    """A camera and its supervisor. Time passes by looks, and only when the test says so."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.sources: list[FakeSource] = []
        self.may_open = threading.Event()
        self.may_open.set()
        self.errors: list[SourceError] = []
        self.outbox = Outbox(NodeLink("pi", 1, Backoff(1, 1, lambda: 0.5)), lambda: None)
        self.cameras: list[Camera] = []
        self.supervisor = Supervisor(self.cameras, STALL_S)
        self._others = set(threading.enumerate())

    def add(
        self,
        name: str = "front",
        interval_s: float = 0.0,
        retry_s: float = 0.001,
        start_s: float = 0.0,
    ) -> Camera:
        outlet = self.outbox.declare(f"{name}/main")
        stream = Stream(name, outlet, Sending("always"), Processing(), partial(encode, quality=80))
        backoff = Backoff(2 * retry_s, 2 * retry_s, lambda: 0.0)
        camera = Camera(
            name,
            [stream],
            self.open,
            backoff,
            interval_s=interval_s,
            start_s=start_s,
            monotonic_ns=self.clock.monotonic_ns,
        )
        self.cameras.append(camera)
        return camera

    def open(self) -> Source:
        self.may_open.wait()
        if self.errors:
            raise self.errors.pop()
        self.sources.append(FakeSource())
        return self.sources[-1]

    def source(self, number: int = 0) -> FakeSource:
        """A source by its number, as soon as it is open."""
        until(lambda: len(self.sources) > number)
        return self.sources[number]

    def threads(self) -> int:
        """How many threads of its own run; those of tests before may be about to end."""
        return len(set(threading.enumerate()) - self._others)

    def captured(self, name: str = "front") -> int:
        counts = {counters.stream: counters.captured for counters in self.outbox.counters()}
        return counts[f"{name}/main"]

    def give(self, number: int = 0) -> None:
        """Let a source give a picture, and wait until it is captured."""
        before = sum(counters.captured for counters in self.outbox.counters())
        self.source(number).give()
        until(lambda: sum(c.captured for c in self.outbox.counters()) == before + 1)

    def pass_time(self, seconds: float) -> str:
        """Let time pass while the supervisor looks; return its verdict."""
        for _ in range(round(seconds / LOOK_S)):
            self.clock.advance(LOOK_S)
            if problem := self.supervisor.look(self.clock.monotonic_ns()):
                return problem
        return ""

    def close(self) -> None:
        self.outbox.close()
        self.may_open.set()
        for source in self.sources:
            source.release()
        close_all(self.cameras)


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def events() -> Iterator[list[Any]]:
    """What was logged."""
    with structlog.testing.capture_logs() as captured:
        yield captured


def test_a_camera_that_gives_pictures_is_left_alone(scene: Scene) -> None:
    camera = scene.add()
    for _ in range(5):
        scene.give()
        assert scene.pass_time(STALL_S - 1) == ""
    assert camera.restarts == 0


def test_a_camera_whose_read_hangs_is_reopened_and_goes_on(scene: Scene, events: list[Any]) -> None:
    camera = scene.add()
    scene.give()
    assert scene.pass_time(STALL_S + 1) == ""
    scene.give(1)
    assert (scene.captured(), camera.restarts) == (2, 1)
    until(lambda: scene.source(0).is_closed)
    [event] = events
    assert (event["event"], event["camera"]) == ("camera stalled and is reopened", "front")
    assert event["restarts"] == 1


def test_a_camera_whose_open_hangs_is_reopened_and_its_late_source_closed(scene: Scene) -> None:
    scene.may_open.clear()
    camera = scene.add()
    scene.pass_time(STALL_S + 1)
    assert camera.restarts == 1
    scene.may_open.set()
    until(lambda: len(scene.sources) == 2)
    until(lambda: [source.is_closed for source in scene.sources].count(True) == 1)


def test_a_camera_whose_close_hangs_is_reopened(scene: Scene) -> None:
    camera = scene.add()
    source = scene.source(0)
    source.released.clear()
    source.items.put(SourceError("unplugged"))
    until(lambda: source.is_closed)  # and hangs there
    scene.pass_time(STALL_S + 1)
    assert camera.restarts == 1
    scene.give(1)


def test_what_a_thread_that_was_left_behind_still_gives_is_ignored(scene: Scene) -> None:
    scene.add()
    scene.give()
    before = scene.threads()
    scene.pass_time(STALL_S + 1)
    scene.give(1)
    scene.source(0).give()
    until(lambda: scene.threads() == before)  # its thread has taken it, and ended
    assert scene.captured() == 2


def test_a_camera_that_hangs_again_ends_the_process(scene: Scene) -> None:
    scene.add()
    scene.give()
    assert scene.pass_time(STALL_S + 1) == ""
    scene.source(1)
    problem = scene.pass_time(STALL_S + 1)
    assert problem == "camera front still hangs, 10 s after it was reopened"


def test_a_camera_whose_open_hangs_again_ends_the_process(scene: Scene) -> None:
    scene.may_open.clear()
    scene.add()
    assert "camera front still hangs" in scene.pass_time(2 * STALL_S + 1)


def test_a_camera_that_gave_a_picture_after_it_was_reopened_is_reopened_again(
    scene: Scene,
) -> None:
    camera = scene.add(interval_s=1.0)
    for number in range(3):
        for _ in range(2):
            scene.give(number)
        assert scene.pass_time(STALL_S + 1) == ""
    assert camera.restarts == 3


def test_a_camera_that_leaves_ever_more_threads_behind_ends_the_process(scene: Scene) -> None:
    camera = scene.add(interval_s=1.0)
    for number in range(4):
        for _ in range(2):
            scene.give(number)
        assert scene.pass_time(STALL_S + 1) == ""
    for _ in range(2):
        scene.give(4)
    assert "camera front still hangs" in scene.pass_time(STALL_S + 1)
    assert camera.restarts == 4


def test_threads_that_come_free_do_not_add_up(scene: Scene) -> None:
    camera = scene.add(interval_s=1.0)
    scene.give()
    before = scene.threads()
    for number in range(8):
        for _ in range(2):
            scene.give(number)
        assert scene.pass_time(STALL_S + 1) == ""
        scene.source(number).release()
        scene.source(number + 1)
        until(lambda: scene.threads() == before)
    assert camera.restarts == 8


def test_a_camera_that_fails_is_never_reopened_by_its_supervisor(scene: Scene) -> None:
    scene.errors = [SourceError("unplugged")] * 200
    camera = scene.add()
    for _ in range(6):
        left = len(scene.errors)
        until(lambda: len(scene.errors) < left)  # noqa: B023 - used at once
        assert scene.pass_time(STALL_S - 1) == ""
    assert camera.restarts == 0


def test_a_cameras_failures_are_counted_and_the_last_one_is_told(scene: Scene) -> None:
    scene.errors = [SourceError("unplugged"), SourceError("busy")]
    camera = scene.add()
    until(lambda: camera.failures == 2)
    assert camera.problem in {"unplugged", ""}
    scene.give()
    assert camera.problem == ""


def test_failures_are_counted_on_where_a_camera_is_reopened(scene: Scene) -> None:
    scene.errors = [SourceError("unplugged")]
    camera = scene.add()
    scene.give()
    scene.pass_time(STALL_S + 1)
    assert (camera.restarts, camera.failures) == (1, 1)


def test_a_camera_that_finds_no_memory_is_opened_anew(scene: Scene) -> None:
    camera = scene.add()
    scene.source(0).items.put(MemoryError())
    scene.give(1)
    assert (camera.failures, scene.captured()) == (1, 1)


def test_a_long_pause_after_an_error_is_no_stall(scene: Scene, events: list[Any]) -> None:
    scene.errors = [SourceError("unplugged")]
    camera = scene.add(retry_s=RETRY_S)
    until(lambda: events)
    assert scene.pass_time(RETRY_S + STALL_S - 1) == ""
    assert camera.restarts == 0


def test_an_error_after_a_camera_was_reopened_does_not_end_the_process(
    scene: Scene, events: list[Any]
) -> None:
    camera = scene.add(retry_s=RETRY_S)
    first = scene.source(0)
    before = scene.threads()
    scene.pass_time(STALL_S + 1)
    assert camera.restarts == 1
    first.release()
    scene.source(1)
    until(lambda: scene.threads() == before)  # the first one's has ended, and holds nothing
    scene.source(1).items.put(SourceError("unplugged"))
    until(lambda: [event for event in events if event["event"] == "camera failed"])
    assert scene.pass_time(RETRY_S) == ""


def test_an_error_is_no_sign_of_life_while_our_own_thread_holds_the_device(
    scene: Scene, events: list[Any]
) -> None:
    camera = scene.add(retry_s=RETRY_S)
    scene.source(0)
    scene.pass_time(STALL_S + 1)
    assert camera.restarts == 1
    scene.source(1).items.put(SourceError("device is busy"))
    until(lambda: [event for event in events if event["event"] == "camera failed"])
    assert "camera front still hangs" in scene.pass_time(STALL_S)


def test_a_camera_that_hangs_does_not_hold_up_another(scene: Scene) -> None:
    stuck = scene.add("stuck")
    scene.source(0)
    fine = scene.add("fine")
    for _ in range(11):
        scene.give(1)
        assert scene.pass_time(1) == ""
    assert (stuck.restarts, fine.restarts) == (1, 0)
    assert scene.captured("fine") == 11


def test_a_camera_that_is_slow_to_start_is_given_its_time(scene: Scene) -> None:
    camera = scene.add(start_s=4 * STALL_S)
    scene.source(0)
    assert scene.pass_time(4 * STALL_S - 1) == ""
    assert camera.restarts == 0
    scene.give()
    assert scene.pass_time(STALL_S + 1) == ""
    assert camera.restarts == 1, "once it gives pictures it is as any other"
    scene.source(1)
    assert "camera front still hangs" in scene.pass_time(STALL_S + 1), "nor is it given it again"


def test_a_camera_that_starts_anew_after_an_error_is_given_its_time_again(
    scene: Scene, events: list[Any]
) -> None:
    camera = scene.add(start_s=4 * STALL_S)
    scene.give()
    scene.source(0).items.put(SourceError("unplugged"))
    until(lambda: events)
    assert scene.pass_time(4 * STALL_S - 1) == ""
    assert camera.restarts == 0


def test_a_slow_camera_is_given_three_of_its_intervals(scene: Scene) -> None:
    camera = scene.add()
    for _ in range(4):
        scene.give()
        scene.pass_time(STALL_S - 1)
    for _ in range(3):  # ever slower, and never by more than three times
        scene.give()
        assert scene.pass_time(25) == ""
    assert camera.restarts == 0
    scene.pass_time(3 * 25 + 1)
    assert camera.restarts == 1


def test_a_camera_that_is_known_to_be_slow_may_wait_for_its_second_picture(scene: Scene) -> None:
    camera = scene.add(interval_s=60.0)
    scene.give()
    scene.pass_time(179)
    assert camera.restarts == 0


def test_a_process_that_was_suspended_blames_no_camera(scene: Scene) -> None:
    camera = scene.add()
    scene.give()
    scene.pass_time(2)
    scene.clock.advance(3600)
    assert scene.pass_time(STALL_S - 1) == ""
    assert camera.restarts == 0
    scene.pass_time(2)
    assert camera.restarts == 1


def test_a_camera_with_a_thread_left_behind_closes_within_a_second() -> None:
    seconds = []
    for _ in range(3):  # what else the machine does only ever adds to one
        scene = Scene()
        camera = scene.add()
        scene.source(0)
        scene.pass_time(STALL_S + 1)
        begun_s = time.monotonic()
        camera.close()
        seconds.append(time.monotonic() - begun_s)
        scene.close()
    assert min(seconds) < 1.0
