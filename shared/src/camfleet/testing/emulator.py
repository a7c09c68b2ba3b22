"""A bad link for tests and benchmarks: a TCP proxy on loopback with delay, rate and cuts.

Unlike the other fakes it does I/O. Nothing that ships outside of `camfleet.testing` needs it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import selectors
import socket
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple

from camfleet.closing import Closing
from camfleet.errors import LocalProtocolError
from camfleet.testing.delay_line import DelayLine, Direction

_LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 512
_CONNECT_S: Final = 5.0
_ANSWER_S: Final = 5.0  # the loop answers within milliseconds, or never
# As on Ethernet. Loopback's own 64 KB would give the sender a buffer of megabytes.
_SEGMENT_BYTES: Final = 1448
_RESET: Final = struct.pack("ii", 1, 0)  # linger for 0 s: close with an RST (tcp(7), socket(7))

_Address = tuple[str, int]


class LinkEmulator(Closing):
    """Stands between a program and the address that it would connect to.

    with LinkEmulator(receiver.address, delay_s=0.02) as link, Sender(link.address, "pi") as sender:
        ...
        link.cut()

    Delay does not limit the rate, and a frame takes its size divided by the rate. The link is
    TCP's dream, though: nothing is lost on it, and a connection is made at once.

    Args:
        target: where to, for example `tcp://127.0.0.1:5556`.
        delay_s: one way, in seconds, in both directions.
        rate_bytes_s: bytes per second towards the target, shared by all connections; None for
            as fast as this machine can.
        down_rate_bytes_s: the same from the target; what answers is small as a rule, so it has
            no limit unless one is given.

    Attributes:
        address: where to connect to instead of the target.

    Raises:
        LocalProtocolError: for a bad address, a negative delay, or a rate that is not above 0.
    """

    def __init__(
        self,
        target: str,
        *,
        delay_s: float = 0.0,
        rate_bytes_s: float | None = None,
        down_rate_bytes_s: float | None = None,
    ) -> None:
        self._target = _parse(target)
        self._up = Direction(_delay(delay_s), _rate(rate_bytes_s))
        self._down = Direction(_delay(delay_s), _rate(down_rate_bytes_s))
        self._listener = _socket(self._up)
        self._listener.bind((_LOOPBACK, 0))
        self._listener.listen(_BACKLOG)
        self.address = f"tcp://{_LOOPBACK}:{self._listener.getsockname()[1]}"
        self._carrying: dict[_Connection, asyncio.Task[None]] = {}
        self._cut_off: list[_Connection] = []
        self._mended = asyncio.Event()
        self._mended.set()
        self._closing = asyncio.Event()
        # Its timeouts are microseconds, where epoll's are whole milliseconds. The price:
        # descriptors below 1024 only (select(2)).
        self._loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="link-emulator", daemon=True)
        self._thread.start()

    @property
    def delay_s(self) -> float:
        """One way, in seconds; may be set at any time, and nothing overtakes."""
        return self._up.delay_s

    @delay_s.setter
    def delay_s(self, delay_s: float) -> None:
        self._up.delay_s = self._down.delay_s = _delay(delay_s)

    @property
    def rate_bytes_s(self) -> float | None:
        """Bytes per second towards the target; may be set at any time.

        The small buffers of a slow link are only had by an emulator made with a rate.
        """
        return self._up.rate_bytes_s

    @rate_bytes_s.setter
    def rate_bytes_s(self, rate_bytes_s: float | None) -> None:
        self._up.rate_bytes_s = _rate(rate_bytes_s)

    @property
    def down_rate_bytes_s(self) -> float | None:
        """Bytes per second from the target; otherwise like `rate_bytes_s`."""
        return self._down.rate_bytes_s

    @down_rate_bytes_s.setter
    def down_rate_bytes_s(self, rate_bytes_s: float | None) -> None:
        self._down.rate_bytes_s = _rate(rate_bytes_s)

    @property
    def up_bytes(self) -> int:
        """How many bytes have arrived at the target."""
        return self._up.carried_bytes

    @property
    def down_bytes(self) -> int:
        """How many bytes have arrived from the target."""
        return self._down.carried_bytes

    def cut(self, *, reset: bool = False) -> None:
        """Break every connection for good, and serve no new one until `mend`.

        Args:
            reset: tell both ends with a TCP reset. Otherwise they are told nothing, as when a
                cable is pulled: what they send goes nowhere, and nothing comes.
        """
        self._do(self._cut(reset=reset))

    def mend(self) -> None:
        """Serve new connections again, those that came meanwhile among them."""
        self._do(self._mend())

    def retarget(self, target: str) -> None:
        """Lead new connections to another address; open ones stay where they are.

        Raises:
            LocalProtocolError: for a bad address.
        """
        self._target = _parse(target)

    def close(self) -> None:
        """End every connection and stop, at once; what is on its way is gone."""
        if self._is_closing:
            return
        self._is_closing = True
        with contextlib.suppress(RuntimeError):  # the loop broke, and is closed
            self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()
        self._listener.close()

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_S)

    # From here on only the loop's own thread.

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        accepting = asyncio.create_task(self._accept())
        await self._closing.wait()
        accepting.cancel()
        await self._cut(reset=False)
        for connection in self._cut_off:
            connection.close()

    async def _accept(self) -> None:
        while True:
            client, _ = await self._loop.sock_accept(self._listener)
            connection = _Connection(client, _socket(self._down))
            self._carrying[connection] = asyncio.create_task(self._carry(connection))

    async def _carry(self, connection: _Connection) -> None:
        """Carry both directions until both have ended, or one has broken."""
        await self._mended.wait()
        client, server = connection
        try:
            async with asyncio.timeout(_CONNECT_S):
                await self._loop.sock_connect(server, self._target)
            async with asyncio.TaskGroup() as lines:
                lines.create_task(DelayLine(self._up, client, server).run())
                lines.create_task(DelayLine(self._down, server, client).run())
        except* OSError:  # nobody listens there, or an end is gone: so it is for the other one
            connection.reset()
        connection.close()
        self._carrying.pop(connection, None)  # it may have been cut just now

    async def _cut(self, *, reset: bool) -> None:
        self._mended.clear()
        carrying, self._carrying = self._carrying, {}
        for task in carrying.values():
            task.cancel()
        await asyncio.gather(*carrying.values(), return_exceptions=True)
        self._cut_off += carrying
        if reset:
            for connection in self._cut_off:
                connection.reset()
            self._cut_off.clear()

    async def _mend(self) -> None:
        self._mended.set()


class _Connection(NamedTuple):
    """The two sockets of one connection over the link."""

    client: socket.socket
    server: socket.socket

    def reset(self) -> None:
        """Close both as if their program had died."""
        for end in self:
            with contextlib.suppress(OSError):  # closed already
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    def close(self) -> None:
        """Close both; what they still hold is gone."""
        for end in self:
            end.close()


def _socket(feeds: Direction) -> socket.socket:
    """Make one whose bytes come from a program and go over this direction."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)
    if feeds.buffer_bytes is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, feeds.buffer_bytes)
    return made


def _parse(address: str) -> _Address:
    found = re.fullmatch(r"tcp://([^:/\s]+):(\d{1,5})", address)
    if found is None or not 0 < int(found[2]) < 65_536:
        raise LocalProtocolError(f"address is {address!r}, want tcp://HOST:PORT")
    return found[1], int(found[2])


def _delay(delay_s: float) -> float:
    if not 0 <= delay_s < math.inf:
        raise LocalProtocolError(f"delay_s is {delay_s}, want 0 or more")
    return delay_s


def _rate(rate_bytes_s: float | None) -> float | None:
    if rate_bytes_s is not None and not 0 < rate_bytes_s < math.inf:
        raise LocalProtocolError(f"rate is {rate_bytes_s} bytes/s, want more than 0, or None")
    return rate_bytes_s
