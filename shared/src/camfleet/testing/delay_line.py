"""One direction of an emulated connection: what enters leaves at a rate and arrives after a delay.

It loses nothing and changes no order; an end that does not read slows the other one down.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from typing import Final

_CHUNK_S: Final = 0.001  # a limited link is occupied for about so long at a time
_LEAST_CHUNK_BYTES: Final = 1024  # smaller ones would cost more time than they take
_MOST_CHUNK_BYTES: Final = 65_536
_CATCH_UP_S: Final = 0.05  # of being late, this much is made good, or the rate would fall short
_SLACK_BYTES: Final = 65_536
_MOST_HELD_BYTES: Final = 32 * 1024 * 1024  # without a rate: a gigabyte a second for 30 ms
_BUFFER_S: Final = 0.004
_LEAST_BUFFER_BYTES: Final = 8192


class Direction:
    """A link in one direction, which all connections over it share.

    Args:
        delay_s: one way, in seconds.
        rate_bytes_s: bytes per second; None for as fast as this machine can.

    Attributes:
        delay_s: may be set at any time; what is on its way is not overtaken.
        rate_bytes_s: may be set at any time.
        carried_bytes: how many bytes have arrived.
    """

    def __init__(self, delay_s: float, rate_bytes_s: float | None) -> None:
        self.delay_s = delay_s
        self.rate_bytes_s = rate_bytes_s
        self.carried_bytes = 0
        self._free_s = 0.0

    def occupy(self, size_bytes: int, now_s: float, *, is_new: bool) -> float:
        """Put bytes on the link behind those before them; return when the last one has left.

        Args:
            size_bytes: how many.
            now_s: the event loop's time.
            is_new: they came just now, so the link was free for them; False when they had
                been waiting for it.
        """
        rate = self.rate_bytes_s
        if rate is None:
            self._free_s = now_s
        else:
            begins_s = max(self._free_s, now_s if is_new else now_s - _CATCH_UP_S)
            self._free_s = begins_s + size_bytes / rate
        return self._free_s

    @property
    def chunk_bytes(self) -> int:
        """How many bytes are read at once."""
        if self.rate_bytes_s is None:
            return _MOST_CHUNK_BYTES
        wanted = int(self.rate_bytes_s * _CHUNK_S)
        return max(_LEAST_CHUNK_BYTES, min(wanted, _MOST_CHUNK_BYTES))

    @property
    def most_held_bytes(self) -> int:
        """How many bytes of one connection may be on their way."""
        if self.rate_bytes_s is None:
            return _MOST_HELD_BYTES
        return _SLACK_BYTES + int(self.rate_bytes_s * self.delay_s)

    @property
    def buffer_bytes(self) -> int | None:
        """What a socket that feeds this link may buffer; None for the kernel's own choice."""
        if self.rate_bytes_s is None:
            return None
        return max(_LEAST_BUFFER_BYTES, int(self.rate_bytes_s * _BUFFER_S))


class DelayLine:
    """Carries the bytes of one connection in one direction.

    Args:
        direction: the link that they share with other connections.
        source: where they come from; a socket that does not block, like the other one.
        sink: where they go.
    """

    def __init__(self, direction: Direction, source: socket.socket, sink: socket.socket) -> None:
        self._direction = direction
        self._source = source
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._flights: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._put = asyncio.Event()
        self._taken = asyncio.Event()

    async def run(self) -> None:
        """Carry until the source has ended, and tell the sink so.

        Raises:
            ExceptionGroup: of the OSError with which one of the sockets broke.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._fill())
            tasks.create_task(self._empty())

    async def _fill(self) -> None:
        is_new = True
        while True:
            data, waited = await self._read()
            now_s = self._loop.time()
            leaves_s = self._direction.occupy(len(data), now_s, is_new=is_new or waited)
            self._flights.append((max(leaves_s, now_s) + self._direction.delay_s, data))
            self._held_bytes += len(data)
            self._put.set()
            if not data:
                return
            is_new = await self._await_room()
            await asyncio.sleep(max(0.0, leaves_s - self._loop.time()))

    async def _read(self) -> tuple[bytes, bool]:
        """Read what is there; also tell whether it had to be waited for."""
        size = self._direction.chunk_bytes
        with contextlib.suppress(BlockingIOError):
            return self._source.recv(size), False
        return await self._loop.sock_recv(self._source, size), True

    async def _await_room(self) -> bool:
        """Wait while too much is on its way; tell whether that was so."""
        is_full = False
        while self._held_bytes > self._direction.most_held_bytes:
            is_full = True
            self._taken.clear()
            await self._taken.wait()
        return is_full

    async def _empty(self) -> None:
        while True:
            while not self._flights:
                self._put.clear()
                await self._put.wait()
            arrives_s, data = self._flights.popleft()
            if (left_s := arrives_s - self._loop.time()) > 0:
                await asyncio.sleep(left_s)
            if not data:
                with contextlib.suppress(OSError):  # it has ended already
                    self._sink.shutdown(socket.SHUT_WR)
                return
            await self._loop.sock_sendall(self._sink, data)
            self._held_bytes -= len(data)
            self._direction.carried_bytes += len(data)
            self._taken.set()
