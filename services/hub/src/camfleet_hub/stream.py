"""Streams and the nodes that send them, as the hub sees them: what came last, what was counted."""

from __future__ import annotations

from typing import Final, NamedTuple

from camfleet.frame import Frame
from camfleet.liveness import Liveness, liveness, usual_interval_s
from camfleet.names import MAIN
from camfleet.stats import RateMeter, StreamStats

_NS: Final = 1e9
_BEST_FIRST: Final = (Liveness.ONLINE, Liveness.STALE, Liveness.OFFLINE)


class Arrival(NamedTuple):
    """A frame with its number among all that arrived of its stream; both are read at once."""

    frame: Frame
    number: int


class Stream:
    """One camera's frames in one profile: the newest one, and what was counted.

    Attributes:
        id: `node/camera`, with the profile behind it where that is not `main`.
        arrival: the last frame that arrived and its number; None before the first.
        fps: arrivals per second over the last three seconds.
        skipped: frames that some viewer did not get because it had a newer one to get.
        heard_ns: when the last frame arrived.
    """

    def __init__(self, node: Node, name: str) -> None:
        self.node = node
        self.camera, _, self.profile = name.partition("/")
        path = (node.name, self.camera) + ((self.profile,) if self.profile != MAIN else ())
        self.id = "/".join(path)
        self.arrival: Arrival | None = None
        self.stats = StreamStats()
        self.fps = 0.0
        self.skipped = 0
        self.heard_ns = 0
        self._gaps_ns: tuple[int, ...] = ()
        self._rate = RateMeter()

    @property
    def newest(self) -> Frame | None:
        """The last frame that arrived; None before the first."""
        arrival = self.arrival
        return arrival.frame if arrival else None

    def take(self, frame: Frame, monotonic_ns: int) -> None:
        """Account for a frame and make it the newest; only ever on its port's thread."""
        self.stats.account(frame)
        if self.arrival:
            self._gaps_ns = (*self._gaps_ns[-2:], monotonic_ns - self.heard_ns)
        self.heard_ns = self.node.heard_ns = monotonic_ns
        # Last, so that nobody sees it without its time.
        self.arrival = Arrival(frame, self.stats.received)

    def silence_s(self, monotonic_ns: int) -> float | None:
        """Seconds since the last frame; None before the first."""
        return (monotonic_ns - self.heard_ns) / _NS if self.arrival else None

    def liveness(self, monotonic_ns: int) -> Liveness:
        """Judge the camera: offline with its node, stale while its node sends no pictures.

        A camera that sends a picture now and then is judged by how often it usually does.
        """
        silence_s = self.silence_s(monotonic_ns)
        interval_s = usual_interval_s([gap_ns / _NS for gap_ns in self._gaps_ns])
        judged = Liveness.OFFLINE if silence_s is None else liveness(silence_s, interval_s)
        if not self.node.has_heartbeat:
            return judged
        if self.node.liveness(monotonic_ns) is Liveness.OFFLINE:
            return Liveness.OFFLINE
        return Liveness.ONLINE if judged is Liveness.ONLINE else Liveness.STALE

    def sample(self, monotonic_ns: int) -> None:
        """Read the counter for the rate; called once a second."""
        self.fps = self._rate.sample(self.stats.received, monotonic_ns / _NS)


class Node:
    """One machine with cameras.

    Attributes:
        name: as it said in its hello.
        has_heartbeat: False for stock imagezmq senders, which are judged by their frames.
        software: name and version, where the node told them.
        streams: by name. It is never changed, only replaced, so that anybody may read it.
        heard_ns: when the node was heard last.
        has_left: it said goodbye, or was silent for too long.
    """

    def __init__(self, name: str, *, has_heartbeat: bool) -> None:
        self.name = name
        self.has_heartbeat = has_heartbeat
        self.software = ""
        self.streams: dict[str, Stream] = {}
        self.heard_ns = 0
        self.has_left = False

    def liveness(self, monotonic_ns: int) -> Liveness:
        """Judge the node by the time since it was heard, or as the best of its cameras."""
        if not self.has_heartbeat:
            found = {stream.liveness(monotonic_ns) for stream in self.streams.values()}
            return next((state for state in _BEST_FIRST if state in found), Liveness.OFFLINE)
        if self.has_left:
            return Liveness.OFFLINE
        return liveness((monotonic_ns - self.heard_ns) / _NS)
