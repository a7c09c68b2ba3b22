"""The drop-in against the real imagezmq, in both directions: same API, same types, same bytes."""

from __future__ import annotations

import gc
import inspect
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, TypeAlias

import imagezmq as stock
import numpy as np
import pytest
import zmq

from camfleet import imagezmq as ours
from camfleet.errors import Reason, RemoteProtocolError
from camfleet.imagezmq.endpoint import HIGH_WATER_MARK, LINGER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Array = np.ndarray[Any, Any]

# stock has no types, so neither have the places where it may stand
Package: TypeAlias = Any
Endpoint: TypeAlias = Any
Socket: TypeAlias = Any
Buffer: TypeAlias = Any
Flag: TypeAlias = Any

TIMEOUT_MS = 20_000
LOOPBACK = "tcp://127.0.0.1:*"  # ZeroMQ picks a free port
PICTURE = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
JPEG = b"\xff\xd8\xff and whatever else"
CLASSES = ["ImageSender", "ImageHub", "SerializingSocket", "SerializingContext"]
PEERS = pytest.mark.parametrize(
    ("sends", "receives"),
    [(ours, stock), (stock, ours), (ours, ours)],
    ids=["ours-to-stock", "stock-to-ours", "ours-to-ours"],
)
BOTH = pytest.mark.parametrize("package", [ours, stock], ids=["ours", "stock"])
ARRAYS: dict[str, Array] = {
    "uint8": PICTURE,
    "uint16": np.arange(6, dtype=np.uint16).reshape(2, 3),
    "big-endian": np.arange(6, dtype=">u2").reshape(2, 3),
    "bool": np.eye(3, dtype=bool),
    "float16": np.linspace(0, 1, 6, dtype=np.float16),
    "float32": np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3),
    "complex": np.full((2, 2), 1 + 2j, np.complex64),
    "longdouble": np.ones(2, np.longdouble),
    "bytes": np.array([b"abc", b"d"]),
    "text": np.array([["a", "bc"]]),
    "1-D": np.arange(5),
    "4-D": np.zeros((2, 1, 3, 2), np.int8),
    "0-D": np.array(7, np.int32),
    "empty": np.zeros((0, 3), np.uint8),
    "1080p": np.full((1080, 1920, 3), 99, np.uint8),
    "strided": np.arange(48, dtype=np.uint8).reshape(4, 12)[:, ::2],
    "flipped": PICTURE[::-1],
    "fortran": np.asfortranarray(PICTURE),
    "read-only": np.frombuffer(b"abcd", np.uint8),
}
TEXTS: list[Any] = [
    "rpi1",
    "k\u00fcche \U0001f4f7",
    "",
    None,
    7,
    1.5,
    True,
    ["a", 1],
    {"a": {"b": 2}},
]
BAD_MESSAGES: list[tuple[list[bytes], Reason]] = [
    ([b""], Reason.PARTS),
    ([b'{"msg": "rpi1"}'], Reason.PARTS),
    ([b'{"msg": "rpi1"}', b"x", b"y"], Reason.PARTS),
    ([b"rpi1", b"x"], Reason.HEADER),
    ([b"[1]", b"x"], Reason.HEADER),
    ([b'{"dtype": "uint8", "shape": [1]}', b"x"], Reason.HEADER),
    ([b'{"msg": "rpi1"}', JPEG], Reason.DTYPE),
    ([b'{"msg": "rpi1", "dtype": "object", "shape": [1]}', b"12345678"], Reason.DTYPE),
    ([b'{"msg": "rpi1", "dtype": "uint8", "shape": [-1]}', b"x"], Reason.SHAPE),
    ([b'{"msg": "rpi1", "dtype": "uint8", "shape": [2]}', b"x"], Reason.PAYLOAD_SIZE),
]
BAD = pytest.mark.parametrize(
    ("parts", "reason"), BAD_MESSAGES, ids=[f"{n}-{bad[1]}" for n, bad in enumerate(BAD_MESSAGES)]
)


