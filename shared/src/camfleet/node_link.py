"""The node's side of a link as a state machine: hello, credits, heartbeats. It does no I/O.

The sender asks it what may be sent and when it next has something to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from camfleet.backlog import Backlog, Waiting
from camfleet.backoff import Backoff
from camfleet.clock import Offset
from camfleet.detection import DetectionDraft, check_detection_draft
from camfleet.draft import Draft
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import FrameHeader, Stages
from camfleet.liveness import STALE_AFTER_S
from camfleet.machine_health import MachineHealth, to_facts
from camfleet.names import check_name, check_streams
from camfleet.payload import Payload
from camfleet.pulse import Pulse
from camfleet.wire import (
    MAX_REASONS,
    Bye,
    CentiHertz,
    Counters,
    Credit,
    Detection,
    DetectionCounters,
    DropReason,
    Facts,
    Grants,
    Heartbeat,
    HeartbeatReply,
    Hello,
    PortNumber,
    Refuse,
    Restarts,
    Software,
    Welcome,
    decode,
    encode,
)

_NS: Final = 1_000_000_000
_UNWANTED: Final = "unwanted"
_FOR_WANT_OF_CREDIT: Final = frozenset({"newer", "no_credit"})


class LinkState(StrEnum):
    """Where a link stands, as the node sees it."""

    CONNECTING = "connecting"
    ONLINE = "online"
    REFUSED = "refused"


@dataclass
class _Stream:
    """One stream's credit and counts."""

    asked_chz: int = 0
    captured: int = 0
    sent: int = 0
    limit: int = 0
    is_wanted: bool = True
    dropped: Counter[str] = field(default_factory=Counter)


