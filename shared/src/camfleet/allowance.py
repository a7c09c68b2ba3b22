"""How often something may happen: a burst at once, and so many a second. Reads no clock itself."""

from __future__ import annotations

from typing import Final

_NS: Final = 1_000_000_000


class Allowance:
    """A token bucket, in whole ns so that what is due is due exactly.

    Args:
        burst: how many may come at once after a pause.
        per_second: how many a second in the long run.
    """

    def __init__(self, burst: int, per_second: float) -> None:
        self._interval_ns = int(_NS / per_second)
        self._most_ns = burst * self._interval_ns
        self._left_ns = self._most_ns
        self._at_ns: int | None = None

    def take(self, monotonic_ns: int) -> bool:
        """Take room for one; False where there is none."""
        passed_ns = 0 if self._at_ns is None else monotonic_ns - self._at_ns
        self._left_ns = min(self._most_ns, self._left_ns + passed_ns)
        self._at_ns = monotonic_ns
        if self._left_ns < self._interval_ns:
            return False
        self._left_ns -= self._interval_ns
        return True

    def due_ns(self) -> int:
        """Monotonic time from which on there is room for one."""
        return (self._at_ns or 0) + max(0, self._interval_ns - self._left_ns)
