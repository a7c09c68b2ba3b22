"""A host and a port as they stand in a URL."""

from __future__ import annotations


def authority(host: object, port: int) -> str:
    """Write an address and a port (RFC 3986, 3.2: IPv6 stands in brackets)."""
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
