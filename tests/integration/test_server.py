"""The web server's limits, and what it says while it stops."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import pytest
from starlette.responses import StreamingResponse

from camfleet_hub.web import connection, server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.anyio
SHORT_S = 0.2
STALL_S = 3.0
TIMEOUT_S = 30.0
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Endless:
    """An application that never ends an answer, until its reader is gone."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # a lifespan, which it has none of
            raise NotImplementedError
        await StreamingResponse(self._answer())(scope, receive, send)

    async def _answer(self) -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(100_000)
                await asyncio.sleep(0.001)
        finally:
            self.ended.set()


@asynccontextmanager
async def serving(app: Endless) -> AsyncIterator[tuple[str, int]]:
    """Serve an application; give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    serves = server.Server(app, listener)
    task = asyncio.create_task(serves.run_until_stopped())
    try:
        yield listener.getsockname()[:2]
    finally:
        serves.stop()
        await task


async def cut_off(reader: asyncio.StreamReader) -> None:
    """Wait until the server hangs up."""
    async with asyncio.timeout(TIMEOUT_S):
        try:
            while await reader.read(1000):
                pass
        except ConnectionError:
            pass


@pytest.mark.parametrize("said", [b"", b"GET / HT", REQUEST[:-2]])
async def test_who_asks_for_nothing_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", SHORT_S)
    async with serving(Endless()) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(said)
        await cut_off(reader)
        writer.close()


async def test_a_reader_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WRITE_S", SHORT_S)
    app = Endless()
    async with serving(app) as address:
        with closing(socket.create_connection(address)) as mute:
            mute.sendall(REQUEST)
            async with asyncio.timeout(TIMEOUT_S):
                await app.ended.wait()


async def test_a_reader_that_reads_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    # Longer than this process may stall, for then it does not read.
    monkeypatch.setattr(connection, "WRITE_S", STALL_S)
    monkeypatch.setattr(connection, "REQUEST_S", STALL_S)
    async with serving(Endless()) as address, asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(REQUEST)
        deadline_s = asyncio.get_running_loop().time() + 1.5 * STALL_S
        while asyncio.get_running_loop().time() < deadline_s:
            assert await reader.read(100_000)
        writer.close()


async def test_who_is_one_too_many_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 3)
    async with serving(Endless()) as address:
        pairs = [await asyncio.open_connection(*address) for _ in range(4)]
        await cut_off(pairs[-1][0])
        assert not any(reader.at_eof() for reader, _ in pairs[:-1])
        for _, writer in pairs:
            writer.close()


def record(message: str, error: BaseException | None = None) -> logging.LogRecord:
    found = (type(error), error, None) if error else None
    return logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, message, (3,), found)


def test_that_viewers_are_cut_off_at_the_end_is_no_error() -> None:
    text = "Cancel %s running task(s), timeout graceful shutdown exceeded"
    assert not server.is_unexpected_at_the_end(record(text))
    error = asyncio.CancelledError("Task cancelled, timeout graceful shutdown exceeded")
    assert not server.is_unexpected_at_the_end(record("Exception in ASGI application\n", error))


def test_any_other_error_at_the_end_is_one() -> None:
    for error in (KeyError("x"), RuntimeError("Unexpected ASGI message"), None):
        assert server.is_unexpected_at_the_end(record("Exception in ASGI application\n", error))
