"""The options that every socket of a link is given: bounds and dead peers. Opens nothing itself."""

from __future__ import annotations

from typing import Any, Final

import zmq

from camfleet.frame import MAX_PAYLOAD_BYTES
from camfleet.wire import MAX_HEADER_BYTES

_PING_MS: Final = 1_000
_DEAD_AFTER_MS: Final = 5_000
_RECONNECT_MS: Final = 100
_RECONNECT_MOST_MS: Final = 2_000


def guard(socket: zmq.Socket[Any], high_water_mark: int) -> None:
    """Bound what a peer may send and queue, and let libzmq notice a dead connection.

    Keys and the allow-list of a CURVE link (ZeroMQ RFC 26) will be set here too.
    """
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_PAYLOAD_BYTES + MAX_HEADER_BYTES)
    socket.setsockopt(zmq.RCVHWM, high_water_mark)
    socket.setsockopt(zmq.SNDHWM, high_water_mark)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _PING_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _DEAD_AFTER_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, _DEAD_AFTER_MS)
    socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MOST_MS)
