"""Counts what the hub's HTTP refuses, by reason: the one place that every answer passes.

A new route is counted by itself. No word of a request becomes a label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from camfleet_hub.web.origin import is_same_origin

MALFORMED: Final = "malformed"
SLOW: Final = "slow"
TOO_LARGE: Final = "too_large"
TOO_MANY: Final = "too_many"
FULL: Final = "full"
FORBIDDEN: Final = "forbidden"
ORIGIN: Final = "origin"
_OF_STATUS: Final = {
    401: "login",
    403: FORBIDDEN,
    404: "not_found",
    405: "method",
    408: SLOW,
    409: "conflict",
    413: TOO_LARGE,
    421: "host",
    429: TOO_MANY,
}
REASONS: Final = (*_OF_STATUS.values(), MALFORMED, FULL, ORIGIN)
_POLICY_VIOLATION: Final = 1008  # RFC 6455, 7.4.1
_STATUS: Final = "refused_with"  # in the state of a request
_FORWARDED: Final = ("x-forwarded-for", "x-forwarded-proto")  # by which a proxy speaks


class CountRejected:
    """Wraps an application; counts each request that it refuses.

    Args:
        rejected: the counts, by one of `REASONS`.
    """

    def __init__(self, app: ASGIApp, rejected: Counter[str]) -> None:
        self._app = app
        self._rejected = rejected

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        is_open = False

        async def send_counted(message: Message) -> None:
            nonlocal is_open
            if not is_open and (reason := _reason(scope, message)):
                is_foreign = reason == FORBIDDEN and not is_same_origin(HTTPConnection(scope))
                self._rejected[ORIGIN if is_foreign else reason] += 1
            is_open = True
            await send(message)

        await self._app(scope, receive, send_counted)


class Proxies:
    """Wraps an application; who is a named proxy says for whom it asks, and nobody else does.

    Who says so all the same is counted, and served as who it is: a proxy of its own network may
    have said it.

    Args:
        names: addresses and networks.
        ignored: counts what is not believed, by header.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], ignored: Counter[str]) -> None:
        self._app = ProxyHeadersMiddleware(app, list(names))  # type: ignore[arg-type]  # uvicorn has ASGI types of its own
        self._ignored = ignored

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] in {"http", "websocket"}:
            address, *_ = scope.get("client") or [None]
            if address not in self._app.trusted_hosts:
                said = {name.decode("latin-1") for name, _ in scope["headers"]}
                self._ignored.update(said.intersection(_FORWARDED))
        await self._app(scope, receive, send)  # type: ignore[arg-type]  # the same


async def refuse_websocket(status: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a WebSocket before it is accepted, and have it counted like a request.

    The browser sees a status of 403, whatever for: for one of 401 it might ask for a password, and
    uvicorn would log an error for each answer of our own.
    """
    count_as(status, scope)
    await WebSocketClose(_POLICY_VIOLATION)(scope, receive, send)


def count_as(status: int, scope: Scope) -> None:
    """Have a request that is refused counted as if it were answered with this status."""
    scope.setdefault("state", {})[_STATUS] = status


def _reason(scope: Scope, first: Message) -> str | None:
    """Why a request is refused, by the first message of its answer; None where it is not."""
    told = scope.get("state", {}).get(_STATUS)
    if first["type"] == "websocket.close":  # before it was accepted
        status = told or 403
        return FULL if status == 503 else _OF_STATUS.get(status, MALFORMED)
    if first["type"] != "http.response.start":
        return None
    status = first["status"]
    if status == 503:
        # What is out of order, such as `/healthz` tells, is no matter of who asks.
        return FULL if any(name.lower() == b"retry-after" for name, _ in first["headers"]) else None
    return _OF_STATUS.get(told or status, MALFORMED) if 400 <= status < 500 else None
