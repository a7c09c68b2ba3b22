"""The rule that node and camera names obey, so that a name is safe in a URL, a label and a path.

A name comes from outside: it is checked here once, and never trusted before.
"""

from __future__ import annotations

from typing import Final

from camfleet.errors import Reason, RemoteProtocolError

MAX_NAME_BYTES: Final = 128  # a tile's caption; and well below any file system's 255


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