class NodeLink:
    """Says hello until welcomed, and spends credits.

    Args:
        node: this node's name.
        session: random id of this run, 0 to 2**64 - 1.
        backoff: delays between hellos while nobody answers.
        software: name and version, for the hub's list of nodes: up to 64 ASCII characters.
        metrics_port: where other machines find this node's metrics; 0 where they cannot.

    Raises:
        LocalProtocolError: for a bad name, software text or port.
    """

    def __init__(
        self,
        node: str,
        session: int,
        backoff: Backoff,
        software: str = "",
        metrics_port: int = 0,
    ) -> None:
        try:
            self.node = check_name(node, "node")
        except RemoteProtocolError as error:
            raise LocalProtocolError(str(error)) from error
        _check(software, Software, "software")
        _check(metrics_port, PortNumber, "metrics port")
        self.session = session
        self.state = LinkState.CONNECTING
        self.refusal = ""
        self._backoff = backoff
        self._software = software
        self._metrics_port = metrics_port
        self._streams: dict[str, _Stream] = {}
        self._backlog = Backlog()
        self._pulse = Pulse()
        self._health: Facts = ()
        self._restarts: dict[str, int] = {}
        self._due_ns = 0  # monotonic; at once
        self._heard_ns = 0
        self._noticed_ns = 0  # when its silence was noticed
        self._is_leaving = False

    def declare(self, stream: str, asked_fps: float = 0.0) -> None:
        """Add a stream, named `camera/profile`; the hub hears of it with the next hello.

        Args:
            stream: its name.
            asked_fps: pictures per second that its camera is to give; 0 where that is not known.

        Raises:
            LocalProtocolError: for a bad name or rate, or when there would be too many.
        """
        if stream in self._streams:
            return
        asked_chz = round(100 * asked_fps)
        _check(asked_chz, CentiHertz, "pictures per 100 s")
        try:
            check_streams([*self._streams, stream])
        except RemoteProtocolError as error:
            raise LocalProtocolError(str(error)) from error
        self._streams[stream] = _Stream(asked_chz)
        self.begin()

    def capture(self, stream: str) -> int:
        """Count one captured picture and return its sequence."""
        counts = self._streams[stream]
        counts.captured += 1
        return counts.captured - 1

    def drop(self, stream: str, reason: str) -> None:
        """Count one captured picture that will not be sent.

        Where nobody wants the stream, that is the reason for what is `newer` or `no_credit`.

        Args:
            stream: as declared.
            reason: one of few, as it becomes a metric's label: 1 to 12 of `a` to `z` and `_`.

        Raises:
            LocalProtocolError: for another reason, or one too many.
        """
        counts = self._streams[stream]
        dropped = counts.dropped
        if reason in _FOR_WANT_OF_CREDIT and not counts.is_wanted:
            reason = _UNWANTED
        if reason not in dropped:
            _check(reason, DropReason, "reason")
            if len(dropped) == MAX_REASONS:
                raise LocalProtocolError(
                    f"reason {reason!r} would be one too many, want at most {MAX_REASONS}"
                )
        dropped[reason] += 1

    def credit(self, stream: str) -> int:
        """How many more frames of this stream may be sent now."""
        counts = self._streams[stream]
        return max(0, counts.limit - counts.sent) if self._may_send else 0

    def send(self, stream: str, draft: Draft, unix_ns: int) -> bytes:
        """Spend one credit and return the frame's header part.

        Raises:
            LocalProtocolError: when there is no credit.
        """
        counts = self._streams[stream]
        if not self._may_send or counts.sent >= counts.limit:
            raise LocalProtocolError(f"no credit for {stream!r}")
        header = encode(self._header(stream, counts.sent, draft, unix_ns))
        counts.sent += 1
        return header

    def is_wanted(self, stream: str) -> bool:
        """Whether somebody is known to want a stream's frames: of a hub that is away, nobody is."""
        return self.state is LinkState.ONLINE and self._streams[stream].is_wanted

    def detect(self, stream: str, draft: DetectionDraft, unix_ns: int, monotonic_ns: int) -> None:
        """Let a detection wait until it may be sent; the oldest makes room where too many do.

        Raises:
            LocalProtocolError: for a draft that the hub would reject.
        """
        check_detection_draft(draft)
        age_ns = unix_ns - draft.captured_ns if draft.captured_ns else 0
        self._backlog.put(Waiting(stream, draft, monotonic_ns - max(0, age_ns)))

    def report(self, health: MachineHealth, restarts: Mapping[str, int]) -> None:
        """Tell the hub of this machine and its cameras with every heartbeat from now on.

        Raises:
            LocalProtocolError: for values that the hub would reject.
        """
        for count in restarts.values():
            _check(count, Restarts, "restarts")
        self._health, self._restarts = to_facts(health), dict(restarts)

    def detections(self, unix_ns: int, monotonic_ns: int) -> Iterable[tuple[bytes, Payload]]:
        """Yield the detections that are due now, as (header part, payload part).

        They need no credit, and wait until the hub's clock is known.
        """
        while self._may_detect and (waiting := self._backlog.take(monotonic_ns)):
            yield self._detection(waiting, unix_ns, monotonic_ns), waiting.draft.picture

    def receive(self, header: bytes, unix_ns: int, monotonic_ns: int) -> None:
        """Take one message of the hub.

        Raises:
            RemoteProtocolError: for a message that a hub does not send.
        """
        message = decode(header)
        self._heard_ns = monotonic_ns
        match message:
            case Credit(grants):
                self._grant(grants)
            case HeartbeatReply():
                self._pulse.answer(message, unix_ns, monotonic_ns)
                self._grant(message.grants)
            case Welcome(_, heartbeat_ms, grants):
                self._welcome(heartbeat_ms, grants, monotonic_ns)
            case Refuse(reason, text):
                self._refuse(reason, text)
            case _:
                kind = type(message).__name__
                raise RemoteProtocolError(Reason.KIND, f"a hub sent {kind}, want its own kinds")

    def begin(self) -> None:
        """Say hello at once, and send nothing before it is answered."""
        self.state = LinkState.CONNECTING
        self._backoff.reset()
        self._due_ns = 0

    def notice_silence(self, monotonic_ns: int) -> bool:
        """Begin anew when the hub has not been heard for too long; return whether that is so.

        Its connection is best replaced then, and whenever that has been in vain for as long: a
        path that is cut tells nobody.
        """
        silence_s = (monotonic_ns - max(self._heard_ns, self._noticed_ns)) / _NS
        if silence_s < STALE_AFTER_S:
            return False
        self._noticed_ns = monotonic_ns
        if self.state is LinkState.ONLINE:
            self.begin()
        return True

    def poll(self, unix_ns: int, monotonic_ns: int) -> Iterable[bytes]:
        """Return the header parts that are due now: a hello or a heartbeat."""
        if monotonic_ns < self._speaks_ns:
            return ()
        counted = self.counters(), self.detection_counters()
        if self.state is LinkState.ONLINE:
            round_trip_ns = self._pulse.beat(unix_ns, monotonic_ns)
            restarts = tuple(self._restarts.get(_camera(name), 0) for name in self._streams)
            beat = Heartbeat(
                unix_ns,
                counted[0],
                round_trip_ns,
                counted[1],
                self._health,
                restarts if self._restarts else (),
            )
            return (encode(beat),)
        self._due_ns = monotonic_ns + int(self._backoff.next_s() * _NS)
        asked_chz = tuple(stream.asked_chz for stream in self._streams.values())
        hello = Hello(
            self.node,
            self.session,
            counted[0],
            self._software,
            counted[1],
            self._metrics_port,
            asked_chz if any(asked_chz) else (),
        )
        return (encode(hello),)

    def due_ns(self) -> int:
        """Monotonic time at which `poll` or `detections` has something to say."""
        if self._backlog and self._may_detect:
            return min(self._speaks_ns, self._backlog.due_ns())
        return self._speaks_ns

    def leave(self) -> None:
        """Let what waits go out although the link is being measured: there is no later."""
        self._is_leaving = True

    def bye(self, message: str = "") -> bytes:
        """Return the header part that ends the link in order."""
        return encode(Bye(message))

    def counters(self) -> tuple[Counters, ...]:
        """What was counted on each stream in this session."""
        return tuple(
            Counters(name, counts.captured, counts.sent, dict(counts.dropped))
            for name, counts in self._streams.items()
        )

    def detection_counters(self) -> DetectionCounters:
        """What became of the detections in this session."""
        return self._backlog.counters()

    def clock(self, unix_ns: int) -> Offset | None:
        """The hub's clock minus ours, and how sure that is; None before the first heartbeat."""
        return self._pulse.offset(unix_ns)

    def _header(self, stream: str, sent: int, draft: Draft, unix_ns: int) -> FrameHeader:
        offset = self._pulse.offset(unix_ns) or Offset(0, -1)
        spent = draft.stages
        return FrameHeader(
            stream=stream,
            session=self.session,
            sequence=draft.sequence,
            sent=sent,
            captured_ns=draft.captured_ns,
            codec=draft.codec,
            shape=draft.shape,
            dtype=draft.dtype,
            stages=Stages(  # at least 0, or a clock that is set back makes a rejected frame
                max(0, spent.capture_ns),
                max(0, spent.process_ns),
                max(0, spent.encode_ns),
                max(0, unix_ns - draft.ready_ns),
            ),
            clock_offset_ns=offset.offset_ns,
            clock_uncertainty_ns=offset.uncertainty_ns,
            label=draft.label,
            metadata=draft.metadata,
        )

    def _detection(self, waiting: Waiting, unix_ns: int, monotonic_ns: int) -> bytes:
        offset = self._pulse.offset(unix_ns) or Offset(0, -1)
        draft = waiting.draft
        detection = Detection(
            stream=waiting.stream,
            session=self.session,
            number=self._backlog.sent - 1,
            detector=draft.detector,
            state=draft.state,
            captured_ns=max(0, unix_ns - (monotonic_ns - waiting.captured_ns)),
            region=draft.region,
            clock_offset_ns=offset.offset_ns,
            clock_uncertainty_ns=offset.uncertainty_ns,
            box=draft.box,
        )
        return encode(detection)

    @property
    def _may_send(self) -> bool:
        is_free = self._is_leaving or not self._pulse.is_draining
        return self.state is LinkState.ONLINE and is_free

    @property
    def _may_detect(self) -> bool:
        return self._may_send and self._pulse.knows_the_clock

    @property
    def _speaks_ns(self) -> int:
        """Monotonic time of the next hello or heartbeat."""
        return self._pulse.due_ns if self.state is LinkState.ONLINE else self._due_ns

    def _welcome(self, heartbeat_ms: int, grants: Grants, monotonic_ns: int) -> None:
        limits = {grant.stream: grant for grant in grants}
        if not limits.keys() >= self._streams.keys():
            return  # it answers a hello from before a stream was declared: wait for the next
        self.state = LinkState.ONLINE
        self._backoff.reset()
        has_sent = any(counts.sent for counts in self._streams.values()) or self._backlog.sent
        self._pulse.begin(monotonic_ns, heartbeat_ms * _NS // 1000, is_idle=not has_sent)
        for name, counts in self._streams.items():
            counts.limit = limits[name].limit  # also where another hub had granted more
            counts.is_wanted = limits[name].is_wanted

    def _refuse(self, reason: str, text: str) -> None:
        if reason == Reason.UNKNOWN_PEER:
            if self.state is LinkState.ONLINE:  # the hub was restarted
                self.begin()
            return
        self.state = LinkState.REFUSED
        self.refusal = text

    def _grant(self, grants: Grants) -> None:
        for grant in grants:
            counts = self._streams.get(grant.stream)
            if counts is not None:
                counts.limit = max(counts.limit, grant.limit)
                counts.is_wanted = grant.is_wanted


def _camera(stream: str) -> str:
    return stream.partition("/")[0]


def _check(found: str | int, rule: object, what: str) -> None:
    try:
        msgspec.convert(found, rule)
    except msgspec.ValidationError as error:
        raise LocalProtocolError(f"{what} is {str(found)[:80]!r}: {error}") from error
