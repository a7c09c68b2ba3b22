"""What is counted about a stream at the hub. Rates are made from counters, never stored."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, deque
from typing import Final

from camfleet.frame import Frame
from camfleet.wire import Counters, DetectionCounters

# Upper bounds in seconds: a frame interval at 60, 30, 15 and 5 fps is told apart.
LATENCY_BUCKETS_S: Final = (
    0.005, 0.01, 0.0175, 0.025, 0.035, 0.05, 0.07, 0.1, 0.15, 0.2, 0.35, 0.5, 1.0, 2.0, 5.0,
)  # fmt: skip
STAGES: Final = ("encoded", "sent", "received", "delivered")
_NS: Final = 1e9
_STEP_NS: Final = 10_000_000_000  # more than any frame is late: a clock was set
_RATE_SPAN_S: Final = 3.0
BY_CHOICE: Final = ("still", "interval", "unwanted")  # pictures of a camera that is well
_MOST_REASONS: Final = 32  # of dropping; more than this are a node's mischief


class Histogram:
    """Counts observations by upper bound, as Prometheus' histograms do."""

    def __init__(self, bounds: tuple[float, ...] = LATENCY_BUCKETS_S) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        """Count one observation."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Jitter:
    """Smoothed variation of the transit time (RFC 3550, 6.4.1 and A.8), in ns.

    A constant offset between the two clocks cancels out, so it is no jitter.
    """

    def __init__(self) -> None:
        self.jitter_ns = 0.0
        self._transit_ns: int | None = None

    def add(self, captured_ns: int, received_ns: int) -> None:
        """Take one frame: capture on its node's clock, arrival on ours."""
        transit_ns = received_ns - captured_ns
        if self._transit_ns is not None:
            variation_ns = abs(transit_ns - self._transit_ns)
            if variation_ns < _STEP_NS:
                self.jitter_ns += (variation_ns - self.jitter_ns) / 16
        self._transit_ns = transit_ns

    def begin(self) -> None:
        """Compare nothing with what came before: the clock may be another."""
        self._transit_ns = None


class RateMeter:
    """A rate over the last three seconds out of a counter that is read now and then."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def sample(self, count: int, at_s: float) -> float:
        """Take the counter's value at a monotonic time; return the rate per second."""
        self._samples.append((at_s, count))
        while len(self._samples) > 2 and self._samples[1][0] <= at_s - _RATE_SPAN_S:
            self._samples.popleft()
        first_s, first = self._samples[0]
        return (count - first) / (at_s - first_s) if at_s > first_s else 0.0


