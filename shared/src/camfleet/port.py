"""A port of the hub: one thread around one ROUTER. It waits for no peer and queues for none."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Final

import zmq

from camfleet.closing import Closing
from camfleet.connections import Connections
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.gate import Gate, cut
from camfleet.sockets import bind_router, receive_parts
from camfleet.thread_time import busy_s
from camfleet.waker import Waker
from camfleet.wire import MAX_HEADER_BYTES

_BURST: Final = 64  # messages taken before the answers go out
_MOST_PARTS: Final = 8  # kept of one message; none of ours has more than three
_LOOK_NS: Final = 20_000_000  # between two looks at who connects
# As plain numbers, which spares each call the making of one out of an enumeration.
_NOBLOCK: Final = int(zmq.NOBLOCK)
_MORE: Final = int(zmq.SNDMORE | zmq.NOBLOCK)


class Port(Closing):
    """Takes messages in bursts until it is closed. What they mean is its subclass's affair.

    Args:
        address: where to bind, for example `tcp://*:5556`; port 0 takes any free one.
        high_water_mark: messages that may wait per peer.
        gate: decides whose connections are taken; without one everybody's are, unencrypted.
        io_threads: libzmq's own, over which connections and their encryption are spread.

    Attributes:
        address: as bound.
        connections: how many there are, and how many were turned away.
        alive_ns: monotonic time of the thread's last round, ten a second or more.

    Raises:
        LocalProtocolError: when the address cannot be bound.
    """

    def __init__(
        self,
        address: str,
        high_water_mark: int,
        gate: Gate | None = None,
        *,
        io_threads: int = 1,
    ) -> None:
        self._gate = gate
        self._context, self._router = bind_router(address, high_water_mark, gate, io_threads)
        self.address = self._router.get_string(zmq.LAST_ENDPOINT)
        self._port = int(self.address.rpartition(":")[2])
        self._descriptors: dict[str, int] = {}
        try:
            self.connections = Connections(self._router, self.address)
            self._waker = Waker(self._context, self._router)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            if gate is not None:
                gate.close()
            raise LocalProtocolError(f"cannot watch {address!r}: {error.strerror}") from error
        self.alive_ns = time.monotonic_ns()
        self._is_closing = False
        self._posted: deque[Callable[[], None]] = deque()
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._thread.start()

    @abstractmethod
    def take(self, identity: bytes, parts: list[zmq.Frame]) -> None:
        """Take one message, on the port's thread; its parts follow the peer's identity."""

    def after_burst(self) -> None:
        """Answer what was taken, on the port's thread; called ten times a second or more."""

    @property
    def is_alive(self) -> bool:
        """Whether its threads are running: not after `close`, nor after a bug in one."""
        return self._thread.is_alive() and (self._gate is None or self._gate.is_alive)

    @property
    def busy_s(self) -> float:
        """Seconds of a processor that the port's thread has used."""
        return busy_s(self._thread)

    def send(self, identity: bytes, *parts: bytes) -> None:
        """Send to a peer, on the port's thread; a peer that does not read loses it."""
        send = self._router.send
        with contextlib.suppress(zmq.Again):
            send(identity, _MORE)
            for part in parts[:-1]:
                send(part, _MORE)
            send(parts[-1], _NOBLOCK)

    @property
    def refused(self) -> int:
        """Handshakes that ended because the key was not enrolled."""
        return self._gate.refused if self._gate is not None else 0

    def caller(self, part: zmq.Frame) -> str | None:
        """The name that the key behind a message stands for; None where there are no keys.

        A connection whose key is gone is ended.

        It is asked of every message, because a peer may choose the identity of its connection, and
        because a key may have been revoked a moment ago.

        Raises:
            RemoteProtocolError: with reason `key` when it is not enrolled any more.
        """
        if self._gate is None:
            return None
        name = self._gate.name(str(part.get("User-Id")))
        if name is None:
            cut(int(part.get(zmq.SRCFD)), self._port)
            raise RemoteProtocolError(Reason.KEY, "its key is not enrolled any more")
        return name

    def note(self, name: str, part: zmq.Frame) -> None:
        """Remember by which connection a peer came, so that it can be shut."""
        self._descriptors[name] = part.get(zmq.SRCFD)

    def forget(self, name: str) -> None:
        """Remember a peer's connection no more: it left, and its descriptor may be another's."""
        self._descriptors.pop(name, None)

    def shut(self, name: str) -> None:
        """End a peer's connection; on the port's thread."""
        descriptor = self._descriptors.pop(name, None)
        if descriptor is not None:
            cut(descriptor, self._port)

    def wake(self) -> None:
        """Let the port's thread go round once, from any thread; it costs next to nothing."""
        self._waker.wake()

    def post(self, action: Callable[[], None]) -> None:
        """Run something on the port's thread, soon; from any thread."""
        self._posted.append(action)
        self._waker.wake()

    def close(self) -> None:
        """Stop, and let the address go."""
        if not self._is_closing:
            if threading.current_thread() is self._thread:
                raise LocalProtocolError("closed by its own thread, want another one")
            self._is_closing = True
            self._waker.wake()
            self._thread.join()
            self._waker.close()
            if self._gate is not None:
                self._gate.close()
            self._context.term()

    def _run(self) -> None:
        with self._router, self.connections:
            looked_ns = 0
            while not self._is_closing:
                self._take_burst()
                while self._posted:
                    self._posted.popleft()()
                self.after_burst()
                self.alive_ns = time.monotonic_ns()
                if self.alive_ns - looked_ns > _LOOK_NS:
                    looked_ns = self.alive_ns
                    self.connections.look()

    def _take_burst(self) -> None:
        """Wait for a message, then take what else is there."""
        flags = 0
        with contextlib.suppress(zmq.Again):
            for _ in range(_BURST):
                identity = self._router.recv(flags)
                parts = receive_parts(self._router, _MOST_PARTS)
                if identity == self._waker.identity:
                    self._waker.heard()
                    break
                self.take(identity, parts)
                flags = _NOBLOCK


def header_and_payload(parts: list[zmq.Frame]) -> tuple[zmq.Frame, zmq.Frame]:
    """Split one of our messages into its two parts.

    Raises:
        RemoteProtocolError: with reason `parts` or `header_size`.
    """
    if len(parts) != 2:
        # A REQ socket's delimiter comes first (ZeroMQ RFC 28), and imagezmq's senders are those.
        hint = "" if len(parts[0]) else "; an imagezmq sender belongs on the port for imagezmq"
        raise RemoteProtocolError(
            Reason.PARTS, f"parts are {len(parts)}, want 2, header and payload{hint}"
        )
    size = len(parts[0])
    if size > MAX_HEADER_BYTES:  # before it is copied
        raise RemoteProtocolError(
            Reason.HEADER_SIZE, f"header is {size} bytes, want 4 to {MAX_HEADER_BYTES}"
        )
    return parts[0], parts[1]
