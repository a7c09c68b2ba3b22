"""Streams of the hub in stock imagezmq's own SUB hub; who is slow there holds up nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import imagezmq as stock
import numpy as np
import pytest
import zmq

from camfleet import imagezmq as ours
from camfleet.codec import decode, encode_jpeg
from camfleet.errors import LocalProtocolError
from camfleet.frame import Frame, FrameHeader
from camfleet_hub.demand import Demand
from camfleet_hub.fleet import IMAGEZMQ_NODE, Fleet
from camfleet_hub.republisher import Republisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import House, Quickest, Until

    from camfleet_hub.stream import Stream

# stock has no types, so neither have the places where it may stand
Package: TypeAlias = Any
Hub: TypeAlias = Any

PICTURE = np.arange(48 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(48, 64, 3)
JPEG = encode_jpeg(PICTURE)
LARGE = encode_jpeg(np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8), 95)
BOTH = pytest.mark.parametrize("package", [stock, ours], ids=["stock", "ours"])
TIMEOUT_MS = 20_000
LISTENER: Final = """
import sys, imagezmq
hub = imagezmq.ImageHub(sys.argv[1], REQ_REP=False)
while True:
    hub.recv_jpg()
    print("got one", flush=True)
"""


class Station:
    """A fleet whose streams are republished, and who listens to them."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.fleet = Fleet(40)
        self.wanted: list[str] = []
        self.demand = Demand()
        self.demand.on_want = lambda node, stream: self.wanted.append(f"{node}/{stream}")
        self.demand.on_release = lambda node, stream: self.wanted.remove(f"{node}/{stream}")

    def open(self, *patterns: str, **options: Any) -> Republisher:  # noqa: ANN401 - as it takes
        republisher = Republisher(
            "tcp://127.0.0.1:*", patterns or ("*/*",), self.fleet.streams, self.demand, **options
        )
        self.fleet.listeners += (republisher.notice,)
        return self._stack.enter_context(republisher)

    def listener(self, republisher: Republisher, package: Package = stock) -> Hub:
        hub = package.ImageHub(republisher.address, REQ_REP=False)
        hub.zmq_socket.rcvtimeo = TIMEOUT_MS
        return self._stack.enter_context(closing(hub))

    def process(self, republisher: Republisher) -> subprocess.Popen[str]:
        """A stock SUB hub in a process of its own, which can be stopped."""
        command = [sys.executable, "-c", LISTENER, republisher.address]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)
        self._stack.enter_context(process.stdout)  # type: ignore[arg-type]
        return process

    def send(self, camera: str = "pond", payload: bytes = JPEG, node: str = "garden") -> Stream:
        """Let a JPEG arrive."""
        side = (480, 640, 3) if payload is LARGE else (48, 64, 3)
        return self.accept(camera, payload, node, codec="jpeg", shape=side)

    def send_raw(self, image: np.ndarray[Any, Any], camera: str = "pond") -> Stream:
        """Let a raw picture arrive, as from a stock sender."""
        shape, dtype = image.shape, str(image.dtype)
        return self.accept(
            camera, image.tobytes(), IMAGEZMQ_NODE, codec="raw", shape=shape, dtype=dtype
        )

    def accept(self, camera: str, payload: bytes, node: str, **header: Any) -> Stream:  # noqa: ANN401 - a header's fields
        fields = FrameHeader(f"{camera}/main", 0, 0, 0, 0, **header)
        self.fleet.accept(Frame(node, fields, payload, time.time_ns()))
        stream = self.fleet.find(f"{node}/{camera}")
        assert stream is not None
        return stream


def is_received(hub: Hub, send: Callable[[], object]) -> Callable[[], bool]:
    """A claim: when it is sent often enough, a listener gets it."""

    def has_come() -> bool:
        send()
        return bool(hub.zmq_socket.poll(20))

    return has_come


def settle(station: Station, republisher: Republisher, hub: Hub, until: Until) -> Stream:
    """See that all that was noticed until now has been sent, and received."""
    last = encode_jpeg(PICTURE[::-1])
    stream = station.send(payload=last)
    republisher.notice(stream)
    until(lambda: hub.recv_jpg()[1].bytes == last)
    for _ in range(2):  # a whole round of its thread
        round_ns = republisher.alive_ns
        until(lambda: republisher.alive_ns > round_ns)  # noqa: B023 - used at once
    return stream


@pytest.fixture
def station() -> Iterator[Station]:
    with ExitStack() as stack:
        yield Station(stack)


# what is sent


@BOTH
def test_a_hub_reads_a_streams_jpeg_under_its_id_as_it_came(
    station: Station, until: Until, package: Package
) -> None:
    hub = station.listener(station.open(), package)
    until(is_received(hub, station.send))
    msg, buffer = hub.recv_jpg()
    assert msg == "garden/pond"
    assert buffer.bytes == JPEG


