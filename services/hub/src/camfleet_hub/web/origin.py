"""Whether a request comes from a page of this hub."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection


def is_same_origin(connection: HTTPConnection) -> bool:
    """Whether the page that asks came from this hub (RFC 6454; RFC 6455, 10.2).

    A program that is no browser sends no Origin, and may ask.
    """
    origin = connection.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == connection.headers.get("host")
    except ValueError:  # not a URL at all
        return False
