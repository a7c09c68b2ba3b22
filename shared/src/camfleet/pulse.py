"""The heartbeat of a link, at the side that asks: when it is due, and what its answers measure.

It decides and remembers; what it needs to know of the time is passed in.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from camfleet.clock import ClockFilter, Offset
from camfleet.liveness import HEARTBEAT_S
from camfleet.window import RoundTrip
from camfleet.wire import HeartbeatReply

_MOST_ASKED: Final = 16  # heartbeats under way, about one a second
_NS: Final = 1_000_000_000


class _Asked(NamedTuple):
    """A heartbeat that was not answered yet."""

    unix_ns: int
    monotonic_ns: int
    is_clean: bool


class Pulse:
    """Measures the other side's clock and the least round trip.

    Frames that wait before a heartbeat lengthen its round trip. So when that is in doubt, the
    link is drained: from a heartbeat to its answer nothing else is sent, and a second one finds
    the link idle. That costs one round trip without a frame, at most every ten seconds.

    Attributes:
        due_ns: monotonic time of the next heartbeat.
        is_draining: nothing but heartbeats may be sent.
    """

    def __init__(self) -> None:
        self.due_ns = 0
        self.is_draining = False
        self._interval_ns = int(HEARTBEAT_S * _NS)
        self._is_idle = False  # nothing of ours is under way
        self._clock = ClockFilter()
        self._round_trip = RoundTrip()
        self._told_ns = -1
        self._asked: deque[_Asked] = deque(maxlen=_MOST_ASKED)
        self._drained_ns = 0  # the heartbeat that the link is drained behind

    def begin(self, monotonic_ns: int, interval_ns: int, *, is_idle: bool) -> None:
        """Beat from now on; the first time at once, for it measures the clock."""
        self.due_ns = monotonic_ns
        self._interval_ns = interval_ns
        self._is_idle = is_idle
        self._asked.clear()
        self.is_draining = False

    def beat(self, unix_ns: int, monotonic_ns: int) -> int:
        """Note that a heartbeat goes out now; return the least round trip, to be told in it."""
        self.due_ns = monotonic_ns + self._interval_ns
        self._asked.append(_Asked(unix_ns, monotonic_ns, self._is_idle))
        is_doubtful = not self._is_idle and self._round_trip.is_doubtful(monotonic_ns)
        if is_doubtful and not self.is_draining:
            self._drained_ns = monotonic_ns
        self.is_draining = is_doubtful
        self._is_idle = False
        self._told_ns = self._round_trip.least_ns
        return self._told_ns

    def answer(self, reply: HeartbeatReply, unix_ns: int, monotonic_ns: int) -> None:
        """Take an answer; one that nobody waits for any more measures the clock alone.

        All that was sent before the heartbeat has arrived, since messages arrive in order. So
        who sent nothing since has an idle link now.
        """
        self._clock.add(reply.node_ns, reply.received_ns, reply.replied_ns, unix_ns)
        asked = next((one for one in self._asked if one.unix_ns == reply.node_ns), None)
        if asked is None:
            return
        while self._asked.popleft() is not asked:
            pass  # older ones, whose answers were lost
        held_ns = reply.replied_ns - reply.received_ns
        round_trip_ns = max(0, monotonic_ns - asked.monotonic_ns - held_ns)
        self._round_trip.add(round_trip_ns, monotonic_ns, is_clean=asked.is_clean)
        if self.is_draining and asked.monotonic_ns >= self._drained_ns:
            self.is_draining, self._is_idle = False, True
        if self._is_idle or self._is_news:
            self.due_ns = monotonic_ns  # measure, or tell, at once

    def disturb(self) -> None:
        """Note that the other side sent a frame: an answer behind it may have waited for it."""
        for at, asked in enumerate(self._asked):
            self._asked[at] = asked._replace(is_clean=False)
        self._is_idle = False

    def offset(self, unix_ns: int) -> Offset | None:
        """The other clock minus ours, and how sure that is; None before the first answer."""
        return self._clock.offset(unix_ns)

    @property
    def knows_the_clock(self) -> bool:
        """Whether an answer has come that measured the other clock."""
        return self._clock.is_set

    @property
    def round_trip_ns(self) -> int:
        """The least one of late; -1 before the first."""
        return self._round_trip.least_ns

    @property
    def _is_news(self) -> bool:
        """Whether the other side knows another round trip by a quarter."""
        least_ns = self._round_trip.least_ns
        return abs(least_ns - self._told_ns) > least_ns // 4
