"""The hub's side of all links as a state machine: who is there, and who holds which credit.

It does no I/O: the receiver feeds it messages and sends what it leaves in its outbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn

from camfleet.admission import Admission, Holder
from camfleet.answers import Answers, want_no_payload
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.events import Detected, Event, Leaving, NodeJoined, NodeLeft, NodeReported
from camfleet.frame import Frame, FrameHeader
from camfleet.intake import Intake
from camfleet.ledger import Ledger
from camfleet.liveness import HEARTBEAT_S, OFFLINE_AFTER_S
from camfleet.names import PREVIEW
from camfleet.payload import Payload, PayloadCheck
from camfleet.window import MAX_WINDOW
from camfleet.wire import (
    Bye,
    Counters,
    Credit,
    Detection,
    Grant,
    Heartbeat,
    HeartbeatReply,
    Hello,
    Message,
    Welcome,
)

_NS: Final = 1_000_000_000
MAX_NODES: Final = 1024


class Flight(NamedTuple):
    """How many frames of a stream may be under way.

    Attributes:
        window: as its link needed at the last grant; 0 before the first, and of an unwanted one.
        credit: that may still come before the next grant.
    """

    node: str
    stream: str
    window: int
    credit: int


@dataclass
class _Stream:
    """One stream of a node: its credit, and whether anybody wants it."""

    ledger: Ledger
    is_wanted: bool
    payloads: PayloadCheck = field(default_factory=PayloadCheck)


@dataclass(eq=False)
class _Peer:
    """One connection that said hello. Its identity is chosen by libzmq and proves nothing."""

    identity: bytes
    node: str
    session: int
    heard_ns: int
    streams: dict[str, _Stream]
    intake: Intake
    round_trip_ns: int = -1
    due: dict[str, Grant] = field(default_factory=dict)

    def check(self, session: int) -> None:
        """See that a message is of the session that said hello."""
        if session != self.session:
            text = f"session is {session}, want the hello's {self.session}"
            raise RemoteProtocolError(Reason.SESSION, text)


class HubLink:
    """Welcomes nodes, grants credits and answers heartbeats.

    Args:
        session: random id of this hub's run.
        window: frames of one stream that may be in flight at most. It follows the link below
            that.
        max_nodes: how many nodes are welcomed at once.
        reserved: names that no node may have, because the hub uses them itself.
        wants_all: every stream is wanted, whatever `want` and `release` say.

    Raises:
        LocalProtocolError: for a window that would let nothing through.
    """

    def __init__(
        self,
        session: int,
        window: int = MAX_WINDOW,
        max_nodes: int = MAX_NODES,
        reserved: frozenset[str] = frozenset(),
        *,
        wants_all: bool = True,
    ) -> None:
        if window < 1:
            raise LocalProtocolError(f"window is {window}, want 1 or more")
        self._session = session
        self._window = window
        self._admission = Admission(max_nodes, reserved)
        self._wants_all = wants_all
        self._wanted: set[tuple[str, str]] = set()
        self._peers: dict[bytes, _Peer] = {}
        self._nodes: dict[str, _Peer] = {}
        self._max_nodes = max_nodes
        self._intakes: dict[str, Intake] = {}  # by node, and kept when it leaves
        self._answers = Answers()
        self._owed: dict[bytes, _Peer] = {}

    def receive(
        self,
        identity: bytes,
        header: bytes,
        payload: Payload,
        unix_ns: int,
        monotonic_ns: int,
        *,
        caller: str | None = None,
    ) -> Event | None:
        """Take one message of a node and return what it means to the hub.

        Args:
            identity: of the connection; chosen by the peer, so that it proves nothing.
            header: as it came.
            payload: as it came.
            unix_ns: now, on the hub's clock.
            monotonic_ns: now, on a clock that is never set.
            caller: the name that the connection's key stands for; None where there are no keys.

        Raises:
            RemoteProtocolError: when it is rejected; an answer may be in the outbox.
        """
        message = self._answers.read(identity, header)
        peer = self._peers.get(identity)
        if peer is None or (caller is not None and caller != peer.node):
            want_no_payload(message, payload)
            return self._stranger(identity, message, monotonic_ns, caller)
        peer.heard_ns = monotonic_ns
        if type(message) is FrameHeader:
            return self._frame(peer, message, payload, unix_ns, monotonic_ns)
        want_no_payload(message, payload)
        match message:
            case Heartbeat():
                return self._heartbeat(peer, message, unix_ns, monotonic_ns)
            case Detection():
                return self._detection(peer, message, payload, unix_ns, monotonic_ns)
            case _:
                return self._come_or_go(identity, peer, message, monotonic_ns, caller)

    def want(self, node: str, stream: str, monotonic_ns: int) -> None:
        """Let a stream's frames come from now on, also if it appears later."""
        self._wanted.add((node, stream))
        self._demand(node, stream, monotonic_ns, is_wanted=True)

    def release(self, node: str, stream: str, monotonic_ns: int) -> None:
        """Let no more of a stream's frames come than one a heartbeat: nobody wants them."""
        self._wanted.discard((node, stream))
        self._demand(node, stream, monotonic_ns, is_wanted=False)

    def cut(self, node: str) -> NodeLeft | None:
        """Let go of a node that lost its key; None where it is not there."""
        peer = self._nodes.get(node)
        return self._leave(peer, "its key was revoked", Leaving.REVOKED) if peer else None

    def flights(self) -> list[Flight]:
        """What may be under way of each stream of each node; from any thread, of a moment ago."""
        return [
            Flight(node, name, stream.ledger.window, stream.ledger.credit)
            for node, peer in self._nodes.copy().items()
            for name, stream in peer.streams.items()
        ]

    def rejecting(self, identity: bytes) -> str:
        """The name of the node behind an identity, for the count of what was rejected."""
        peer = self._peers.get(identity)
        return peer.node if peer else ""

    def expire(self, monotonic_ns: int) -> Iterable[NodeLeft]:
        """Let go of the nodes that were silent for too long."""
        limit_ns = monotonic_ns - int(OFFLINE_AFTER_S * _NS)
        silent = [peer for peer in self._nodes.values() if peer.heard_ns < limit_ns]
        message = f"silent for {OFFLINE_AFTER_S:.0f} s"
        return [self._leave(peer, message, Leaving.SILENT) for peer in silent]

    def drain(self) -> list[tuple[bytes, bytes]]:
        """Return what is to be sent, as (identity, header part), and forget it.

        The credits of all frames since the last call go out as one message per node.
        """
        for peer in self._owed.values():
            self._answers.add(peer.identity, Credit(tuple(peer.due.values())))
            peer.due = {}
        self._owed.clear()
        return self._answers.drain()

    def _come_or_go(
        self, identity: bytes, peer: _Peer, message: Message, monotonic_ns: int, caller: str | None
    ) -> Event:
        match message:
            case Hello():
                return self._hello(identity, message, monotonic_ns, caller)
            case Bye(text):
                return self._leave(peer, text, Leaving.GOODBYE)
            case _:
                return _not_a_nodes(message)

    def _frame(
        self, peer: _Peer, header: FrameHeader, payload: Payload, unix_ns: int, monotonic_ns: int
    ) -> Frame:
        name = header.stream
        stream = peer.streams.get(name)
        if stream is None:
            raise _unknown_stream(name)
        try:
            peer.check(header.session)
            stream.ledger.take(header.sent, len(payload))
            if stream.is_wanted and stream.ledger.is_due:
                self._grant(peer, name, stream, monotonic_ns)
            stream.payloads.check(header.codec, header.shape, header.dtype, payload)
        except RemoteProtocolError as error:
            error.stream = name
            is_ours = header.session == peer.session and header.sent < stream.ledger.limit
            error.sent = header.sent if is_ours else None
            raise
        return Frame(peer.node, header, payload, unix_ns)

    def _detection(
        self, peer: _Peer, header: Detection, payload: Payload, unix_ns: int, monotonic_ns: int
    ) -> Detected:
        if header.stream not in peer.streams:
            raise _unknown_stream(header.stream)
        try:
            peer.check(header.session)
            peer.intake.take(header, payload, monotonic_ns)
        except RemoteProtocolError as error:
            error.stream = header.stream
            raise
        return Detected(peer.node, header, bytes(payload), unix_ns)

    def _grant(self, peer: _Peer, name: str, stream: _Stream, monotonic_ns: int) -> None:
        """Let as many frames come as the link needs in flight.

        Of an unwanted stream one, so that there is a picture of late; its main profile has that.
        """
        ledger = stream.ledger
        if stream.is_wanted:
            limit = ledger.extend(monotonic_ns, peer.round_trip_ns)
        elif name.endswith(f"/{PREVIEW}"):
            limit = ledger.limit
        else:
            limit = ledger.keep_alive()
        self._owe(peer, Grant(name, limit, stream.is_wanted))

    def _demand(self, node: str, name: str, monotonic_ns: int, *, is_wanted: bool) -> None:
        peer = self._nodes.get(node)
        stream = peer.streams.get(name) if peer else None
        if peer is None or stream is None or self._wants_all:
            return
        stream.is_wanted = is_wanted
        if is_wanted:
            self._grant(peer, name, stream, monotonic_ns)
        else:  # what it was granted already may come; more may not
            self._owe(peer, Grant(name, stream.ledger.limit, is_wanted=False))

    def _owe(self, peer: _Peer, grant: Grant) -> None:
        peer.due[grant.stream] = grant
        self._owed[peer.identity] = peer

    def _heartbeat(
        self, peer: _Peer, heartbeat: Heartbeat, unix_ns: int, monotonic_ns: int
    ) -> NodeReported:
        peer.round_trip_ns = heartbeat.round_trip_ns
        peer.intake.report(heartbeat.detections)
        for counted in heartbeat.counters:
            stream = peer.streams.get(counted.stream)
            if stream is not None and counted.sent >= stream.ledger.expected:
                stream.ledger.catch_up(counted.sent)
                self._grant(peer, counted.stream, stream, monotonic_ns)
        grants = tuple(peer.due.values())
        peer.due = {}
        self._owed.pop(peer.identity, None)
        self._answers.add(
            peer.identity, HeartbeatReply(heartbeat.node_ns, unix_ns, unix_ns, grants)
        )
        return NodeReported(
            peer.node,
            peer.session,
            heartbeat.counters,
            heartbeat.round_trip_ns,
            heartbeat.detections,
            heartbeat.health,
            heartbeat.restarts,
        )

    def _stranger(
        self, identity: bytes, message: Message, monotonic_ns: int, caller: str | None
    ) -> Event | None:
        match message:
            case Hello():
                return self._hello(identity, message, monotonic_ns, caller)
            case Bye():
                return None
            case FrameHeader() | Heartbeat() | Detection():
                text = "the node has not said hello to this hub, want a hello first"
                return self._answers.refuse(identity, Reason.UNKNOWN_PEER, text)
            case _:
                return _not_a_nodes(message)

    def _hello(
        self, identity: bytes, hello: Hello, monotonic_ns: int, caller: str | None
    ) -> NodeJoined:
        self._admit(identity, hello, monotonic_ns, caller)
        self._make_room(hello)
        streams = {counted.stream: self._stream(hello.node, counted) for counted in hello.counters}
        intake = self._intake(hello)
        peer = _Peer(identity, hello.node, hello.session, monotonic_ns, streams, intake)
        self._peers[identity] = self._nodes[hello.node] = peer
        for name, stream in streams.items():
            self._grant(peer, name, stream, monotonic_ns)
        grants = tuple(peer.due.values())
        peer.due = {}
        self._owed.pop(identity, None)
        self._answers.add(identity, Welcome(self._session, int(HEARTBEAT_S * 1000), grants))
        return NodeJoined(
            hello.node,
            hello.session,
            hello.counters,
            hello.software,
            hello.detections,
            hello.metrics_port,
            tuple(chz / 100 for chz in hello.asked_chz),
        )

    def _intake(self, hello: Hello) -> Intake:
        """What takes a node's detections: the same when it comes again, or it could begin anew."""
        if hello.node not in self._intakes and len(self._intakes) >= 2 * self._max_nodes:
            self._intakes = {
                name: one for name, one in self._intakes.items() if name in self._nodes
            }
        intake = self._intakes.setdefault(hello.node, Intake())
        intake.begin(hello.detections)
        return intake

    def _stream(self, node: str, counted: Counters) -> _Stream:
        is_wanted = self._wants_all or (node, counted.stream) in self._wanted
        return _Stream(Ledger(counted.sent, self._window), is_wanted)

    def _admit(self, identity: bytes, hello: Hello, monotonic_ns: int, caller: str | None) -> None:
        known, holder = self._peers.get(identity), self._nodes.get(hello.node)
        try:
            self._admission.check(
                hello,
                monotonic_ns,
                caller=caller,
                known_as=known.node if known else None,
                holder=Holder(holder.session, holder.heard_ns) if holder else None,
                nodes=len(self._nodes),
            )
        except RemoteProtocolError as error:
            self._answers.refuse(identity, error.reason, str(error))

    def _make_room(self, hello: Hello) -> None:
        """Forget who had this name before, on this connection or another."""
        before = self._nodes.get(hello.node)
        if before is None:
            return
        if before.session != hello.session:
            self._admission.displace(hello.node, before.session)
        self._forget(before)

    def _leave(self, peer: _Peer, message: str, why: Leaving) -> NodeLeft:
        self._forget(peer)
        self._admission.forget(peer.node)
        return NodeLeft(peer.node, message, why)

    def _forget(self, peer: _Peer) -> None:
        if self._peers.get(peer.identity) is peer:
            del self._peers[peer.identity]
            self._owed.pop(peer.identity, None)
        if self._nodes.get(peer.node) is peer:
            del self._nodes[peer.node]


def _unknown_stream(stream: str) -> RemoteProtocolError:
    return RemoteProtocolError(Reason.STREAM, f"stream {stream[:64]!r} was not in the node's hello")


def _not_a_nodes(message: Message) -> NoReturn:
    kind = type(message).__name__
    raise RemoteProtocolError(Reason.KIND, f"a node sent {kind}, want a node's kinds")
