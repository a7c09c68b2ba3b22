"""How long to wait before trying again: exponential, with jitter. Sleeps and rolls nothing."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Delays that double from `first_s` to `most_s`, each drawn from its upper half.

    Jitter keeps two hundred nodes from knocking together when their hub returns
    ("equal jitter" of M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015).

    Args:
        roll: gives a float in [0, 1); pass `random.random`.
    """

    def __init__(self, first_s: float, most_s: float, roll: Callable[[], float]) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._roll = roll
        self._ceiling_s = first_s

    def next_s(self) -> float:
        """Return the next delay in seconds, and lengthen the one after it."""
        ceiling_s = self._ceiling_s
        self._ceiling_s = min(2 * ceiling_s, self._most_s)
        return ceiling_s * (1 + self._roll()) / 2

    def reset(self) -> None:
        """Begin again at the first delay: the last try succeeded."""
        self._ceiling_s = self._first_s
