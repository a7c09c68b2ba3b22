"""Lets in who is logged in or has a token: the one place for every path and the WebSocket.

A new route is closed by itself; what is open stands here by name.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from camfleet_hub.permission import ANYBODY, Identity
from camfleet_hub.users import TOKEN_USER
from camfleet_hub.web.asking import identify
from camfleet_hub.web.bearers import BadTokenError
from camfleet_hub.web.cookie import cookie_of
from camfleet_hub.web.headers import NO_STORE
from camfleet_hub.web.limiter import TooManyTriesError
from camfleet_hub.web.login import Login
from camfleet_hub.web.origin import is_same_origin
from camfleet_hub.web.rejected import refuse_websocket
from camfleet_hub.web.sessions import Session

LOGIN: Final = "/login"
LOGOUT: Final = "/logout"  # open, or it would cut itself off; who is not logged in loses nothing
OPEN_PATHS: Final = frozenset(
    {
        *(LOGIN, LOGOUT, "/healthz"),
        *(f"/static/{name}" for name in ("colours.css", "wall.css", "login.css", "icon.svg")),
        "/static/login.js",
    }
)
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})  # RFC 9110, 9.2.1
_POLICY_VIOLATION: Final = 1008  # RFC 6455, 7.4.1
_MOST_BASIC: Final = 2048  # characters
_MOST_TARGET: Final = 1024
MOST_OF_ONE: Final = 224  # requests that one user or token has open: half of what the server takes
_RETRY_S: Final = 5
_CHALLENGE: Final = NO_STORE | {"WWW-Authenticate": 'Basic realm="camfleet", charset="UTF-8"'}


class OpenAccess:
    """Wraps an application that whoever reaches it may watch, and nobody administers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        identify(scope, ANYBODY)
        await self._app(scope, receive, send)


