"""Who may see which camera: the one place that decides, for every path and every port.

It does no I/O. What may not be seen is not found, as if it were not there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.pattern import EVERYTHING, MOST_CAMERA_PATTERNS, StreamPattern, parse_camera_pattern
from camfleet_hub.fleet import Fleet
from camfleet_hub.rejections import RejectedMessage
from camfleet_hub.stream import Node, Stream

ALL_CAMERAS: Final = (StreamPattern(EVERYTHING, EVERYTHING, EVERYTHING),)
PATTERN: Final = r"^(\*|[^/]+/[^/]+)$"  # of a camera: what `parse_pattern` takes, but for profiles


class Role(StrEnum):
    """What somebody may do at the hub."""

    VIEWER = "viewer"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True)
class Identity:
    """Somebody who asks the hub for something: a user, a token, a subscriber, or anybody.

    Attributes:
        name: for people and logs; nothing is decided by it.
        role: what it may do.
        cameras: patterns of what it may see; of their profiles nothing is decided.
    """

    name: str
    role: Role
    cameras: tuple[StreamPattern, ...]

    def may_see(self, node: str, camera: str) -> bool:
        """Whether a node's camera is one of its own, in every profile."""
        return any(
            fnmatchcase(node, one.node) and fnmatchcase(camera, one.camera) for one in self.cameras
        )

    @property
    def sees_everything(self) -> bool:
        """Whether every camera is its own, and each that will come."""
        return any(one.node == one.camera == EVERYTHING for one in self.cameras)

    @property
    def is_administrator(self) -> bool:
        """Whether it may change who comes in."""
        return self.role is Role.ADMINISTRATOR


ANYBODY: Final = Identity("", Role.VIEWER, ALL_CAMERAS)  # where nobody needs to log in
NOBODY: Final = Identity("", Role.VIEWER, ())


class Sight:
    """The part of the fleet that somebody may see.

    Args:
        fleet: every node and camera.
        identity: who looks.
    """

    def __init__(self, fleet: Fleet, identity: Identity) -> None:
        self._fleet = fleet
        self.identity = identity

    def may_see(self, stream_id: str) -> bool:
        """Whether a stream may be seen by its id, be it there or not."""
        node, _, rest = stream_id.partition("/")
        return self.identity.may_see(node, rest.partition("/")[0])

    def find(self, stream_id: str) -> Stream | None:
        """The stream with this id; None where there is none, or it may not be seen."""
        return self._fleet.find(stream_id) if self.may_see(stream_id) else None

    def streams(self) -> list[Stream]:
        """All streams that may be seen, by id."""
        streams = self._fleet.streams()
        if self.identity.sees_everything:
            return streams
        return [one for one in streams if self.identity.may_see(one.node.name, one.camera)]

    def nodes(self) -> list[Node]:
        """All nodes with a camera that may be seen, by name; who sees everything sees all."""
        nodes = self._fleet.nodes()
        if self.identity.sees_everything:
            return nodes
        return [node for node in nodes if self.streams_of(node)]

    def node(self, name: str) -> Node | None:
        """The node with this name; None where there is none, or nothing of it may be seen."""
        return next((node for node in self.nodes() if node.name == name), None)

    def streams_of(self, node: Node) -> list[Stream]:
        """A node's streams that may be seen, by id."""
        streams = sorted(node.streams.values(), key=lambda stream: stream.id)
        return [one for one in streams if self.identity.may_see(node.name, one.camera)]

    def rejected(self) -> dict[tuple[str, str, Reason], int]:
        """What was rejected, by node, camera and reason; of cameras only that may be seen."""
        nodes = {node.name for node in self.nodes()}
        return {
            (node, camera, reason): count
            for (node, camera, reason), count in self._fleet.rejected.copy().items()
            if node in nodes and (not camera or self.identity.may_see(node, camera))
        }

    def rejections(self) -> list[RejectedMessage]:
        """What was just rejected of senders without a stream; strangers' for who sees all."""
        everything = self.identity.sees_everything
        return [
            one
            for one in self._fleet.rejections.recent(self.now_ns())
            if everything or (one.camera and self.identity.may_see(one.node, one.camera))
        ]

    def now_ns(self) -> int:
        """Now, on the clock that silences are measured on."""
        return self._fleet.now_ns()


def parse_cameras(text: str) -> tuple[StreamPattern, ...]:
    """Read patterns of cameras, separated by commas, for example `garden/*,*/pond`.

    `*` alone stands for every camera.

    Raises:
        LocalProtocolError: when there is none or too many, or one cannot be read.
    """
    return permitted(item.strip() for item in text.split(",") if item.strip())


def permitted(items: Iterable[str]) -> tuple[StreamPattern, ...]:
    """Read patterns of cameras that stand one by one.

    Raises:
        LocalProtocolError: when there is none or too many, or one cannot be read.
    """
    texts = list(items)
    if not 1 <= len(texts) <= MOST_CAMERA_PATTERNS:
        raise LocalProtocolError(
            f"found {len(texts)} patterns of cameras, want 1 to {MOST_CAMERA_PATTERNS}"
        )
    return tuple(map(_parse, texts))


def _parse(text: str) -> StreamPattern:
    try:
        return parse_camera_pattern(text)
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from error


def check_rights(role: Role, cameras: tuple[str, ...]) -> tuple[StreamPattern, ...]:
    """Read what somebody of a role may see: an administrator, who lets others in, everything.

    Raises:
        LocalProtocolError: when an administrator is to see less, or a pattern is bad.
    """
    patterns = permitted(cameras)
    if role is Role.ADMINISTRATOR and patterns != ALL_CAMERAS:
        raise LocalProtocolError("an administrator sees every camera, want a viewer to see some")
    return patterns
