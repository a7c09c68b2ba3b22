"""A frame as a subscriber got it: the hub's, with what became of it on its last way."""

from __future__ import annotations

from camfleet.frame import Frame


class DeliveredFrame(Frame, frozen=True, gc=False):
    """A frame out of a running hub.

    Attributes:
        delivered_ns: arrival at this subscriber, on the hub's clock; 0 where that is unknown.
        delivered_uncertainty_ns: the most that this may be wrong; -1 where it is unknown.
        skipped: frames of its stream since the one before that this subscriber did not get.
    """

    delivered_ns: int = 0
    delivered_uncertainty_ns: int = -1
    skipped: int = 0

    @property
    def latency_ns(self) -> int | None:
        """Time from capture to arrival here on the hub's clock, or None where it is unknown."""
        header = self.header
        if not header.captured_ns or self.uncertainty_ns is None:
            return None
        return self.delivered_ns - (header.captured_ns + header.clock_offset_ns)

    @property
    def uncertainty_ns(self) -> int | None:
        """The most that the latency may be wrong: by its node's clock, and by ours."""
        of_node_ns = self.header.clock_uncertainty_ns
        if of_node_ns < 0 or self.delivered_uncertainty_ns < 0:
            return None
        return of_node_ns + self.delivered_uncertainty_ns
