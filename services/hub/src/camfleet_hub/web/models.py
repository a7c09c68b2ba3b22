"""What the API says of nodes and cameras: typed, as /openapi.json shows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import msgspec
from pydantic import BaseModel, Field

from camfleet.events import Leaving, NodeLeft
from camfleet.liveness import OFFLINE_AFTER_S, Liveness
from camfleet.names import MAIN
from camfleet_hub.permission import Sight
from camfleet_hub.rejections import RejectedMessage
from camfleet_hub.stream import Node, Stream

State = Literal["online", "stale", "offline"]
Mark = Literal["motion", "dark"]
_NS_PER_MS = 1e6
_MOST_TEXT = 200
_MARKS: tuple[tuple[Mark, str, str], ...] = (
    ("motion", "motion", "moving"),
    ("dark", "light", "dark"),
)
_Rejected = defaultdict[tuple[str, str], dict[str, int]]  # by node and camera, then by reason


class Rejection(BaseModel):
    """The last message that the hub rejected of somebody."""

    reason: str = Field(description="In words.")
    problem: str = Field(description="What was found and wanted.")
    age_ms: int


class RejectedSender(Rejection):
    """The same of a sender that has no camera here."""

    sender: str = Field(description="node or node/camera; empty for a stranger.")


class Gone(BaseModel):
    """Why a node is not here."""

    reason: Literal["goodbye", "silent", "revoked", "rejected"]
    detail: str = Field(
        description="In words; what it said itself, and what is wrong, for who sees everything.",
        examples=["nothing was heard of it for 10 s"],
    )


class Camera(BaseModel):
    """One camera as the hub sees it now."""

    id: str = Field(description="node/camera", examples=["garden/pond"])
    node: str = Field(examples=["garden"])
    camera: str = Field(examples=["pond"])
    state: State
    fps: float = Field(
        description="Frames received per second over the last three seconds, of the profile that "
        "gives most; about one where nobody looks."
    )
    captured_fps: float = Field(description="Pictures that the camera captures per second.")
    asked_fps: float | None = Field(
        description="Pictures per second that it is set to give; null where its node does not tell."
    )
    latency_ms: float | None = Field(
        description="Capture to hub of the newest frame, on the hub's clock; null where unknown."
    )
    uncertainty_ms: float | None = Field(description="The most that latency_ms may be wrong.")
    age_ms: float | None = Field(description="Since the newest frame arrived; null before it.")
    width: int | None
    height: int | None
    marks: list[Mark] = Field(description="What its detectors find now, in any of their regions.")
    rejection: Rejection | None = Field(
        description="What of it was rejected in the last 15 s, where anything was."
    )
    gone: Gone | None = Field(description="Why its node is gone, where it is.")


class Profile(BaseModel):
    """Another stream of a camera, such as its small preview. It is not in the camera's counts."""

    profile: str
    state: State
    fps: float = Field(description="Frames received per second; none where nobody looks.")
    age_ms: float | None
    width: int | None
    height: int | None
    received: int
    received_bytes: int
    lost: int
    dropped: dict[str, int] = Field(description="By its node, by reason.")


class CameraCounts(Camera):
    """One camera with its counters since the hub started."""

    label: str | None = Field(description="Text that came with the newest frame.")
    captured: int
    received: int
    received_bytes: int
    lost: int
    dropped: dict[str, int] = Field(description="By its node, by reason.")
    skipped: int = Field(description="Dropped at the wall: a viewer had a newer one to get.")
    rejected: dict[str, int] = Field(description="Messages about this camera, by reason.")
    jitter_ms: float
    profiles: list[Profile] = Field(description="Its other streams.")


class Machine(BaseModel):
    """What a node reports of its machine; null where it cannot know."""

    cpu_share: float | None = Field(description="Of all processors, busy lately; 0 to 1.")
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    temperature_c: float | None = Field(description="Of its processor.")
    is_under_voltage: bool | None = Field(description="Its power supply is too weak now.")
    is_throttled: bool | None = Field(description="Its processor is held back now.")
    was_under_voltage: bool | None = Field(description="It was since the machine's start.")
    was_throttled: bool | None = Field(description="It was since the machine's start.")
    wifi_signal_dbm: float | None = Field(description="Of its strongest Wi-Fi link.")
    disk_free_share: float | None = Field(description="0 to 1.")
    uptime_s: float | None = Field(description="Since the machine's start.")


