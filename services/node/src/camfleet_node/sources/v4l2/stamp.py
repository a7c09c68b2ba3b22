"""How old a picture is by its driver's time stamp. It reads no clock."""

from __future__ import annotations

from typing import Final

from camfleet_node.sources.v4l2.kernel import (
    AT_START_OF_EXPOSURE,
    CLOCK_MASK,
    CLOCK_MONOTONIC,
    Buffer,
)

_OLDEST_NS: Final = 5_000_000_000  # a stamp that is older, or to come, is of another clock


def age_ns(buffer: Buffer, now_ns: int, interval_ns: int) -> int:
    """Count from the start of exposure until now.

    Args:
        buffer: as the driver gave it.
        now_ns: on the monotonic clock, as the driver's.
        interval_ns: between two pictures. A stamp of a picture's end is taken for one interval
            after its begin, which is a compromise: neither exposure nor the time to read the
            sensor is known.
    """
    ends_ns = 0 if buffer.flags & AT_START_OF_EXPOSURE else interval_ns
    if buffer.flags & CLOCK_MASK != CLOCK_MONOTONIC:
        return ends_ns
    stamp_ns = buffer.seconds * 1_000_000_000 + buffer.microseconds * 1000
    passed_ns = now_ns - stamp_ns
    return ends_ns + (passed_ns if 0 <= passed_ns <= _OLDEST_NS else 0)
