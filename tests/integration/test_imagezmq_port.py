"""The port for imagezmq senders: any number of them, of which none can hold up another."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import imagezmq as stock
import numpy as np
import pytest
import zmq

from camfleet import imagezmq as ours
from camfleet.codec import encode_jpeg
from camfleet.errors import Reason, RemoteProtocolError
from camfleet.payload import PLAIN_DTYPES
from camfleet_hub.fleet import IMAGEZMQ_NODE, Fleet
from camfleet_hub.imagezmq_port import ImagezmqPort
from camfleet_hub.permission import ANYBODY, Sight
from camfleet_hub.web import models

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Until

    from camfleet.frame import Frame

# stock has no types, so neither have the places where it may stand
Package: TypeAlias = Any
Sender: TypeAlias = Any

TIMEOUT_MS = 20_000
MAX_CAMERAS = 40
PICTURE = np.arange(48 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(48, 64, 3)
JPEG = encode_jpeg(PICTURE)
GOOD = [b'{"msg": "good", "dtype": "uint8", "shape": [2, 3]}', b"abcdef"]
BOTH = pytest.mark.parametrize("package", [stock, ours], ids=["stock", "ours"])


def header(**fields: object) -> bytes:
    return json.dumps({"msg": "bad", "dtype": "uint8", "shape": [2, 3], **fields}).encode()


def huge_jpeg() -> bytes:
    """A few bytes that claim to be a picture of 65000 by 65000 pixels."""
    small = encode_jpeg(np.zeros((8, 8), np.uint8))
    at = small.index(b"\xff\xc0")
    side = (65_000).to_bytes(2, "big")
    return small[: at + 5] + side + side + small[at + 9 :]


BAD_MESSAGES: dict[str, tuple[list[bytes], Reason]] = {
    "an empty message": ([b""], Reason.PARTS),
    "one part": ([b'{"msg": "bad"}'], Reason.PARTS),
    "three parts": ([header(), b"abcdef", b"more"], Reason.PARTS),
    "a hundred parts": ([header(), *([b"x"] * 99)], Reason.PARTS),
    "an empty header": ([b"", b"abcdef"], Reason.HEADER),
    "a truncated header": ([header()[:20], b"abcdef"], Reason.HEADER),
    "no JSON": ([b"hello", b"abcdef"], Reason.HEADER),
    "no UTF-8": ([b'{"msg": "\xff"}', JPEG], Reason.HEADER),
    "a pickle": ([b"\x80\x04\x95\x10\x00.", b"abcdef"], Reason.HEADER),
    "a list": ([b'["bad"]', b"abcdef"], Reason.HEADER),
    "a number": ([b"7", b"abcdef"], Reason.HEADER),
    "null": ([b"null", b"abcdef"], Reason.HEADER),
    "no msg": ([b'{"dtype": "uint8", "shape": [2, 3]}', b"abcdef"], Reason.HEADER),
    "brackets without end": ([b'{"msg": ' + b"[" * 60_000, b"abcdef"], Reason.HEADER),
    "a number of 5000 digits": ([b'{"msg": ' + b"9" * 5000 + b"}", JPEG], Reason.HEADER),
    "an oversized header": ([header(msg="x" * 70_000), b"abcdef"], Reason.HEADER_SIZE),
    "too few bytes": ([header(), b"abcde"], Reason.PAYLOAD_SIZE),
    "too many bytes": ([header(), b"abcdefg"], Reason.PAYLOAD_SIZE),
    "no bytes": ([header(), b""], Reason.PAYLOAD_SIZE),
    "a negative side": ([header(shape=[-1, 6]), b"abcdef"], Reason.SHAPE),
    "two negative sides": ([header(shape=[-2, -3]), b"abcdef"], Reason.SHAPE),
    "a side of zero": ([header(shape=[0, 3]), b""], Reason.SHAPE),
    "an overflow": ([header(shape=[2**33, 2**33]), b"abcdef"], Reason.SHAPE),
    "an overflow to the right size": ([header(shape=[2**63 + 3, 2]), b"abcdef"], Reason.SHAPE),
    "half a pixel": ([header(shape=[1.5, 4]), b"abcdef"], Reason.SHAPE),
    "true by six": ([header(shape=[True, 6]), b"abcdef"], Reason.SHAPE),
    "sides as texts": ([header(shape=["2", "3"]), b"abcdef"], Reason.SHAPE),
    "a shape that is no list": ([header(shape=6), b"abcdef"], Reason.SHAPE),
    "no shape": ([b'{"msg": "bad", "dtype": "uint8"}', b"abcdef"], Reason.SHAPE),
    "one side": ([header(shape=[6]), b"abcdef"], Reason.SHAPE),
    "no sides": ([header(shape=[]), b"a"], Reason.SHAPE),
    "four sides": ([header(shape=[1, 2, 3, 1]), b"abcdef"], Reason.SHAPE),
    "a thousand sides": ([header(shape=[1] * 1000), b"a"], Reason.SHAPE),
    "wider than any JPEG": ([header(shape=[1, 65_536]), bytes(65_536)], Reason.SHAPE),
    "objects": ([header(dtype="object"), bytes(48)], Reason.DTYPE),
    "objects in short": ([header(dtype="O"), bytes(48)], Reason.DTYPE),
    "a record": ([header(dtype="u1,O"), bytes(54)], Reason.DTYPE),
    "complex numbers": ([header(dtype="complex64"), bytes(48)], Reason.DTYPE),
    "texts": ([header(dtype="<U1"), bytes(24)], Reason.DTYPE),
    "an unknown dtype": ([header(dtype="uint9"), b"abcdef"], Reason.DTYPE),
    "a dtype that is no text": ([header(dtype=["u1"]), b"abcdef"], Reason.DTYPE),
    "no dtype": ([b'{"msg": "bad", "shape": [2, 3]}', b"abcdef"], Reason.DTYPE),
    "not a JPEG": ([b'{"msg": "bad"}', b"this is no JPEG"], Reason.NOT_JPEG),
    "an empty JPEG": ([b'{"msg": "bad"}', b""], Reason.NOT_JPEG),
    "a PNG": ([b'{"msg": "bad"}', b"\x89PNG\r\n\x1a\n" + bytes(60)], Reason.NOT_JPEG),
    "the start of a JPEG": ([b'{"msg": "bad"}', JPEG[:20]], Reason.NOT_JPEG),
    "a JPEG of gigabytes": ([b'{"msg": "bad"}', huge_jpeg()], Reason.SHAPE),
    "a path": ([header(msg="../../etc/passwd"), b"abcdef"], Reason.NAME),
    "an absolute path": ([header(msg="/etc/passwd"), b"abcdef"], Reason.NAME),
    "a path of another system": ([header(msg="..\\secret"), b"abcdef"], Reason.NAME),
    "dots": ([header(msg=".."), b"abcdef"], Reason.NAME),
    "a line break in the name": ([header(msg="rpi1\nforged: yes"), b"abcdef"], Reason.NAME),
    "an escape in the name": ([header(msg="\x1b[2Jrpi1"), b"abcdef"], Reason.NAME),
    "a null in the name": ([header(msg="rpi1\x00.jpg"), b"abcdef"], Reason.NAME),
    "half a character": ([header(msg="\ud800"), b"abcdef"], Reason.NAME),
    "text that turns around": ([header(msg="rpi\u202e1"), b"abcdef"], Reason.NAME),
    "10 kB of text": ([header(msg="x" * 10_000), b"abcdef"], Reason.NAME),
    "a path in a list": ([header(msg=[["../x"]]), b"abcdef"], Reason.NAME),
}
BAD = pytest.mark.parametrize(("parts", "reason"), BAD_MESSAGES.values(), ids=BAD_MESSAGES)


class Harbour:
    """A port with its fleet, and peers of it that never block for ever."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._context = stack.enter_context(zmq.Context())
        self.fleet = Fleet(MAX_CAMERAS)
        self.port = stack.enter_context(
            ImagezmqPort("tcp://127.0.0.1:*", self._accept, self._reject)
        )

    def with_nobody(self) -> Self:
        """Forget all cameras and counts, but leave the port open."""
        self.fleet = Fleet(MAX_CAMERAS)
        return self

    def _accept(self, frame: Frame) -> None:
        self.fleet.accept(frame)

    def _reject(self, node: str, error: RemoteProtocolError) -> None:
        self.fleet.reject(node, error)

    def sender(self, package: Package = stock) -> Sender:
        sender = self._stack.enter_context(closing(package.ImageSender(self.port.address)))
        limited(sender.zmq_socket)
        return sender

    def peer(self, kind: int) -> zmq.Socket[bytes]:
        peer = self._stack.enter_context(self._context.socket(kind))
        peer.connect(self.port.address)
        return limited(peer)

    def frame(self, camera: str) -> Frame:
        """The newest frame of a camera, which must be there."""
        stream = self.fleet.find(f"{IMAGEZMQ_NODE}/{camera}")
        assert stream is not None
        assert stream.newest is not None
        return stream.newest

    def received(self, camera: str) -> int:
        stream = self.fleet.find(f"{IMAGEZMQ_NODE}/{camera}")
        return stream.stats.received if stream else 0

    def rejected(self) -> dict[tuple[str, str], int]:
        """How often, by camera and reason."""
        assert {node for node, _, _ in self.fleet.rejected} <= {IMAGEZMQ_NODE}
        return {(camera, reason): n for (_, camera, reason), n in self.fleet.rejected.items()}


