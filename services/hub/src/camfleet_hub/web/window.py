"""How many bytes a browser may have that it has not painted yet. It does no I/O.

What a viewer paints within a least round trip and two refreshes of its display is under way, and
no more: what is more would wait in some buffer, and what waits grows old.
"""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from camfleet.window import RoundTrip

_GAIN: Final = 1.5  # more than a window lets through cannot be seen; so it grows to what there is
_SLACK_NS: Final = 34_000_000  # decoding until one refresh, painting until the next, at 60 Hz
_REFRESH_NS: Final = 17_000_000
_MESSAGE_BYTES: Final = 65_536  # about; a browser begins with none of it before it has all
_BEST_OF_NS: Final = 1_000_000_000  # cameras pause, and a rate seen meanwhile is not the link's
# The first round trip is a page's that is still being loaded; and a browser's load changes.
_DOUBT_NS: Final = 2_000_000_000
_NS: Final = 1_000_000_000


class Sent(NamedTuple):
    """A frame that is under way, and what was painted by when at the time of its sending.

    A rate over the time since then holds the frame's whole way, and is no higher than that of the
    sending: acknowledgements that were held up and come at once do not pass for a fast link
    (draft-cheng-iccrg-delivery-rate-estimation).

    Attributes:
        span_ns: since the sending of what was painted last.
    """

    size_bytes: int
    sent_ns: int
    is_clean: bool
    painted_bytes: int
    painted_ns: int
    span_ns: int


class Window:
    """What of one viewer's frames is under way, and what may be.

    The size is half as much again as what is painted in a least round trip and two refreshes.
    All times are monotonic ns; frames that are sent at the same one go as one message.
    """

    def __init__(self) -> None:
        self._sent: dict[int, Sent] = {}
        self._round_trip = RoundTrip(_DOUBT_NS)
        self._rates: deque[tuple[int, float]] = deque()  # the newest last, each above the next
        self._painted_bytes = 0
        self._painted_ns = 0
        self._painted_sent_ns = 0
        self._clean_ns = 0
        self._newest: Sent | None = None  # of those that were acknowledged since `measure`
        self._alone: int | None = None  # what was sent last, if nothing was under way
        self.unpainted_bytes = 0

    def size_bytes(self, now_ns: int) -> int:
        """How many bytes may be under way."""
        span_ns = max(0, self._round_trip.least_ns) + _SLACK_NS
        return int(_GAIN * self._rate(now_ns) * span_ns / _NS)

    def message_bytes(self, now_ns: int) -> int:
        """How many bytes one message should have: what comes in a refresh.

        On a slow link each frame is one, so that it is painted before the next one is here.
        """
        return min(int(self._rate(now_ns) * _REFRESH_NS / _NS), _MESSAGE_BYTES)

    def has_room(self, now_ns: int) -> bool:
        """Whether a frame may be sent now: while less is under way than may be, so one is beyond.

        One may always be when none is under way; and no other one, when the least round trip is
        not known or is in doubt: what we have under way ourselves would lengthen it.
        """
        if not self._sent:
            return True
        if self._round_trip.is_doubtful(now_ns):
            return False
        return self.unpainted_bytes < self.size_bytes(now_ns)

    def send(self, number: int, size_bytes: int, now_ns: int) -> None:
        """Take note of a frame that is sent."""
        is_clean = not self._sent
        if is_clean:
            # That there was nothing to paint says nothing of the link.
            self._painted_ns = self._painted_sent_ns = now_ns
        elif self._alone is not None and self._sent[self._alone].sent_ns == now_ns:
            # The browser has neither before it has both: such a round trip is ours in part.
            self._sent[self._alone] = self._sent[self._alone]._replace(is_clean=False)
        self._alone = number if is_clean else None
        self._sent[number] = Sent(
            size_bytes,
            now_ns,
            is_clean,
            self._painted_bytes,
            self._painted_ns,
            now_ns - self._painted_sent_ns,
        )
        self.unpainted_bytes += size_bytes

    def acknowledge(self, number: int, now_ns: int) -> None:
        """Take note that the browser is done with a frame; any other number means nothing."""
        sent = self._sent.pop(number, None)
        if sent is None:
            return
        if number == self._alone:
            self._alone = None
        self.unpainted_bytes -= sent.size_bytes
        self._painted_bytes += sent.size_bytes
        if self._newest is None or sent.sent_ns >= self._newest.sent_ns:
            self._newest = sent
        round_trip_ns = now_ns - sent.sent_ns
        if sent.is_clean:
            # A browser pauses now and then: the lesser of two tells the way.
            before_ns, self._clean_ns = self._clean_ns, round_trip_ns
            round_trip_ns = min(round_trip_ns, before_ns or round_trip_ns)
        self._round_trip.add(round_trip_ns, now_ns, is_clean=sent.is_clean)

    def measure(self, now_ns: int) -> None:
        """Take the rate, once for all frames of one acknowledgement."""
        newest, self._newest = self._newest, None
        if newest is None:
            return
        self._painted_ns, self._painted_sent_ns = now_ns, newest.sent_ns
        span_ns = max(1, now_ns - newest.painted_ns, newest.span_ns)
        rate = (self._painted_bytes - newest.painted_bytes) * _NS / span_ns
        while self._rates and self._rates[-1][1] <= rate:
            self._rates.pop()
        self._rates.append((now_ns, rate))

    def _rate(self, now_ns: int) -> float:
        """Bytes that were painted in a second, at the best of late."""
        while self._rates and self._rates[0][0] < now_ns - _BEST_OF_NS:
            self._rates.popleft()
        return self._rates[0][1] if self._rates else 0.0