@BOTH
def test_a_hub_reads_a_streams_picture_where_raw_is_chosen(
    station: Station, until: Until, package: Package
) -> None:
    hub = station.listener(station.open(format="raw"), package)
    until(is_received(hub, station.send))
    msg, image = hub.recv_image()
    assert msg == "garden/pond"
    assert np.array_equal(image, decode("jpeg", PICTURE.shape, "uint8", JPEG))


@BOTH
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "bool", "float32"])
def test_a_raw_picture_is_passed_on_to_the_byte_where_raw_is_chosen(
    station: Station, until: Until, package: Package, dtype: str
) -> None:
    hub = station.listener(station.open(format="raw"), package)
    image = PICTURE.astype(dtype)
    until(is_received(hub, lambda: station.send_raw(image)))
    msg, found = hub.recv_image()
    assert msg == "imagezmq/pond"
    assert (found.dtype, found.shape) == (image.dtype, image.shape)
    assert found.tobytes() == image.tobytes()


def test_a_raw_picture_becomes_a_jpeg_where_that_is_chosen(station: Station, until: Until) -> None:
    hub = station.listener(station.open(quality=95))
    until(is_received(hub, lambda: station.send_raw(PICTURE)))
    _, buffer = hub.recv_jpg()
    assert buffer.bytes == encode_jpeg(PICTURE, 95)


def test_a_message_has_stocks_bytes(station: Station, until: Until) -> None:
    republisher = station.open()
    with zmq.Context() as context, context.socket(zmq.SUB) as bare:
        bare.subscribe(b"")
        bare.connect(republisher.address)
        until(lambda: station.send() and bare.poll(20))
        assert bare.recv_multipart() == [b'{"msg": "garden/pond"}', JPEG]


def test_only_chosen_streams_are_sent(station: Station, until: Until) -> None:
    hub = station.listener(station.open("garden/p*"))

    def send_all() -> None:
        for camera in ("gate", "pond", "path"):
            station.send(camera)
        station.send("pond", node="house")

    found = set()

    def have_come() -> bool:
        send_all()
        while hub.zmq_socket.poll(20):
            found.add(hub.recv_jpg()[0])
        return len(found) >= 2

    until(have_come)
    assert found == {"garden/pond", "garden/path"}


def test_every_camera_is_sent_where_many_send_at_once(station: Station, until: Until) -> None:
    hub = station.listener(station.open())
    cameras = [f"camera{number}" for number in range(30)]
    found = set()

    def have_come() -> bool:
        for camera in cameras:
            station.send(camera)
        while hub.zmq_socket.poll(20):
            found.add(hub.recv_jpg()[0])
        return len(found) == len(cameras)

    until(have_come)


def test_a_picture_that_cannot_be_decoded_is_counted_and_the_next_is_sent(
    station: Station, until: Until
) -> None:
    hub = station.listener(station.open(format="raw"))
    until(is_received(hub, station.send))
    hub.recv_image()
    stream = station.send(payload=JPEG[:4])
    until(lambda: stream.dropped["republish", "not_jpeg"])
    until(is_received(hub, station.send))


# who wants what


def test_nothing_is_wanted_or_sent_while_nobody_listens(station: Station, until: Until) -> None:
    republisher = station.open()
    stream = station.send()
    rounds_ns = republisher.alive_ns
    until(lambda: republisher.alive_ns > rounds_ns)
    assert not republisher.is_heard
    assert (station.wanted, dict(stream.dropped)) == ([], {})


def test_streams_are_wanted_while_somebody_listens(station: Station, until: Until) -> None:
    station.send("pond")
    station.send("pond", node="house")
    republisher = station.open("garden/*")
    one, other = station.listener(republisher), station.listener(republisher)
    until(lambda: station.wanted == ["garden/pond/main"])
    one.close()
    until(is_received(other, station.send))
    assert station.wanted == ["garden/pond/main"]
    other.close()
    until(lambda: station.wanted == [])


def test_a_stream_that_comes_later_is_wanted_before_it_sent_a_frame(
    station: Station, until: Until
) -> None:
    station.listener(station.open())
    station.send("pond")
    until(lambda: station.wanted == ["garden/pond/main"])
    station.send("gate")
    until(lambda: sorted(station.wanted) == ["garden/gate/main", "garden/pond/main"])


def test_nothing_is_wanted_after_its_end(station: Station, until: Until) -> None:
    republisher = station.open()
    station.listener(republisher)
    station.send()
    until(lambda: station.wanted)
    republisher.close()
    assert station.wanted == []


# who is slow


