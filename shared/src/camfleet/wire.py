"""Version 1 of the wire: every message to bytes and back. Never touches a socket or a clock.

docs/protocol.md says the same byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, Literal

import msgspec

from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import Count, FrameHeader, Session, Signed
from camfleet.pattern import MAX_PATTERN
from camfleet.payload import Payload

MAGIC: Final = b"CF"
VERSION: Final = 1
MAX_HEADER_BYTES: Final = 4096  # one page; a label and a small map fit, a picture does not
MAX_REASON_BYTES: Final = 12
MAX_PATTERNS: Final = 16
MAX_FACTS: Final = 16  # 11 are known; the others are for newer nodes
MAX_REASONS: Final = 8  # per stream: a reason becomes a metric's label, so there are few

# What becomes a metric's label: short, and safe wherever it is shown.
Word = Annotated[str, msgspec.Meta(pattern=rf"^[a-z_]{{1,{MAX_REASON_BYTES}}}\Z")]
DropReason = Word
Dropped = Annotated[dict[DropReason, Count], msgspec.Meta(max_length=MAX_REASONS)]
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Box = Annotated[tuple[Percent, ...], msgspec.Meta(max_length=4)]  # four, or none
Facts = Annotated[tuple[bool | int | float | None, ...], msgspec.Meta(max_length=MAX_FACTS)]
Pattern = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_PATTERN)]
DeliveryMode = Literal["newest", "all"]
PortNumber = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Restarts = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]  # fewer bytes than a count may take
CentiHertz = Annotated[int, msgspec.Meta(ge=0, le=65_535)]  # a float would take thrice the bytes
RoundTripNs = Annotated[int, msgspec.Meta(ge=-1, le=60_000_000_000)]
Software = Annotated[str, msgspec.Meta(pattern=r"^[ -~]{0,64}\Z")]
# Both sides call three seconds of silence stale, whatever a hub asks for.
HeartbeatMs = Annotated[int, msgspec.Meta(ge=100, le=1000)]


class Counters(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a node counted on one stream in this session."""

    stream: str
    captured: Count
    sent: Count
    dropped: Dropped


