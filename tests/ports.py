"""Ports for programs that the tests start."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def held_ports(count: int) -> Iterator[list[int]]:
    """Ports that a program which is told of them may listen on, and that nobody else is given.

    Each is bound to a socket that never listens. With SO_REUSEADDR on both (socket(7)), as
    servers and ZeroMQ set it, another one may listen there, and again after it has ended;
    meanwhile the kernel chooses it neither for a port 0 nor for a connection that goes out.
    """
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", 0))
        yield [one.getsockname()[1] for one in sockets]
