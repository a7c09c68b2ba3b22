"""A camera that needs none: a test card whose pixels tell their own time. It touches no device."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from camfleet.payload import MAX_SIDE
from camfleet_node.sources.card import Card
from camfleet_node.sources.pacer import Pacer
from camfleet_node.sources.picture import Image, Picture, SourceError

MIN_WIDTH: Final = 160  # pixels; below that the time code does not survive JPEG
MIN_HEIGHT: Final = 90


class SyntheticSource:
    """A moving test card with a time code, for measuring latency from glass to glass.

    Args:
        width: pixels, 160 or more.
        height: pixels, 90 or more.
        fps: pictures a second.
        title: written on the card; it also chooses the colour.
        pacer: for tests; overrides `fps`.
        now_ns: for tests; the clock that the pictures show, Unix ns.

    Raises:
        SourceError: the size or the rate is out of bounds.
    """

    def __init__(
        self,
        width: int = 640,
        height: int = 480,
        fps: float = 30.0,
        title: str = "front",
        *,
        pacer: Pacer | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        if not (MIN_WIDTH <= width <= MAX_SIDE and MIN_HEIGHT <= height <= MAX_SIDE):
            raise SourceError(
                f"picture of {width}x{height}, want {MIN_WIDTH}x{MIN_HEIGHT} to {MAX_SIDE} a side"
            )
        self._pacer = pacer or Pacer(fps)
        self._now_ns = now_ns
        self._card = Card(width, height, title)

    def read(self) -> Picture[Image] | None:
        """Wait until the next picture is due and paint it; None when closed."""
        if not self._pacer.wait():
            return None
        started_ns = time.monotonic_ns()
        captured_ns = self._now_ns() // 1000 * 1000  # as the time code can carry it: whole µs
        image = self._card.paint(captured_ns)
        return Picture(image, captured_ns, time.monotonic_ns() - started_ns)

    def close(self) -> None:
        """End a `read` that waits, and all later ones."""
        self._pacer.close()
