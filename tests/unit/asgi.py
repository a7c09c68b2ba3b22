"""Asks a web application without a network, in one event loop."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final, NamedTuple

from starlette.types import ASGIApp, Message, Scope

TIMEOUT_S: Final = 30.0


class Answer(NamedTuple):
    """What was answered; of a stream, as far as it was read."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)

    def header(self, name: str) -> str:
        return dict(self.headers)[name]


class Exchange:
    """One request, or one WebSocket, that is under way."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes = b"") -> None:
        self.says: asyncio.Queue[Message] = asyncio.Queue()
        self.told: asyncio.Queue[Message] = asyncio.Queue()
        if scope["type"] == "websocket":
            self.says.put_nowait({"type": "websocket.connect"})
        else:
            self.says.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self.task = asyncio.create_task(self._run(app, scope))

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        await app(scope, self.says.get, self.told.put)

    async def next(self) -> Message:
        """The next message of the application."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self.told.get()

    async def close(self) -> None:
        """Hang up."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def answer(self) -> Answer:
        """Read until the end of an answer."""
        start, body = await self.next(), b""
        while True:
            message = await self.next()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = [(name.decode().lower(), value.decode()) for name, value in start["headers"]]
        return Answer(start["status"], headers, body)


class Client:
    """Asks one application."""

    def __init__(self, app: ASGIApp, *, address: str = "192.0.2.1", scheme: str = "http") -> None:
        self.app = app
        self.address = address
        self.scheme = scheme

    def open(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes = b"",
        kind: str = "http",
    ) -> Exchange:
        """Begin a request."""
        raw, _, query = path.partition("?")
        named = {name.lower(): value for name, value in (headers or {}).items()}
        fields = {"host": "localhost"} | named
        scope: Scope = {
            "type": kind,
            "method": method,
            "path": raw,
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in fields.items()],
            "client": (self.address, 1),
            "server": ("localhost", 80),
            "scheme": self.scheme,
            "root_path": "",
            "http_version": "1.1",
            "state": {},
        }
        return Exchange(self.app, scope, body)

    async def ask(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes = b"",
    ) -> Answer:
        """Ask, and read the answer whole."""
        exchange = self.open(path, headers, method=method, body=body)
        try:
            return await exchange.answer()
        finally:
            await exchange.close()