def limited(peer: zmq.Socket[bytes]) -> zmq.Socket[bytes]:
    peer.setsockopt(zmq.LINGER, 0)
    peer.setsockopt(zmq.SNDTIMEO, TIMEOUT_MS)
    peer.setsockopt(zmq.RCVTIMEO, TIMEOUT_MS)
    return peer


def ask(peer: zmq.Socket[bytes], parts: list[bytes]) -> bytes:
    """Send a message from a REQ socket and return the reply."""
    peer.send_multipart(parts)
    return peer.recv()


@pytest.fixture
def harbour() -> Iterator[Harbour]:
    with ExitStack() as stack:
        yield Harbour(stack)


@pytest.fixture(scope="module")
def _busy_harbour() -> Iterator[Harbour]:
    with ExitStack() as stack:
        yield Harbour(stack)


@pytest.fixture
def same_harbour(_busy_harbour: Harbour) -> Harbour:
    """A port that has seen many a message before; each test finds an empty fleet."""
    return _busy_harbour.with_nobody()


# good senders


@BOTH
@pytest.mark.parametrize("dtype", sorted({str(np.dtype(name)) for name in PLAIN_DTYPES}))
def test_a_raw_picture_of_any_plain_dtype_becomes_a_frame(
    same_harbour: Harbour, package: Package, dtype: str
) -> None:
    image = PICTURE.astype(dtype)
    assert same_harbour.sender(package).send_image("rpi1", image) == b"OK"
    frame = same_harbour.frame("rpi1")
    assert (frame.header.codec, frame.header.shape, frame.header.dtype) == (
        "raw",
        image.shape,
        str(image.dtype),
    )
    assert bytes(frame.payload) == image.tobytes()


