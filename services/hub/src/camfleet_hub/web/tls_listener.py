"""Takes connections for TLS, and tells who speaks plain HTTP apart by the first byte.

Who says nothing, or does not end the handshake, is cut off, and gives way to who does.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

HANDSHAKE_S: Final = 10.0  # for the first byte, and as much again for the handshake
MOST_GREETED: Final = 128  # connections that are not through it; one more pushes out the oldest
_PER_ROUND: Final = 32  # that are accepted at once
_PAUSE_S: Final = 0.5  # when there is no descriptor left
_HANDSHAKE: Final = b"\x16"  # the type of TLS's first record (RFC 8446, 5.1)


class TlsListener:
    """Accepts on one socket, until it is closed.

    Args:
        listener: bound and listening.
        context: of the hub's certificate.
        make: makes the protocol of a connection; whether it speaks TLS, its transport tells.
    """

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext,
        make: Callable[[], asyncio.Protocol],
    ) -> None:
        self._listener = listener
        self._context = context
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._greeted: OrderedDict[asyncio.Task[None], None] = OrderedDict()
        self._resuming: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Take nobody any more, and cut off who is not through the handshake."""
        self._loop.remove_reader(self._listener)
        if self._resuming is not None:
            self._resuming.cancel()
        for task in self._greeted:
            task.cancel()

    async def wait_closed(self) -> None:
        """Wait until they are."""
        await asyncio.gather(*self._greeted, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(_PER_ROUND):
            try:
                connection, _address = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError, InterruptedError):
                return
            except OSError:  # no descriptor is left: the others need a moment to end
                self._loop.remove_reader(self._listener)
                self._resuming = self._loop.call_later(_PAUSE_S, self._resume)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._greet(connection))
            self._greeted[task] = None
            task.add_done_callback(lambda one: self._greeted.pop(one, None))
            if len(self._greeted) > MOST_GREETED:
                self._greeted.popitem(last=False)[0].cancel()

    def _resume(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    async def _greet(self, connection: socket.socket) -> None:
        is_taken = False
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                first = await self._first_byte(connection)
            is_taken = bool(first)
            if first == _HANDSHAKE:
                await self._loop.connect_accepted_socket(
                    self._make,
                    connection,
                    ssl=self._context,
                    ssl_handshake_timeout=HANDSHAKE_S,
                )
            elif first:
                await self._loop.connect_accepted_socket(self._make, connection)
        except (OSError, TimeoutError):  # of TLS too: strangers send what they like
            pass
        finally:
            if not is_taken:
                connection.close()

    async def _first_byte(self, connection: socket.socket) -> bytes:
        """Wait for it and leave it there; empty when the peer has hung up."""
        while True:
            with contextlib.suppress(BlockingIOError, InterruptedError):
                return connection.recv(1, socket.MSG_PEEK)
            readable = self._loop.create_future()
            self._loop.add_reader(connection, _wake, readable)
            try:
                await readable
            finally:
                self._loop.remove_reader(connection)


def _wake(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)