class Bench:
    """Opens endpoints and bare sockets that can never block for ever, and closes them all."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._context = stack.enter_context(zmq.Context())
        self._pool = stack.enter_context(ThreadPoolExecutor(1))

    def sender(self, package: Package, address: str = LOOPBACK, *, reqrep: bool) -> Endpoint:
        return self._limited(package.ImageSender(address, REQ_REP=reqrep))

    def hub(self, package: Package, address: str = LOOPBACK, *, reqrep: bool) -> Endpoint:
        return self._limited(package.ImageHub(address, REQ_REP=reqrep))

    def pair(self, sends: Package, receives: Package, *, reqrep: bool) -> tuple[Endpoint, Endpoint]:
        """Return a sender and a hub; the one that binds is opened first."""
        if reqrep:
            hub = self.hub(receives, reqrep=True)
            return self.sender(sends, address_of(hub.zmq_socket), reqrep=True), hub
        sender = self.sender(sends, reqrep=False)
        return sender, self.hub(receives, address_of(sender.zmq_socket), reqrep=False)

    def socket(self, kind: int) -> zmq.Socket[bytes]:
        socket = self._stack.enter_context(self._context.socket(kind))
        limit(socket)
        return socket

    def exchange(
        self, send: Callable[[], Any], receive: Callable[[], Any], reply: Callable[[], Any]
    ) -> tuple[Any, Any]:
        """Send on another thread, receive and reply on this one; return (received, reply)."""
        sent = self._pool.submit(send)
        try:
            received = receive()
            reply()
        finally:
            wait([sent])  # no socket is closed under the thread that uses it; its time-out ends it
        return received, sent.result()

    def _limited(self, endpoint: Endpoint) -> Endpoint:
        self._stack.enter_context(closing(endpoint))
        limit(endpoint.zmq_socket)
        return endpoint


def limit(socket: Socket) -> None:
    socket.rcvtimeo = socket.sndtimeo = TIMEOUT_MS
    socket.linger = 0


def address_of(socket: Socket) -> str:
    address: bytes = socket.last_endpoint
    return address.rstrip(b"\0").decode()


def publish(send: Callable[[], object], receives: Socket) -> None:
    """Send until the subscriber has joined and received one."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while time.monotonic() < deadline:
        assert send() is None
        if receives.poll(20):
            return
    pytest.fail("the subscriber never joined")


def until_received(send: Callable[[], object], hub: Endpoint, wanted: str) -> None:
    """Send until the subscriber has joined and receives it; what comes late is passed over."""
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    while time.monotonic() < deadline:
        assert send() is None
        while hub.zmq_socket.poll(20):
            if hub.recv_jpg()[0] == wanted:
                return
    pytest.fail(f"{wanted} never came")


def settle(sender: Endpoint, hub: Endpoint) -> None:
    """See that the subscriber has joined, and that nothing more is on its way to it.

    What one publishes arrives in order: nothing that was sent before a picture comes after it.
    """
    for number in range(TIMEOUT_MS // 20):
        sent = f"settling {number}"
        sender.send_image(sent, PICTURE)
        while hub.zmq_socket.poll(20):
            if hub.recv_image()[0] == sent:
                # ZeroMQ looks only every few milliseconds whether the queue has room again.
                assert not hub.zmq_socket.poll(20)
                return
    pytest.fail("the subscriber never joined")


def assert_same_array(found: Array, wanted: Array) -> None:
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    assert found.tobytes() == wanted.tobytes()


@pytest.fixture
def bench() -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack)


# The API


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_the_public_names_of_stocks(name: str) -> None:
    found, wanted = (
        {member for member in dir(getattr(package, name)) if not member.startswith("_")}
        for package in (ours, stock)
    )
    assert found == wanted


@pytest.mark.parametrize("name", CLASSES)
def test_a_method_has_the_signature_of_stocks(name: str) -> None:
    for method, wanted in vars(getattr(stock, name)).items():
        if inspect.isfunction(wanted):
            assert parameters(getattr(getattr(ours, name), method)) == parameters(wanted), method


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    signature = inspect.signature(function)
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


def test_both_ways_of_importing_give_the_same_classes() -> None:
    from camfleet.imagezmq import imagezmq

    for name in [*CLASSES, "zmq", "np"]:
        assert getattr(imagezmq, name) is getattr(ours, name)


