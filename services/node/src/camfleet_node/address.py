"""A camera's address as logs and errors may show it: never with what opens the camera."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_url(device: int | str) -> bool:
    """Whether a device is given by URL rather than by its number or path."""
    return "://" in str(device)


def is_http(url: str) -> bool:
    """Whether it is a whole URL of a web server."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def without_credentials(url: str) -> str:
    """Leave out what cameras take as credentials: before the @, and in the query.

    Raises:
        ValueError: it looks like a URL and is none.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
