"""Version 1 of the wire: every message to bytes and back. Never touches a socket or a clock.

docs/protocol.md says the same byte by byte.
"""

from __future__ import annotations

from typing import Final

import msgspec

from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import Count, FrameHeader, Session

MAGIC: Final = b"CF"
VERSION: Final = 1
MAX_HEADER_BYTES: Final = 4096  # one page; a label and a small map fit, a picture does not
MAX_STREAMS: Final = 32  # per node: 16 cameras in two profiles, and a hello fits its header

Grants = tuple[tuple[str, Count], ...]


class Counters(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a node counted on one stream in this session."""

    stream: str
    captured: Count
    sent: Count
    dropped: dict[str, Count]


class Hello(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Node to hub: who speaks, and which streams it has. Repeated until welcomed."""

    node: str
    session: Session
    counters: tuple[Counters, ...]
    software: str = ""


class Welcome(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Hub to node: known from now on, and these credits to begin with."""

    hub_session: Session
    heartbeat_ms: Count
    grants: Grants


class Refuse(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Hub to node: why it is not served. `unknown_peer` asks for a hello, at once."""

    reason: str
    message: str


class Credit(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Hub to node: how many frames of each stream may have been sent, ever in this session.

    An absolute limit, as QUIC's MAX_DATA is (RFC 9000, 4.1): repeating it does no harm, and
    the newest one says everything.
    """

    grants: Grants


class Heartbeat(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Node to hub: alive at `node_ns` (Unix ns on the node's clock), with these counters."""

    node_ns: Count
    counters: tuple[Counters, ...]


class HeartbeatReply(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Hub to node: the heartbeat's own time and two of the hub's, as NTP does (RFC 5905, 8)."""

    node_ns: Count
    received_ns: Count
    replied_ns: Count
    grants: Grants


class Bye(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Node to hub: an orderly end, so that nobody waits for a timeout."""

    message: str = ""


Message = FrameHeader | Hello | Welcome | Refuse | Credit | Heartbeat | HeartbeatReply | Bye

# A kind's number is for ever; a new kind takes the next one.
_KINDS: Final[dict[int, type[Message]]] = {
    1: Hello,
    2: Welcome,
    3: Refuse,
    4: FrameHeader,
    5: Credit,
    6: Heartbeat,
    7: HeartbeatReply,
    8: Bye,
}
_PREFIXES: Final = {kind: MAGIC + bytes([VERSION, n]) for n, kind in _KINDS.items()}
_DECODERS: Final = {n: msgspec.msgpack.Decoder(kind) for n, kind in _KINDS.items()}
_encoder: Final = msgspec.msgpack.Encoder()


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
    if not 4 <= len(header) <= MAX_HEADER_BYTES:
        raise RemoteProtocolError(
            Reason.HEADER_SIZE, f"header is {len(header)} bytes, want 4 to {MAX_HEADER_BYTES}"
        )
    if header[:2] != MAGIC:
        raise RemoteProtocolError(
            Reason.MAGIC, f"header starts with {header[:2].hex(' ')}, want {MAGIC.hex(' ')}"
        )
    if header[2] != VERSION:
        raise RemoteProtocolError(Reason.VERSION, f"version is {header[2]}, want {VERSION}")
    decoder = _DECODERS.get(header[3])
    if decoder is None:
        raise RemoteProtocolError(Reason.KIND, f"kind is {header[3]}, want 1 to {max(_DECODERS)}")
    try:
        return decoder.decode(memoryview(header)[4:])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        kind = _KINDS[header[3]].__name__
        raise RemoteProtocolError(Reason.HEADER, f"header of {kind}: {error}") from error
