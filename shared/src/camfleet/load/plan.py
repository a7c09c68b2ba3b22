"""What a load generator is to do: which nodes with how many cameras, how fast, how large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from camfleet.errors import LocalProtocolError
from camfleet.keys import Bundle
from camfleet.names import MAX_STREAMS

MAX_CAMERAS: Final = MAX_STREAMS  # of one node


@dataclass(frozen=True)
class SimulatedNode:
    """A node that is only simulated.

    Attributes:
        name: as it says in its hello.
        cameras: how many it has, 1 to 16.
        bundle: its keys; None where the link is plain.
    """

    name: str
    cameras: int
    bundle: Bundle | None = None


@dataclass(frozen=True)
class Plan:
    """One generator's work.

    Attributes:
        address: the hub's port for nodes.
        nodes: all that are simulated by this process.
        fps: pictures per second of each camera.
        size_bytes: of each picture.
        phase: how much later than another plan's its cameras begin, in parts of the time
            between two of its own ticks, from 0 to 1.
    """

    address: str
    nodes: tuple[SimulatedNode, ...]
    fps: float
    size_bytes: int
    phase: float = 0.0

    @property
    def cameras(self) -> int:
        """How many there are on all nodes."""
        return sum(node.cameras for node in self.nodes)


def spread(
    cameras: int, names: Sequence[str], bundles: Sequence[Bundle | None]
) -> tuple[SimulatedNode, ...]:
    """Give each node as many cameras as any other, or one more.

    Raises:
        LocalProtocolError: where a node would have none or too many.
    """
    if not len(names) <= cameras <= MAX_CAMERAS * len(names):
        raise LocalProtocolError(
            f"{cameras} cameras on {len(names)} nodes, want 1 to {MAX_CAMERAS} on each"
        )
    fewest, more = divmod(cameras, len(names))
    return tuple(
        SimulatedNode(name, fewest + (number < more), bundle)
        for number, (name, bundle) in enumerate(zip(names, bundles, strict=True))
    )