class NodeView(BaseModel):
    """One node and its cameras."""

    name: str = Field(examples=["garden"])
    state: State
    software: str = Field(examples=["camfleet-node 0.6.0"])
    gone: Gone | None = Field(description="Why it is gone, where it is.")
    rejected: dict[str, int] = Field(description="Messages about none of its cameras, by reason.")
    rejection: Rejection | None = Field(
        description="The last of these, where it came in the last 15 s, for who sees everything. "
        "Where its name or keys are those of another machine too, it says so."
    )
    detections_lost: int = Field(description="Detections that were sent and never arrived.")
    machine: Machine | None = Field(
        description="How its machine does; null where it tells nothing, or is offline."
    )
    cameras: list[CameraCounts]


class NodePage(BaseModel):
    """Some nodes, by name."""

    nodes: list[NodeView]
    after: str | None = Field(description="Ask with this for the next ones; null at the end.")


class CameraPage(BaseModel):
    """Some cameras, by id."""

    cameras: list[CameraCounts]
    after: str | None = Field(description="Ask with this for the next ones; null at the end.")


def camera(sight: Sight, stream: Stream, now_ns: int) -> Camera:
    """Describe a stream's camera at a monotonic time."""
    frame = stream.newest
    state = stream.liveness(now_ns)
    silence_s = stream.silence_s(now_ns)
    latency_ns = frame.latency_ns if frame else None
    uncertainty_ns = frame.header.clock_uncertainty_ns if frame and latency_ns is not None else None
    height, width = frame.header.shape[:2] if frame else (None, None)
    return Camera(
        id=stream.id,
        node=stream.node.name,
        camera=stream.camera,
        state=state.value,
        fps=0.0 if state is Liveness.OFFLINE else round(_fps(stream), 1),
        captured_fps=0.0 if state is Liveness.OFFLINE else round(stream.captured_fps, 1),
        asked_fps=round(stream.asked_fps, 1) or None,
        latency_ms=_ms(latency_ns),
        uncertainty_ms=_ms(uncertainty_ns),
        age_ms=None if silence_s is None else round(1000 * silence_s),
        width=width,
        height=height,
        marks=_marks(stream) if state is Liveness.ONLINE else [],
        rejection=_rejection(stream.rejection, now_ns),
        gone=gone(sight, stream.node, now_ns),
    )


def gone(sight: Sight, node: Node, now_ns: int) -> Gone | None:
    """Say why a node is not here; None while it is. Its own words are for who sees everything."""
    everything = sight.identity.sees_everything
    if not node.has_heartbeat or node.liveness(now_ns) is not Liveness.OFFLINE:
        return None
    if node.rejection is not None and node.rejection.is_recent(now_ns):
        detail = node.rejection.reason if everything else "what it says is rejected"
        return Gone(reason="rejected", detail=detail)
    match node.left:
        case NodeLeft(why=Leaving.REVOKED):
            return Gone(reason="revoked", detail="its key was revoked")
        case NodeLeft(_, message, Leaving.GOODBYE):
            words = f": {message[:_MOST_TEXT]}" if message and everything else ""
            return Gone(reason="goodbye", detail=f"it said goodbye{words}")
        case _:
            silence = f"nothing was heard of it for {OFFLINE_AFTER_S:.0f} s"
            return Gone(reason="silent", detail=silence)


def rejection(sight: Sight, node: Node, now_ns: int) -> Rejection | None:
    """Describe what a node said about none of its cameras, and was rejected just now."""
    return _rejection(node.rejection, now_ns) if sight.identity.sees_everything else None


def rejected_sender(found: RejectedMessage, now_ns: int) -> RejectedSender:
    """Describe what was rejected of a sender without a camera, at a monotonic time."""
    sender = "/".join(filter(None, (found.node, found.camera)))
    return RejectedSender(sender=sender, **_words(found, now_ns).model_dump())


def _rejection(found: RejectedMessage | None, now_ns: int) -> Rejection | None:
    is_recent = found is not None and found.is_recent(now_ns)
    return _words(found, now_ns) if found and is_recent else None


def _words(found: RejectedMessage, now_ns: int) -> Rejection:
    age_ms = round((now_ns - found.at_ns) / _NS_PER_MS)
    return Rejection(reason=found.reason, problem=found.problem, age_ms=age_ms)


