"""Where the hub has a certificate: who speaks plain HTTP is told so, and served nothing."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from camfleet_hub.web.headers import SecurityHeaders
from camfleet_hub.web.rejected import refuse_websocket

_NO_TLS: Final = 400
_TEXT: Final = "this port speaks https, want https:// in place of http://"


class TlsOnly:
    """Wraps an application; to stand within `HostCheck`, so that it leads to the hub alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "websocket" and scope["scheme"] != "wss":
            await refuse_websocket(_NO_TLS, scope, receive, send)
        elif scope["type"] == "http" and scope["scheme"] != "https":
            await SecurityHeaders(_answer(scope))(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _answer(scope: Scope) -> Response:
    """Lead a person on; a program would send its password in the clear again and again."""
    headers = Headers(scope=scope)
    if scope["method"] not in {"GET", "HEAD"} or "text/html" not in headers.get("accept", ""):
        return PlainTextResponse(_TEXT, _NO_TLS)
    query = scope["query_string"].decode("latin-1")
    path = quote(scope["path"]) + (f"?{query}" if query else "")
    return RedirectResponse(f"https://{headers['host']}{path}", 307)
