"""What a hub learns of its nodes beside their frames."""

from __future__ import annotations

from dataclasses import dataclass

from camfleet.frame import Frame
from camfleet.wire import Counters


@dataclass(frozen=True)
class NodeJoined:
    """A node said hello and was welcomed, for the first time or anew."""

    node: str
    session: int
    counters: tuple[Counters, ...]
    software: str


@dataclass(frozen=True)
class NodeReported:
    """A node's heartbeat arrived; all that it had sent before has arrived or is lost.

    Attributes:
        round_trip_ns: the least that the node measured lately; -1 before the first.
    """

    node: str
    session: int
    counters: tuple[Counters, ...]
    round_trip_ns: int = -1


@dataclass(frozen=True)
class NodeLeft:
    """A node said goodbye, was silent for too long, or lost its key."""

    node: str
    message: str


Event = Frame | NodeJoined | NodeReported | NodeLeft
