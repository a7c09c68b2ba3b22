"""Subscribers over real sockets: at a port in this process, and at a real hub."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from camfleet.codec import encode_jpeg
from camfleet.delivered_frame import DeliveredFrame
from camfleet.errors import LocalProtocolError
from camfleet.keyring import Keyring
from camfleet.keys import Bundle, KeyPair, Role
from camfleet.node_link import LinkState
from camfleet.receiver import Receiver
from camfleet.sender import Sender
from camfleet.subscriber import Subscriber
from camfleet.subscription import MAX_QUEUE_FRAMES
from camfleet.wire import DeliveryMode
from camfleet_hub.demand import Demand
from camfleet_hub.fleet import Fleet
from camfleet_hub.stream import Stream
from camfleet_hub.subscriber_port import SubscriberPort

if TYPE_CHECKING:
    from tests.integration.conftest import House, Quickest, Until

IMAGE: Final = np.full((48, 64, 3), 99, np.uint8)
JPEG: Final = encode_jpeg(IMAGE)
WAIT_S: Final = 30.0
STOP_S: Final = 1.0


class Station:
    """The parts of a hub that subscribers meet, and a node that a test drives."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.fleet = Fleet(64)
        self.demand = Demand()
        nodes = self._stack.enter_context(
            Receiver("tcp://127.0.0.1:0", plain=True, on_event=self.fleet.take, on_demand=True)
        )
        self.demand.on_want, self.demand.on_release = nodes.want, nodes.release
        self.port = self._stack.enter_context(
            SubscriberPort("tcp://127.0.0.1:0", self.fleet.streams, self.demand)
        )
        self.fleet.listeners = (self.port.notice,)
        self.sender = self._stack.enter_context(Sender(nodes.address, "garden", plain=True))
        self.address = self.port.address
        self._numbers = itertools.count(1)

    def subscriber(self, *patterns: str, delivery: DeliveryMode = "newest") -> Subscriber:
        made = Subscriber(self.address, *patterns, delivery=delivery, plain=True)
        return self._stack.enter_context(made)

    def capture(self, camera: str = "pond") -> bool:
        """Send one picture, its number in its label; False where no credit was there."""
        return self.sender.send_jpeg(camera, JPEG, label=str(next(self._numbers)))

    def stream(self, stream_id: str = "garden/pond") -> Stream:
        found = self.fleet.find(stream_id)
        assert found is not None
        return found

    def close(self) -> None:
        self._stack.close()


class Camera:
    """Captures in a thread, as fast as a real one, until it is stopped."""

    def __init__(self, station: Station, *cameras: str, interval_s: float = 0.01) -> None:
        self._station = station
        self._cameras = cameras or ("pond",)
        self._interval_s = interval_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            for camera in self._cameras:
                self._station.capture(camera)


@pytest.fixture
def station() -> Iterator[Station]:
    made = Station()
    yield made
    made.close()


def test_a_program_gets_frames_by_pattern(station: Station) -> None:
    wanted = station.subscriber("garden/p*")
    with Camera(station, "pond", "path", "shed"):
        cameras = set()
        for frame in wanted:
            cameras.add(frame.camera)
            assert frame.node == "garden"
            assert frame.image().shape == IMAGE.shape
            if len(cameras) == 2:
                break
    assert cameras == {"pond", "path"}


def test_a_slow_program_gets_fresh_frames_beside_a_fast_one(station: Station, until: Until) -> None:
    slow, fast = station.subscriber("*"), station.subscriber("*")
    with Camera(station):
        first = slow.take(WAIT_S)
        seen = [frame for _, frame in zip(range(50), fast, strict=False)]
        second = slow.take(WAIT_S)
        assert first is not None
        assert second is not None
        # It was the newest when it was asked for: nothing waited while the program worked.
        assert second.header.sequence >= seen[-1].header.sequence
        assert second.skipped >= 40
    until(lambda: station.stream().dropped["subscriber", "newer"] >= 40)


