"""A WebSocket's connection on the hub's side: what floods it is read in pieces."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from camfleet_hub.web.connection import MOST_FRAGMENTS, WebSocketConnection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.anyio
TIMEOUT_S = 30.0
HEAD = (
    b"GET /ws HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
MASK = bytes(4)
EMPTY = b"\x81\x80" + MASK
PIECE = b"\x00\x80" + MASK
PONG = b"\x8a\x80" + MASK


class Transport(asyncio.Transport):
    """Stands for a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.is_paused = False
        self.said = b""
        self._is_closing = False

    def write(self, data: Any) -> None:  # noqa: ANN401 - any buffer
        self.said += bytes(data)

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    abort = close


class Line:
    """A connection, the socket under it, and what the application heard."""

    def __init__(self, head: bytes) -> None:
        self.rejected: Counter[str] = Counter()
        self.heard: list[str] = []
        self.may_hear = asyncio.Event()
        config = uvicorn.Config(
            self._hear, interface="asgi3", log_config=None, ws_per_message_deflate=False
        )
        self.connection = WebSocketConnection(config, ServerState(), {}, rejected=self.rejected)
        self.transport = Transport()
        self.connection.connection_made(self.transport)
        self.connection.data_received(head)

    async def _hear(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            self.heard.append(message["text"])
            await self.may_hear.wait()

    async def close(self) -> None:
        self.connection.connection_lost(None)
        self.may_hear.set()
        await asyncio.gather(*self.connection.tasks)


@asynccontextmanager
async def accepted(head: bytes = HEAD) -> AsyncIterator[Line]:
    """A connection that is accepted."""
    async with asyncio.timeout(TIMEOUT_S):
        line = Line(head)
        await until(lambda: b" 101 " in line.transport.said)
        yield line
        await line.close()


async def until(claim: Callable[[], bool]) -> None:
    """Let the others run until it is so."""
    while not claim():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)


def connection_of(line: Line) -> Any:  # noqa: ANN401 - what uvicorn keeps is not public
    return cast("Any", line.connection)


async def test_a_handshake_that_is_none_is_counted() -> None:
    line = Line(HEAD.replace(b"Version: 13", b"Version: 12"))
    assert line.transport.said.startswith(b"HTTP/1.1 400 ")
    assert line.rejected == {"malformed": 1}
    async with accepted() as good:
        assert not good.rejected


async def test_one_read_of_many_frames_is_not_taken_in_one_turn() -> None:
    async with accepted() as line:
        line.connection.data_received(EMPTY * 1500)
        assert connection_of(line).queue.qsize() < 1000
        assert line.transport.is_paused
        line.may_hear.set()
        await until(lambda: len(line.heard) == 1500 and not line.transport.is_paused)
        line.connection.data_received(EMPTY)
        await until(lambda: len(line.heard) == 1501)


async def test_the_application_is_waited_for() -> None:
    async with accepted() as line:
        line.connection.data_received(EMPTY * 3)
        await until(lambda: bool(line.heard))
        assert line.transport.is_paused
        line.may_hear.set()
        await until(lambda: len(line.heard) == 3 and not line.transport.is_paused)


async def test_a_flood_of_what_is_no_message_is_held_up() -> None:
    async with accepted() as line:
        line.connection.data_received(PONG * 40_000)
        for _ in range(10):
            await asyncio.sleep(0)
        assert line.transport.is_paused
        assert connection_of(line).queue.empty()


async def test_a_message_in_pieces_without_end_is_cut_off() -> None:
    async with accepted() as line:
        line.connection.data_received(b"\x01\x80" + MASK + PIECE * 2 * MOST_FRAGMENTS)
        await until(line.transport.is_closing)


async def test_a_head_that_is_larger_than_a_piece_is_read() -> None:
    async with accepted(HEAD[:-2] + b"Cookie: " + b"x" * 6000 + b"\r\n\r\n") as line:
        assert not line.transport.is_paused