def nodes(sight: Sight, chosen: Iterable[Node] | None = None) -> list[NodeView]:
    """Describe now what of some nodes, or of all of them, may be seen."""
    now_ns, rejected = sight.now_ns(), _rejected(sight)
    return [
        _node(node, sight, now_ns, rejected)
        for node in (sight.nodes() if chosen is None else chosen)
    ]


def cameras(sight: Sight) -> list[Stream]:
    """The stream that stands for each camera that may be seen, by id."""
    streams = sight.streams()
    mains = {(one.node.name, one.camera): one for one in streams if one.profile == MAIN}
    # A camera without its main profile is none of ours, and shown all the same.
    return [one for one in streams if mains.get((one.node.name, one.camera), one) is one]


def counts(sight: Sight, chosen: Iterable[Stream]) -> list[CameraCounts]:
    """Describe some cameras now, by the streams that stand for them."""
    now_ns, rejected = sight.now_ns(), _rejected(sight)
    return [_counts(sight, stream, now_ns, rejected) for stream in chosen]


def _rejected(sight: Sight) -> _Rejected:
    found: _Rejected = defaultdict(dict)
    for (node, name, reason), count in sight.rejected().items():
        found[node, name][reason.value] = count
    return found


def machine(node: Node, now_ns: int) -> Machine | None:
    """Describe a node's machine; of a node that is away nothing is known."""
    if node.health is None or node.liveness(now_ns) is Liveness.OFFLINE:
        return None
    return Machine(**msgspec.structs.asdict(node.health))


def _node(node: Node, sight: Sight, now_ns: int, rejected: _Rejected) -> NodeView:
    streams = sight.streams_of(node)
    mains = {stream.camera: stream for stream in streams if stream.profile == MAIN}
    shown = [one for one in streams if mains.get(one.camera, one) is one]
    return NodeView(
        name=node.name,
        state=node.liveness(now_ns).value,
        software=node.software,
        gone=gone(sight, node, now_ns),
        rejected=rejected.get((node.name, ""), {}),
        rejection=rejection(sight, node, now_ns),
        detections_lost=node.detections.lost,
        machine=machine(node, now_ns),
        cameras=[_counts(sight, stream, now_ns, rejected) for stream in shown],
    )


def _counts(sight: Sight, stream: Stream, now_ns: int, rejected: _Rejected) -> CameraCounts:
    stats = stream.stats
    return CameraCounts(
        **camera(sight, stream, now_ns).model_dump(),
        label=stream.newest.header.label if stream.newest else None,
        # A stock sender does not tell; each of its pictures arrives or is never captured.
        captured=stats.captured if stream.node.has_heartbeat else stats.received,
        received=stats.received,
        received_bytes=stats.received_bytes,
        lost=stats.lost,
        dropped=dict(stats.dropped),
        skipped=stream.dropped["wall", "newer"],
        rejected=rejected.get((stream.node.name, stream.camera), {}),
        jitter_ms=round(stats.jitter.jitter_ns / _NS_PER_MS, 2),
        profiles=_profiles(sight, stream, now_ns),
    )


def _profiles(sight: Sight, main: Stream, now_ns: int) -> list[Profile]:
    if main.profile != MAIN:
        return []
    streams = sorted(main.node.streams.values(), key=lambda stream: stream.id)
    others = [one for one in streams if one.camera == main.camera and one is not main]
    return [_profile(sight, stream, now_ns) for stream in others]


def _profile(sight: Sight, stream: Stream, now_ns: int) -> Profile:
    seen, stats = camera(sight, stream, now_ns), stream.stats
    return Profile(
        profile=stream.profile,
        state=seen.state,
        fps=seen.fps,
        age_ms=seen.age_ms,
        width=seen.width,
        height=seen.height,
        received=stats.received,
        received_bytes=stats.received_bytes,
        lost=stats.lost,
        dropped=dict(stats.dropped),
    )


def _fps(stream: Stream) -> float:
    """A wall of small tiles is given previews, and asks for no more of the main stream."""
    if stream.profile != MAIN:
        return stream.fps
    streams = stream.node.streams.copy().values()
    return max(one.fps for one in streams if one.camera == stream.camera)


def _marks(stream: Stream) -> list[Mark]:
    return [mark for mark, detector, state in _MARKS if stream.finds(detector, state)]


def _ms(duration_ns: int | None) -> float | None:
    return None if duration_ns is None else round(duration_ns / _NS_PER_MS, 2)
