"""The cookie of a browser that is logged in: its name, and what a browser may do with it."""

from __future__ import annotations

from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response

from camfleet_hub.web.sessions import ABSOLUTE_S

COOKIE: Final = "camfleet_session"


def cookie_of(connection: HTTPConnection) -> str:
    """The cookie that came with a request; empty where none did."""
    return connection.cookies.get(_name(connection), "")


def set_cookie(answer: Response, connection: HTTPConnection, cookie: str) -> None:
    """Have a browser keep a cookie for as long as its session may last."""
    # Lax and not strict, or who follows a link to the wall would find the log-in page. What a
    # request changes needs POST, and so a page of ours: `Access` looks at its Origin.
    answer.set_cookie(
        _name(connection),
        cookie,
        max_age=int(ABSOLUTE_S),
        secure=_is_secure(connection),
        httponly=True,
        samesite="lax",
    )


def delete_cookie(answer: Response, connection: HTTPConnection) -> None:
    """Have a browser keep it no longer."""
    secure = _is_secure(connection)
    answer.delete_cookie(_name(connection), secure=secure, httponly=True, samesite="lax")


def _name(connection: HTTPConnection) -> str:
    """What it is called; under TLS by a name that browsers take from the hub itself alone.

    So nobody can plant one by plain HTTP, or from another host of the domain (RFC 6265bis,
    4.1.3.2).
    """
    return f"__Host-{COOKIE}" if _is_secure(connection) else COOKIE


def _is_secure(connection: HTTPConnection) -> bool:
    """Whether the browser speaks TLS, to the hub or to a proxy that is trusted."""
    return connection.scope.get("scheme") in {"https", "wss"}
