"""Streams and the nodes that send them, as the hub sees them: what came last, what was counted."""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

from camfleet.clock import Offset
from camfleet.events import Detected, NodeLeft
from camfleet.frame import Frame
from camfleet.liveness import Liveness, liveness, usual_interval_s
from camfleet.machine_health import MachineHealth
from camfleet.names import MAIN
from camfleet.stats import DetectionStats, RateMeter, StreamStats
from camfleet.wire import Counters
from camfleet_hub.paintings import Paintings
from camfleet_hub.rejections import RejectedMessage

_NS: Final = 1e9
_MOST_WORDS: Final = 8  # of detectors and states per camera: they become labels of a metric
_OTHER: Final = ("other", "other")
_MOST_REGIONS: Final = 32  # a camera has eight of each detector
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
        captured_fps: pictures per second that the node captured meanwhile.
        dropped: frames that were discarded here by choice, by place and reason.
        forwarded: frames that were sent on to subscribers, each as often as it was.
        heard_ns: when the last frame arrived.
        detections: how many of this camera arrived, by detector and state.
        paintings: of this camera in viewers; a preview's are counted with its main stream.
        takes_place: it counts as a camera; a preview beside its main stream does not.
        rejection: the last message of it that was rejected; None where none was.
        asked_fps: pictures per second that it is to give; 0 where that is not known.
        is_declared: its node's last hello named it; always so of stock senders.
    """

    def __init__(self, node: Node, name: str, *, takes_place: bool = True) -> None:
        self.node = node
        self.camera, _, self.profile = name.partition("/")
        path = (node.name, self.camera) + ((self.profile,) if self.profile != MAIN else ())
        self.id = "/".join(path)
        self.arrival: Arrival | None = None
        self.stats = StreamStats()
        self.fps = 0.0
        self.captured_fps = 0.0
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.forwarded = 0
        self.heard_ns = 0
        self._reported_ns = 0
        self.detections: Counter[tuple[str, str]] = Counter()
        self.paintings = Paintings()
        self.takes_place = takes_place
        self.rejection: RejectedMessage | None = None
        self.asked_fps = 0.0
        self.is_declared = True
        self._found: dict[tuple[str, str], str] = {}  # by detector and region
        self._alive_ns: int | None = None
        self._gaps_ns: tuple[int, ...] = ()
        self._rate = RateMeter()
        self._captured_rate = RateMeter()

    @property
    def newest(self) -> Frame | None:
        """The last frame that arrived; None before the first."""
        arrival = self.arrival
        return arrival.frame if arrival else None

    @property
    def counted_ns(self) -> int:
        """When the node's count of its pictures came last, with a frame or a heartbeat; or 0."""
        return max(self.heard_ns, self._reported_ns)

    def drop(self, place: str, reason: str, count: int = 1) -> None:
        """Count frames that a consumer did not get; each place counts on one thread."""
        self.dropped[place, reason] += count

    def take(self, frame: Frame, monotonic_ns: int) -> None:
        """Account for a frame and make it the newest; only ever on its port's thread."""
        self.stats.account(frame)
        self._give_sign(monotonic_ns)
        self.heard_ns = self.node.heard_ns = monotonic_ns
        # Last, so that nobody sees it without its time.
        self.arrival = Arrival(frame, self.stats.received)

    def report(self, counters: Counters, monotonic_ns: int) -> None:
        """Take a heartbeat's counts; on the same thread.

        A camera that captures and by choice sends nothing is as alive as one that sends.
        """
        withheld = self.stats.withheld
        self.stats.report(counters)
        self._reported_ns = monotonic_ns
        if self.stats.withheld > withheld:
            self._give_sign(monotonic_ns)

    def detect(self, detected: Detected) -> None:
        """Count a detection, and remember what its detector found."""
        header = detected.header
        words = header.detector, header.state
        is_known = words in self.detections or len(self.detections) < _MOST_WORDS
        self.detections[words if is_known else _OTHER] += 1
        place = header.detector, header.region
        if place in self._found or len(self._found) < _MOST_REGIONS:
            self._found = {**self._found, place: header.state}

    def forget_detections(self) -> None:
        """Remember nothing of what detectors found: they were restarted, or one was not heard."""
        self._found = {}

    def finds(self, detector: str, state: str) -> bool:
        """Whether a detector of this camera last found this, in any of its regions."""
        return any(found == state for (which, _), found in self._found.items() if which == detector)

    def silence_s(self, monotonic_ns: int) -> float | None:
        """Seconds since the last frame; None before the first."""
        return (monotonic_ns - self.heard_ns) / _NS if self.arrival else None

    def liveness(self, monotonic_ns: int) -> Liveness:
        """Judge the camera: offline with its node, stale while its node sends no pictures.

        A camera that sends a picture now and then is judged by how often it usually does, and
        one that by choice sends none by what it captures.
        """
        alive_ns = self._alive_ns
        silence_s = None if alive_ns is None else (monotonic_ns - alive_ns) / _NS
        interval_s = usual_interval_s([gap_ns / _NS for gap_ns in self._gaps_ns])
        judged = Liveness.OFFLINE if silence_s is None else liveness(silence_s, interval_s)
        if not self.node.has_heartbeat:
            return judged
        if self.node.liveness(monotonic_ns) is Liveness.OFFLINE:
            return Liveness.OFFLINE
        return Liveness.ONLINE if judged is Liveness.ONLINE else Liveness.STALE

    def _give_sign(self, monotonic_ns: int) -> None:
        if self._alive_ns is not None:
            self._gaps_ns = (*self._gaps_ns[-2:], monotonic_ns - self._alive_ns)
        self._alive_ns = monotonic_ns

    def sample(self, monotonic_ns: int) -> None:
        """Read the counters for the rates; called once a second."""
        at_s = monotonic_ns / _NS
        self.fps = self._rate.sample(self.stats.received, at_s)
        # A stock sender does not tell; each of its pictures arrives or is never captured.
        captured_fps = self._captured_rate.sample(self.stats.captured, at_s)
        self.captured_fps = captured_fps if self.node.has_heartbeat else self.fps


