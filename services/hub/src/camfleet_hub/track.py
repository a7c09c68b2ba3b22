"""One stream's samples: rates, latencies, and what was dropped, of each interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from camfleet.stats import STAGES
from camfleet_hub.ring import Line, Ring, line
from camfleet_hub.stream import Stream

State = Literal["online", "stale", "offline"]
STATES: Final[tuple[State, ...]] = ("online", "stale", "offline")
OTHER: Final = ("other", "other")
MOST_REASONS: Final = 8  # of dropping, per stream; those that come later are `other`
_PAINTED: Final = "painted"
_ALL_STAGES: Final = (*STAGES, _PAINTED)
_P95: Final = 0.95
_NS: Final = 1e9
_MS: Final = 1e3


@dataclass(frozen=True)
class Dropped:
    """Frames that were discarded by choice.

    Attributes:
        per_s: in each interval.
        count: in all intervals together.
    """

    place: str
    reason: str
    per_s: Line
    count: int


@dataclass(frozen=True)
class Latency:
    """From the start of exposure to a stage, of all frames of each interval.

    Attributes:
        mean_ms: exact: the sum of all by their number.
        p95_ms: within the bounds of a bucket of the histogram; between them it is a guess.
    """

    mean_ms: Line
    p95_ms: Line


@dataclass(frozen=True)
class Past:
    """What a stream did, oldest first; None where nothing was known.

    Attributes:
        fps: frames received per second.
        asked_fps: pictures per second that the camera is set to give.
        captured_fps: pictures that the node captured, by its own count.
        latency: by stage; without those that were never measured.
        uncertainty_ms: how far latencies on the hub's clock may be off.
        painted_uncertainty_ms: how far those to the paint may, by the browsers' clocks too.
        dropped: by place and reason.
        lost_per_s, rejected_per_s: as they were counted here.
        lost, rejected: in all intervals together.
        states: online, stale or offline.
    """

    fps: Line
    asked_fps: Line
    captured_fps: Line
    latency: dict[str, Latency]
    uncertainty_ms: Line
    painted_uncertainty_ms: Line
    dropped: list[Dropped]
    lost_per_s: Line
    rejected_per_s: Line
    lost: int
    rejected: int
    states: list[State | None]


class StreamTrack:
    """The samples of one stream.

    What its node counts is divided by the time that the node's reports are apart, so that a
    report after a long silence makes no peak.
    """

    def __init__(self, samples: int) -> None:
        stages = [f"{stage} {what}" for stage in _ALL_STAGES for what in ("mean", "p95")]
        drops = [_drop_name(number) for number in range(MOST_REASONS + 1)]
        names = ("span", "counted", "received", "captured", "lost", "rejected")
        unsure = ("uncertainty", "painted uncertainty")
        self._ring = Ring([*names, *unsure, "asked", "state", *stages, *drops], samples)
        self._reasons: dict[tuple[str, str], int] = {}
        self._before: _Reading | None = None

    def sample(self, stream: Stream, place: int, now_ns: int, rejected: int) -> None:
        """Set the sample at a place; `rejected` are messages about its camera so far."""
        values: dict[str, float] = {"state": STATES.index(stream.liveness(now_ns).value)}
        if stream.asked_fps:
            values["asked"] = stream.asked_fps
        now, before = _Reading(stream, now_ns, rejected), self._before
        self._before = now
        if before is not None:
            values |= now.since(before)
            for reason, count in now.dropped_since(before).items():
                name = _drop_name(self._number(reason))
                values[name] = values.get(name, 0) + count
        newest = stream.newest
        if newest is not None and before is not None and stream.heard_ns > before.at_ns:
            uncertainty_ns = newest.header.clock_uncertainty_ns
            if uncertainty_ns >= 0 and newest.header.captured_ns:
                values["uncertainty"] = uncertainty_ns / _NS * _MS
        self._ring.put(place, values)

    def read(self, order: NDArray[np.intp]) -> Past:
        """Tell all of it, in this order."""
        ring = self._ring
        span_s, counted_s = ring.row("span", order), ring.row("counted", order)
        states = ring.row("state", order)
        return Past(
            fps=line(ring.row("received", order) / span_s),
            asked_fps=line(ring.row("asked", order)),
            captured_fps=line(ring.row("captured", order) / counted_s),
            latency=self._latency(order),
            uncertainty_ms=line(ring.row("uncertainty", order)),
            painted_uncertainty_ms=line(ring.row("painted uncertainty", order)),
            dropped=self._dropped(order, span_s, counted_s),
            lost_per_s=line(ring.row("lost", order) / span_s),
            rejected_per_s=line(ring.row("rejected", order) / span_s),
            lost=_count(ring.row("lost", order)),
            rejected=_count(ring.row("rejected", order)),
            states=[None if math.isnan(state) else STATES[int(state)] for state in states],
        )

    def _latency(self, order: NDArray[np.intp]) -> dict[str, Latency]:
        found = {
            stage: (self._ring.row(f"{stage} mean", order), self._ring.row(f"{stage} p95", order))
            for stage in _ALL_STAGES
        }
        return {
            stage: Latency(line(mean), line(p95))
            for stage, (mean, p95) in found.items()
            if not np.isnan(mean).all()
        }

    def _dropped(
        self,
        order: NDArray[np.intp],
        span_s: NDArray[np.float64],
        counted_s: NDArray[np.float64],
    ) -> list[Dropped]:
        dropped = []
        for (place, reason), number in self._reasons.items():
            counts = self._ring.row(_drop_name(number), order)
            if not np.nansum(counts):
                continue
            # What did not happen in an interval that is known was 0.
            known_s = counted_s if place == "node" else span_s
            counts = np.where(np.isnan(counts) & ~np.isnan(known_s), 0, counts)
            dropped.append(Dropped(place, reason, line(counts / known_s), _count(counts)))
        return dropped

    def _number(self, reason: tuple[str, str]) -> int:
        """Where a reason of dropping is counted; there are few, and their names are for ever."""
        if reason not in self._reasons:
            if len(self._reasons) >= MOST_REASONS:
                return self._reasons.setdefault(OTHER, MOST_REASONS)
            self._reasons[reason] = len(self._reasons)
        return self._reasons[reason]


class _Reading:
    """A stream's counters at one moment."""

    def __init__(self, stream: Stream, now_ns: int, rejected: int) -> None:
        stats = stream.stats
        self.at_ns = now_ns
        # A stock sender tells no counts; each of its pictures arrives or is never captured.
        self.tells = stream.node.has_heartbeat
        self.counted_ns = stream.counted_ns if self.tells else now_ns
        self.received = stats.received
        self.captured = stats.captured if self.tells else stats.received
        self.lost = stats.lost
        self.rejected = rejected
        paintings = stream.paintings
        measured = stats.latency | {_PAINTED: paintings.latency}
        self.latency = {
            stage: (list(histogram.counts), histogram.sum) for stage, histogram in measured.items()
        }
        self.bounds = {stage: histogram.bounds for stage, histogram in measured.items()}
        self.unsure_s, self.timed = paintings.uncertainty_s, paintings.timed
        self.dropped = {("node", reason): count for reason, count in stats.dropped.items()}
        self.dropped |= stream.dropped.copy()

    def since(self, before: _Reading) -> dict[str, float]:
        """What was counted meanwhile, and for how long that was."""
        values = {
            "span": (self.at_ns - before.at_ns) / _NS,
            "received": self.received - before.received,
            "lost": self.lost - before.lost,
            "rejected": max(0, self.rejected - before.rejected),  # it was folded into others
        }
        if self.counted_ns > before.counted_ns > 0:
            values["counted"] = (self.counted_ns - before.counted_ns) / _NS
            values["captured"] = self.captured - before.captured
        for stage in _ALL_STAGES:
            values |= self._latency_since(before, stage)
        if self.timed > before.timed:
            unsure_s = (self.unsure_s - before.unsure_s) / (self.timed - before.timed)
            values["painted uncertainty"] = unsure_s * _MS
        return values

    def dropped_since(self, before: _Reading) -> dict[tuple[str, str], int]:
        """Frames that were discarded meanwhile, by place and reason."""
        grown = {
            key: count - before.dropped.get(key, 0)
            for key, count in self.dropped.items()
            if key[0] != "node" or self.counted_ns > before.counted_ns > 0
        }
        return {key: count for key, count in grown.items() if count > 0}

    def _latency_since(self, before: _Reading, stage: str) -> dict[str, float]:
        counts, total_s = self.latency[stage]
        counts_before, total_before_s = before.latency[stage]
        grown = [count - old for count, old in zip(counts, counts_before, strict=True)]
        number = sum(grown)
        if number <= 0:
            return {}
        return {
            f"{stage} mean": (total_s - total_before_s) / number * _MS,
            f"{stage} p95": quantile(self.bounds[stage], grown, _P95) * _MS,
        }


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float:
    """The value that this share of all observations is below, as Prometheus' function guesses it.

    It is right to the bucket, and within one as if all observations stood evenly in it. Beyond
    the last bound it is that bound.
    """
    rank = share * sum(counts)
    below = 0
    lower = 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count and below + count >= rank:
            return lower + (bound - lower) * (rank - below) / count
        below += count
        lower = bound
    return lower


def _drop_name(number: int) -> str:
    return f"dropped {number}"


def _count(values: NDArray[np.float64]) -> int:
    return int(np.nansum(values))
