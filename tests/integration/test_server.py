"""The web server's limits, and what it says while it stops."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import socket
from collections import Counter
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse

from camfleet_hub.web import connection, server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Scope, Send

pytestmark = pytest.mark.anyio
SHORT_S = 0.2
STALL_S = 3.0
TIMEOUT_S = 30.0
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


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
async def serving(
    app: ASGIApp,
    proxies: tuple[str, ...] = ("127.0.0.1", "::1"),
    rejected: Counter[str] | None = None,
    ignored: Counter[str] | None = None,
) -> AsyncIterator[tuple[str, int]]:
    """Serve an application; give its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    serves = server.Server(app, listener, proxies=proxies, rejected=rejected, ignored=ignored)
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
    # Who says something is to be heard before, though this process stalls.
    monkeypatch.setattr(connection, "REQUEST_S", STALL_S if said else SHORT_S)
    rejected: Counter[str] = Counter()
    async with serving(Endless(), rejected=rejected) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(said)
        await cut_off(reader)
        writer.close()
    assert rejected == ({"slow": 1} if said else {})  # browsers connect in advance


async def test_a_reader_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "WRITE_S", SHORT_S)
    app = Endless()
    rejected: Counter[str] = Counter()
    async with serving(app, rejected=rejected) as address:
        with closing(socket.create_connection(address)) as mute:
            mute.sendall(REQUEST)
            async with asyncio.timeout(TIMEOUT_S):
                await app.ended.wait()
    assert rejected == {"slow": 1}


async def test_little_is_buffered_for_a_wall_that_does_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "WRITE_S", SHORT_S)
    sent: list[int] = []
    ended = asyncio.Event()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "bytes": bytes(50_000)})
                sent.append(50_000)
        finally:
            ended.set()

    async with serving(app) as address:
        with closing(socket.socket()) as mute:
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            mute.connect(address)
            mute.sendall(UPGRADE)
            async with asyncio.timeout(TIMEOUT_S):
                await ended.wait()
    assert 0 < sum(sent) <= 8 * connection.UNSENT_BYTES


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


