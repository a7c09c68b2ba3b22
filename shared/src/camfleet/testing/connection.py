"""A connection without a network: two ways, each first in, first out. Does no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from camfleet.node_link import NodeLink
from camfleet.payload import Payload


class Flight(NamedTuple):
    """A message on its way."""

    arrives_ns: int
    header: bytes
    payload: Payload


class Way:
    """One direction of a connection: first in, first out."""

    def __init__(self) -> None:
        self.flights: deque[Flight] = deque()
        self._free_ns = 0

    def put(
        self, now_ns: int, header: bytes, payload: Payload, *, delay_ns: int, busy_ns: int = 0
    ) -> None:
        """Send a message; it waits for those before it, and overtakes none of them."""
        self._free_ns = max(now_ns, self._free_ns) + busy_ns
        arrives_ns = self._free_ns + delay_ns
        if self.flights:
            arrives_ns = max(arrives_ns, self.flights[-1].arrives_ns)
        self.flights.append(Flight(arrives_ns, header, payload))

    def hold(self, until_ns: int, apart_ns: int) -> None:
        """Let what is under way arrive no sooner, and then one message after another."""
        self.flights = deque(
            flight._replace(arrives_ns=max(flight.arrives_ns, until_ns + at * apart_ns))
            for at, flight in enumerate(self.flights)
        )
        self._free_ns = max(self._free_ns, until_ns)

    def due(self, now_ns: int) -> Iterator[Flight]:
        """Take what has arrived by now."""
        while self.flights and self.flights[0].arrives_ns <= now_ns:
            yield self.flights.popleft()


class Connection:
    """A node's TCP connection, as the hub sees it."""

    def __init__(self, node: NodeLink) -> None:
        self.node = node
        self.up = Way()
        self.down = Way()
