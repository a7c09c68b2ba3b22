"""Security headers on every answer of the hub, so that its pages cannot be framed or injected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NO_STORE: Final = {"Cache-Control": "no-store"}  # of what is another one the next moment
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    # An upgraded hub's modules must not meet those of its predecessor; the ETag saves the bytes.
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer` a form of ours would come with `Origin: null` (Fetch, 3.1).
    "Referrer-Policy": "same-origin",
}


def no_store(headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """These headers, and that the answer is kept by nobody unless they say otherwise."""
    return {name.lower(): value for name, value in (NO_STORE | dict(headers or {})).items()}


class SecurityHeaders:
    """Wraps an application; streams pass through untouched."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