class Access:
    """Wraps an application; who is not logged in gets no further than the open paths.

    Args:
        login: knows who is logged in.
        rejected: counts who was sent away, by reason.
    """

    def __init__(self, app: ASGIApp, login: Login, rejected: Counter[str] | None = None) -> None:
        self._app = app
        self._login = login
        self._rejected: Counter[str] = Counter() if rejected is None else rejected
        self._open: Counter[Identity] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        if not _is_safe(scope) and not is_same_origin(connection):
            answer = PlainTextResponse("Origin is another page, want one of this hub", 403)
            await answer(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            session = await self._find(connection)
        except TooManyTriesError as error:
            await _refuse(scope, receive, send, _too_many(error))
            return
        except BadTokenError as error:
            await _refuse(scope, receive, send, _bad_token(error))
            return
        if session is None:
            await _refuse(scope, receive, send, _challenge(connection))
        elif self._open[session.identity] >= MOST_OF_ONE:
            self._rejected["share"] += 1
            await _refuse(scope, receive, send, _greedy())
        else:
            with self._opening(session.identity):
                await self._serve(session, scope, receive, send)

    @contextlib.contextmanager
    def _opening(self, identity: Identity) -> Iterator[None]:
        """Count what somebody has open, so that nobody takes all the room from others."""
        self._open[identity] += 1
        try:
            yield
        finally:
            self._open[identity] -= 1
            if not self._open[identity]:
                del self._open[identity]

    async def _find(self, connection: HTTPConnection) -> Session | None:
        """Who asks: a browser by its cookie, a program by a token or by name and password.

        A token comes as Bearer (RFC 6750), or as the password of the user `token` by Basic
        (RFC 7617), for programs that can be given nothing but a URL. It is not taken from a
        query string, which stands in the logs of proxies and in the histories of browsers.
        """
        session = self._login.browser(cookie_of(connection))
        if session is not None:
            return session
        header, address = connection.headers.get("authorization", ""), address_of(connection)
        if token := _bearer(header):
            return self._login.bearer(token, address)
        credentials = _credentials(header)
        if credentials is None:
            return None
        user, password = credentials
        if user == TOKEN_USER:
            return self._login.bearer(password, address)
        return await self._login.program(user, password, address)

    async def _serve(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until the request is done or its session ends, whichever comes first."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a server runs each request in one
        identify(scope, session.identity)

        def cut() -> None:
            if asyncio.current_task() is not task:  # who ends its own session is answered
                task.cancel()

        with session.holding(cut):
            try:
                await self._app(scope, receive, send)
            except asyncio.CancelledError:
                if not session.is_over:
                    raise
                task.uncancel()
                await _hang_up(scope, receive, send)


def address_of(connection: HTTPConnection) -> str:
    """The IP address that a request comes from; empty where that is unknown.

    A proxy may pass on whatever a stranger writes, and this goes into the log.
    """
    host = connection.client.host if connection.client else ""
    try:
        return str(ip_address(host.partition("%")[0]))  # behind it any text is a zone (RFC 4007)
    except ValueError:
        return ""


def local_target(target: str) -> str:
    r"""A path of this hub to go to after the log-in; `/` where it would lead elsewhere.

    A browser takes `//host` and `/\host` for another host, and passes over tabs and line ends.
    """
    is_local = target.startswith("/") and not target.startswith("//")
    is_plain = target.isascii() and target.isprintable() and "\\" not in target
    return target if is_local and is_plain and len(target) <= _MOST_TARGET else "/"


def retry_after(error: TooManyTriesError) -> dict[str, str]:
    """Say the same in a header (RFC 9110, 10.2.3), in whole seconds."""
    return {"Retry-After": str(error.whole_s)}


def _too_many(error: TooManyTriesError) -> Response:
    """Tell a program how long to wait (RFC 6585, 4)."""
    return PlainTextResponse(str(error), 429, headers=NO_STORE | retry_after(error))


def _is_safe(scope: Scope) -> bool:
    return scope["type"] == "websocket" or scope["method"] in _SAFE_METHODS


def _credentials(header: str) -> tuple[str, str] | None:
    """Name and password of a Basic header; None where there are none."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _MOST_BASIC:
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None


def _greedy() -> Response:
    """Tell who has too much open; who comes from elsewhere by the same name is told too."""
    text = f"you have {MOST_OF_ONE} requests open at this hub, want one of them to end"
    return PlainTextResponse(text, 503, headers=NO_STORE | {"Retry-After": str(_RETRY_S)})


def _bearer(header: str) -> str | None:
    """The token of a Bearer header; None where there is none."""
    scheme, _, token = header.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _bad_token(error: BadTokenError) -> Response:
    """Tell a program that its token opens nothing (RFC 6750, 3.1)."""
    challenge = f'Bearer realm="camfleet", error="invalid_token", error_description="{error}"'
    return PlainTextResponse(str(error), 401, headers=NO_STORE | {"WWW-Authenticate": challenge})


def _challenge(connection: HTTPConnection) -> Response:
    """Send a person to the page for the log-in, and tell a program what is wanted."""
    scope = connection.scope
    is_page = "text/html" in connection.headers.get("accept", "")
    if is_page and scope.get("method") in {"GET", "HEAD"}:
        return RedirectResponse(_login_page(scope), 303, headers=NO_STORE)
    text = "want a log-in: a token as Bearer, name and password by Basic, or a browser's by /login"
    return PlainTextResponse(text, 401, headers=_CHALLENGE)


def _login_page(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1")
    target = local_target(quote(scope["path"]) + (f"?{query}" if query else ""))
    return LOGIN if target == "/" else f"{LOGIN}?next={quote(target, safe='/')}"


async def _refuse(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    if scope["type"] == "websocket":
        await refuse_websocket(answer.status_code, scope, receive, send)
    else:
        await answer(scope, receive, send)


async def _hang_up(scope: Scope, receive: Receive, send: Send) -> None:
    """End what a session held open, whether or not anything of it was sent yet."""
    if scope["type"] == "websocket":
        with contextlib.suppress(RuntimeError, OSError):  # it has hung up by itself
            await WebSocketClose(_POLICY_VIOLATION, "the session is over")(scope, receive, send)
        return
    try:
        await PlainTextResponse("the session is over", 401)(scope, receive, send)
    except RuntimeError:  # an answer has begun: it ends here
        with contextlib.suppress(RuntimeError):
            await send({"type": "http.response.body", "body": b"", "more_body": False})
