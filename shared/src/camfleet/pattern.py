"""Which streams or cameras somebody means by a few words. It knows no stream itself."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final, NamedTuple

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.names import MAIN

EVERYTHING: Final = "*"
MAX_PATTERN: Final = 200  # characters
MOST_CAMERA_PATTERNS: Final = 32  # of one who may see some cameras


class StreamPattern(NamedTuple):
    """A pattern for each part of a stream's name; `*` and `?` never reach over a slash."""

    node: str
    camera: str
    profile: str

    def matches(self, node: str, stream: str) -> bool:
        """Whether it chooses a node's stream, named `camera/profile`; capitals are distinct."""
        parts = (node, *stream.split("/"))
        return len(parts) == len(self) and all(map(fnmatchcase, parts, self))


def parse_pattern(text: str) -> StreamPattern:
    """Read `node/camera`, which means its main profile, or `node/camera/profile`.

    `*` stands for any text and `?` for one character; brackets mean themselves. `*` alone
    chooses every stream in every profile.

    Raises:
        RemoteProtocolError: with reason `pattern`, saying what was found and what was wanted.
    """
    if text == EVERYTHING:
        return StreamPattern(EVERYTHING, EVERYTHING, EVERYTHING)
    parts = text.replace("[", "[[]").split("/")
    if len(parts) == 2:
        parts.append(MAIN)
    if len(parts) != 3 or not all(parts) or len(text) > MAX_PATTERN:
        raise RemoteProtocolError(
            Reason.PATTERN,
            f"pattern is {text[:80]!r}, want NODE/CAMERA, for example garden/*, "
            f"of at most {MAX_PATTERN} characters",
        )
    return StreamPattern(*parts)


def parse_camera_pattern(text: str) -> StreamPattern:
    """Read `node/camera`, which means every profile here; `*` alone chooses every camera.

    Raises:
        RemoteProtocolError: with reason `pattern`, saying what was found and what was wanted.
    """
    if text.count("/") > 1:
        raise RemoteProtocolError(
            Reason.PATTERN,
            f"pattern of cameras is {text[:80]!r}, want NODE/CAMERA without a profile",
        )
    return parse_pattern(text)._replace(profile=EVERYTHING)