def test_a_star_import_gives_every_name_that_stocks_gives() -> None:
    wanted = {name for name in dir(stock) if not name.startswith("_")}
    assert wanted <= set(ours.__all__)


def test_the_context_makes_serializing_sockets() -> None:
    with ours.SerializingContext() as context, context.socket(zmq.PAIR) as socket:
        assert type(socket) is ours.SerializingSocket


@BOTH
@pytest.mark.parametrize("reqrep", [True, False])
def test_socket_and_context_are_public(bench: Bench, package: Package, *, reqrep: bool) -> None:
    sender, hub = bench.pair(package, package, reqrep=reqrep)
    assert sender.zmq_socket.type == (zmq.REQ if reqrep else zmq.PUB)
    assert hub.zmq_socket.type == (zmq.REP if reqrep else zmq.SUB)
    for endpoint in (sender, hub):
        assert isinstance(endpoint.zmq_socket, package.SerializingSocket)
        assert isinstance(endpoint.zmq_context, package.SerializingContext)
        assert endpoint.zmq_socket.context is endpoint.zmq_context
    assert hub.REQ_REP is reqrep


@BOTH
def test_with_closes_the_socket_and_its_context(package: Package) -> None:
    with package.ImageHub(LOOPBACK) as hub:
        with package.ImageSender(address_of(hub.zmq_socket)) as sender:
            assert not sender.zmq_socket.closed
        assert sender.zmq_socket.closed
        assert sender.zmq_context.closed
    assert hub.zmq_socket.closed
    assert hub.zmq_context.closed
    hub.close()  # once more does no harm


# Pictures, both patterns, both directions


@PEERS
@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_arrives_over_reqrep(
    bench: Bench, sends: Package, receives: Package, kind: str
) -> None:
    sender, hub = bench.pair(sends, receives, reqrep=True)
    (msg, image), reply = bench.exchange(
        lambda: sender.send_image(kind, ARRAYS[kind]), hub.recv_image, hub.send_reply
    )
    assert msg == kind
    assert reply == b"OK"
    assert_same_array(image, ARRAYS[kind])


@PEERS
def test_arrays_arrive_over_pubsub(bench: Bench, sends: Package, receives: Package) -> None:
    sender, hub = bench.pair(sends, receives, reqrep=False)
    for kind, array in ARRAYS.items():
        settle(sender, hub)
        sender.send_image(kind, array)
        msg, image = hub.recv_image()
        assert msg == kind
        assert_same_array(image, array)


@PEERS
@pytest.mark.parametrize("buffer", [JPEG, b"", bytearray(JPEG), np.frombuffer(JPEG, np.uint8)])
def test_a_buffer_arrives_over_reqrep(
    bench: Bench, sends: Package, receives: Package, buffer: Buffer
) -> None:
    sender, hub = bench.pair(sends, receives, reqrep=True)
    (msg, jpg), reply = bench.exchange(
        lambda: sender.send_jpg("rpi1", buffer), hub.recv_jpg, lambda: hub.send_reply(b"\0any")
    )
    assert (msg, reply) == ("rpi1", b"\0any")
    assert type(jpg) is zmq.Frame
    assert jpg.bytes == bytes(buffer)


@PEERS
def test_a_buffer_arrives_over_pubsub(bench: Bench, sends: Package, receives: Package) -> None:
    sender, hub = bench.pair(sends, receives, reqrep=False)
    publish(lambda: sender.send_jpg("rpi1", JPEG), hub.zmq_socket)
    msg, jpg = hub.recv_jpg()
    assert (msg, type(jpg), jpg.bytes) == ("rpi1", zmq.Frame, JPEG)


@PEERS
def test_any_json_value_arrives_as_a_text(bench: Bench, sends: Package, receives: Package) -> None:
    sender, hub = bench.pair(sends, receives, reqrep=True)
    for text in TEXTS:
        (msg, _), _ = bench.exchange(
            partial(sender.send_jpg, text, JPEG),
            hub.recv_jpg,
            hub.send_reply,
        )
        assert (msg, type(msg)) == (text, type(text))


