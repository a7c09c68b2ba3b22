"""The hub's side of all links as a state machine: who is there, and who holds which credit.

It does no I/O: the receiver feeds it messages and sends what it leaves in its outbox.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NoReturn

from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import Frame, FrameHeader
from camfleet.liveness import HEARTBEAT_S, OFFLINE_AFTER_S, STALE_AFTER_S
from camfleet.names import check_name, check_streams
from camfleet.payload import Payload, PayloadCheck
from camfleet.wire import (
    Bye,
    Counters,
    Credit,
    Grants,
    Heartbeat,
    HeartbeatReply,
    Hello,
    Message,
    Refuse,
    Welcome,
    decode,
    encode,
)

_NS: Final = 1_000_000_000
WINDOW: Final = 4  # frames in flight per stream: 60 fps over a round trip of 40 ms need three
MAX_NODES: Final = 1024
_DISPLACED: Final = 8  # sessions remembered per name


@dataclass(frozen=True)
class NodeJoined:
    """A node said hello and was welcomed, for the first time or anew."""

    node: str
    session: int
    counters: tuple[Counters, ...]
    software: str


@dataclass(frozen=True)
class NodeReported:
    """A node's heartbeat arrived; all that it had sent before has arrived or is lost."""

    node: str
    session: int
    counters: tuple[Counters, ...]


@dataclass(frozen=True)
class NodeLeft:
    """A node said goodbye, or was silent for too long."""

    node: str
    message: str


Event = Frame | NodeJoined | NodeReported | NodeLeft


@dataclass
class _Stream:
    """The credit of one stream: frames numbered `expected` up to `limit` may come."""

    expected: int
    limit: int
    payloads: PayloadCheck = field(default_factory=PayloadCheck)


@dataclass(eq=False)
class _Peer:
    """One connection that said hello. Its identity is chosen by libzmq and proves nothing."""

    identity: bytes
    node: str
    session: int
    heard_ns: int
    streams: dict[str, _Stream]
    due: dict[str, int] = field(default_factory=dict)