class StreamStats:
    """Everything counted about one stream, over all sessions of its node.

    Attributes:
        received: frames that arrived and were accepted.
        received_bytes: their payloads.
        captured: pictures that the node captured.
        lost: frames that were sent and never arrived.
        rejected: frames that arrived and were not accepted.
        dropped: pictures that the node chose to discard, by reason.
        restarts: how often the node reopened the camera because it hung; None where it tells
            nothing of that.
        latency: from capture to each stage, in seconds; from `received` on, on the hub's clock.
        jitter: of the arrivals.
    """

    def __init__(self) -> None:
        self.received = 0
        self.received_bytes = 0
        self.lost = 0
        self.rejected = 0
        self.captured = 0
        self.restarts: int | None = None
        self.latency = {stage: Histogram() for stage in STAGES}
        self.jitter = Jitter()
        self._session: int | None = None
        self._expected = 0
        self._captured = 0
        self._reported: Counters | None = None
        self._restarted: int | None = None
        self._dropped: dict[str, int] = {}

    @property
    def dropped(self) -> Counter[str]:
        """Pictures that the node discarded, by reason."""
        return Counter(self._dropped.copy())  # at once: another thread adds to it

    @property
    def sent(self) -> int:
        """Frames that the node sent: each has arrived, was rejected or is lost."""
        return self.received + self.rejected + self.lost

    @property
    def withheld(self) -> int:
        """Pictures that the node could have sent and was told not to, or that nobody wants."""
        return sum(self._dropped.get(reason, 0) for reason in BY_CHOICE)

    def begin(self, session: int, counters: Counters) -> None:
        """Take a node's hello: a new session counts from what it had sent by then."""
        if session != self._session:
            self._begin(session, counters.sent, counters.captured)
            self._reported = counters

    def account(self, frame: Frame) -> None:
        """Count one frame that arrived."""
        header = frame.header
        if header.session != self._session:  # no hello of it was heard, so nothing is missed
            self._begin(header.session, header.sent, header.sequence)
        self.received += 1
        self.received_bytes += len(frame.payload)
        self._catch_up(header.sent)
        self._expected = header.sent + 1
        self._capture(header.sequence + 1)
        if header.captured_ns:
            self.jitter.add(header.captured_ns, frame.received_ns)
            self._measure(frame)

    def reject(self, sent: int) -> None:
        """Take one frame that arrived but was not accepted, so that it is not lost as well."""
        self._catch_up(sent)
        self.rejected += sent >= self._expected
        self._expected = max(self._expected, sent + 1)

    def report(self, counters: Counters) -> None:
        """Take a heartbeat's counts: what was sent before it and has not arrived is lost."""
        self._catch_up(counters.sent)
        self._expected = max(self._expected, counters.sent)
        before = self._reported or counters  # the first one is where counting begins
        self._reported = counters
        self._capture(counters.captured)
        for reason, count in counters.dropped.items():
            if reason in self._dropped or len(self._dropped) < _MOST_REASONS:
                grown = max(0, count - before.dropped.get(reason, 0))
                self._dropped[reason] = self._dropped.get(reason, 0) + grown

    def restart(self, count: int) -> None:
        """Take a heartbeat's count of restarts; the first one is where counting begins."""
        before = count if self._restarted is None else self._restarted
        self._restarted = count
        self.restarts = (self.restarts or 0) + max(0, count - before)

    def _measure(self, frame: Frame) -> None:
        """Count how long a frame took to each stage; the first two need no clock but its node's."""
        header, latency = frame.header, self.latency
        stages = header.stages
        encoded_ns = stages.capture_ns + stages.process_ns + stages.encode_ns
        latency["encoded"].add(encoded_ns / _NS)
        latency["sent"].add((encoded_ns + stages.queue_ns) / _NS)
        if header.clock_uncertainty_ns >= 0:  # below zero only by the clocks' uncertainty
            latency_ns = frame.received_ns - header.captured_ns - header.clock_offset_ns
            latency["received"].add(max(0, latency_ns) / _NS)

    def _begin(self, session: int, sent: int, captured: int) -> None:
        self._session = session
        self._expected = sent
        self._captured = captured
        self._reported = None
        self._restarted = None
        self.jitter.begin()

    def _capture(self, count: int) -> None:
        """Take the node's count, out of a heartbeat or out of a frame's sequence."""
        self.captured += max(0, count - self._captured)
        self._captured = max(self._captured, count)

    def _catch_up(self, sent: int) -> None:
        self.lost += max(0, sent - self._expected)


class DetectionStats:
    """What is counted about a node's detections, over all of its sessions.

    Attributes:
        received: those that arrived and were accepted.
        lost: those that were sent and never arrived.
        dropped: those that the node discarded, because the hub was away for too long.
    """

    def __init__(self) -> None:
        self.received = 0
        self.lost = 0
        self.dropped = 0
        self._session: int | None = None
        self._expected = 0
        self._dropped = 0

    def begin(self, session: int, counters: DetectionCounters) -> None:
        """Take a node's hello: a new session counts from what it had sent by then."""
        if session != self._session:
            self._session = session
            self._expected, self._dropped = counters.sent, counters.dropped

    def account(self, number: int) -> None:
        """Count one that arrived."""
        self.received += 1
        self.reject(number)

    def reject(self, number: int) -> None:
        """Take one that arrived but was not accepted, so that it is not lost as well."""
        self._catch_up(number)
        self._expected = max(self._expected, number + 1)

    def report(self, counters: DetectionCounters) -> None:
        """Take a heartbeat's counts: what was sent before it and has not arrived is lost."""
        self._catch_up(counters.sent)
        self._expected = max(self._expected, counters.sent)
        self.dropped += max(0, counters.dropped - self._dropped)
        self._dropped = max(self._dropped, counters.dropped)

    def _catch_up(self, number: int) -> None:
        self.lost += max(0, number - self._expected)