@PEERS
def test_the_named_variants_do_the_same(bench: Bench, sends: Package, receives: Package) -> None:
    sender, hub = bench.pair(sends, receives, reqrep=True)
    (_, image), reply = bench.exchange(
        lambda: sender.send_image_reqrep("a", PICTURE), hub.recv_image, hub.send_reply
    )
    assert reply == b"OK"
    assert_same_array(image, PICTURE)
    (_, jpg), reply = bench.exchange(
        lambda: sender.send_jpg_reqrep("a", JPEG), hub.recv_jpg, hub.send_reply
    )
    assert (jpg.bytes, reply) == (JPEG, b"OK")
    sender, hub = bench.pair(sends, receives, reqrep=False)
    publish(lambda: sender.send_image_pubsub("a", PICTURE), hub.zmq_socket)
    assert_same_array(hub.recv_image()[1], PICTURE)
    publish(lambda: sender.send_jpg_pubsub("b", JPEG), hub.zmq_socket)


@PEERS
def test_connect_adds_a_publisher(bench: Bench, sends: Package, receives: Package) -> None:
    first, hub = bench.pair(sends, receives, reqrep=False)
    second = bench.sender(sends, reqrep=False)
    hub.connect(address_of(second.zmq_socket))
    for sender, name in ((first, "first"), (second, "second")):
        until_received(partial(sender.send_jpg, name, JPEG), hub, name)


@BOTH
def test_connect_has_no_effect_in_rep_mode(bench: Bench, package: Package) -> None:
    hub = bench.hub(package, reqrep=True)
    before = address_of(hub.zmq_socket)
    hub.connect("tcp://127.0.0.1:9")
    assert address_of(hub.zmq_socket) == before


# What the program holds


@pytest.mark.parametrize("copy", [False, True])
def test_a_received_array_is_the_same_kind_of_view(bench: Bench, *, copy: bool) -> None:
    kinds = []
    for package in (ours, stock):
        sender, hub = bench.pair(stock, package, reqrep=True)
        (_, image), _ = bench.exchange(
            partial(sender.send_image, "rpi1", PICTURE),
            partial(hub.recv_image, copy=copy),
            hub.send_reply,
        )
        kinds.append((type(image), str(image.flags), type(image.base.base)))
        image[:] = 0  # programs draw on what they receive
    assert kinds[0] == kinds[1]
    assert kinds[0][2] is zmq.Frame


@pytest.mark.parametrize("copy", [False, True])
def test_a_socket_returns_what_stocks_returns(*, copy: bool) -> None:
    found, wanted = ([*outcomes(package, copy=copy)] for package in (ours, stock))
    assert found == wanted


def outcomes(package: Package, *, copy: bool) -> Iterator[object]:
    with (
        package.SerializingContext() as context,
        context.socket(zmq.PAIR) as left,
        context.socket(zmq.PAIR) as right,
    ):
        for socket in (left, right):
            limit(socket)
        left.bind(LOOPBACK)
        right.connect(address_of(left))
        times = np.array(["2024-01-01"], "M8[s]") if copy else PICTURE  # stock copies times only
        for array in (PICTURE, times):
            yield type(left.send_array(array, "a", copy=copy, track=True))
            msg, image = right.recv_array(copy=copy)
            yield msg, str(image.flags), type(image.base.base), image.tolist()
        yield type(left.send_jpg("a", JPEG, copy=copy, track=True))
        msg, jpg = right.recv_jpg(copy=copy)
        yield msg, type(jpg), bytes(jpg)
        left.send_jpg()
        yield right.recv_jpg()
        yield left.send_array(PICTURE), right.recv_array()[0]
        with pytest.raises(zmq.Again):
            right.recv_array(zmq.NOBLOCK)


# The wire


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_is_byte_identical_on_the_wire(bench: Bench, kind: str) -> None:
    send = methodcaller("send_image", "k\u00fcche", ARRAYS[kind])
    found, wanted = (captured_request(bench, package, send) for package in (ours, stock))
    assert found == wanted
    assert len(found) == 3
    assert found[0] == b""


