"""What viewers painted of one camera. What a browser says is believed only where it can be true."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from camfleet.frame import Frame
from camfleet.stats import Histogram

_MOST_UNSURE_NS: Final = 100_000_000  # a browser that is less sure of its clock tells nothing
_NS_PER_MS: Final = 1e6
_NS: Final = 1e9


class Shown(NamedTuple):
    """A frame that was sent to a viewer, with times on the hub's clock in Unix ns.

    Attributes:
        captured_ns: None where nobody knows.
        uncertainty_ns: of captured_ns.
    """

    captured_ns: int | None
    uncertainty_ns: int
    sent_ns: int

    @classmethod
    def of(cls, frame: Frame, sent_ns: int) -> Shown:
        """A frame that is sent now."""
        header = frame.header
        if frame.latency_ns is None:
            return cls(None, 0, sent_ns)
        captured_ns = header.captured_ns + header.clock_offset_ns
        return cls(captured_ns, header.clock_uncertainty_ns, sent_ns)


class Paintings:
    """Counts what viewers painted of one camera, each viewer's by itself.

    Attributes:
        painted: frames, as often as they were.
        rejected: paintings that cannot have been when the browser says.
        latency: from capture to painted, in seconds, of those with a known time of capture.
        uncertainty_s: of these, both clocks' together, summed up.
        timed: how many these are.
    """

    def __init__(self) -> None:
        self.painted = 0
        self.rejected = 0
        self.latency = Histogram()
        self.uncertainty_s = 0.0
        self.timed = 0

    def take(
        self, shown: Shown, painted_ms: float, uncertainty_ms: float, acknowledged_ns: int
    ) -> None:
        """Count a painting if it lies between the sending and the acknowledgement.

        Args:
            shown: the frame.
            painted_ms: on the hub's clock, Unix ms, as the browser reckons it.
            uncertainty_ms: of that, as the browser says; so far it may lie outside.
            acknowledged_ns: when the browser told of it, on the hub's clock.
        """
        unsure_ns = uncertainty_ms * _NS_PER_MS
        if not (math.isfinite(painted_ms) and 0 <= unsure_ns <= _MOST_UNSURE_NS):
            self.rejected += 1
            return
        painted_ns = painted_ms * _NS_PER_MS
        if not shown.sent_ns - unsure_ns <= painted_ns <= acknowledged_ns + unsure_ns:
            self.rejected += 1
            return
        self.painted += 1
        if shown.captured_ns is None:
            return
        # It was not painted before it was sent, nor after it was told, whatever the clock says.
        painted_ns = min(max(painted_ns, shown.sent_ns), acknowledged_ns)
        self.latency.add((painted_ns - shown.captured_ns) / _NS)
        self.uncertainty_s += (unsure_ns + shown.uncertainty_ns) / _NS
        self.timed += 1
