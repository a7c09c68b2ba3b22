"""Answers only to the hub's own names, so that no foreign page can pass for one of the hub's.

A page of a stranger may point its own name at this machine's address (DNS rebinding); what the
browser sends then is same-origin in all but the Host header.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from camfleet_hub.web.headers import SecurityHeaders
from camfleet_hub.web.rejected import refuse_websocket

_MISDIRECTED: Final = 421  # RFC 9110, 15.5.20
_HOME_DOMAINS: Final = ("local", "lan", "home.arpa")  # mDNS, and what home routers hand out


class HostCheck:
    """Wraps an application; a request for another host is refused before it is looked at.

    Args:
        names: what the hub is called beside its addresses, `localhost` and the machine's name.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self._app = app
        machine = socket.gethostname().lower()
        own = ["localhost", machine, *(f"{machine}.{domain}" for domain in _HOME_DOMAINS)]
        self._names = {name.lower() for name in (*own, *names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        host = Headers(scope=scope).get("host", "")
        if self._is_ours(host):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse_websocket(_MISDIRECTED, scope, receive, send)
        else:
            text = (
                f"Host is {host[:100]!r}, want an address, localhost or one of CAMFLEET_HUB_HOSTS"
            )
            answer = SecurityHeaders(PlainTextResponse(text, _MISDIRECTED))
            await answer(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name, port = _split(host)
        name = name.lower().removesuffix(".")
        is_port = not port or (port.isascii() and port.isdigit())
        return is_port and (name in self._names or _is_address(name))


def _split(host: str) -> tuple[str, str]:
    """Name or address and port of a Host header (RFC 3986, 3.2.2: IPv6 stands in brackets)."""
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        return name, port.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