def test_a_buffer_is_byte_identical_on_the_wire(bench: Bench) -> None:
    for text in TEXTS:
        send = methodcaller("send_jpg", text, JPEG)
        found, wanted = (captured_request(bench, package, send) for package in (ours, stock))
        assert found == wanted


def captured_request(
    bench: Bench, package: Package, send: Callable[[Endpoint], object]
) -> list[bytes]:
    """Return the parts that a REQ sender puts on the wire, its delimiter included."""
    router = bench.socket(zmq.ROUTER)
    router.bind(LOOPBACK)
    sender = bench.sender(package, address_of(router), reqrep=True)
    parts: list[bytes] = []
    bench.exchange(
        lambda: send(sender),
        lambda: parts.extend(router.recv_multipart()),
        lambda: router.send_multipart([parts[0], b"", b"OK"]),
    )
    return parts[1:]


def test_a_published_picture_is_byte_identical_on_the_wire(bench: Bench) -> None:
    found, wanted = (captured_publication(bench, package) for package in (ours, stock))
    assert found == wanted
    assert found[0] == b'{"msg": "rpi1", "dtype": "uint8", "shape": [2, 4, 3]}'


def captured_publication(bench: Bench, package: Package) -> list[bytes]:
    sender = bench.sender(package, reqrep=False)
    subscriber = bench.socket(zmq.SUB)
    subscriber.subscribe(b"")
    subscriber.connect(address_of(sender.zmq_socket))
    publish(lambda: sender.send_image("rpi1", PICTURE), subscriber)
    return subscriber.recv_multipart()


@pytest.mark.parametrize("reply", [(), (b"OK",), (b"",), (b"\0" * 9,)])
def test_a_reply_is_byte_identical_on_the_wire(bench: Bench, reply: tuple[bytes, ...]) -> None:
    found, wanted = (captured_reply(bench, package, reply) for package in (ours, stock))
    assert found == wanted
    assert found == [b"", *(reply or (b"OK",))]


def captured_reply(bench: Bench, package: Package, reply: tuple[bytes, ...]) -> list[bytes]:
    hub = bench.hub(package, reqrep=True)
    dealer = bench.socket(zmq.DEALER)
    dealer.connect(address_of(hub.zmq_socket))
    dealer.send_multipart([b"", b'{"msg":"old pyzmq","dtype":"uint8","shape":[2]}', b"ab"])
    assert hub.recv_image()[0] == "old pyzmq"
    hub.send_reply(*reply)
    return dealer.recv_multipart()


# Stock's faults, not shared


@pytest.mark.parametrize(
    ("picture", "found"),
    [
        (np.array([None, "a"]), "dtype object"),
        (np.zeros(2, [("a", "O")]), "dtype"),
        (None, "NoneType"),
        ([[1, 2]], "list"),
    ],
)
def test_what_is_no_picture_is_refused_before_a_byte_is_sent(
    bench: Bench, picture: object, found: str
) -> None:
    assert_refused(bench, lambda s: s.send_image("rpi1", picture), TypeError, f"image .*{found}")


@pytest.mark.parametrize(
    ("buffer", "error", "found"),
    [
        (None, TypeError, "NoneType"),
        ("text", TypeError, "str"),
        (np.array([None]), TypeError, "objects"),
        (memoryview(b"abcd")[::2], ValueError, "strides"),
    ],
)
def test_what_is_no_buffer_is_refused_before_a_byte_is_sent(
    bench: Bench, buffer: Buffer, error: type[Exception], found: str
) -> None:
    assert_refused(bench, lambda s: s.send_jpg("rpi1", buffer), error, f"jpg_buffer .*{found}")


def assert_refused(
    bench: Bench, send: Callable[[Any], object], error: type[Exception], found: str
) -> None:
    """See that the error says what it found, and that the hub gets the next picture only."""
    sender, hub = bench.pair(ours, ours, reqrep=True)
    with pytest.raises(error, match=found):
        send(sender)
    (msg, _), reply = bench.exchange(
        lambda: sender.send_image("next", PICTURE), hub.recv_image, hub.send_reply
    )
    assert (msg, reply) == ("next", b"OK")


