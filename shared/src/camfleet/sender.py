"""The node's socket: one thread around one DEALER, which sends what its outbox allows.

It never queues: a stream has one pending frame, and a newer one replaces it.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, NamedTuple, Self

import zmq

from camfleet.backoff import Backoff
from camfleet.codec import Image, encode_jpeg
from camfleet.errors import CamfleetError
from camfleet.frame import Metadata, Stages
from camfleet.names import MAIN
from camfleet.node_link import Draft, LinkState, NodeLink
from camfleet.outbox import Outbox, Outlet
from camfleet.payload import check_jpeg
from camfleet.sockets import connect_dealer
from camfleet.wire import Counters

_NS: Final = 1_000_000_000
_POLL_MOST_S: Final = 1.0
_HIGH_WATER_MARK: Final = 128  # never reached: credits bound what is sent
_FIRST_HELLO_S: Final = 0.25
_MOST_HELLO_S: Final = 5.0


_Encode = Callable[[], tuple[bytes, tuple[int, ...]]]


class _Extras(NamedTuple):
    """What a program says beside its picture."""

    label: str
    metadata: Metadata
    captured_ns: int


class Sender:
    """Sends frames of any number of cameras to one hub.

    Connects, introduces itself and returns by itself after an interruption. No call waits
    for the network. Use it as a context manager, or call `close`.

    Args:
        address: the hub's, for example `tcp://hub:5556`.
        node: this node's name, 1 to 128 bytes of printable text.
        quality: of the JPEGs that `send` makes, 1 to 100.
        software: name and version, for the hub's list of nodes.

    Raises:
        LocalProtocolError: for a bad name or address.
    """

    def __init__(
        self, address: str, node: str, *, quality: int = 80, software: str = "camfleet"
    ) -> None:
        backoff = Backoff(_FIRST_HELLO_S, _MOST_HELLO_S, random.random)
        link = NodeLink(node, random.getrandbits(63), backoff, software)
        self._context, self._dealer = connect_dealer(address, _HIGH_WATER_MARK)
        self._quality = quality
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._outbox = Outbox(link, self._wake)
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="camfleet-sender", daemon=True)
        self._thread.start()

    def stream(self, camera: str, profile: str = MAIN) -> Outlet:
        """Declare a camera's stream and return its way out.

        Raises:
            LocalProtocolError: for a bad name, or when there would be too many.
        """
        return self._outbox.declare(f"{camera}/{profile}")

    def send(
        self,
        camera: str,
        image: Image,
        *,
        label: str = "",
        metadata: Metadata | None = None,
        captured_ns: int | None = None,
    ) -> bool:
        """Send a picture as JPEG if the hub has room for it now.

        Args:
            camera: its name; the first use declares it.
            image: (height, width, 3) BGR or (height, width) gray, uint8.
            label: a text for whoever sees the picture.
            metadata: a small map for the programs that read it.
            captured_ns: start of exposure, Unix ns on this machine's clock; now by default.

        Returns:
            False when it was dropped, because the hub holds as many as it wants or is away.

        Raises:
            ValueError: for an image that is not a picture.
            LocalProtocolError: for a bad name, or a label and metadata too large for a header.
        """
        captured_ns = captured_ns or time.time_ns()
        extras = _Extras(label, metadata or {}, captured_ns)
        return self._send(camera, lambda: (encode_jpeg(image, self._quality), image.shape), extras)

    def send_jpeg(
        self,
        camera: str,
        jpeg: bytes,
        *,
        label: str = "",
        metadata: Metadata | None = None,
        captured_ns: int | None = None,
    ) -> bool:
        """Send a picture that is a JPEG already; otherwise like `send`.

        Raises:
            RemoteProtocolError: with reason `not_jpeg` when it is none.
        """
        captured_ns = captured_ns or time.time_ns()
        extras = _Extras(label, metadata or {}, captured_ns)
        return self._send(camera, lambda: (jpeg, (*check_jpeg(jpeg), 3)), extras)

    def wait_online(self, timeout_s: float) -> bool:
        """Wait until the hub has welcomed this node; False after the timeout."""
        return self._outbox.wait_online(timeout_s)

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        return self._outbox.state

    @property
    def is_alive(self) -> bool:
        """Whether the thread that sends is running: not after `close`, nor after a bug in it."""
        return self._thread.is_alive()

    @property
    def refusal(self) -> str:
        """What the hub said when it last refused this node."""
        return self._outbox.refusal

    def counters(self) -> tuple[Counters, ...]:
        """What was captured, sent and dropped on each stream in this session."""
        return self._outbox.counters()

    def close(self) -> None:
        """Say goodbye and stop, within a second whatever the network does."""
        if self._is_closing:
            return
        self._is_closing = True
        self._outbox.close()
        self._wake()
        self._thread.join()
        self._context.term()
        self._waker.close()
        self._woken.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, camera: str, encode: _Encode, extras: _Extras) -> bool:
        outlet = self.stream(camera)
        sequence = outlet.capture()
        if not outlet.wait_credit(0):
            outlet.drop("no_credit")
            return False
        try:
            payload, shape = encode()
            outlet.send(_draft(sequence, payload, shape, extras))
        except (ValueError, CamfleetError):
            outlet.drop("invalid")
            raise
        return True

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # then it is awake already, or closed
            self._waker.send(b"\0")

    # From here on only the sender's own thread, which alone touches the socket.

    def _run(self) -> None:
        with self._dealer:
            while not self._is_closing:
                self._write()
                self._await()
                self._read()
            self._transmit(self._outbox.bye(), b"")

    def _is_connected(self) -> bool:
        return bool(int(self._dealer.get(zmq.EVENTS)) & zmq.POLLOUT)

    def _write(self) -> None:
        self._outbox.notice_silence(time.monotonic_ns())
        if self._is_connected():
            for header, payload in self._outbox.take(time.time_ns(), time.monotonic_ns()):
                self._transmit(header, payload)

    def _await(self) -> None:
        """Sleep until there is something to read, to send, or a connection to send it on."""
        poller = zmq.Poller()
        poller.register(self._woken, zmq.POLLIN)
        wait_s = _POLL_MOST_S
        if self._is_connected():
            poller.register(self._dealer, zmq.POLLIN)
            wait_s = min(wait_s, (self._outbox.due_ns() - time.monotonic_ns()) / _NS)
        else:
            poller.register(self._dealer, zmq.POLLIN | zmq.POLLOUT)
        if self._woken.fileno() in dict(poller.poll(max(0, int(wait_s * 1000) + 1))):
            self._woken.recv(4096)

    def _read(self) -> None:
        headers = []
        with contextlib.suppress(zmq.Again):
            while True:
                parts = self._dealer.recv_multipart(zmq.NOBLOCK)
                headers.append(parts[0])
        if headers:
            self._outbox.receive(headers, time.time_ns(), time.monotonic_ns())

    def _transmit(self, header: bytes, payload: bytes | memoryview) -> None:
        # Again: the connection broke just now; what was sent on it is counted as lost.
        with contextlib.suppress(zmq.Again):
            self._dealer.send_multipart((header, payload), zmq.NOBLOCK, copy=False)


def _draft(sequence: int, jpeg: bytes, shape: tuple[int, ...], extras: _Extras) -> Draft:
    ready_ns = time.time_ns()
    return Draft(
        sequence=sequence,
        captured_ns=extras.captured_ns,
        ready_ns=ready_ns,
        payload=jpeg,
        codec="jpeg",
        shape=shape,
        stages=Stages(encode_ns=ready_ns - extras.captured_ns),
        label=extras.label,
        metadata=dict(extras.metadata),  # its own: the program may change its map meanwhile
    )
