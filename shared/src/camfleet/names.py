"""The rules that names obey, so that a name is safe in a URL, a label, a path and a header.

A name comes from outside: it is checked here once, and never trusted before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from camfleet.errors import Reason, RemoteProtocolError

MAIN: Final = "main"  # the profile that every camera has
PREVIEW: Final = "preview"  # a small one, for whoever has little room
MAX_NAME_BYTES: Final = 128  # a tile's caption; and well below any file system's 255
# Per node: eight cameras in two profiles, with names of 40 bytes. So the largest message about
# all of them, with the largest counts in it, fits a header; a test builds it.
MAX_STREAMS: Final = 16
MAX_NAMES_BYTES: Final = 640


def check_name(name: str, what: str = "name") -> str:
    """Return `name` when it may name a node or a camera.

    A name is 1 to 128 bytes of UTF-8, printable, without slashes, not `.` or `..`, and
    neither begins nor ends with a space.

    Raises:
        RemoteProtocolError: with reason `name`, saying what was found and what was wanted.
    """
    problem = _problem(name)
    if problem:
        raise RemoteProtocolError(Reason.NAME, f"{what} {problem}")
    return name


def check_streams(streams: Iterable[str]) -> None:
    """See that one node may have these streams, each named `camera/profile`.

    Raises:
        RemoteProtocolError: with reason `name`, `stream` (twice the same) or `too_many`.
    """
    seen: set[str] = set()
    for stream in streams:
        camera, _, profile = stream.partition("/")
        check_name(camera, "camera")
        check_name(profile, "profile")
        if stream in seen:
            raise RemoteProtocolError(Reason.STREAM, f"stream {stream!r} is there twice, want once")
        seen.add(stream)
    size = sum(map(_size_bytes, seen))
    if len(seen) > MAX_STREAMS or size > MAX_NAMES_BYTES:
        raise RemoteProtocolError(
            Reason.TOO_MANY,
            f"{len(seen)} streams with names of {size} bytes together, "
            f"want at most {MAX_STREAMS} with {MAX_NAMES_BYTES}",
        )


def _problem(name: str) -> str | None:
    if not name:
        return "is empty, want 1 to 128 bytes"
    if len(name) > MAX_NAME_BYTES or _size_bytes(name) > MAX_NAME_BYTES:
        return f"has {len(name)} characters ({name[:16]!r}…), want at most {MAX_NAME_BYTES} bytes"
    if not name.isprintable():
        return f"{name!r} has control characters, want printable text"
    if "/" in name or "\\" in name or name in {".", ".."}:
        return f"{name!r} looks like a path, want no slashes and no dots alone"
    if name != name.strip():
        return f"{name!r} begins or ends with a space, want none there"
    return None


def _size_bytes(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass"))