def test_a_program_that_takes_all_gets_each_frame_once_and_in_order(
    station: Station, until: Until
) -> None:
    def gets_each() -> bool:
        reader = station.subscriber("*", delivery="all")
        with Camera(station, interval_s=0.03):
            labels = [int(f.header.label) for f, _ in zip(reader, range(60), strict=False)]
        assert labels == sorted(set(labels))
        counters = reader.counters
        assert (counters.delivered >= 60, counters.lost) == (True, 0)
        return counters.skipped == 0  # but where a thread of the hub was late for a frame

    until(gets_each)


def test_what_overflows_is_counted_while_it_happens(station: Station, until: Until) -> None:
    reader = station.subscriber("*", delivery="all")

    def is_full() -> bool:  # a frame that was overtaken before it was queued is dropped, too
        received = station.stream().stats.received
        dropped = station.stream().dropped["subscriber", "overflow"]
        return dropped > 0 and received - dropped >= MAX_QUEUE_FRAMES

    with Camera(station, interval_s=0.001):
        assert reader.take(WAIT_S) is not None
        until(is_full)
    until(lambda: station.stream().stats.received == station.sender.counters()[0].sent)
    newest = station.stream().newest
    assert newest is not None
    frames: list[DeliveredFrame] = []

    def have_come() -> bool:
        if (frame := reader.take(0.1)) is not None:
            frames.append(frame)
        return bool(frames) and frames[-1].header.sequence >= newest.header.sequence

    until(have_come)
    assert sum(frame.skipped for frame in frames) > 0
    assert 200 <= len(frames) <= 300


def test_eight_subscribers_all_get_frames(station: Station) -> None:
    readers = [station.subscriber("garden/*") for _ in range(8)]
    with Camera(station, "pond", "path"):
        for _ in range(20):
            for reader in readers:
                assert reader.take(WAIT_S) is not None


def test_nobody_works_for_a_stream_before_a_frame_of_it_is_asked_for(
    station: Station, until: Until
) -> None:
    with Camera(station):
        reader = station.subscriber("garden/pond")
        until(lambda: reader.streams(WAIT_S))
        assert station.port.subscribers == 0
        reader.take(WAIT_S)
        received = station.stream().stats.received
        until(lambda: station.stream().stats.received > received + 10)
        reader.close()
        until(lambda: not station.port.subscribers)
        until(lambda: sum(one.dropped.get("unwanted", 0) for one in station.sender.counters()))


def test_a_camera_that_comes_later_is_found(station: Station) -> None:
    reader = station.subscriber("garden/late")
    with Camera(station):
        assert reader.take(0.5) is None
    with Camera(station, "late"):
        frame = reader.take(WAIT_S)
    assert frame is not None
    assert frame.camera == "late"


def test_the_latency_to_the_program_is_measured_and_told_to_the_hub(
    station: Station, until: Until
) -> None:
    reader = station.subscriber("*")
    with Camera(station):
        for frame, _ in zip(reader, range(20), strict=False):
            if frame.latency_ns is not None and frame.uncertainty_ns is not None:
                assert frame.latency_ns > -frame.uncertainty_ns - 1_000_000
        until(lambda: sum(station.stream().stats.latency["delivered"].counts) >= 10)
    assert station.stream().forwarded >= 20


def test_asyncio_programs_wait_without_a_thread(station: Station) -> None:
    async def read() -> list[int]:
        labels = []
        async with Subscriber(station.address, "*", plain=True) as reader:
            async for frame in reader:
                labels.append(int(frame.header.label))
                if len(labels) == 20:
                    break
        return labels

    with Camera(station):
        labels = asyncio.run(read())
    assert labels == sorted(set(labels))


def test_closing_ends_an_iteration_in_another_thread(station: Station, quickest: Quickest) -> None:
    def close() -> float:
        reader = station.subscriber("*")
        done = threading.Event()

        def read() -> None:
            for _ in reader:
                pass
            done.set()

        thread = threading.Thread(target=read)
        thread.start()
        assert station.subscriber("*").take(WAIT_S) is not None
        begun_s = time.monotonic()
        reader.close()
        took_s = time.monotonic() - begun_s
        assert done.wait(WAIT_S)
        thread.join()
        assert reader.take(0) is None
        return took_s

    with Camera(station):
        assert quickest(close) < STOP_S