def test_an_array_in_fortran_order_is_sent_right_by_a_socket(bench: Bench) -> None:
    sender, hub = bench.pair(ours, stock, reqrep=False)
    array = np.asfortranarray(PICTURE)
    publish(lambda: sender.zmq_socket.send_array(array, "rpi1"), hub.zmq_socket)
    assert_same_array(hub.recv_image()[1], PICTURE)


def test_times_are_sent_without_a_copy_too(bench: Bench) -> None:
    sender, hub = bench.pair(ours, stock, reqrep=False)
    array = np.array(["2024-01-01", "2025-01-01"], "M8[ns]")
    publish(lambda: sender.send_image("rpi1", array), hub.zmq_socket)
    assert_same_array(hub.recv_image()[1], array)


@BAD
def test_a_bad_message_leaves_the_hub_usable(
    bench: Bench, parts: list[bytes], reason: Reason
) -> None:
    sender, hub = bench.pair(stock, ours, reqrep=True)
    refused_request(bench, hub, parts, reason)
    hub.send_reply(b"bad")
    (msg, _), reply = bench.exchange(
        lambda: sender.send_image("good", PICTURE), hub.recv_image, hub.send_reply
    )
    assert (msg, reply) == ("good", b"OK")


@BAD
def test_a_bad_publication_leaves_the_hub_usable(
    bench: Bench, parts: list[bytes], reason: Reason
) -> None:
    publisher = bench.socket(zmq.PUB)
    publisher.bind(LOOPBACK)
    hub = bench.hub(ours, address_of(publisher), reqrep=False)
    publish(lambda: publisher.send_multipart(parts), hub.zmq_socket)
    publisher.send_multipart([b'{"msg": "good", "dtype": "uint8", "shape": [1]}', b"x"])
    msg, reasons = None, set()
    while msg != "good":
        try:
            msg, _ = hub.recv_image()
        except RemoteProtocolError as error:
            reasons.add(error.reason)
    assert reasons == {reason}


def refused_request(
    bench: Bench, hub: ours.ImageHub, parts: list[bytes], reason: Reason
) -> zmq.Socket[bytes]:
    request = bench.socket(zmq.REQ)
    request.connect(address_of(hub.zmq_socket))
    request.send_multipart(parts)
    with pytest.raises(RemoteProtocolError) as caught:
        hub.recv_image()
    assert caught.value.reason == reason
    return request


def test_the_sender_of_a_bad_message_gets_the_programs_own_reply(bench: Bench) -> None:
    hub = bench.hub(ours, reqrep=True)
    request = refused_request(bench, hub, *BAD_MESSAGES[0])
    hub.send_reply(b"bad")
    assert request.recv() == b"bad"


def test_a_program_that_just_receives_again_answers_a_bad_message_with_nothing(
    bench: Bench,
) -> None:
    sender, hub = bench.pair(stock, ours, reqrep=True)
    first = refused_request(bench, hub, *BAD_MESSAGES[0])
    second = refused_request(bench, hub, *BAD_MESSAGES[-1])
    (msg, _), reply = bench.exchange(
        lambda: sender.send_image("good", PICTURE), hub.recv_image, hub.send_reply
    )
    assert (msg, reply) == ("good", b"OK")
    assert first.recv() == second.recv() == b""


def test_a_reply_on_the_bare_socket_counts_too(bench: Bench) -> None:
    sender, hub = bench.pair(stock, ours, reqrep=True)
    request = refused_request(bench, hub, *BAD_MESSAGES[0])
    hub.zmq_socket.send(b"bare")
    assert request.recv() == b"bare"
    (msg, _), _ = bench.exchange(
        lambda: sender.send_image("good", PICTURE), hub.recv_image, hub.send_reply
    )
    assert msg == "good"


def test_a_reply_that_was_not_sent_is_still_an_error(bench: Bench) -> None:
    sender, hub = bench.pair(stock, ours, reqrep=True)

    def receive_twice() -> None:
        hub.recv_image()
        with pytest.raises(zmq.ZMQError, match="current state"):
            hub.recv_image()

    bench.exchange(lambda: sender.send_image("good", PICTURE), receive_twice, hub.send_reply)


