"""Stock imagezmq publishers at the hub: any number, of which none can hold up another."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, TypeAlias

import imagezmq as stock
import numpy as np
import pytest
import zmq

from camfleet import imagezmq as ours
from camfleet.codec import encode_jpeg
from camfleet.errors import LocalProtocolError, Reason
from camfleet_hub.fleet import IMAGEZMQ_NODE, Fleet
from camfleet_hub.imagezmq_publishers import ImagezmqPublishers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import House, Quickest, Until

    from camfleet.frame import Frame

# stock has no types, so neither have the places where it may stand
Package: TypeAlias = Any
Sender: TypeAlias = Any

PICTURE = np.arange(48 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(48, 64, 3)
JPEG = encode_jpeg(PICTURE)
BOTH = pytest.mark.parametrize("package", [stock, ours], ids=["stock", "ours"])
HEADER = b'{"msg": "bad", "dtype": "uint8", "shape": [2, 3]}'
BAD: list[tuple[list[bytes], Reason]] = [
    ([b""], Reason.PARTS),
    ([HEADER], Reason.PARTS),
    ([HEADER, b"abcdef", b"more"], Reason.PARTS),
    ([HEADER, *([b"x"] * 99)], Reason.PARTS),
    ([b"hello", b"abcdef"], Reason.HEADER),
    ([HEADER, b"abcde"], Reason.PAYLOAD_SIZE),
    ([HEADER.replace(b"[2, 3]", b"[-1, 6]"), b"abcdef"], Reason.SHAPE),
    ([HEADER.replace(b"uint8", b"object"), bytes(48)], Reason.DTYPE),
    ([b'{"msg": "bad"}', b"this is no JPEG"], Reason.NOT_JPEG),
    ([HEADER.replace(b"bad", b"../../x"), b"abcdef"], Reason.NAME),
]


class Yard:
    """Publishers, a fleet, and the thread between them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._context = stack.enter_context(zmq.Context())
        self.fleet = Fleet(40)
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def listen(self, *addresses: str) -> ImagezmqPublishers:
        listener = ImagezmqPublishers(addresses, self._accept, self.fleet.reject, self.fleet.find)
        return self._stack.enter_context(listener)

    def _accept(self, frame: Frame) -> None:
        self.may_go_on.wait(60)
        self.fleet.accept(frame)

    def sender(self, address: str, package: Package = stock) -> Sender:
        sender = package.ImageSender(address, REQ_REP=False)
        sender.zmq_socket.linger = 0
        return self._stack.enter_context(closing(sender))

    def publisher(self, address: str) -> zmq.Socket[bytes]:
        """A publisher that can send anything."""
        socket = self._stack.enter_context(self._context.socket(zmq.PUB))
        socket.linger = 0
        socket.bind(address)
        return socket

    def received(self, camera: str) -> int:
        stream = self.fleet.find(f"{IMAGEZMQ_NODE}/{camera}")
        return stream.stats.received if stream else 0

    def dropped(self, camera: str) -> dict[tuple[str, str], int]:
        stream = self.fleet.find(f"{IMAGEZMQ_NODE}/{camera}")
        return dict(stream.dropped) if stream else {}

    def newest(self, camera: str) -> Frame:
        stream = self.fleet.find(f"{IMAGEZMQ_NODE}/{camera}")
        assert stream is not None
        assert stream.newest is not None
        return stream.newest

    def comes(self, camera: str, send: Callable[[], object]) -> Callable[[], bool]:
        """A claim: when it is sent often enough, one more frame of a camera arrives."""
        before = self.received(camera)

        def has_come() -> bool:
            send()
            return self.received(camera) > before

        return has_come


@pytest.fixture
def yard() -> Iterator[Yard]:
    with ExitStack() as stack:
        yield Yard(stack)


@pytest.fixture
def address(hold_port: Callable[[], int]) -> str:
    """A loopback address that nobody listens on."""
    return f"tcp://127.0.0.1:{hold_port()}"