@BOTH
def test_a_jpeg_becomes_a_frame_as_it_came(harbour: Harbour, package: Package) -> None:
    assert harbour.sender(package).send_jpg("rpi1", JPEG) == b"OK"
    frame = harbour.frame("rpi1")
    assert (frame.header.codec, frame.header.shape) == ("jpeg", (48, 64, 3))
    assert bytes(frame.payload) == JPEG


@BOTH
@pytest.mark.parametrize("image", [PICTURE[..., 0], PICTURE[::2, ::3], PICTURE[..., :1]])
def test_gray_strided_and_one_channel_pictures_are_taken(
    harbour: Harbour, package: Package, image: np.ndarray[Any, Any]
) -> None:
    assert harbour.sender(package).send_image("rpi1", image) == b"OK"
    assert harbour.frame("rpi1").image().shape[:2] == image.shape[:2]


LABELS = [
    ("rpi1", "rpi1", "rpi1"),
    ("rpi1|motion|12:00", "rpi1", "rpi1|motion|12:00"),
    ("k\u00fcche \U0001f4f7", "k\u00fcche \U0001f4f7", "k\u00fcche \U0001f4f7"),
    (["rpi1", 7], "rpi1", '["rpi1", 7]'),
    (7, "7", "7"),
    ({"a": 1}, "unnamed", '{"a": 1}'),
    (None, "unnamed", "null"),
    ("", "unnamed", ""),
    ("rpi1|" + "x" * 10_000, "rpi1", "rpi1|" + "x" * 507),
    ("rpi1|\ud800", "rpi1", "rpi1|?"),
    ("rpi1|\n\x00", "rpi1", "rpi1|\n\x00"),
]


