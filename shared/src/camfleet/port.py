"""A port of the hub: one thread around one ROUTER. It waits for no peer and queues for none."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Final, Self

import zmq

from camfleet.sockets import bind_router

_BURST: Final = 64  # messages taken before the answers go out
_MOST_PARTS: Final = 8  # kept of one message; none of ours has more than three


class Port(ABC):
    """Takes messages in bursts until it is closed. What they mean is its subclass's affair.

    Args:
        address: where to bind, for example `tcp://*:5556`; port 0 takes any free one.
        high_water_mark: messages that may wait per peer.

    Attributes:
        address: as bound.
        alive_ns: monotonic time of the thread's last round, ten a second or more.

    Raises:
        LocalProtocolError: when the address cannot be bound.
    """

    def __init__(self, address: str, high_water_mark: int) -> None:
        self._context, self._router = bind_router(address, high_water_mark)
        self.address = self._router.get_string(zmq.LAST_ENDPOINT)
        self.alive_ns = time.monotonic_ns()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._thread.start()

    @abstractmethod
    def take(self, identity: bytes, parts: list[zmq.Frame]) -> None:
        """Take one message, on the port's thread; its parts follow the peer's identity."""

    def after_burst(self) -> None:  # noqa: B027 - a port may answer each message at once
        """Answer what was taken, on the port's thread; called ten times a second or more."""

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running: not after `close`, nor after a bug in it."""
        return self._thread.is_alive()

    def send(self, identity: bytes, *parts: bytes) -> None:
        """Send to a peer, on the port's thread; a peer that does not read loses it."""
        with contextlib.suppress(zmq.Again):
            self._router.send_multipart((identity, *parts), zmq.NOBLOCK)

    def close(self) -> None:
        """Stop, and let the address go."""
        if not self._is_closing:
            self._is_closing = True
            self._thread.join()
            self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        with self._router:
            while not self._is_closing:
                self._take_burst()
                self.after_burst()
                self.alive_ns = time.monotonic_ns()

    def _take_burst(self) -> None:
        """Wait for a message, then take what else is there."""
        flags = 0
        with contextlib.suppress(zmq.Again):
            for _ in range(_BURST):
                identity = self._router.recv(flags)
                self.take(identity, self._rest())
                flags = zmq.NOBLOCK

    def _rest(self) -> list[zmq.Frame]:
        """The parts behind an identity. A message is all there as soon as its first part is."""
        part = self._router.recv(copy=False)
        parts = [part]
        while part.more:
            part = self._router.recv(copy=False)
            if len(parts) < _MOST_PARTS:  # libzmq bounds the size of a part, not their number
                parts.append(part)
        return parts