class DetectionCounters(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What became of a node's detections in this session, apart from those that wait."""

    sent: Count = 0
    dropped: Count = 0


NO_DETECTIONS: Final = DetectionCounters()


class Grant(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How many frames of a stream may have been sent, ever in this session.

    An absolute limit, as QUIC's MAX_DATA is (RFC 9000, 4.1): repeating it does no harm, and
    the newest one says everything. Of a stream that nobody wants one frame a heartbeat may come.
    """

    stream: str
    limit: Count
    is_wanted: bool = True


Grants = tuple[Grant, ...]


class Hello(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Node to hub: who speaks, and which streams it has. Repeated until welcomed.

    Attributes:
        metrics_port: where other machines find the node's own metrics; 0 where they cannot.
        asked_chz: pictures per 100 s that each stream's camera is to give, in the order of the
            counters; 0 where that is not known.
    """

    node: str
    session: Session
    counters: tuple[Counters, ...]
    software: Software = ""
    detections: DetectionCounters = NO_DETECTIONS
    metrics_port: PortNumber = 0
    asked_chz: tuple[CentiHertz, ...] = ()


class Welcome(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Hub to node: known from now on, and a credit for each stream of its hello."""

    hub_session: Session
    heartbeat_ms: HeartbeatMs
    grants: Grants


class Refuse(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Hub to node: why it is not served. `unknown_peer` asks for a hello, at once.

    It keeps its form in every version, so that a node of another one learns why as well.
    """

    reason: str
    message: str


class Credit(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Hub to node: more frames may be sent; or nobody wants them any more."""

    grants: Grants


class Heartbeat(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Node to hub: alive at `node_ns` (Unix ns on the node's clock), with these counters.

    Attributes:
        round_trip_ns: the least one of this link; -1 before it was measured.
        health: the fields of a `MachineHealth`, or nothing: what they may be is judged by who
            reads them.
        restarts: how often each stream's camera was reopened because it hung, in the order of the
            counters; empty where that is not known.
    """

    node_ns: Count
    counters: tuple[Counters, ...]
    round_trip_ns: RoundTripNs = -1
    detections: DetectionCounters = NO_DETECTIONS
    health: Facts = ()
    restarts: tuple[Restarts, ...] = ()


class HeartbeatReply(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Hub to node: the heartbeat's own time and two of the hub's, as NTP does (RFC 5905, 8).

    To a subscriber it has one grant, whose stream is empty: how many deliveries were sent.
    """

    node_ns: Count
    received_ns: Count
    replied_ns: Count
    grants: Grants


class Bye(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Node to hub: an orderly end, so that nobody waits for a timeout."""

    message: str = ""


class Detection(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Node to hub: a detector found something; a small picture may be the second part.

    Attributes:
        stream: whose camera it is about.
        session: random id of the node's run.
        number: detections of this node that were sent in this session before this one.
        detector: for example `motion`.
        state: what it found, for example `moving`.
        captured_ns: of the picture that shows it, Unix ns on the node's clock.
        region: its name, where the detector has one.
        clock_offset_ns: hub's clock minus the node's.
        clock_uncertainty_ns: how far that may be off; -1 before the first measurement.
        box: left, top, width and height in percent of the picture; or empty.
    """

    stream: str
    session: Session
    number: Count
    detector: Word
    state: Word
    captured_ns: Count
    region: str = ""
    clock_offset_ns: Signed = 0
    clock_uncertainty_ns: Signed = -1
    box: Box = ()


class Subscribe(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Subscriber to hub: which streams it wants, and whether every frame or the newest.

    Answered by a welcome without grants. Deliveries are numbered from 0 after each one.

    Attributes:
        session: random id of the subscriber's run.
        patterns: of `node/camera` or `node/camera/profile`, with `*` and `?`.
        delivery: `newest`, or `all` as far as the hub's bounded queue reaches.
    """

    session: Session
    patterns: Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1, max_length=MAX_PATTERNS)]
    delivery: DeliveryMode = "newest"
    software: Software = ""


class Delivery(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Hub to subscriber: a frame; its payload is the second part.

    Attributes:
        number: how many were delivered to this subscription before.
        skipped: frames of this stream since its last delivery that this subscriber did not get.
        node: who captured it.
        received_ns: when it arrived at the hub, on the hub's clock.
        header: the frame's own.
    """

    number: Count
    skipped: Count
    node: str
    received_ns: Count
    header: FrameHeader


class Ask(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Subscriber to hub: credit for its deliveries, and what became of those before.

    Attributes:
        limit: deliveries that may have been sent, ever in this subscription; one for all of
            its streams, and absolute as a grant's is.
        arrived: how many have arrived; those missing below are lost.
        arrived_ns: when the newest of them did, on the hub's clock; 0 where that is unknown.
    """

    limit: Count
    arrived: Count
    arrived_ns: Count = 0


class Look(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Subscriber to hub: which streams are there?"""

    patterns: Annotated[tuple[Pattern, ...], msgspec.Meta(min_length=1, max_length=MAX_PATTERNS)]


class StreamState(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a hub tells of one stream.

    Attributes:
        node: who captures it.
        stream: `camera/profile`.
        liveness: `online`, `stale` or `offline`.
        fps: frames received per second of late; about one where nobody wants them.
        latency_ns: from capture to hub of the newest frame, on the hub's clock.
        uncertainty_ns: the most that this may be wrong; -1 where it is unknown.
        shape: of the newest picture; empty before the first.
    """

    node: str
    stream: str
    liveness: str
    fps: float
    latency_ns: Signed = 0
    uncertainty_ns: Signed = -1
    shape: tuple[int, ...] = ()


class Listing(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Hub to subscriber: the answer to a look; its payload is an array of stream states."""

    streams: Count


NodeMessage = (
    FrameHeader | Hello | Welcome | Refuse | Credit | Heartbeat | HeartbeatReply | Bye | Detection
)
Message = NodeMessage | Subscribe | Delivery | Look | Listing | Ask

_REFUSE: Final = 3
# A kind's number is for ever; a new kind takes the next one.
_KINDS: Final[dict[int, type[Message]]] = {
    1: Hello,
    2: Welcome,
    _REFUSE: Refuse,
    4: FrameHeader,
    5: Credit,
    6: Heartbeat,
    7: HeartbeatReply,
    8: Bye,
    9: Subscribe,
    10: Delivery,
    11: Look,
    12: Listing,
    13: Ask,
    14: Detection,
}
_PREFIXES: Final = {kind: MAGIC + bytes([VERSION, n]) for n, kind in _KINDS.items()}
_DECODERS: Final = {n: msgspec.msgpack.Decoder(kind) for n, kind in _KINDS.items()}
# The way of nearly every message: one look-up tells that all four bytes are right.
_BY_PREFIX: Final = {prefix: _DECODERS[prefix[3]] for prefix in _PREFIXES.values()}
_encoder: Final = msgspec.msgpack.Encoder()
_states: Final = msgspec.msgpack.Decoder(tuple[StreamState, ...])


def encode(message: Message) -> bytes:
    """Build a header part.

    Raises:
        LocalProtocolError: when it would be larger than a header may be.
    """
    header = _PREFIXES[type(message)] + _encoder.encode(message)
    if len(header) > MAX_HEADER_BYTES:
        raise LocalProtocolError(
            f"header of {type(message).__name__} is {len(header)} bytes, want at most "
            f"{MAX_HEADER_BYTES}: shorten its label, metadata or stream names"
        )
    return header


def decode(header: bytes) -> Message:
    """Read a header part.

    Raises:
        RemoteProtocolError: with reason `header_size`, `magic`, `version`, `kind` or `header`.
    """
    decoder = _BY_PREFIX.get(header[:4])
    if decoder is None or len(header) > MAX_HEADER_BYTES:
        decoder = _diagnose(header)
    try:
        return decoder.decode(memoryview(header)[4:])
    # RecursionError: fields that are unknown here may nest, and are skipped by recursion
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        kind = _KINDS[header[3]].__name__
        raise RemoteProtocolError(Reason.HEADER, f"header of {kind}: {error}") from error


def encode_states(states: Iterable[StreamState]) -> bytes:
    """Build a listing's payload part."""
    return _encoder.encode(list(states))


def decode_states(payload: Payload) -> tuple[StreamState, ...]:
    """Read a listing's payload part.

    Raises:
        RemoteProtocolError: with reason `payload`.
    """
    try:
        return _states.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RemoteProtocolError(Reason.PAYLOAD, f"payload of Listing: {error}") from error


def _diagnose(header: bytes) -> msgspec.msgpack.Decoder[Message]:
    """Say what is wrong with a prefix; only a refusal of another version is not."""
    if not 4 <= len(header) <= MAX_HEADER_BYTES:
        raise RemoteProtocolError(
            Reason.HEADER_SIZE, f"header is {len(header)} bytes, want 4 to {MAX_HEADER_BYTES}"
        )
    if header[:2] != MAGIC:
        raise RemoteProtocolError(
            Reason.MAGIC, f"header starts with {header[:2].hex(' ')}, want {MAGIC.hex(' ')}"
        )
    if header[2] != VERSION and header[3] != _REFUSE:
        raise RemoteProtocolError(Reason.VERSION, f"version is {header[2]}, want {VERSION}")
    decoder = _DECODERS.get(header[3])
    if decoder is None:
        raise RemoteProtocolError(Reason.KIND, f"kind is {header[3]}, want 1 to {max(_DECODERS)}")
    return decoder