def test_closing_ends_an_asyncio_iteration(station: Station) -> None:
    async def read() -> int:
        reader = Subscriber(station.address, "*", plain=True)
        asyncio.get_running_loop().call_later(0.2, reader.close)
        return len([frame async for frame in reader])

    assert asyncio.run(read()) == 0


def test_closing_takes_no_second_where_nobody_listens(quickest: Quickest) -> None:
    def close() -> float:
        reader = Subscriber("tcp://127.0.0.1:1", "*", plain=True)
        assert reader.take(0.05) is None
        assert reader.streams(0.05) is None
        begun_s = time.monotonic()
        reader.close()
        return time.monotonic() - begun_s

    assert quickest(close) < STOP_S


def test_a_bad_pattern_is_told_at_once() -> None:
    with pytest.raises(LocalProtocolError, match="pattern is 'garden', want NODE/CAMERA"):
        Subscriber("tcp://127.0.0.1:1", "garden", plain=True)


def test_a_nodes_bundle_is_not_a_subscribers() -> None:
    keys = KeyPair.make()
    bundle = Bundle("pi", Role.NODE, "tcp://127.0.0.1:1", keys.public, keys)
    with pytest.raises(LocalProtocolError, match="the bundle is a node's, want a subscriber's"):
        Subscriber(bundle=bundle)


# At a real hub, with keys.


def enrol(house: House, name: str, cameras: Sequence[str] = ("*",)) -> Bundle:
    address = f"tcp://127.0.0.1:{house.ports['SUBSCRIBERS']}"
    return Keyring(house.state).enrol(name, Role.SUBSCRIBER, address, cameras=cameras)


def test_a_subscriber_with_keys_reads_from_a_real_hub_until_they_are_revoked(
    house: House, until: Until
) -> None:
    house.start_hub()
    house.start_node("pi", "front")
    with Subscriber(None, "pi/*", bundle=enrol(house, "desk")) as reader:
        until(lambda: reader.take(0.5), house.hub.said)
        until(lambda: house.metric("camfleet_subscribers") == 1)
        until(lambda: house.metric('camfleet_frames_forwarded_total{camera="front",node="pi"}'))
        Keyring(house.state).revoke("desk")
        until(lambda: house.metric("camfleet_subscribers") == 0)
        until(lambda: "not enrolled" in reader.refusal, lambda: reader.refusal)


def some(reader: Subscriber, until: Until) -> list[DeliveredFrame]:
    """The next ten frames."""
    found: list[DeliveredFrame] = []
    while len(found) < 10:
        frame = until(lambda: reader.take(0.5))
        assert frame is not None
        found.append(frame)
    return found


def camera_of(frame: DeliveredFrame) -> str:
    return f"{frame.node}/{frame.header.stream.partition('/')[0]}"


def test_a_subscriber_reads_and_lists_its_own_cameras_and_others_once_it_may(
    house: House, until: Until
) -> None:
    house.start_hub()
    house.start_node("pi", "front", "back")
    house.await_frames("pi/front", "pi/back")
    with Subscriber(None, "*", bundle=enrol(house, "desk", ["pi/front"])) as reader:
        assert {camera_of(frame) for frame in some(reader, until)} == {"pi/front"}
        listed = until(lambda: reader.streams(5)) or ()
        assert {f"{one.node}/{one.stream.partition('/')[0]}" for one in listed} == {"pi/front"}
        house.start_node("late", "front")  # a camera that comes later
        house.await_frames("late/front")
        assert {camera_of(frame) for frame in some(reader, until)} == {"pi/front"}
        Keyring(house.state).permit("desk", ["*/back"])
        until(lambda: {camera_of(frame) for frame in some(reader, until)} == {"pi/back"})
    forwarded = 'camfleet_frames_forwarded_total{camera="front",node="late"}'
    assert house.metric(forwarded) == 0


