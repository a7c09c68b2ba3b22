"""The hub's socket for nodes: one thread around one ROUTER, which touches a frame for microseconds.

It never decodes a picture, and nobody who takes its frames can hold it up.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

import zmq

from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import Frame
from camfleet.hub_link import WINDOW, Event, HubLink
from camfleet.mailbox import Mailbox
from camfleet.sockets import guard

_POLL_MS: Final = 100  # how soon it notices that it is to stop
_BURST: Final = 64  # messages taken before their credits go out
_HIGH_WATER_MARK: Final = 256  # messages per node; credits keep it far lower
_LINGER_MS: Final = 100
_EXPIRE_NS: Final = 500_000_000

OnEvent = Callable[[Event], None]
OnReject = Callable[[str, RemoteProtocolError], None]


class Receiver:
    """Receives the frames of any number of nodes.

    Iterate it for the newest frame of each stream, or pass `on_event` to be called for every
    one. Use it as a context manager, or call `close`.

    Args:
        address: where to bind, for example `tcp://*:5556`; port 0 takes any free one.
        on_event: called on the receiver's thread with every frame, joined, reported and
            left node; it must return within microseconds and must not raise.
        on_reject: called on the same thread with a node's name (empty for a stranger) and
            what was wrong with its message.
        window: frames of one stream that may be in flight.

    Raises:
        LocalProtocolError: when the address cannot be bound.
    """

    def __init__(
        self,
        address: str,
        *,
        on_event: OnEvent | None = None,
        on_reject: OnReject | None = None,
        window: int = WINDOW,
    ) -> None:
        self._mailbox: Mailbox[Frame] = Mailbox()
        self._on_event = on_event or self._keep_newest
        self._on_reject = on_reject or _forget
        self._link = HubLink(random.getrandbits(63), window)
        self._context, self._router = _bind(address)
        self.address = self._router.get_string(zmq.LAST_ENDPOINT)
        self.alive_ns = time.monotonic_ns()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="camfleet-receiver", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames, of each stream only the newest, until the receiver is closed."""
        while not self._mailbox.is_closed:
            frame = self._mailbox.take(1.0)
            if frame is not None:
                yield frame

    def close(self) -> None:
        """Stop and let the address go."""
        if self._is_closing:
            return
        self._is_closing = True
        self._thread.join()
        self._context.term()
        self._mailbox.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _keep_newest(self, event: Event) -> None:
        if isinstance(event, Frame):
            self._mailbox.put(event, f"{event.node}/{event.header.stream}")

    # From here on only the receiver's own thread, which alone touches the socket.

    def _run(self) -> None:
        with self._router:
            expired_ns = time.monotonic_ns()
            while not self._is_closing:
                self._take_burst()
                self._answer()
                self.alive_ns = time.monotonic_ns()
                if self.alive_ns - expired_ns > _EXPIRE_NS:
                    expired_ns = self.alive_ns
                    for left in self._link.expire(self.alive_ns):
                        self._on_event(left)

    def _take_burst(self) -> None:
        """Wait for a message, then take what else is there before the credits go out."""
        flags = 0
        with contextlib.suppress(zmq.Again):
            for _ in range(_BURST):
                identity = self._router.recv(flags)
                self._take(identity, self._rest())
                flags = zmq.NOBLOCK

    def _rest(self) -> list[zmq.Frame]:
        """The parts behind an identity. A message is all there as soon as its first part is."""
        parts = [self._router.recv(copy=False)]
        while parts[-1].more:
            parts.append(self._router.recv(copy=False))
        return parts

    def _take(self, identity: bytes, parts: list[zmq.Frame]) -> None:
        try:
            header, payload = _header_and_payload(parts)
            now_ns = time.time_ns(), time.monotonic_ns()
            event = self._link.receive(identity, header.bytes, payload.buffer, *now_ns)
        except RemoteProtocolError as error:
            self._on_reject(self._link.rejecting(identity), error)
        else:
            if event is not None:
                self._on_event(event)

    def _answer(self) -> None:
        for identity, header in self._link.drain():
            # Again: the peer does not read; grants are absolute, so its next one says it all.
            with contextlib.suppress(zmq.Again):
                self._router.send_multipart((identity, header, b""), zmq.NOBLOCK)


def _header_and_payload(parts: list[zmq.Frame]) -> tuple[zmq.Frame, zmq.Frame]:
    if len(parts) != 2:
        raise RemoteProtocolError(
            Reason.PARTS, f"message has {len(parts)} parts, want header and payload"
        )
    return parts[0], parts[1]


def _forget(_node: str, _error: RemoteProtocolError) -> None:
    """Drop what was rejected: a small program has nobody to tell."""


def _bind(address: str) -> tuple[zmq.Context[zmq.Socket[bytes]], zmq.Socket[bytes]]:
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    guard(router, _HIGH_WATER_MARK)
    router.setsockopt(zmq.LINGER, _LINGER_MS)
    router.setsockopt(zmq.RCVTIMEO, _POLL_MS)
    try:
        router.bind(address)
    except zmq.ZMQError as error:
        router.close()
        context.term()
        raise LocalProtocolError(
            f"cannot bind {address!r}: {error.strerror}; want a free tcp://ADDRESS:PORT"
        ) from error
    return context, router