@pytest.fixture
def other(hold_port: Callable[[], int]) -> str:
    """Another one."""
    return f"tcp://127.0.0.1:{hold_port()}"


@BOTH
def test_a_publishers_raw_picture_becomes_a_frame(
    yard: Yard, until: Until, address: str, package: Package
) -> None:
    sender = yard.sender(address, package)
    yard.listen(address)
    until(yard.comes("rpi1", lambda: sender.send_image("rpi1|motion", PICTURE)))
    frame = yard.newest("rpi1")
    assert (frame.header.codec, frame.header.label) == ("raw", "rpi1|motion")
    assert bytes(frame.payload) == PICTURE.tobytes()


@BOTH
def test_a_publishers_jpeg_becomes_a_frame_as_it_came(
    yard: Yard, until: Until, address: str, package: Package
) -> None:
    sender = yard.sender(address, package)
    yard.listen(address)
    until(yard.comes("rpi1", lambda: sender.send_jpg("rpi1", JPEG)))
    assert bytes(yard.newest("rpi1").payload) == JPEG


def test_a_publisher_that_was_down_is_taken_when_it_comes(
    yard: Yard, until: Until, address: str, other: str
) -> None:
    up = yard.sender(address)
    yard.listen("tcp://127.0.0.1:1", other, address)
    until(yard.comes("up", lambda: up.send_jpg("up", JPEG)))
    late = yard.sender(other)
    until(yard.comes("late", lambda: late.send_jpg("late", JPEG)))


def test_a_host_that_has_no_address_holds_up_nobody(yard: Yard, until: Until, address: str) -> None:
    sender = yard.sender(address)
    yard.listen("tcp://no-such-host.invalid:5555", address)
    until(yard.comes("rpi1", lambda: sender.send_jpg("rpi1", JPEG)))


def test_a_publisher_that_restarts_is_taken_again(yard: Yard, until: Until, address: str) -> None:
    first = yard.sender(address)
    yard.listen(address)
    until(yard.comes("rpi1", lambda: first.send_jpg("rpi1", JPEG)))
    first.close()
    second = yard.sender(address)
    until(yard.comes("rpi1", lambda: second.send_jpg("rpi1", JPEG)))


@pytest.mark.parametrize(("parts", "reason"), BAD, ids=range(len(BAD)))
def test_what_is_no_picture_is_rejected_and_the_next_is_taken(
    yard: Yard, until: Until, address: str, parts: list[bytes], reason: Reason
) -> None:
    publisher = yard.publisher(address)
    yard.listen(address)
    before, after = ([HEADER.replace(b"bad", name), b"abcdef"] for name in (b"before", b"after"))
    until(yard.comes("before", lambda: publisher.send_multipart(before)))
    publisher.send_multipart(parts)
    until(yard.comes("after", lambda: publisher.send_multipart(after)))
    assert dict(yard.fleet.rejected) == {(IMAGEZMQ_NODE, "", reason): 1}


def test_a_part_beyond_the_limit_costs_only_its_publisher_the_connection(
    yard: Yard, until: Until, address: str, other: str
) -> None:
    giant, good = yard.publisher(address), yard.sender(other)
    yard.listen(address, other)
    until(yard.comes("good", lambda: good.send_jpg("good", JPEG)))
    giant.send_multipart([HEADER, bytes(65 * 1024 * 1024)])
    until(yard.comes("good", lambda: good.send_jpg("good", JPEG)))


def test_a_publisher_at_full_speed_holds_up_no_other(
    yard: Yard, until: Until, address: str, other: str
) -> None:
    flood, quiet = yard.publisher(address), yard.sender(other)
    is_over = threading.Event()

    def send_on() -> None:
        while not is_over.is_set():
            flood.send_multipart([HEADER.replace(b"bad", b"flood"), b"abcdef"])

    yard.listen(address, other)
    thread = threading.Thread(target=send_on)
    thread.start()
    try:
        until(lambda: yard.received("flood"))
        for _ in range(20):
            until(yard.comes("quiet", lambda: quiet.send_jpg("quiet", JPEG)))
    finally:
        is_over.set()
        thread.join()