def test_who_asks_for_what_is_not_there_or_not_its_own_is_told_the_same(
    house: House, until: Until
) -> None:
    house.start_hub()
    house.start_node("pi", "front", "back")
    house.await_frames("pi/front", "pi/back")
    bundle = enrol(house, "desk", ["pi/front"])

    def reason(pattern: str) -> str:
        with Subscriber(None, pattern, bundle=bundle) as reader:
            assert reader.take(0.1) is None
            return str(until(lambda: reader.take(0.1) is None and reader.refusal))

    assert reason("pi/back") == reason("pi/none").replace("none", "back")
    assert "no camera that may be read here is chosen by pi/back" in reason("pi/back")


def test_a_stranger_gets_nothing_from_a_hub_with_keys(house: House, until: Until) -> None:
    house.start_hub()
    house.start_node("pi", "front")
    address = f"tcp://127.0.0.1:{house.ports['SUBSCRIBERS']}"
    with Subscriber(address, plain=True) as reader:
        assert reader.take(0.5) is None
        until(lambda: reader.refusal)
        assert reader.state is LinkState.CONNECTING


def test_frames_come_again_after_the_hub_was_killed_and_restarted(
    house: House, until: Until
) -> None:
    house.start_hub()
    house.start_node("pi", "front")
    with Subscriber(None, bundle=enrol(house, "desk")) as reader:
        until(lambda: reader.take(0.5), house.hub.said)
        house.hub.kill()
        until(lambda: reader.take(0.5) is None)
        house.start_hub()
        until(lambda: reader.take(0.5), house.hub.said)


class Terminal:
    """Runs the command `camfleet` against a house's hub."""

    def __init__(self, house: House) -> None:
        self.bundle = house.folder / "desk.json"
        enrol(house, "desk").write(self.bundle)
        self.folder = house.folder

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        # Of two time limits the later one holds; the commands' own is five seconds.
        words = (words[0], "--timeout", "30", *words[1:], "--bundle", str(self.bundle))
        command = [sys.executable, "-m", "camfleet.cli", *words]
        return subprocess.run(
            command, capture_output=True, check=False, timeout=60, cwd=self.folder, env=os.environ
        )


def test_the_command_lists_grabs_and_measures(house: House, until: Until) -> None:
    house.start_hub()
    house.start_node("pi", "front", "back")
    terminal = Terminal(house)
    until(lambda: {"pi/front", "pi/back"} <= house.cameras().keys())
    house.await_frames("pi/front", "pi/back")

    viewed = terminal.run("view", "pi/f*").stdout.decode().splitlines()
    assert viewed[0].split() == ["STREAM", "STATE", "FPS", "LATENCY", "SIZE"]
    assert viewed[1].split()[:2] == ["pi/front", "online"]
    assert viewed[1].split()[-1] == "160x120"
    assert len(viewed) == 2

    assert terminal.run("grab", "pi/back").stdout[:2] == b"\xff\xd8"
    assert terminal.run("grab", "pi/back", "-o", "back.jpg").stdout == b""
    assert (terminal.folder / "back.jpg").read_bytes()[:2] == b"\xff\xd8"

    measured = terminal.run("bench", "--seconds", "4")
    assert [line.partition(":")[0] for line in measured.stdout.decode().splitlines()] == [
        "pi/back",
        "pi/front",
    ]
    assert b"fps of 2 streams" in measured.stderr


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("grab", "pi/none"), 1, "camfleet: there is no camera 'pi/none' at tcp://"),
        (("bench", "pi/none", "--timeout", "0.3"), 1, "camfleet: no frame has come within 0.3 s"),
        (("grab", "pi/*"), 2, "want one camera, NODE/CAMERA"),
        (("view", "pi"), 2, "want NODE/CAMERA, for example garden/*"),
        (("view", "--timeout", "0"), 2, "want seconds above 0"),
    ],
)
def test_the_command_says_on_one_line_what_is_wrong(
    house: House, words: tuple[str, ...], code: int, problem: str
) -> None:
    house.start_hub()
    done = Terminal(house).run(*words)
    assert done.returncode == code
    assert problem in done.stderr.decode().splitlines()[-1]
    assert not done.stdout
