"""Which nodes and cameras still have metrics. Who is gone for long leaves no series behind."""

from __future__ import annotations

from typing import Final

from camfleet.liveness import Liveness
from camfleet.names import MAIN
from camfleet_hub.fleet import Fleet
from camfleet_hub.stream import Node, Stream

DAY_S: Final = 86_400.0
_NS: Final = 1e9


class Expiry:
    """Looks through a fleet for who is there, or was of late.

    Args:
        fleet: every node and camera.
        after_s: so long after the last sign of life nothing is told of them any more.
    """

    def __init__(self, fleet: Fleet, after_s: float = DAY_S) -> None:
        self._fleet = fleet
        self._after_ns = after_s * _NS

    def nodes(self) -> list[Node]:
        """Nodes to tell of, by name."""
        now_ns = self._fleet.now_ns()
        return [node for node in self._fleet.nodes() if self._is_told(node, now_ns)]

    def streams(self) -> list[Stream]:
        """One stream per camera to tell of, or two would claim the same labels."""
        now_ns = self._fleet.now_ns()
        return [
            stream
            for stream in self._fleet.streams()
            if stream.profile == MAIN and self._has_camera(stream, now_ns)
        ]

    def _is_told(self, node: Node, now_ns: int) -> bool:
        return self._is_recent(node.heard_ns, now_ns)

    def _has_camera(self, stream: Stream, now_ns: int) -> bool:
        """Whether a camera is one of a node that is told of, and not taken from it long ago."""
        if not self._is_told(stream.node, now_ns):
            return False
        is_kept = stream.node.has_heartbeat and stream.is_declared
        is_online = stream.liveness(now_ns) is Liveness.ONLINE
        return is_kept or is_online or self._is_recent(stream.heard_ns, now_ns)

    def _is_recent(self, heard_ns: int, now_ns: int) -> bool:
        return now_ns - heard_ns <= self._after_ns
