"""How late the event loop is, measured ten times a second by a timer of its own."""

from __future__ import annotations

import asyncio
from typing import Final

from camfleet.stats import Histogram

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_EVERY_S: Final = 0.1


class LoopLag:
    """Counts while `run` runs.

    Attributes:
        seconds: by how much the timer was late each time.
    """

    def __init__(self) -> None:
        self.seconds = Histogram(BUCKETS_S)

    async def run(self) -> None:
        """Measure for ever."""
        loop = asyncio.get_running_loop()
        while True:
            due_s = loop.time() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self.seconds.add(max(0.0, loop.time() - due_s))
