"""Both ends of imagezmq's PUB/SUB, with the bounds that every socket of the hub has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import zmq

from camfleet.errors import LocalProtocolError
from camfleet.payload import MAX_PAYLOAD_BYTES
from camfleet.sockets import Context, Socket

# libzmq looks a host's name up on the thread that serves its connection, so a name server that
# does not answer stops that thread: publishers have one each, up to so many.
_MOST_IO_THREADS: Final = 16
_MOST_TOPIC_BYTES: Final = 1024  # a listener sends nothing but its topics
# Messages between a publisher's connection and the thread that reads it. They are read as fast
# as they come and the older ones passed over, so it need only hold what comes in one round.
_RECEIVE_HIGH_WATER_MARK: Final = 16
# Messages that wait for one listener before what the kernel holds. One would do for one stream;
# streams of one moment follow each other faster than libzmq's thread takes them.
_SEND_HIGH_WATER_MARK: Final = 2
# What the kernel holds for one listener, where it would grow to megabytes by itself: doubled by
# Linux, one to four pictures as JPEG, and 100 MB/s on a network of 1 ms.
_SEND_BUFFER_BYTES: Final = 64 * 1024
# As between hub and nodes: a peer that was unplugged is noticed, and one that is not there yet
# is asked for again within a second. Peers before libzmq 4.2 ignore the ping and are cut off.
_OPTIONS: Final = {
    zmq.LINGER: 0,  # a picture that was not sent is old
    zmq.HEARTBEAT_IVL: 1_000,
    zmq.HEARTBEAT_TIMEOUT: 5_000,
    zmq.HEARTBEAT_TTL: 5_000,
    zmq.CONNECT_TIMEOUT: 5_000,
    zmq.RECONNECT_IVL: 100,
    zmq.RECONNECT_IVL_MAX: 1_000,
}


def check_address(address: str) -> str:
    """Return an address when a socket can be connected to it.

    Raises:
        ValueError: when it is not `tcp://HOST:PORT`.
    """
    try:
        parts = urlsplit(address)
        is_one = bool(parts.hostname and parts.port) and address == f"tcp://{parts.netloc}"
    except ValueError:  # a port that is no number, or above 65535; a bracket too few
        is_one = False
    if not is_one or any(bad in address for bad in "@*; ") or not address.isprintable():
        raise ValueError(f"{address!r} is no address of a publisher, want tcp://HOST:PORT")
    return address


def subscribe(addresses: Sequence[str]) -> tuple[Context, Socket]:
    """Connect a SUB for all topics to several publishers; they need not be there yet.

    Raises:
        LocalProtocolError: when one is no address.
    """
    threads = max(1, min(len(addresses), _MOST_IO_THREADS))
    context, socket = _open(zmq.SUB, threads)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_PAYLOAD_BYTES)
    socket.setsockopt(zmq.RCVHWM, _RECEIVE_HIGH_WATER_MARK)
    socket.subscribe(b"")
    for number, address in enumerate(addresses):
        socket.setsockopt(zmq.AFFINITY, 1 << number % threads)
        socket.setsockopt(zmq.IPV6, "[" in address)
        try:
            socket.connect(address)
        except zmq.ZMQError as error:
            socket.close()
            context.term()
            raise LocalProtocolError(f"address is {address!r}, want tcp://HOST:PORT") from error
    return context, socket


def publish(address: str) -> tuple[Context, Socket]:
    """Bind an XPUB, which tells of the first listener and of the last.

    Raises:
        LocalProtocolError: when the address cannot be bound.
    """
    context, socket = _open(zmq.XPUB, 1)
    socket.setsockopt(zmq.MAXMSGSIZE, _MOST_TOPIC_BYTES)
    socket.setsockopt(zmq.SNDHWM, _SEND_HIGH_WATER_MARK)
    socket.setsockopt(zmq.SNDBUF, _SEND_BUFFER_BYTES)
    socket.setsockopt(zmq.IPV6, "[" in address)
    try:
        socket.bind(address)
    except zmq.ZMQError as error:
        socket.close()
        context.term()
        raise LocalProtocolError(
            f"cannot bind {address!r}: {error.strerror}; want a free tcp://ADDRESS:PORT"
        ) from error
    return context, socket


def _open(kind: int, threads: int) -> tuple[Context, Socket]:
    context = zmq.Context(threads)
    socket = context.socket(kind)
    for option, value in _OPTIONS.items():
        socket.setsockopt(option, value)
    return context, socket
