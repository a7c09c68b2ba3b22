"""Sockets with the bounds that every one of ours has. Never used by more than one thread."""

from __future__ import annotations

from typing import Any, Final

import zmq

from camfleet.errors import LocalProtocolError
from camfleet.payload import MAX_PAYLOAD_BYTES
from camfleet.wire import MAX_HEADER_BYTES

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]

POLL_MS: Final = 100  # how soon a thread that waits for messages notices that it is to stop
_LINGER_MS: Final = 200  # long enough for a goodbye, short enough to stop within a second
_PING_MS: Final = 1_000
_DEAD_AFTER_MS: Final = 5_000
_RECONNECT_MS: Final = 100
_RECONNECT_MOST_MS: Final = 1_000


def bind_router(address: str, high_water_mark: int) -> tuple[Context, Socket]:
    """Bind a ROUTER whose receive waits for at most `POLL_MS`.

    Raises:
        LocalProtocolError: when the address cannot be bound.
    """
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    _guard(router, high_water_mark)
    router.setsockopt(zmq.RCVTIMEO, POLL_MS)
    router.setsockopt(zmq.IPV6, _is_ipv6(address))
    try:
        router.bind(address)
    except zmq.ZMQError as error:
        router.close()
        context.term()
        raise LocalProtocolError(
            f"cannot bind {address!r}: {error.strerror}; want a free tcp://ADDRESS:PORT"
        ) from error
    return context, router


def connect_dealer(address: str, high_water_mark: int) -> tuple[Context, Socket]:
    """Connect a DEALER that queues nothing while there is no connection.

    Raises:
        LocalProtocolError: when that is no address.
    """
    context = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    _guard(dealer, high_water_mark)
    dealer.setsockopt(zmq.IPV6, _is_ipv6(address))
    dealer.setsockopt(zmq.IMMEDIATE, 1)  # what queued meanwhile would be old by then
    try:
        dealer.connect(address)
    except zmq.ZMQError as error:
        dealer.close()
        context.term()
        raise LocalProtocolError(f"address is {address!r}, want tcp://HOST:PORT") from error
    return context, dealer


def _is_ipv6(address: str) -> bool:
    return "[" in address


def _guard(socket: zmq.Socket[Any], high_water_mark: int) -> None:
    """Bound what a peer may send and queue, and let libzmq notice a dead connection.

    Keys and the allow-list of a CURVE link (ZeroMQ RFC 26) will be set here too.
    """
    socket.setsockopt(zmq.LINGER, _LINGER_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_PAYLOAD_BYTES + MAX_HEADER_BYTES)
    socket.setsockopt(zmq.RCVHWM, high_water_mark)
    socket.setsockopt(zmq.SNDHWM, high_water_mark)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _PING_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _DEAD_AFTER_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, _DEAD_AFTER_MS)
    socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MOST_MS)
