"""What a hub learns of its nodes beside their frames."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from camfleet.frame import Frame
from camfleet.wire import NO_DETECTIONS, Counters, Detection, DetectionCounters, Facts


@dataclass(frozen=True)
class NodeJoined:
    """A node said hello and was welcomed, for the first time or anew.

    Attributes:
        metrics_port: where other machines find its own metrics; 0 where they cannot.
        asked_fps: what each stream's camera is to give, in the order of the counters; or empty.
        address: the machine's, as its connection has it; empty where that is not known.
    """

    node: str
    session: int
    counters: tuple[Counters, ...]
    software: str
    detections: DetectionCounters = NO_DETECTIONS
    metrics_port: int = 0
    asked_fps: tuple[float, ...] = ()
    address: str = ""


@dataclass(frozen=True)
class NodeReported:
    """A node's heartbeat arrived; all that it had sent before has arrived or is lost.

    Attributes:
        round_trip_ns: the least that the node measured lately; -1 before the first.
        health: of its machine, as it came: `from_facts` reads it.
        restarts: of each stream's camera, in the order of the counters; empty where it tells none.
    """

    node: str
    session: int
    counters: tuple[Counters, ...]
    round_trip_ns: int = -1
    detections: DetectionCounters = NO_DETECTIONS
    health: Facts = ()
    restarts: tuple[int, ...] = ()


class Leaving(StrEnum):
    """Why a node left: a small fixed set."""

    GOODBYE = "goodbye"
    SILENT = "silent"
    REVOKED = "revoked"


@dataclass(frozen=True)
class NodeLeft:
    """A node said goodbye, was silent for too long, or lost its key.

    Attributes:
        message: the same for a person; of a goodbye the node's own words, or nothing.
    """

    node: str
    message: str
    why: Leaving


@dataclass(frozen=True)
class Detected:
    """A node's detector found something.

    Attributes:
        header: as it came.
        picture: a small JPEG, or nothing.
        received_ns: arrival, Unix ns on the hub's clock.
    """

    node: str
    header: Detection
    picture: bytes
    received_ns: int

    @property
    def camera(self) -> str:
        """The camera's name."""
        return self.header.stream.partition("/")[0]

    @property
    def captured_ns(self) -> int | None:
        """When it was captured, Unix ns on the hub's clock; None where that cannot be known."""
        header = self.header
        if not header.captured_ns or header.clock_uncertainty_ns < 0:
            return None
        return header.captured_ns + header.clock_offset_ns


Event = Frame | NodeJoined | NodeReported | NodeLeft | Detected
