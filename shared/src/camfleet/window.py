"""How many frames a link needs in flight to be full, and no more. Measures nothing itself.

The product of delivery rate and least round trip is what a path holds (N. Cardwell et al.,
BBR: Congestion-Based Congestion Control, ACM Queue 14:5, 2016). More than that waits somewhere,
and what waits grows old.
"""

from __future__ import annotations

from collections import deque
from typing import Final

MAX_WINDOW: Final = 32  # 60 fps over half a second; what a stream may cost the hub in memory
# One frame under way and one ready behind it: a slow link is never idle, and nothing else waits.
_LEAST: Final = 2
# More than a window lets through cannot be seen; with half as much again it grows to what there is.
_GAIN: Final = 1.5
_SLACK_NS: Final = 4_000_000  # until the threads at both ends have run, beside the network's time
_SLACK_BYTES: Final = 2**20  # and for no more than this: what lies in memory is slow to copy
_NS: Final = 1_000_000_000

_GRANTS: Final = 4  # that a rate is taken over: few, so that a window doubles soon
_PAUSE_NS: Final = _NS  # a stream that paused for so long has no rate from before

_DOUBT_NS: Final = 10 * _NS  # how long a least round trip is believed unseen (BBR's window)
_NEAR: Final = 1.25  # times the least one, and
_NEAR_NS: Final = 1_000_000  # this much, still confirm it


def window(
    fps: float, round_trip_ns: int, most: int, least: int = _LEAST, *, size_bytes: int = 0
) -> int:
    """Frames that may be in flight.

    Args:
        fps: frames delivered per second.
        round_trip_ns: the least one; -1 before it was measured.
        most: the bound.
        least: frames in flight on a link that is too short to hold one.
        size_bytes: of a frame; 0 where it does not matter.
    """
    if round_trip_ns < 0:
        return min(least, most)
    slack = fps * _SLACK_NS / _NS
    if size_bytes:
        slack = min(slack, _SLACK_BYTES / size_bytes)
    return min(int(_GAIN * (fps * round_trip_ns / _NS + slack)) + least, most)


def batch(fps: float) -> int:
    """Frames that one acknowledgement is for: what comes within half the threads' slack.

    At a camera's rate that is one. A later acknowledgement would leave a long link idle.
    """
    return max(1, int(fps * _SLACK_NS / _NS) // 2)


class DeliveryRate:
    """Frames delivered per second, over the last few acknowledgements and a round trip at least.

    Over less, frames that were held up and come all at once would pass for a fast link.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque()

    def add(self, count: int, at_ns: int, round_trip_ns: int) -> float:
        """Take how many were delivered by a monotonic time; return the rate.

        Args:
            count: in all.
            at_ns: now.
            round_trip_ns: the least one; -1 before it was measured.
        """
        span_ns = max(0, round_trip_ns) + _SLACK_NS
        samples = self._samples
        if samples and at_ns - samples[-1][0] > _PAUSE_NS + span_ns:
            samples.clear()
        samples.append((at_ns, count))
        while len(samples) > _GRANTS and samples[1][0] <= at_ns - span_ns:
            samples.popleft()
        first_ns, first = samples[0]
        return (count - first) * _NS / max(at_ns - first_ns, span_ns)


class RoundTrip:
    """The least round trip of a path, which frames of ours that wait on it do not lengthen.

    A sample is clean when nothing of ours was under way before it. Others are too long by what
    they waited for; but one that is near the least confirms it. When none did for ten seconds,
    the path may have changed: the link is to be emptied once, for a clean sample.

    Args:
        doubt_ns: how long a least one is believed, where that is not ten seconds.
    """

    def __init__(self, doubt_ns: int = _DOUBT_NS) -> None:
        self.least_ns = -1
        self._doubt_ns = doubt_ns
        self._confirmed_ns = 0

    def add(self, round_trip_ns: int, at_ns: int, *, is_clean: bool) -> None:
        """Take one sample at a monotonic time."""
        if is_clean or self.least_ns < 0 or round_trip_ns < self.least_ns:
            self.least_ns = round_trip_ns
        elif round_trip_ns > self.least_ns * _NEAR + _NEAR_NS:
            return
        self._confirmed_ns = at_ns

    def is_doubtful(self, at_ns: int) -> bool:
        """Whether a clean sample is needed."""
        return self.least_ns < 0 or at_ns - self._confirmed_ns > self._doubt_ns