@pytest.mark.parametrize(("msg", "camera", "label"), LABELS, ids=range(len(LABELS)))
def test_the_text_names_the_camera_and_labels_the_frame(
    same_harbour: Harbour, msg: object, camera: str, label: str
) -> None:
    assert same_harbour.sender().send_image(msg, PICTURE) == b"OK"
    assert same_harbour.frame(camera).header.label == label


def test_whatever_the_text_was_the_api_can_tell_it(harbour: Harbour) -> None:
    sender = harbour.sender()
    for msg, _, _ in LABELS:
        sender.send_image(msg, PICTURE)
        assert [node.model_dump_json() for node in models.nodes(Sight(harbour.fleet, ANYBODY))]


@BOTH
def test_frames_of_a_sender_are_counted_and_none_is_lost(
    harbour: Harbour, package: Package
) -> None:
    sender = harbour.sender(package)
    for _ in range(50):
        sender.send_image("rpi1", PICTURE)
    [camera] = models.nodes(Sight(harbour.fleet, ANYBODY))[0].cameras
    assert (camera.received, camera.lost) == (50, 0)
    assert camera.received_bytes == 50 * PICTURE.nbytes


def test_two_senders_with_one_name_share_a_camera_and_none_is_lost(harbour: Harbour) -> None:
    senders = [harbour.sender(), harbour.sender()]
    for _ in range(10):
        for sender in senders:
            assert sender.send_image("rpi1", PICTURE) == b"OK"
    [camera] = models.nodes(Sight(harbour.fleet, ANYBODY))[0].cameras
    assert (camera.received, camera.lost) == (20, 0)


# bad messages


@BAD
def test_a_req_socket_is_told_what_was_wrong_and_its_next_message_served(
    same_harbour: Harbour, parts: list[bytes], reason: Reason
) -> None:
    peer = same_harbour.peer(zmq.REQ)
    assert ask(peer, parts).startswith(b"REJECTED: ")
    assert same_harbour.rejected() == {("", reason): 1}
    assert ask(peer, GOOD) == b"OK"


@BAD
def test_a_dealer_is_told_too_and_its_next_message_served(
    same_harbour: Harbour, parts: list[bytes], reason: Reason
) -> None:
    peer = same_harbour.peer(zmq.DEALER)
    peer.send_multipart([b"", *parts])
    peer.send_multipart([b"", *GOOD])
    assert peer.recv_multipart()[-1].startswith(b"REJECTED: ")
    assert peer.recv_multipart() == [b"", b"OK"]
    assert same_harbour.rejected() == {("", reason): 1}


def test_a_dealer_without_an_envelope_is_served_without_one(harbour: Harbour) -> None:
    peer = harbour.peer(zmq.DEALER)
    peer.send_multipart(GOOD)
    assert peer.recv_multipart() == [b"OK"]


@pytest.mark.parametrize("parts", [[b"x"], [b"x", b"y"], [b""], [b"", b""], GOOD[:1]])
def test_a_dealer_without_an_envelope_is_rejected_alike(
    harbour: Harbour, parts: list[bytes]
) -> None:
    peer = harbour.peer(zmq.DEALER)
    peer.send_multipart(parts)
    assert peer.recv_multipart()[-1].startswith(b"REJECTED: ")


def test_the_envelope_of_a_proxy_is_kept(harbour: Harbour) -> None:
    peer = harbour.peer(zmq.DEALER)
    peer.send_multipart([b"one", b"two", b"", *GOOD])
    assert peer.recv_multipart() == [b"one", b"two", b"", b"OK"]


def test_what_a_known_camera_does_wrong_is_counted_under_its_name(harbour: Harbour) -> None:
    sender = harbour.sender()
    sender.send_image("rpi1", PICTURE)
    assert sender.send_image("rpi1", PICTURE.reshape(-1)).startswith(b"REJECTED: shape is")
    assert harbour.rejected() == {("rpi1", Reason.SHAPE): 1}


def test_every_depth_of_nested_text_is_taken_or_rejected(harbour: Harbour) -> None:
    peer = harbour.peer(zmq.REQ)
    for depth in range(900, 1000):
        msg = b"[" * depth + b"7" + b"]" * depth
        reply = ask(peer, [b'{"msg": ' + msg + b', "dtype": "uint8", "shape": [2, 3]}', GOOD[1]])
        assert reply == b"OK" or reply.startswith(b"REJECTED: ")


