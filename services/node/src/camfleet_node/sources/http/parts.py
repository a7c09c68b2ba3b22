"""Takes a multipart stream apart (RFC 2046, 5.1). It trusts no length, and opens nothing."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from typing import Final, Protocol

MAX_PART: Final = 16 << 20  # bytes; ten times a large JPEG
_MAX_LINE: Final = 1024  # bytes of a header's line
_MAX_LINES: Final = 32  # headers of a part
_MAX_BETWEEN: Final = 64 << 10  # bytes that belong to no part
_CHUNK: Final = 64 << 10


class Stream(Protocol):
    """What bytes come from."""

    def readline(self, limit: int, /) -> bytes:
        """Read until the line's end, or so many bytes; nothing at the end."""
        ...

    def read(self, size: int, /) -> bytes:
        """Read so many bytes, or fewer at the end."""
        ...


def boundary_of(content_type: str) -> bytes:
    """Find what stands between parts; it may have hyphens of its own, or by mistake.

    Raises:
        ValueError: it is no multipart stream.
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_maintype() != "multipart" or not boundary:
        raise ValueError(
            f"gives {content_type[:80] or 'no type'}, want a multipart stream of JPEGs"
        )
    return boundary.encode("utf-8", "replace").strip(b"-")


def parts(stream: Stream, boundary: bytes) -> Iterator[bytes]:
    """Yield the bodies of a stream's parts until it ends.

    Args:
        stream: behind the header of the answer.
        boundary: of `boundary_of`.

    Raises:
        ValueError: it is not cut into parts, or a part is larger than MAX_PART.
    """
    is_cut = _skip_to_boundary(stream, boundary)
    while is_cut:
        length = _read_length(stream)
        if length is None:
            body, is_cut = _read_to_boundary(stream, boundary)
            if body:  # behind the last boundary there is none
                yield body
            continue
        body = _read(stream, length)
        if len(body) < length:
            return
        yield body  # before the boundary, which may come no sooner than the next part
        is_cut = _skip_to_boundary(stream, boundary)


def _is_boundary(line: bytes, boundary: bytes) -> bool:
    return line.startswith(b"-") and line.strip(b"-\r\n ") == boundary


def _skip_to_boundary(stream: Stream, boundary: bytes) -> bool:
    skipped = 0
    while skipped <= _MAX_BETWEEN:
        line = stream.readline(_MAX_LINE)
        if not line:
            return False
        if _is_boundary(line, boundary):
            return True
        skipped += len(line)
    raise ValueError(f"has no boundary within {_MAX_BETWEEN} bytes")


def _read_length(stream: Stream) -> int | None:
    """Read a part's headers; return the length that they tell."""
    length = None
    for _ in range(_MAX_LINES):
        line = stream.readline(_MAX_LINE)
        name, _, value = line.partition(b":")
        if not line.strip():
            return length
        if name.strip().lower() == b"content-length":
            text = value.strip()
            if not text.isdigit() or len(text) > len(str(MAX_PART)) or int(text) > MAX_PART:
                raise ValueError(f"has a part of {text[:20]!r} bytes, want at most {MAX_PART}")
            length = int(text)
    raise ValueError(f"has a part with more than {_MAX_LINES} headers")


def _read(stream: Stream, length: int) -> bytes:
    """Read so many bytes, and keep no more memory ready than has come."""
    body = bytearray()
    while len(body) < length:
        chunk = stream.read(min(length - len(body), _CHUNK))
        if not chunk:
            break
        body += chunk
    return bytes(body)


def _read_to_boundary(stream: Stream, boundary: bytes) -> tuple[bytes, bool]:
    body = bytearray()
    while len(body) <= MAX_PART:
        line = stream.readline(_CHUNK)
        if not line:
            return bytes(body), False
        if _is_boundary(line, boundary):
            return bytes(body), True
        body += line
    raise ValueError(f"has a part of more than {MAX_PART} bytes")
