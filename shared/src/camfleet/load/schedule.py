"""When which simulated camera takes its picture: all at one rate, evenly staggered.

Reads no clock itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

LATE_NS: Final = 5_000_000  # a third of a frame interval at 60 fps
_NS: Final = 1_000_000_000


class Tick(NamedTuple):
    """One picture that is due.

    Attributes:
        camera: its number, from 0.
        is_late: the generator is behind by more than 5 ms.
        is_missed: it is behind by a whole interval, so that the next picture is due already.
    """

    camera: int
    is_late: bool
    is_missed: bool


class Schedule:
    """One row of ticks in which the cameras take turns.

    Args:
        cameras: how many.
        fps: pictures per second of each.
        begun_ns: time of the first tick.
    """

    def __init__(self, cameras: int, fps: float, begun_ns: int) -> None:
        self._cameras = cameras
        self._interval_ns = int(_NS / fps)
        self._step_ns = _NS / fps / cameras
        self._begun_ns = begun_ns
        self._next = 0

    def due(self, now_ns: int) -> Iterator[Tick]:
        """Yield every tick that became due since the last call, each once."""
        while (behind_ns := now_ns - self.due_ns()) >= 0:
            camera = self._next % self._cameras
            self._next += 1
            yield Tick(camera, behind_ns > LATE_NS, behind_ns > self._interval_ns)

    def due_ns(self) -> int:
        """Time of the next tick."""
        return self._begun_ns + int(self._next * self._step_ns)
