"""Subscribers and a hub joined without a network, in time that a test controls. Does no I/O."""

from __future__ import annotations

from itertools import count
from typing import Final

from camfleet.delivered_frame import DeliveredFrame
from camfleet.errors import RemoteProtocolError
from camfleet.forward_link import ForwardEvent, ForwardLink, Looked
from camfleet.frame import Frame, FrameHeader
from camfleet.payload import Payload
from camfleet.subscriber_link import SubscriberLink
from camfleet.testing.clock import FakeClock
from camfleet.testing.connection import Way
from camfleet.wire import Listing, StreamState, encode, encode_states

_NS: Final = 1_000_000_000
_TICK_NS: Final = _NS // 10


class _Connection:
    """A subscriber's TCP connection, as the hub sees it."""

    def __init__(self, subscriber: SubscriberLink) -> None:
        self.subscriber = subscriber
        self.up = Way()
        self.down = Way()


class PairedSubscribers:
    """Carries messages between subscribers and a hub, in order per connection, after a delay.

    Args:
        clock: the hub's clock, and the subscribers' but for `ahead_s`.
        subscribers: connected from the start.
        delay_s: one way, in seconds; may be set at any time.
        max_subscribers: the hub's.

    Attributes:
        hub: the hub's side; another object after `restart_hub`.
        events: what the hub made of the messages so far.
        frames: what came, by subscriber, in order.
        listed: the last listing of each subscriber.
        rejected: what was wrong with messages, on either side.
        states: what the hub tells of its streams.
        ahead_s: how far the subscribers' Unix clocks are ahead of the hub's, in seconds.
    """

    def __init__(
        self,
        clock: FakeClock,
        *subscribers: SubscriberLink,
        delay_s: float = 0.0,
        max_subscribers: int = 256,
    ) -> None:
        self.clock = clock
        self.delay_s = delay_s
        self.ahead_s = 0.0
        self.events: list[ForwardEvent] = []
        self.frames: dict[SubscriberLink, list[DeliveredFrame]] = {}
        self.listed: dict[SubscriberLink, tuple[StreamState, ...]] = {}
        self.rejected: list[RemoteProtocolError] = []
        self.states: tuple[StreamState, ...] = ()
        self._max_subscribers = max_subscribers
        self._sessions = count(1)
        self._identities = count(1)
        self._subscribers: list[SubscriberLink] = []
        self._connections: dict[bytes, _Connection] = {}
        self.hub = self._new_hub()
        for subscriber in subscribers:
            self.connect(subscriber)

    def connect(self, subscriber: SubscriberLink) -> None:
        """Give one a new connection; what was on its way on an older one vanishes."""
        self.cut(subscriber)
        if subscriber not in self._subscribers:
            self._subscribers.append(subscriber)
            self.frames[subscriber] = []
        identity = next(self._identities).to_bytes(5, "big")
        self._connections[identity] = _Connection(subscriber)

    def cut(self, *subscribers: SubscriberLink) -> None:
        """Break these connections, or all: what is on its way vanishes."""
        for identity, connection in list(self._connections.items()):
            if not subscribers or connection.subscriber in subscribers:
                del self._connections[identity]

    def mend(self) -> None:
        """Connect everybody who was cut off, under a new identity."""
        connected = [connection.subscriber for connection in self._connections.values()]
        for subscriber in self._subscribers:
            if subscriber not in connected:
                self.connect(subscriber)

    def restart_hub(self) -> None:
        """Kill the hub and start it anew: it knows nobody, and every connection is a new one."""
        self.hub = self._new_hub()
        for connection in list(self._connections.values()):
            self.connect(connection.subscriber)

    def arrive(self, stream_id: str, number: int, size_bytes: int = 6) -> Frame:
        """Let a raw gray frame of so many bytes arrive at the hub, its number in its header."""
        node, _, stream = stream_id.partition("/")
        now_ns = self.clock.unix_ns()
        header = FrameHeader(
            stream=stream if "/" in stream else f"{stream}/main",
            session=1,
            sequence=number,
            sent=number,
            captured_ns=now_ns,
            codec="raw",
            shape=(1, size_bytes),
            clock_uncertainty_ns=0,
        )
        frame = Frame(node, header, bytes(size_bytes), now_ns)
        self.hub.offer(stream_id, frame, number)
        return frame

    def under_way(self, subscriber: SubscriberLink) -> int:
        """How many deliveries the hub has sent that have not arrived."""
        downs = [one.down for one in self._connections.values() if one.subscriber is subscriber]
        return sum(len(flight.payload) > 0 for down in downs for flight in down.flights)

    def run(self, seconds: float) -> None:
        """Let time pass: carry what is due, poll the subscribers, let the hub decide."""
        end_ns = self.clock.monotonic_ns() + round(seconds * _NS)
        self._turn()
        while (left_ns := end_ns - self.clock.monotonic_ns()) > 0:
            self.clock.advance_ns(min(left_ns, self._pause_ns()))
            self._turn()

    def _new_hub(self) -> ForwardLink:
        return ForwardLink(next(self._sessions), self._max_subscribers)

    def _unix_ns(self) -> int:
        return self.clock.unix_ns() + round(self.ahead_s * _NS)

    def _put(self, way: Way, header: bytes, payload: Payload = b"") -> None:
        delay_ns = round(self.delay_s * _NS)
        way.put(self.clock.monotonic_ns(), header, payload, delay_ns=delay_ns)

    def _pause_ns(self) -> int:
        now_ns = self.clock.monotonic_ns()
        times = [now_ns + _TICK_NS]
        for connection in self._connections.values():
            due_ns = connection.subscriber.due_ns()
            times += [] if due_ns is None else [due_ns]
            ways = connection.up, connection.down
            times += [way.flights[0].arrives_ns for way in ways if way.flights]
        return max(0, min(times) - now_ns)

    def _turn(self) -> None:
        now_ns = self.clock.monotonic_ns()
        for identity, connection in self._connections.items():
            for flight in connection.up.due(now_ns):
                self._hear(identity, flight.header)
        self.events += self.hub.expire(now_ns)
        self._speak()
        for subscriber in self._subscribers:
            subscriber.notice_silence(now_ns)
        for connection in self._connections.values():
            self._read(connection)
            for header in connection.subscriber.poll(self._unix_ns(), now_ns):
                self._put(connection.up, header)

    def _hear(self, identity: bytes, header: bytes) -> None:
        now_ns = self.clock.unix_ns(), self.clock.monotonic_ns()
        try:
            event = self.hub.receive(identity, header, b"", *now_ns)
        except RemoteProtocolError as error:
            self.rejected.append(error)
            return
        if isinstance(event, Looked):
            listing = encode(Listing(len(self.states)))
            self._put(self._connections[identity].down, listing, encode_states(self.states))
        elif event is not None:
            self.events.append(event)

    def _speak(self) -> None:
        for identity, header in self.hub.drain():
            if identity in self._connections:
                self._put(self._connections[identity].down, header)
        for parcel in self.hub.deliver(self.clock.unix_ns()):
            if parcel.identity in self._connections:
                down = self._connections[parcel.identity].down
                self._put(down, parcel.header, parcel.payload)

    def _read(self, connection: _Connection) -> None:
        subscriber = connection.subscriber
        now_ns = self.clock.monotonic_ns()
        for flight in connection.down.due(now_ns):
            try:
                found = subscriber.receive(flight.header, flight.payload, self._unix_ns(), now_ns)
            except RemoteProtocolError as error:
                self.rejected.append(error)
                continue
            if isinstance(found, DeliveredFrame):
                self.frames[subscriber].append(found)
            elif found is not None:
                self.listed[subscriber] = found