def test_the_camera_above_the_limit_is_rejected_and_the_others_go_on(harbour: Harbour) -> None:
    sender = harbour.sender()
    for number in range(MAX_CAMERAS):
        assert sender.send_image(f"rpi{number}", PICTURE) == b"OK"
    assert sender.send_image("one more", PICTURE).startswith(b"REJECTED: 40 cameras are here")
    assert harbour.rejected() == {("", Reason.TOO_MANY): 1}
    assert sender.send_image("rpi0", PICTURE) == b"OK"


# many senders


def test_senders_of_nonsense_and_dead_and_mute_ones_hold_up_nobody(
    harbour: Harbour, until: Until
) -> None:
    """Twenty at once: ten good, eight with nonsense, one that reads no reply, one that dies."""
    mute = harbour.peer(zmq.DEALER)
    for _ in range(500):
        mute.send_multipart([b"", *GOOD])
    dying = half_a_message(harbour.port.address)
    problems: list[str] = []
    threads = [in_thread(send_pictures, harbour, f"rpi{n}", problems) for n in range(10)]
    threads += [in_thread(send_nonsense, harbour, n, problems) for n in range(8)]
    dying.close()
    for thread in threads:
        thread.join(3 * TIMEOUT_MS / 1000)
    assert problems == []
    assert [harbour.received(f"rpi{number}") for number in range(10)] == [40] * 10
    until(lambda: harbour.received("good") >= 500)
    assert sum(harbour.rejected().values()) == 8 * 40


def half_a_message(address: str) -> socket.socket:
    """A REQ socket of ZeroMQ's (RFC 23) that has sent an envelope and half a header."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    peer = socket.create_connection((host, int(port)), timeout=TIMEOUT_MS / 1000)
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
    ready = b"\x05READY" + b"\x0bSocket-Type" + (3).to_bytes(4, "big") + b"REQ"
    peer.sendall(greeting + bytes([4, len(ready)]) + ready)
    peer.sendall(b"\x01\x00" + b"\x01\x32" + b'{"msg": "dying", ')
    return peer


def test_a_program_that_speaks_no_zeromq_holds_up_nobody(harbour: Harbour) -> None:
    with half_a_message(harbour.port.address) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        assert harbour.sender().send_image("rpi1", PICTURE) == b"OK"


def in_thread(work: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    return thread


def send_pictures(harbour: Harbour, name: str, problems: list[str]) -> None:
    with closing(stock.ImageSender(harbour.port.address)) as sender:
        limited(sender.zmq_socket)
        for _ in range(40):
            reply = sender.send_image(name, PICTURE)
            if reply != b"OK":
                problems.append(f"{name} got {reply!r}")


def send_nonsense(harbour: Harbour, number: int, problems: list[str]) -> None:
    bad = [parts for parts, _ in BAD_MESSAGES.values()]
    with zmq.Context() as context, context.socket(zmq.REQ) as peer:
        limited(peer).connect(harbour.port.address)
        for turn in range(40):
            reply = ask(peer, bad[(number + turn) % len(bad)])
            if not reply.startswith(b"REJECTED: "):
                problems.append(f"nonsense got {reply!r}")


def test_a_sender_is_served_while_another_sends_at_full_speed(harbour: Harbour) -> None:
    flood = harbour.peer(zmq.DEALER)
    is_over = threading.Event()

    def send_on() -> None:
        while not is_over.is_set():
            flood.send_multipart([b"", *GOOD])

    thread = in_thread(send_on)
    sender = harbour.sender()
    try:
        assert [sender.send_image("rpi1", PICTURE) for _ in range(20)] == [b"OK"] * 20
    finally:
        is_over.set()
        thread.join()


def test_a_part_beyond_the_limit_costs_only_its_sender_the_connection(harbour: Harbour) -> None:
    sender = harbour.sender()
    giant = harbour.peer(zmq.REQ)
    giant.send_multipart([header(), bytes(65 * 1024 * 1024)])
    assert sender.send_image("rpi1", PICTURE) == b"OK"


def test_a_closed_port_lets_its_address_go() -> None:
    with ImagezmqPort("tcp://127.0.0.1:*", lambda _: None, lambda *_: None) as port:
        address = port.address
    with ImagezmqPort(address, lambda _: None, lambda *_: None) as again:
        assert again.address == address
