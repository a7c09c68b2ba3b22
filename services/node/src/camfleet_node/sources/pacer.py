"""Paces to a rate by deadlines on the monotonic clock; it must never drift, nor burst when late."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event

from camfleet_node.sources.picture import SourceError


class Pacer:
    """Lets its caller through `fps` times a second, until it is closed.

    Deadlines lie on a grid that begins with the first wait. Who comes late by one interval or
    more skips the deadlines that are past and is back on the grid with the next one.
    """

    def __init__(
        self,
        fps: float,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """Start no clock yet: the first wait does.

        Args:
            fps: deadlines a second.
            now_ns: a monotonic clock, ns.
            wait: waits for so many seconds, or until closed, which it returns; for tests.

        Raises:
            SourceError: `fps` is not a rate.
        """
        if not 0 < fps <= 1000:
            raise SourceError(f"rate is {fps} fps, want more than 0 and at most 1000")
        self._fps = fps
        self._now_ns = now_ns
        self._closed = Event()
        self._wait = wait or self._closed.wait
        self._start_ns: int | None = None
        self._next = 0  # counted, not added up: an interval is no whole number of ns

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    def wait(self) -> bool:
        """Wait for the next deadline; the first is now. False as soon as the pacer is closed."""
        now_ns = self._now_ns()
        if self._start_ns is None:
            self._start_ns = now_ns
        elapsed_ns = now_ns - self._start_ns
        self._next = max(self._next, int(elapsed_ns * self._fps // 1_000_000_000))
        early_ns = round(self._next * 1_000_000_000 / self._fps) - elapsed_ns
        self._next += 1
        if early_ns > 0:
            self._wait(early_ns / 1e9)
        return not self.is_closed

    def close(self) -> None:
        """End the present wait and all later ones at once; from any thread."""
        self._closed.set()