class HubLink:
    """Welcomes nodes, grants credits and answers heartbeats.

    Args:
        session: random id of this hub's run.
        window: frames of one stream that may be in flight. An adaptive window and the
            demand of sinks will decide per stream; their place is `_grant`.
        max_nodes: how many nodes are welcomed at once.
        reserved: names that no node may have, because the hub uses them itself.

    Raises:
        LocalProtocolError: for a window that would let nothing through.
    """

    def __init__(
        self,
        session: int,
        window: int = WINDOW,
        max_nodes: int = MAX_NODES,
        reserved: frozenset[str] = frozenset(),
    ) -> None:
        if window < 1:
            raise LocalProtocolError(f"window is {window}, want 1 or more")
        self._session = session
        self._window = window
        self._max_nodes = max_nodes
        self._reserved = reserved
        self._peers: dict[bytes, _Peer] = {}
        self._nodes: dict[str, _Peer] = {}
        self._displaced: dict[str, deque[int]] = {}
        self._outbox: list[tuple[bytes, bytes]] = []
        self._owed: dict[bytes, _Peer] = {}

    def receive(
        self, identity: bytes, header: bytes, payload: Payload, unix_ns: int, monotonic_ns: int
    ) -> Event | None:
        """Take one message of a node and return what it means to the hub.

        Raises:
            RemoteProtocolError: when it is rejected; an answer may be in the outbox.
        """
        message = self._decode(identity, header)
        if type(message) is not FrameHeader and len(payload):
            raise RemoteProtocolError(
                Reason.PAYLOAD_SIZE,
                f"payload of {type(message).__name__} is {len(payload)} bytes, want none",
            )
        peer = self._peers.get(identity)
        if peer is None:
            return self._stranger(identity, message, monotonic_ns)
        peer.heard_ns = monotonic_ns
        match message:
            case FrameHeader():
                return self._frame(peer, message, payload, unix_ns)
            case Heartbeat(node_ns, counters):
                return self._heartbeat(peer, node_ns, counters, unix_ns)
            case Hello():
                return self._hello(identity, message, monotonic_ns)
            case Bye(text):
                return self._leave(peer, text or "said goodbye")
            case _:
                return _not_a_nodes(message)

    def rejecting(self, identity: bytes) -> str:
        """The name of the node behind an identity, for the count of what was rejected."""
        peer = self._peers.get(identity)
        return peer.node if peer else ""

    def expire(self, monotonic_ns: int) -> Iterable[NodeLeft]:
        """Let go of the nodes that were silent for too long."""
        limit_ns = monotonic_ns - int(OFFLINE_AFTER_S * _NS)
        silent = [peer for peer in self._nodes.values() if peer.heard_ns < limit_ns]
        return [self._leave(peer, f"silent for {OFFLINE_AFTER_S:.0f} s") for peer in silent]

    def drain(self) -> list[tuple[bytes, bytes]]:
        """Return what is to be sent, as (identity, header part), and forget it.

        The credits of all frames since the last call go out as one message per node.
        """
        for peer in self._owed.values():
            self._outbox.append((peer.identity, encode(Credit(tuple(peer.due.items())))))
            peer.due = {}
        self._owed.clear()
        outbox, self._outbox = self._outbox, []
        return outbox

    def _decode(self, identity: bytes, header: bytes) -> Message:
        try:
            return decode(header)
        except RemoteProtocolError as error:
            if error.reason is Reason.VERSION:
                self._answer(identity, Refuse(error.reason, str(error)))
            raise

    def _frame(self, peer: _Peer, header: FrameHeader, payload: Payload, unix_ns: int) -> Frame:
        stream = peer.streams.get(header.stream)
        if stream is None:
            raise RemoteProtocolError(
                Reason.STREAM, f"stream {header.stream[:64]!r} was not in the node's hello"
            )
        try:
            self._admit(peer, stream, header, payload)
        except RemoteProtocolError as error:
            error.stream = header.stream
            error.sent = header.sent if header.session == peer.session else None
            raise
        return Frame(peer.node, header, payload, unix_ns)

    def _admit(self, peer: _Peer, stream: _Stream, header: FrameHeader, payload: Payload) -> None:
        if header.session != peer.session:
            raise RemoteProtocolError(
                Reason.SESSION, f"session is {header.session}, want the hello's {peer.session}"
            )
        if not stream.expected <= header.sent < stream.limit:
            raise RemoteProtocolError(
                Reason.NO_CREDIT,
                f"frame {header.sent} came, want {stream.expected} up to {stream.limit}",
            )
        stream.expected = header.sent + 1
        # Credit goes back when half the window is used: half the messages, and no stall, as
        # TCP acknowledges every second segment (RFC 1122, 4.2.3.2).
        if stream.limit - stream.expected <= self._window // 2:
            self._grant(peer, header.stream, stream)
        stream.payloads.check(header.codec, header.shape, header.dtype, payload)

    def _grant(self, peer: _Peer, name: str, stream: _Stream) -> None:
        """Let the window begin behind the last frame that is known to have been sent."""
        stream.limit = stream.expected + self._window
        peer.due[name] = stream.limit
        self._owed[peer.identity] = peer

    def _heartbeat(
        self, peer: _Peer, node_ns: int, counters: tuple[Counters, ...], unix_ns: int
    ) -> NodeReported:
        for counted in counters:
            stream = peer.streams.get(counted.stream)
            if stream is not None and counted.sent >= stream.expected:
                stream.expected = counted.sent
                self._grant(peer, counted.stream, stream)
        grants = tuple(peer.due.items())
        peer.due = {}
        self._owed.pop(peer.identity, None)
        self._answer(peer.identity, HeartbeatReply(node_ns, unix_ns, unix_ns, grants))
        return NodeReported(peer.node, peer.session, counters)

    def _stranger(self, identity: bytes, message: Message, monotonic_ns: int) -> Event | None:
        match message:
            case Hello():
                return self._hello(identity, message, monotonic_ns)
            case Bye():
                return None
            case FrameHeader() | Heartbeat():
                text = "the node has not said hello to this hub, want a hello first"
                return self._refuse(identity, Reason.UNKNOWN_PEER, text)
            case _:
                return _not_a_nodes(message)

    def _hello(self, identity: bytes, hello: Hello, monotonic_ns: int) -> NodeJoined:
        self._check_hello(identity, hello, monotonic_ns)
        self._make_room(hello)
        streams = {
            counted.stream: _Stream(counted.sent, counted.sent + self._window)
            for counted in hello.counters
        }
        peer = _Peer(identity, hello.node, hello.session, monotonic_ns, streams)
        self._peers[identity] = self._nodes[hello.node] = peer
        grants: Grants = tuple((name, stream.limit) for name, stream in streams.items())
        self._answer(identity, Welcome(self._session, int(HEARTBEAT_S * 1000), grants))
        return NodeJoined(hello.node, hello.session, hello.counters, hello.software)

    def _check_hello(self, identity: bytes, hello: Hello, monotonic_ns: int) -> None:
        try:
            check_name(hello.node, "node")
            check_streams(counted.stream for counted in hello.counters)
        except RemoteProtocolError as error:
            self._refuse(identity, error.reason, str(error))
        if hello.node in self._reserved:
            text = f"the hub itself uses the name {hello.node!r}, want another one"
            self._refuse(identity, Reason.NAME_TAKEN, text)
        before = self._peers.get(identity)
        if before is not None and before.node != hello.node:
            text = f"this connection is {before.node!r}, want another one for {hello.node!r}"
            self._refuse(identity, Reason.NAME, text)
        if hello.node not in self._nodes and len(self._nodes) >= self._max_nodes:
            text = f"{len(self._nodes)} nodes are here, want at most {self._max_nodes}"
            self._refuse(identity, Reason.TOO_MANY, text)
        if self._is_taken(hello, monotonic_ns):
            text = f"another node calls itself {hello.node!r}, want a name of its own"
            self._refuse(identity, Reason.NAME_TAKEN, text)

    def _is_taken(self, hello: Hello, monotonic_ns: int) -> bool:
        """Whether the name's holder displaced this session and is still there.

        A node that was restarted takes its name over at once; of two nodes that were given
        the same name the later one keeps it, instead of both taking turns.
        """
        holder = self._nodes.get(hello.node)
        return (
            holder is not None
            and hello.session != holder.session
            and hello.session in self._displaced.get(hello.node, ())
            and monotonic_ns - holder.heard_ns < STALE_AFTER_S * _NS
        )

    def _make_room(self, hello: Hello) -> None:
        """Forget who had this name before, on this connection or another."""
        before = self._nodes.get(hello.node)
        if before is None:
            return
        if before.session != hello.session:
            displaced = self._displaced.setdefault(hello.node, deque(maxlen=_DISPLACED))
            displaced.append(before.session)
        self._forget(before)

    def _leave(self, peer: _Peer, message: str) -> NodeLeft:
        self._forget(peer)
        self._displaced.pop(peer.node, None)
        return NodeLeft(peer.node, message)

    def _forget(self, peer: _Peer) -> None:
        self._peers.pop(peer.identity, None)
        self._owed.pop(peer.identity, None)
        if self._nodes.get(peer.node) is peer:
            del self._nodes[peer.node]

    def _refuse(self, identity: bytes, reason: Reason, text: str) -> NoReturn:
        self._answer(identity, Refuse(reason, text))
        raise RemoteProtocolError(reason, text)

    def _answer(self, identity: bytes, message: Message) -> None:
        self._outbox.append((identity, encode(message)))


def _not_a_nodes(message: Message) -> NoReturn:
    kind = type(message).__name__
    raise RemoteProtocolError(Reason.KIND, f"a node sent {kind}, want a node's kinds")
