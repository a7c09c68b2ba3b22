"""Nodes and a hub joined without a network, in time that a test controls. Does no I/O."""

from __future__ import annotations

from itertools import count
from typing import Final

from camfleet.draft import Draft
from camfleet.errors import RemoteProtocolError
from camfleet.events import Event
from camfleet.frame import FrameHeader
from camfleet.hub_link import HubLink
from camfleet.node_link import NodeLink
from camfleet.payload import Payload
from camfleet.testing.clock import FakeClock
from camfleet.testing.connection import Connection, Flight
from camfleet.window import MAX_WINDOW
from camfleet.wire import decode

_NS: Final = 1_000_000_000
_TICK_NS: Final = _NS // 10  # how often silence is noticed; a shell looks about as often


class PairedLink:
    """Carries messages between nodes and a hub, in order per connection, after a delay.

    Args:
        clock: the hub's clock, and the nodes' but for `node_ahead_s`.
        nodes: connected from the start; `connect` adds more, `kill` takes one away.
        delay_s: one way, in seconds.
        window: the hub's.
        on_demand: the hub wants a stream only after `hub.want`.

    Attributes:
        hub: the hub's side; another object after `restart_hub`.
        events: what the hub made of the messages so far.
        rejected: the nodes' names, and what was wrong with their messages.
        delay_s: may be set at any time; what is on its way is not overtaken.
        rate_bytes_s: what a connection carries to the hub; None for no limit.
        node_ahead_s: how far the nodes' Unix clocks are ahead of the hub's, in seconds.
    """

    def __init__(
        self,
        clock: FakeClock,
        *nodes: NodeLink,
        delay_s: float = 0.0,
        window: int = MAX_WINDOW,
        on_demand: bool = False,
    ) -> None:
        self.clock = clock
        self.delay_s = delay_s
        self.rate_bytes_s: float | None = None
        self.node_ahead_s = 0.0
        self.events: list[Event] = []
        self.rejected: list[tuple[str, RemoteProtocolError]] = []
        self._window = window
        self._on_demand = on_demand
        self._sessions = count(1)
        self._identities = count(1)
        self._nodes: list[NodeLink] = []
        self._connections: dict[bytes, Connection] = {}
        self.hub = self._new_hub()
        for node in nodes:
            self.connect(node)

    def connect(self, node: NodeLink) -> None:
        """Give a node a new connection; what was on its way on an older one vanishes."""
        self.cut(node)
        if node not in self._nodes:
            self._nodes.append(node)
        identity = next(self._identities).to_bytes(5, "big")  # as libzmq's own begin with a 0
        self._connections[identity] = Connection(node)

    def cut(self, *nodes: NodeLink) -> None:
        """Break these nodes' connections, or all: what is on its way vanishes."""
        for identity, connection in list(self._connections.items()):
            if not nodes or connection.node in nodes:
                del self._connections[identity]

    def mend(self) -> None:
        """Connect every node that was cut off, under a new identity."""
        connected = [connection.node for connection in self._connections.values()]
        for node in self._nodes:
            if node not in connected:
                self.connect(node)

    def kill(self, node: NodeLink) -> None:
        """End a node without a goodbye."""
        self.cut(node)
        self._nodes.remove(node)

    def restart_hub(self) -> None:
        """Kill the hub and start it anew: it knows nobody, and every connection is a new one."""
        self.hub = self._new_hub()
        for connection in list(self._connections.values()):
            self.connect(connection.node)

    def stall(self, seconds: float, apart_s: float = 50e-6) -> None:
        """Let the hub take nothing for a while, as one that hangs; then all that waits at once."""
        until_ns = self.clock.monotonic_ns() + round(seconds * _NS)
        for connection in self._connections.values():
            connection.up.hold(until_ns, round(apart_s * _NS))

    def send(self, node: NodeLink, stream: str, draft: Draft) -> None:
        """Spend a credit of a node on a frame; without a connection the frame is lost.

        Raises:
            LocalProtocolError: when there is no credit.
        """
        self.transmit(node, node.send(stream, draft, self.node_ns()), draft.payload)

    def transmit(self, node: NodeLink, header: bytes, payload: Payload = b"") -> None:
        """Put any two parts on their way to the hub, also such as no node would send."""
        for connection in self._connections.values():
            if connection.node is node and not self.is_lost(header):
                busy_ns = self._busy_ns(len(header) + len(payload))
                connection.up.put(
                    self.clock.monotonic_ns(),
                    header,
                    payload,
                    delay_ns=self._delay_ns(),
                    busy_ns=busy_ns,
                )

    def in_flight(self, node: NodeLink) -> list[FrameHeader]:
        """The frames that a node has sent and the hub has not yet received."""
        ups = [end.up for end in self._connections.values() if end.node is node]
        messages = [decode(flight.header) for up in ups for flight in up.flights]
        return [message for message in messages if isinstance(message, FrameHeader)]

    def run(self, seconds: float) -> None:
        """Let time pass: deliver what is due, poll the nodes, let the hub answer and expire."""
        end_ns = self.clock.monotonic_ns() + round(seconds * _NS)
        self._turn()
        while (left_ns := end_ns - self.clock.monotonic_ns()) > 0:
            self.clock.advance_ns(min(left_ns, self._pause_ns()))
            self._turn()

    def node_ns(self) -> int:
        """Unix time in ns on the nodes' clocks."""
        return self.clock.unix_ns() + round(self.node_ahead_s * _NS)

    def is_lost(self, header: bytes) -> bool:  # noqa: ARG002  # for a lossy link to look at
        """Whether this message vanishes; here none does."""
        return False

    def _new_hub(self) -> HubLink:
        return HubLink(next(self._sessions), self._window, wants_all=not self._on_demand)

    def _delay_ns(self) -> int:
        return round(self.delay_s * _NS)

    def _busy_ns(self, size_bytes: int) -> int:
        return round(size_bytes * _NS / self.rate_bytes_s) if self.rate_bytes_s else 0

    def _pause_ns(self) -> int:
        """How long nothing happens from now on, at most a tick."""
        times = [self.clock.monotonic_ns() + _TICK_NS]
        for connection in self._connections.values():
            times.append(connection.node.due_ns())
            ways = connection.up, connection.down
            times.extend(way.flights[0].arrives_ns for way in ways if way.flights)
        return max(0, min(times) - self.clock.monotonic_ns())

    def _turn(self) -> None:
        now_ns = self.clock.monotonic_ns()
        for identity, connection in self._connections.items():
            for flight in connection.up.due(now_ns):
                self._deliver(identity, flight)
        self.events.extend(self.hub.expire(now_ns))
        for identity, header in self.hub.drain():
            if identity in self._connections and not self.is_lost(header):
                down = self._connections[identity].down
                down.put(now_ns, header, b"", delay_ns=self._delay_ns())
        for node in self._nodes:
            node.notice_silence(now_ns)
        for connection in self._connections.values():
            for flight in connection.down.due(now_ns):
                connection.node.receive(flight.header, self.node_ns(), now_ns)
            for header in connection.node.poll(self.node_ns(), now_ns):
                self.transmit(connection.node, header)
            for header, picture in connection.node.detections(self.node_ns(), now_ns):
                self.transmit(connection.node, header, picture)

    def _deliver(self, identity: bytes, flight: Flight) -> None:
        now_ns = self.clock.unix_ns(), self.clock.monotonic_ns()
        try:
            event = self.hub.receive(identity, flight.header, flight.payload, *now_ns)
        except RemoteProtocolError as error:
            self.rejected.append((self.hub.rejecting(identity), error))
        else:
            self.events.extend([event] if event is not None else [])