@asynccontextmanager
async def calling(address: tuple[str, int], said: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """Connect and say something."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        writer.write(said)
        yield reader
    finally:
        writer.close()


async def is_served(reader: asyncio.StreamReader) -> bool:
    """Wait for an answer, and tell whether it is what was asked for."""
    async with asyncio.timeout(TIMEOUT_S):
        return await reader.readline() == b"HTTP/1.1 200 OK\r\n"


async def test_who_is_one_too_many_is_cut_off_where_all_others_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_MAX_CONCURRENT", 8)
    monkeypatch.setattr(connection, "SPARE", 6)
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 2)
    async with (
        serving(Endless()) as address,
        calling(address, REQUEST) as first,
        calling(address, REQUEST) as second,
    ):
        assert await is_served(first)
        assert await is_served(second)
        async with calling(address, b"") as third:
            await cut_off(third)
        assert not first.at_eof()
        assert not second.at_eof()


@pytest.mark.parametrize("said", [b"", b"GET / HT", POST + b"Content-Length: 9\r\n\r\n1"])
async def test_who_waits_longest_gives_way_to_who_asks(
    monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(server, "_MAX_CONCURRENT", 8)
    monkeypatch.setattr(connection, "SPARE", 5)
    async with serving(Endless()) as address, calling(address, REQUEST) as viewer:
        assert await is_served(viewer)
        async with calling(address, said) as idle, calling(address, said):
            async with calling(address, REQUEST) as late:
                assert await is_served(late)
            await cut_off(idle)
            assert not viewer.at_eof()


async def test_who_is_one_too_many_to_serve_is_told_so_with_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_MAX_CONCURRENT", 2)
    monkeypatch.setattr(connection, "SPARE", 0)
    rejected: Counter[str] = Counter()
    async with (
        serving(Endless(), rejected=rejected) as address,
        calling(address, REQUEST) as viewer,
    ):
        assert await is_served(viewer)
        async with calling(address, REQUEST) as late, asyncio.timeout(TIMEOUT_S):
            head = await late.readuntil(b"\r\n\r\n")
            size = int(re.findall(rb"content-length: (\d+)", head)[0])
            problem = json.loads(await late.readexactly(size))
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"content-type: application/problem+json\r\n" in head
        assert b"retry-after: 5\r\n" in head
        assert problem["status"] == 503
        assert rejected == {"full": 1}
        assert not viewer.at_eof()


async def test_who_asks_for_the_health_is_answered_however_many_are_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_MAX_CONCURRENT", 2)
    monkeypatch.setattr(connection, "SPARE", 0)
    asking = REQUEST.replace(b" / ", b" /healthz ")
    async with serving(Endless()) as address, calling(address, REQUEST) as viewer:
        assert await is_served(viewer)
        async with calling(address, asking) as late:
            assert await is_served(late)


ENDLESS = {
    "the target": (b"GET /", b"x"),
    "a header's field": (b"GET / HTTP/1.1\r\nX: ", b"x"),
    "headers": (b"GET / HTTP/1.1\r\n", b"x: y\r\n"),
    "fields behind a body": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"x: y\r\n"),
}


@pytest.mark.parametrize(("begin", "piece"), ENDLESS.values(), ids=ENDLESS)
async def test_who_says_too_much_before_a_request_is_whole_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, begin: bytes, piece: bytes
) -> None:
    monkeypatch.setattr(connection, "REQUEST_S", 10 * TIMEOUT_S)
    async with serving(Endless()) as address:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(begin)
        writer.write(piece * (2**22 // len(piece)))
        await cut_off(reader)
        writer.close()


async def test_who_asks_on_and_on_without_an_answer_is_cut_off() -> None:
    rejected: Counter[str] = Counter()
    async with (
        serving(Endless(), rejected=rejected) as address,
        calling(address, (connection.MAX_PIPELINED + 2) * REQUEST) as reader,
    ):
        await cut_off(reader)
        assert rejected == {"too_many": 1}


async def test_who_asks_some_times_at_once_is_answered_each_time() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        await PlainTextResponse("here it is\n")(scope, receive, send)

    said = connection.MAX_PIPELINED * REQUEST
    async with serving(app) as address, calling(address, said) as reader:
        async with asyncio.timeout(TIMEOUT_S):
            for _ in range(connection.MAX_PIPELINED):
                await reader.readuntil(b"here it is\n")


async def test_cookies_come_without_backslashes() -> None:
    seen: list[dict[str, str]] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        seen.append(Request(scope).cookies)
        await PlainTextResponse("")(scope, receive, send)

    said = REQUEST[:-2] + b'Cookie: ours=abc; b="\\"\\101"; c="d"\r\n\r\n'
    async with serving(app) as address, calling(address, said) as reader:
        assert await is_served(reader)
    assert seen == [{"ours": "abc", "b": '"101', "c": "d"}]


async def test_a_long_body_is_not_too_much() -> None:
    size = 8 * connection.MAX_HEAD_BYTES
    said = POST + b"Content-Length: %d\r\n\r\n" % size + bytes(size)
    async with serving(Endless()) as address, calling(address, said) as reader:
        assert await is_served(reader)
        async with asyncio.timeout(TIMEOUT_S):
            for _ in range(20):
                assert await reader.read(100_000)


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


async def _tell_client(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with whom the server takes the asking one for."""
    if scope["type"] != "http":
        raise NotImplementedError
    request = Request(scope)
    told = f"{request.client.host if request.client else ''} {request.url.scheme}"
    await PlainTextResponse(told)(scope, receive, send)


async def _ask_as_proxy(address: tuple[str, int], own: str, said: str = "192.0.2.1") -> str:
    reader, writer = await asyncio.open_connection(*address, local_addr=(own, 0))
    headers = f"X-Forwarded-For: {said}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n"
    writer.write(REQUEST[:-2] + headers.encode() + b"\r\n")
    async with asyncio.timeout(TIMEOUT_S):
        answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2].decode()


async def test_a_proxy_of_this_machine_says_for_whom_it_asks_and_nobody_else_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")  # uvicorn's own variable
    async with serving(_tell_client) as address:
        assert await _ask_as_proxy(address, "127.0.0.1") == "192.0.2.1 https"
        assert await _ask_as_proxy(address, "127.0.0.2") == "127.0.0.2 http"


async def test_who_forges_a_proxys_words_is_served_as_who_it_is_and_counted() -> None:
    rejected, ignored = Counter[str](), Counter[str]()
    async with serving(_tell_client, rejected=rejected, ignored=ignored) as address:
        await _ask_as_proxy(address, "127.0.0.1")
        assert not ignored
        await _ask_as_proxy(address, "127.0.0.2")
    assert ignored == {"x-forwarded-for": 1, "x-forwarded-proto": 1}
    assert not rejected


async def test_proxies_elsewhere_are_believed_once_they_are_named() -> None:
    async with serving(_tell_client, ("127.0.0.8/30",)) as address:
        assert await _ask_as_proxy(address, "127.0.0.9") == "192.0.2.1 https"
        assert await _ask_as_proxy(address, "127.0.0.1") == "127.0.0.1 http"
        assert await _ask_as_proxy(address, "127.0.0.12") == "127.0.0.12 http"


async def test_without_proxies_nobody_is_believed() -> None:
    async with serving(_tell_client, ()) as address:
        assert await _ask_as_proxy(address, "127.0.0.1") == "127.0.0.1 http"


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("203.0.113.9, 192.0.2.1", "192.0.2.1"),  # what a browser forged stands to the left
        ("127.0.0.1, 192.0.2.1", "192.0.2.1"),
        ("192.0.2.1, 127.0.0.1", "192.0.2.1"),  # two proxies that are believed
    ],
)
async def test_what_a_browser_says_before_a_proxy_counts_for_nothing(said: str, found: str) -> None:
    async with serving(_tell_client) as address:
        assert await _ask_as_proxy(address, "127.0.0.1", said) == f"{found} https"