def test_of_what_waits_the_newest_of_each_camera_wins_and_the_rest_is_counted(
    yard: Yard, until: Until, address: str
) -> None:
    sender = yard.sender(address)
    yard.listen(address)
    until(yard.comes("left", lambda: sender.send_jpg("left", JPEG)))
    until(yard.comes("right", lambda: sender.send_jpg("right", JPEG)))
    before = {camera: _seen(yard, camera) for camera in ("left", "right")}
    bursts = itertools.count()

    def have_overtaken() -> bool:
        """Send a burst to a hub that waits; whether some of it had arrived when it went on."""
        burst = next(bursts)
        yard.may_go_on.clear()
        for number in range(100):
            sender.send_jpg(f"left|{burst} {number}", JPEG)
            sender.send_jpg(f"right|{burst} {number}", JPEG)
        yard.may_go_on.set()
        for camera, seen in before.items():
            last = f"{camera}|{burst} 99"
            until(lambda camera=camera, last=last: yard.newest(camera).header.label == last)  # type: ignore[misc]
            sent = 100 * (burst + 1)
            until(lambda camera=camera, seen=seen, sent=sent: _seen(yard, camera) >= seen + sent)  # type: ignore[misc]
        return all(yard.dropped(camera) for camera in before)

    until(have_overtaken)
    for camera in before:
        assert yard.dropped(camera).keys() == {("imagezmq", "newer")}


def _seen(yard: Yard, camera: str) -> int:
    return yard.received(camera) + sum(yard.dropped(camera).values())


def test_a_camera_that_is_refused_is_rejected_under_its_reason(
    yard: Yard, until: Until, address: str
) -> None:
    yard.fleet = Fleet(1)
    sender = yard.sender(address)
    yard.listen(address)
    until(yard.comes("first", lambda: sender.send_jpg("first", JPEG)))
    sender.send_jpg("second", JPEG)
    until(lambda: yard.fleet.rejected[IMAGEZMQ_NODE, "", Reason.TOO_MANY])


def test_it_closes_within_a_second_whoever_is_there(
    yard: Yard, address: str, quickest: Quickest
) -> None:
    yard.sender(address)
    listeners: list[ImagezmqPublishers] = []

    def close() -> float:
        listener = yard.listen(address, "tcp://127.0.0.1:1", "tcp://no-such-host.invalid:5555")
        assert listener.is_alive
        listeners.append(listener)
        begun_s = time.monotonic()
        listener.close()
        return time.monotonic() - begun_s

    assert quickest(close) < 1
    assert not any(listener.is_alive for listener in listeners)


def test_it_says_that_its_thread_goes_round(yard: Yard, until: Until, address: str) -> None:
    listener = yard.listen(address)
    before_ns = listener.alive_ns
    until(lambda: listener.alive_ns > before_ns)


@pytest.mark.parametrize("wrong", ["rpi1:5555", "tcp://rpi1", "tcp://:"])
def test_what_is_no_address_is_an_error(yard: Yard, wrong: str) -> None:
    with pytest.raises(LocalProtocolError, match="want tcp://HOST:PORT"):
        yard.listen(wrong)


def test_a_running_hub_shows_its_publishers(
    house: House, yard: Yard, until: Until, address: str, other: str
) -> None:
    house.start_hub({"CAMFLEET_HUB_IMAGEZMQ_PUBLISHERS": f"{address}, {other}"})
    sender = yard.sender(address)

    def is_shown() -> bool:
        sender.send_image("rpi1", PICTURE)
        return f"{IMAGEZMQ_NODE}/rpi1" in house.cameras()

    until(is_shown, house.hub.said)
    assert house.get("/healthz").status == 200
    code, _ = house.hub.stop()
    assert code == 0