def test_recv_jpg_returns_any_buffer_verbatim(bench: Bench) -> None:
    sender, hub = bench.pair(stock, ours, reqrep=True)
    (msg, jpg), _ = bench.exchange(
        lambda: sender.send_image("an array", PICTURE), hub.recv_jpg, hub.send_reply
    )
    assert (msg, jpg.bytes) == ("an array", PICTURE.tobytes())


def test_a_long_text_is_received_as_stock_does(bench: Bench) -> None:
    sender, hub = bench.pair(stock, ours, reqrep=True)
    text = "x" * 1_000_000
    (msg, _), _ = bench.exchange(lambda: sender.send_jpg(text, JPEG), hub.recv_jpg, hub.send_reply)
    assert msg == text


@pytest.mark.timeout(30)
def test_close_does_not_hang_with_a_pending_message_and_no_hub(bench: Bench) -> None:
    nobody = bench.socket(zmq.ROUTER)
    nobody.bind(LOOPBACK)
    address = address_of(nobody)
    nobody.unbind(address)
    sender = ours.ImageSender(address)
    assert sender.zmq_socket.linger == LINGER_MS
    sender.zmq_socket.linger = 50  # the default was seen; the test need not wait for it
    sender.zmq_socket.send_array(PICTURE, "rpi1", copy=False)
    closing_thread = threading.Thread(target=sender.close, daemon=True)
    closing_thread.start()
    closing_thread.join(TIMEOUT_MS / 1000)
    assert not closing_thread.is_alive()


def test_a_hub_that_falls_behind_misses_pictures_and_goes_on_with_late_ones(bench: Bench) -> None:
    sender, hub = bench.pair(ours, ours, reqrep=False)
    publish(lambda: sender.send_image(0, PICTURE), hub.zmq_socket)
    large = np.zeros((480, 640, 3), np.uint8)
    for number in range(200):
        sender.send_image(number, large)
    waiting = drain(hub)
    assert 0 < waiting < 40  # 8 on each side, what the kernel holds, and the first small ones


def test_a_program_may_let_all_pictures_wait_as_stock_does(bench: Bench) -> None:
    sender, hub = bench.pair(ours, ours, reqrep=False)
    settle(sender, hub)
    sender.zmq_socket.sndhwm = hub.zmq_socket.rcvhwm = 1000  # of connections that are there
    for number in range(200):
        sender.send_image(number, np.zeros((480, 640, 3), np.uint8))
    assert [hub.recv_image()[0] for _ in range(200)] == [*range(200)]


@PEERS
def test_pictures_of_one_moment_arrive_together(
    bench: Bench, sends: Package, receives: Package
) -> None:
    sender, hub = bench.pair(sends, receives, reqrep=False)
    settle(sender, hub)
    regions = [*range(HIGH_WATER_MARK // 2)]
    for region in regions:
        sender.send_image(region, np.zeros((480, 640, 3), np.uint8))
    assert [hub.recv_image()[0] for _ in regions] == regions


def drain(hub: Endpoint) -> int:
    """Receive all that waits, and what follows it at once; return how many that was."""
    count = 0
    while hub.zmq_socket.poll(300):
        hub.recv_image()
        count += 1
    return count


@pytest.mark.parametrize("reqrep", [True, False])
def test_an_address_that_cannot_be_used_leaks_no_socket(*, reqrep: bool) -> None:
    for endpoint in (ours.ImageHub, ours.ImageSender):
        with pytest.raises(zmq.ZMQError):
            endpoint("tcp://no address", reqrep)
    gc.collect()  # an unclosed socket warns here, and warnings are errors


@pytest.mark.parametrize(("reqrep", "kind"), [(1, zmq.REP), (0, zmq.SUB), ("True", zmq.SUB)])
@BOTH
def test_only_true_means_reqrep(bench: Bench, package: Package, reqrep: Flag, kind: int) -> None:
    address = LOOPBACK if kind == zmq.REP else "tcp://127.0.0.1:9"
    assert bench.hub(package, address, reqrep=reqrep).zmq_socket.type == kind