class Node:
    """One machine with cameras.

    Attributes:
        name: as it said in its hello.
        has_heartbeat: False for stock imagezmq senders, which are judged by their frames.
        software: name and version, where the node told them.
        streams: by name. It is never changed, only replaced, so that anybody may read it.
        heard_ns: when the node was heard last.
        left: how it went, of one that said goodbye, was silent for too long or lost its key.
        round_trip_ns: the least that it measured lately; -1 before the first.
        detections: what was counted of them.
        session: of its last hello.
        joined: how often it was welcomed: each start, and each return.
        metrics_at: host and port of its own metrics; empty where they cannot be reached.
        health: of its machine, as its last heartbeat had it; None where it tells nothing.
        rejection: its last message that was rejected and about no camera; None where none was.
    """

    def __init__(self, name: str, *, has_heartbeat: bool) -> None:
        self.name = name
        self.has_heartbeat = has_heartbeat
        self.software = ""
        self.streams: dict[str, Stream] = {}
        self.heard_ns = 0
        self.left: NodeLeft | None = None
        self.round_trip_ns = -1
        self.detections = DetectionStats()
        self.session: int | None = None
        self.joined = 0
        self.metrics_at = ""
        self.health: MachineHealth | None = None
        self.rejection: RejectedMessage | None = None

    @property
    def clock(self) -> Offset | None:
        """The hub's clock minus the node's, as its last frame had it; None where unknown."""
        streams = [stream for stream in self.streams.values() if stream.newest]
        newest = max(streams, key=lambda stream: stream.heard_ns).newest if streams else None
        if newest is None or newest.header.clock_uncertainty_ns < 0:
            return None
        return Offset(newest.header.clock_offset_ns, newest.header.clock_uncertainty_ns)

    def liveness(self, monotonic_ns: int) -> Liveness:
        """Judge the node by the time since it was heard, or as the best of its cameras."""
        if not self.has_heartbeat:
            found = {stream.liveness(monotonic_ns) for stream in self.streams.values()}
            return next((state for state in _BEST_FIRST if state in found), Liveness.OFFLINE)
        if self.left:
            return Liveness.OFFLINE
        return liveness((monotonic_ns - self.heard_ns) / _NS)