def test_overtaken_frames_are_counted_as_dropped(station: Station, until: Until) -> None:
    republisher = station.open()
    hub = station.listener(republisher)
    until(is_received(hub, station.send))
    station.fleet.listeners = ()
    stream = settle(station, republisher, hub, until)
    newer = "republish", "newer"
    dropped = stream.dropped[newer]
    for _ in range(3):
        station.send()
    republisher.notice(stream)
    hub.recv_jpg()
    until(lambda: stream.dropped[newer] == dropped + 2)
    assert stream.dropped.keys() == {newer}


def test_frames_above_the_rate_are_counted_as_dropped_and_the_newest_is_sent(
    station: Station, until: Until
) -> None:
    republisher = station.open(fps=4)
    hub = station.listener(republisher)
    until(is_received(hub, station.send))
    before = station.send().stats.received
    for _ in range(9):
        station.send()
    last = encode_jpeg(PICTURE[::-1])
    stream = station.send(payload=last)
    until(lambda: hub.recv_jpg()[1].bytes == last)
    assert {("republish", "rate")} == stream.dropped.keys()
    assert 0 < stream.dropped["republish", "rate"] <= stream.stats.received
    assert stream.stats.received == before + 10


def test_a_stopped_listener_holds_up_no_other(station: Station, until: Until) -> None:
    republisher = station.open()
    stopped = station.process(republisher)
    stopped_said = stopped.stdout
    assert stopped_said is not None
    is_up = threading.Event()

    def read() -> None:
        stopped_said.readline()
        is_up.set()

    reading = threading.Thread(target=read)
    reading.start()
    until(lambda: station.send() and is_up.is_set())
    reading.join()
    os.kill(stopped.pid, signal.SIGSTOP)
    hub = station.listener(republisher)
    stream = station.send(payload=LARGE)
    until(lambda: station.send(payload=LARGE) and stream.dropped["republish", "slow"])
    for _ in range(50):
        until(is_received(hub, lambda: station.send(payload=LARGE)))
        hub.recv_jpg()


def test_a_listener_that_bounds_its_own_queue_gets_a_frame_of_the_last_few(
    station: Station, until: Until
) -> None:
    republisher = station.open()
    hub = station.listener(republisher)
    hub.zmq_socket.rcvhwm = 1
    until(is_received(hub, station.send))
    stream = station.send(payload=LARGE)
    until(lambda: station.send(payload=LARGE) and stream.dropped["republish", "slow"] > 0)
    for _ in range(300):
        station.send(payload=LARGE)
    waiting = 0
    while hub.zmq_socket.poll(300):
        hub.recv_jpg()
        waiting += 1
    assert 0 < waiting < 60  # of more than 300


def test_it_closes_within_a_second_whoever_is_there(
    station: Station, until: Until, quickest: Quickest
) -> None:
    def close() -> float:
        republisher = station.open()
        hub = station.listener(republisher)
        hub.zmq_socket.rcvhwm = 1
        until(is_received(hub, station.send))
        stream = station.send(payload=LARGE)
        dropped = stream.dropped["republish", "slow"]
        until(lambda: station.send(payload=LARGE) and stream.dropped["republish", "slow"] > dropped)
        begun_s = time.monotonic()
        republisher.close()
        took_s = time.monotonic() - begun_s
        assert not republisher.is_alive
        republisher.notice(stream)  # an ingest thread may be about to
        return took_s

    assert quickest(close) < 1


def test_topics_that_are_nonsense_are_survived(station: Station, until: Until) -> None:
    republisher = station.open()
    with zmq.Context() as context, context.socket(zmq.XSUB) as peer:
        peer.linger = 0
        peer.connect(republisher.address)
        for message in (b"", b"\x00", b"\x00never", b"\x01" + b"x" * 10_000, b"hello", b"\x02\xff"):
            peer.send(message)
        hub = station.listener(republisher)
        until(is_received(hub, station.send))
    hub.close()
    until(lambda: not republisher.is_heard)


def test_an_address_in_use_is_an_error(station: Station) -> None:
    address = station.open().address
    with pytest.raises(LocalProtocolError, match="want a free tcp://ADDRESS:PORT"):
        Republisher(address, ["*/*"], station.fleet.streams, station.demand)


# in a hub


def test_a_running_hub_republishes_a_nodes_camera(
    house: House, until: Until, hold_port: Callable[[], int]
) -> None:
    port = hold_port()
    house.start_hub({"CAMFLEET_HUB_REPUBLISH": "pi/*", "CAMFLEET_HUB_REPUBLISH_PORT": str(port)})
    house.start_node("pi", "front")
    hub = stock.ImageHub(f"tcp://127.0.0.1:{port}", REQ_REP=False)
    with closing(hub):
        until(lambda: hub.zmq_socket.poll(100), house.hub.said)
        msg, buffer = hub.recv_jpg()
        assert msg == "pi/front"
        assert decode("jpeg", (120, 160, 3), "uint8", buffer.bytes).shape == (120, 160, 3)
    code, _ = house.hub.stop()
    assert code == 0
