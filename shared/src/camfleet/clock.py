"""How far another machine's clock is off, and how sure that is. Reads no clock itself."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

SAMPLES: Final = 8  # the clock filter's length (RFC 5905, 10)
DRIFT_PPM: Final = 15  # how fast two quartz clocks may part (RFC 5905's PHI)


class Offset(NamedTuple):
    """The other clock minus ours, and the most that this may be wrong; both in ns."""

    offset_ns: int
    uncertainty_ns: int


class _Sample(NamedTuple):
    at_ns: int
    offset_ns: int
    uncertainty_ns: int

    def aged(self, now_ns: int) -> int:
        return self.uncertainty_ns + abs(now_ns - self.at_ns) * DRIFT_PPM // 1_000_000


class ClockFilter:
    """Keeps the last eight exchanges and believes the one with the least round trip.

    A round trip bounds the error: the true offset lies within half of it, however the delay
    was split between the two ways (RFC 5905, 8 and 10). An exchange that contradicts the
    believed one beyond both bounds means that a clock was stepped: older ones are forgotten.
    """

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self._best: _Sample | None = None

    def add(self, sent_ns: int, received_ns: int, replied_ns: int, returned_ns: int) -> None:
        """Take one exchange: sent and returned on our clock, the other two on the other's."""
        round_trip_ns = (returned_ns - sent_ns) - (replied_ns - received_ns)
        if round_trip_ns < 0:
            self._samples.clear()  # a clock was stepped in mid-exchange
            self._best = None
            return
        offset_ns = ((received_ns - sent_ns) + (replied_ns - returned_ns)) // 2
        sample = _Sample(returned_ns, offset_ns, round_trip_ns // 2 + 1)
        if self._contradicts(sample):
            self._samples.clear()
        self._samples.append(sample)
        # All age alike, so the best one stays the best until the next exchange.
        self._best = min(self._samples, key=lambda sample: sample.aged(returned_ns))

    @property
    def is_set(self) -> bool:
        """Whether there is an estimate."""
        return self._best is not None

    def offset(self, now_ns: int) -> Offset | None:
        """The best estimate at `now_ns` on our clock; None before the first exchange."""
        best = self._best
        return Offset(best.offset_ns, best.aged(now_ns)) if best else None

    def _contradicts(self, sample: _Sample) -> bool:
        believed = self.offset(sample.at_ns)
        if believed is None:
            return False
        apart_ns = abs(sample.offset_ns - believed.offset_ns)
        return apart_ns > sample.uncertainty_ns + believed.uncertainty_ns
