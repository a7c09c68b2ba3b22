"""The hub's port for subscribers: gives each the frames that it asks for, by credit.

It decodes no picture and copies none, and no subscriber can hold up another, or an ingest thread.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import zmq

from camfleet.errors import RemoteProtocolError
from camfleet.forward_link import (
    ForwardEvent,
    ForwardLink,
    FrameDelivered,
    Looked,
    Parcel,
    SubscriberJoined,
    SubscriberLeft,
)
from camfleet.gate import Gate
from camfleet.keyring import Entry, Keyring
from camfleet.keys import Role
from camfleet.names import MAIN
from camfleet.port import Port, header_and_payload
from camfleet.window import MAX_WINDOW
from camfleet.wire import Listing, StreamState, encode, encode_states
from camfleet_hub import permission
from camfleet_hub.demand import Demand
from camfleet_hub.permission import ANYBODY, NOBODY, Identity, check_rights
from camfleet_hub.stream import Arrival, Stream

OnReject = Callable[[str, RemoteProtocolError], None]  # of no node: the name is empty
OnSubscriber = Callable[[SubscriberJoined | SubscriberLeft], None]

_PLACE: Final = "subscriber"  # of a dropped frame
_HIGH_WATER_MARK: Final = 2 * MAX_WINDOW  # messages per subscriber; its credit keeps it lower
_MOST_ARRIVED: Final = 256  # between two rounds of the thread, as many as a queue keeps
_MAX_LATENCY_NS: Final = 2**62  # that a listing can hold
_LOOK_NS: Final = 500_000_000
_NS: Final = 1e9


class SubscriberPort(Port):
    """Forwards frames to `camfleet.Subscriber`s.

    What a subscriber does not get is counted by the stream as dropped at `subscriber`, with
    the reason `newer` (overtaken before it was asked for), `overflow` (it wants all and is too
    slow for the hub's queue) or `unfit` (its header has no room for a delivery's).

    Args:
        address: where to bind, for example `tcp://*:5557`; port 0 takes any free one.
        streams: returns all streams; called on this thread.
        demand: where frames are asked for while somebody subscribes to them.
        keyring: the hub's keys, and whose subscribers may come in and see what; without one
            everybody may see everything, unencrypted.
        now_ns: the clock that silences of cameras are measured on.
        on_reject: called on the port's thread with an empty name, for it was no node, and what
            was wrong with the message.
        on_subscriber: called on the port's thread when one comes or leaves.
        io_threads: libzmq's own, over which connections and their encryption are spread.

    Attributes:
        subscribers: how many are here.

    Raises:
        LocalProtocolError: when the address cannot be bound.
    """

    def __init__(
        self,
        address: str,
        streams: Callable[[], Sequence[Stream]],
        demand: Demand,
        *,
        keyring: Keyring | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
        on_reject: OnReject | None = None,
        on_subscriber: OnSubscriber | None = None,
        io_threads: int = 1,
    ) -> None:
        self._streams = streams
        self._demand = demand
        self._now_ns = now_ns
        self._on_reject = on_reject or _ignore
        self._on_subscriber = on_subscriber or _ignore
        self._keyring = keyring
        self._identities: dict[Entry, Identity] = {}
        self._link = ForwardLink(random.getrandbits(63), may_see=self._may_see)
        self.subscribers = 0
        # Replaced and never changed, since ingest threads look into them.
        self._known: frozenset[str] = frozenset()
        self._wanted: frozenset[str] = frozenset()
        self._wanted_all: frozenset[str] = frozenset()
        # Written by ingest threads, one by one, and taken out one by one: never swapped.
        self._noticed: set[Stream] = set()
        self._arrived: deque[tuple[Stream, Arrival]] = deque(maxlen=_MOST_ARRIVED)
        self._by_id: dict[str, Stream] = {}
        self._has_changed = False
        self._looks_at_ns = 0
        gate = Gate(keyring, Role.SUBSCRIBER) if keyring is not None else None
        super().__init__(address, _HIGH_WATER_MARK, gate, io_threads=io_threads)

    @property
    def waiting(self) -> int:
        """How much was noticed and not looked at yet."""
        return len(self._noticed) + len(self._arrived)

    def notice(self, stream: Stream) -> None:
        """Say that a stream has a newer frame; from any thread, at the cost of a look-up."""
        arrival = stream.arrival
        if stream.id in self._wanted_all and arrival is not None:
            self._arrived.append((stream, arrival))
        elif stream.id in self._wanted:
            self._noticed.add(stream)
        elif stream.id in self._known or not self.subscribers:
            return
        else:
            self._has_changed = True
        self.wake()

    def cut(self, caller: str) -> None:
        """Let go of subscribers whose key was revoked, and end their connections; any thread."""
        self.post(lambda: self._cut(caller))

    def judge(self) -> None:
        """Look anew at who may see what: it was changed; from any thread."""
        self.post(self._judge)

    def close(self) -> None:
        """Stop within a second, whatever the subscribers do, and ask for no more frames."""
        super().close()
        self._demand.change(self._wanted, ())
        self._wanted = frozenset()

    # From here on only the port's own thread.

    def take(self, identity: bytes, parts: list[zmq.Frame]) -> None:
        """Give one message to the link, and do what it means."""
        try:
            header, payload = header_and_payload(parts)
            caller = self.caller(header)
            now_ns = time.time_ns(), time.monotonic_ns()
            event = self._link.receive(
                identity, header.bytes, payload.buffer, *now_ns, caller=caller
            )
        except RemoteProtocolError as error:
            self._on_reject("", error)
        else:
            if type(event) is SubscriberJoined:
                self.note(identity.hex(), header)
            self._hear(event)

    def after_burst(self) -> None:
        """Answer, then send what is due, then see which streams are wanted."""
        for identity, header in self._link.drain():
            self.send(identity, header, b"")
        now_ns = time.monotonic_ns()
        if self._has_changed or now_ns >= self._looks_at_ns:
            self._looks_at_ns = now_ns + _LOOK_NS
            for left in self._link.expire(now_ns):
                self._hear(left)
            self._look()
        self._collect()
        for parcel in self._link.deliver(time.time_ns()):
            self._forward(parcel)

    def _hear(self, event: ForwardEvent | None) -> None:
        match event:
            case FrameDelivered(stream_id, latency_ns):
                if stream := self._by_id.get(stream_id):
                    stream.stats.latency["delivered"].add(latency_ns / _NS)
            case Looked():
                self._list(event)
            case SubscriberJoined() | SubscriberLeft():
                if type(event) is SubscriberLeft:
                    self.forget(event.identity.hex())
                self.subscribers = len(self._link)
                self._has_changed = True
                self._on_subscriber(event)

    def _cut(self, caller: str) -> None:
        for left in self._link.cut(caller):
            self.shut(left.identity.hex())
            self._hear(left)

    def _judge(self) -> None:
        self._link.judge()
        self._identities.clear()
        self._has_changed = True

    def _may_see(self, caller: str | None, node: str, camera: str) -> bool:
        return self._identity(caller).may_see(node, camera)

    def _identity(self, caller: str | None) -> Identity:
        """Who it is as of the last look at the keyring; nobody without a key sees anything."""
        if self._keyring is None:
            return ANYBODY
        entry = self._keyring.entry(caller or "")
        if entry is None or entry.role is not Role.SUBSCRIBER:
            return NOBODY
        if entry not in self._identities:
            rights = check_rights(permission.Role.VIEWER, entry.cameras)
            self._identities[entry] = Identity(entry.name, permission.Role.VIEWER, rights)
        return self._identities[entry]

    def _look(self) -> None:
        """See which streams are wanted: subscribers come and go, and so do cameras."""
        self._has_changed = False
        if not (self.subscribers or self._wanted):
            return
        by_id = {stream.id: stream for stream in self._streams()} if self.subscribers else {}
        before, self._by_id = self._by_id, by_id
        stayed = frozenset(i for i, stream in before.items() if by_id.get(i) is stream)
        if len(stayed) < len(before):
            self._link.keep(stayed)
        wanted = frozenset(filter(self._link.wants, by_id))
        wanted_before, self._wanted = self._wanted, wanted
        self._wanted_all = frozenset(filter(self._link.wants_all, wanted))
        self._known = frozenset(by_id)
        self._demand.change(wanted_before, wanted)

    def _collect(self) -> None:
        """Offer what arrived since the last round, and count who does not get what."""
        while self._arrived:
            stream, arrival = self._arrived.popleft()
            self._link.offer(stream.id, arrival.frame, arrival.number)
        while self._noticed:
            stream = self._noticed.pop()
            if stream.arrival is not None:
                self._link.offer(stream.id, stream.arrival.frame, stream.arrival.number)
        for (stream_id, reason), count in self._link.dropped().items():
            if found := self._by_id.get(stream_id):
                found.drop(_PLACE, reason, count)

    def _forward(self, parcel: Parcel) -> None:
        with contextlib.suppress(zmq.Again):
            message = (parcel.identity, parcel.header, parcel.payload)
            self._router.send_multipart(message, zmq.NOBLOCK, copy=False)
            if stream := self._by_id.get(parcel.stream_id):
                stream.forwarded += 1

    def _list(self, looked: Looked) -> None:
        now_ns, identity = self._now_ns(), self._identity(looked.caller)
        states = [
            _state(stream, now_ns)
            for stream in self._streams()
            if identity.may_see(stream.node.name, stream.camera)
            and any(one.matches(stream.node.name, _name(stream)) for one in looked.patterns)
        ]
        self.send(looked.identity, encode(Listing(len(states))), encode_states(states))


def _name(stream: Stream) -> str:
    return f"{stream.camera}/{stream.profile or MAIN}"


def _state(stream: Stream, now_ns: int) -> StreamState:
    frame = stream.newest
    latency_ns = frame.latency_ns if frame else None
    # What a node said may be anything, and one of them must not spoil the list of all.
    is_known = latency_ns is not None and abs(latency_ns) <= _MAX_LATENCY_NS
    return StreamState(
        stream.node.name,
        _name(stream),
        stream.liveness(now_ns).value,
        round(stream.fps, 2),
        latency_ns if latency_ns is not None and is_known else 0,
        frame.header.clock_uncertainty_ns if frame and is_known else -1,
        frame.header.shape if frame else (),
    )


def _ignore(*_what: object) -> None:
    """Nobody is to be told."""
