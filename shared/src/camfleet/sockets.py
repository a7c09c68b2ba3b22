"""Sockets with the bounds that every one of ours has. Never used by more than one thread."""

from __future__ import annotations

import ctypes
import secrets
from typing import Any, Final

import zmq

from camfleet.errors import LocalProtocolError
from camfleet.gate import Gate
from camfleet.keys import Bundle
from camfleet.payload import MAX_PAYLOAD_BYTES
from camfleet.wire import MAX_HEADER_BYTES

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]

POLL_MS: Final = 100  # how soon a thread that waits for messages notices that it is to stop
_LINGER_MS: Final = 200  # long enough for a goodbye, short enough to stop within a second
_PING_MS: Final = 1_000
# An answer waits behind a frame that is under way, and one of 1 MB takes ten seconds on a bad
# link. Who is gone is noticed sooner, by our own heartbeats.
_DEAD_AFTER_MS: Final = 30_000
_RECONNECT_MS: Final = 100
_RECONNECT_MOST_MS: Final = 1_000
_CONNECT_MS: Final = 3_000  # the kernel's own attempts grow apart, to a minute and more
_HANDSHAKE_MS: Final = 5_000
_BACKLOG: Final = 1_024  # a whole fleet that comes back at once after a restart


def bind_router(
    address: str, high_water_mark: int, gate: Gate | None = None, io_threads: int = 1
) -> tuple[Context, Socket]:
    """Bind a ROUTER whose receive waits for at most `POLL_MS`.

    Args:
        address: where to bind.
        high_water_mark: messages that may wait per peer.
        gate: decides who may come in, and is closed by who closes the socket, after it and
            before the context; without one everybody may, unencrypted.
        io_threads: libzmq's own, over which connections and their encryption are spread.

    Raises:
        LocalProtocolError: when the address cannot be bound; the gate is closed then.
    """
    context = zmq.Context(io_threads)
    _shuffle_identities()
    router = context.socket(zmq.ROUTER)
    _guard(router, high_water_mark)
    router.setsockopt(zmq.BACKLOG, _BACKLOG)
    router.setsockopt(zmq.RCVTIMEO, POLL_MS)
    router.setsockopt(zmq.IPV6, _is_ipv6(address))
    if gate is not None:
        gate.guard(context, router)
    try:
        router.bind(address)
    except zmq.ZMQError as error:
        router.close()
        if gate is not None:
            gate.close()
        context.term()
        raise LocalProtocolError(
            f"cannot bind {address!r}: {error.strerror}; want a free tcp://ADDRESS:PORT"
        ) from error
    return context, router


def receive_parts(socket: Socket, most: int, flags: int = 0) -> list[zmq.Frame]:
    """Receive what is left of a message, of which so many parts are kept.

    It is all there as soon as its first part is, and libzmq bounds the size of a part, not their
    number.

    Raises:
        zmq.Again: when there is nothing, as with any receive.
    """
    part = socket.recv(flags, copy=False)
    parts = [part]
    while part.more:
        part = socket.recv(copy=False)
        if len(parts) < most:
            parts.append(part)
    return parts


def open_dealer(
    address: str,
    high_water_mark: int,
    bundle: Bundle | None = None,
    context: Context | None = None,
) -> tuple[Context, Socket]:
    """Open a DEALER that queues nothing while there is no connection; it is not connected yet.

    Args:
        address: that it will be connected to.
        high_water_mark: messages that may wait.
        bundle: the keys; without them everything is sent unencrypted.
        context: one that many share; by default one of its own.
    """
    context = context or zmq.Context()
    dealer = context.socket(zmq.DEALER)
    _guard(dealer, high_water_mark)
    dealer.setsockopt(zmq.IPV6, _is_ipv6(address))
    dealer.setsockopt(zmq.CONNECT_TIMEOUT, _CONNECT_MS)
    dealer.setsockopt(zmq.IMMEDIATE, 1)  # what queued meanwhile would be old by then
    if bundle is not None:
        dealer.setsockopt_string(zmq.CURVE_SERVERKEY, bundle.hub_key)
        dealer.setsockopt_string(zmq.CURVE_PUBLICKEY, bundle.keys.public)
        dealer.setsockopt_string(zmq.CURVE_SECRETKEY, bundle.keys.secret)
    return context, dealer


def _shuffle_identities() -> None:
    """Let a ROUTER count its peers from a number that nobody can guess.

    libzmq takes it from the C library's `rand`, which begins the same in every process, and ends
    the process when a peer chose the very identity that is counted to next (seen in 4.3.5).
    """
    ctypes.CDLL(None).srand(secrets.randbits(32))


def _is_ipv6(address: str) -> bool:
    return "[" in address


def _guard(socket: zmq.Socket[Any], high_water_mark: int) -> None:
    """Bound what a peer may send and queue, and let libzmq notice a dead connection."""
    socket.setsockopt(zmq.LINGER, _LINGER_MS)
    socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_PAYLOAD_BYTES + MAX_HEADER_BYTES)
    socket.setsockopt(zmq.RCVHWM, high_water_mark)
    socket.setsockopt(zmq.SNDHWM, high_water_mark)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _PING_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _DEAD_AFTER_MS)
    socket.setsockopt(zmq.HEARTBEAT_TTL, _DEAD_AFTER_MS)
    socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MOST_MS)
