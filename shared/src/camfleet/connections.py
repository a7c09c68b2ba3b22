"""How many connections a listening socket has; those above a bound are shut down at once.

libzmq has no bound of its own. It says whom it accepted, so a connection lives for a moment.
"""

from __future__ import annotations

import contextlib
import struct
from typing import Final
from urllib.parse import urlsplit

import zmq

from camfleet.closing import Closing
from camfleet.gate import cut

MAX_CONNECTIONS: Final = 2_048
_EVENT: Final = struct.Struct("=Hi")
_MOST_EVENTS: Final = 1_024  # of one look, a few milliseconds' worth
FAILED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)
_WATCHED: Final = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED | FAILED


class Connections(Closing):
    """Watches a ROUTER's connections. Used by the socket's own thread, and closed before it.

    Args:
        router: bound, with nobody connected yet.
        address: as bound, for example `tcp://127.0.0.1:5556`.
        most: how many may be there at once; between two looks there may be more.

    Attributes:
        turned_away: connections above the bound.
        failed: handshakes that ended without success, for whatever reason.
    """

    def __init__(
        self, router: zmq.Socket[bytes], address: str, most: int = MAX_CONNECTIONS
    ) -> None:
        self._router = router
        self._most = most
        self._port = urlsplit(address).port or 0
        self._count = 0
        self.turned_away = 0
        self.failed = 0
        self._monitor = watch(router, _WATCHED)

    def __len__(self) -> int:
        return max(0, self._count)

    def look(self) -> None:
        """Take what happened since the last look; never waits."""
        with contextlib.suppress(zmq.Again):
            for _ in range(_MOST_EVENTS):
                event, value = next_event(self._monitor)
                # Of two I/O threads one may tell the end before the other tells the beginning,
                # so that it is counted, and not remembered by descriptor.
                if event == zmq.EVENT_ACCEPTED:
                    self._count += 1
                    if self._count > self._most:
                        self.turned_away += 1
                        cut(value, self._port)
                elif event == zmq.EVENT_DISCONNECTED:
                    self._count -= 1
                else:
                    self.failed += 1

    def close(self) -> None:
        """Watch no more; the context could not end otherwise."""
        unwatch(self._router, self._monitor)


def watch(watched: zmq.Socket[bytes], events: int) -> zmq.Socket[bytes]:
    """Return a PAIR that tells a socket's events.

    It has no high-water mark: libzmq waits for ever where nobody reads its events, so the
    bound is that its owner looks ten times a second.
    """
    address = f"inproc://events-of-{id(watched):x}"
    watched.monitor(address, events)
    monitor: zmq.Socket[bytes] = watched.context.socket(zmq.PAIR)
    monitor.setsockopt(zmq.LINGER, 0)
    monitor.setsockopt(zmq.RCVHWM, 0)
    monitor.connect(address)
    return monitor


def next_event(monitor: zmq.Socket[bytes]) -> tuple[int, int]:
    """Return the next event and its value: a descriptor, an error number or a status.

    Raises:
        zmq.Again: when there is none.
    """
    described, _ = monitor.recv_multipart(zmq.NOBLOCK)
    event, value = _EVENT.unpack(described)
    return event, value


def unwatch(watched: zmq.Socket[bytes], monitor: zmq.Socket[bytes]) -> None:
    """End what `watch` began, before the socket itself is closed."""
    watched.monitor(None, 0)
    monitor.close()
