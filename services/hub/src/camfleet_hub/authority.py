"""A host and a port as they stand in a URL."""

from __future__ import annotations

from typing import Final

from camfleet.errors import LocalProtocolError

_MOST: Final = 253  # characters (RFC 1035, 2.3.4)


def authority(host: object, port: int) -> str:
    """Write an address and a port (RFC 3986, 3.2: IPv6 stands in brackets)."""
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


def check_host(text: str) -> str:
    """Return a host's name or address as it stands in a URL; an IPv6 address in brackets.

    Raises:
        LocalProtocolError: when it is none, or has a port behind it.
    """
    is_bad = not text or not text.isascii() or not text.isprintable() or set(text) & set(" /@")
    if is_bad or len(text) > _MOST or text.count(":") == 1:
        raise LocalProtocolError(f"found {text[:80]!r}, want a host's name or address alone")
    return f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text
