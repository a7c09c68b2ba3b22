"""What a sender and a hub share: one context, one socket, one end. Never waits for ever to close.

ZeroMQ sockets belong to the thread that made them; this holds for every endpoint.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

import zmq

from camfleet.imagezmq.serializing import SerializingContext, SerializingSocket

if TYPE_CHECKING:
    from types import TracebackType

# How long close() waits for messages that are still on their way, where stock waits for ever:
# a raw 1080p picture needs 2 s at 25 Mbit/s. `zmq_socket.linger` changes it.
LINGER_MS: Final = 2000
# Messages that may wait on each side of a PUB/SUB connection, where stock has 1000: a hub that
# takes 10 of 30 pictures a second was 14 s behind after 20 s, with 400 MB in its queue, and went
# on falling behind. Publishing promises nobody every picture. It must not be as low as one or
# two, though: what a sender publishes in one moment (several cameras, several regions of a
# picture) is to arrive together; ZeroMQ learns in batches of half of it that there is room, so
# half of it is sure to be free.
HIGH_WATER_MARK: Final = 8
# And what the kernel may hold there, where it would grow to megabytes by itself: a hundred JPEGs.
# Linux doubles it, which is enough for 100 MB/s on a network of 2 ms.
_BUFFER_BYTES: Final = 128 * 1024
_PUBSUB_OPTIONS: Final[dict[int, dict[int, int]]] = {
    zmq.PUB: {zmq.SNDHWM: HIGH_WATER_MARK, zmq.SNDBUF: _BUFFER_BYTES},
    zmq.SUB: {zmq.RCVHWM: HIGH_WATER_MARK, zmq.RCVBUF: _BUFFER_BYTES},
}


class Endpoint:
    """The owner of a socket and its context; close it, or use it in a `with` statement.

    Attributes:
        zmq_context: the context, made for this endpoint alone.
        zmq_socket: the socket, for setting ZeroMQ's own options.
    """

    zmq_context: SerializingContext
    zmq_socket: SerializingSocket

    def close(self) -> None:
        """Close the socket and its context; what is not sent within 2 s is dropped."""
        self.zmq_socket.close()
        self.zmq_context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, kind: int, address: str, *, binds: bool) -> None:
        self.zmq_context = SerializingContext()
        self.zmq_socket = self._make_socket(kind)
        with ExitStack() as undo:  # an address in use or misspelt must not leak the socket
            undo.callback(self.close)
            self.zmq_socket.linger = LINGER_MS
            for option, value in _PUBSUB_OPTIONS.get(kind, {}).items():
                self.zmq_socket.setsockopt(option, value)
            if kind == zmq.SUB:
                self.zmq_socket.subscribe(b"")
            attach = self.zmq_socket.bind if binds else self.zmq_socket.connect
            attach(address)
            undo.pop_all()

    def _make_socket(self, kind: int) -> SerializingSocket:
        return self.zmq_context.socket(kind)
