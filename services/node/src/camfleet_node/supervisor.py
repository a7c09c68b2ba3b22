"""Looks after the cameras of a node: who hangs is reopened. It never waits for a camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from camfleet.liveness import MAX_INTERVAL_S

_NS: Final = 1_000_000_000
_INTERVALS: Final = 3  # of a camera's own, as for a stream that is judged stale
_ASLEEP_S: Final = 3.0  # between two looks, which come twice a second: nobody ran meanwhile
_log = structlog.get_logger()


def longest_silence_s(stall_s: float, interval_s: float) -> float:
    """How long a camera may give no picture, by the settings and by its usual interval."""
    return max(stall_s, _INTERVALS * min(interval_s, MAX_INTERVAL_S))


class Supervised(Protocol):
    """A camera, as its supervisor sees it."""

    name: str
    restarts: int

    @property
    def interval_s(self) -> float:
        """Usually between two of its pictures; 0 where that is not known yet."""
        ...

    @property
    def start_s(self) -> float:
        """How long it may take until its first picture, or the first one after an error; else 0."""
        ...

    @property
    def is_beyond_help(self) -> bool:
        """Whether reopening it is in vain."""
        ...

    def silence_s(self, monotonic_ns: int) -> float:
        """Since its last sign of life."""
        ...

    def reopen(self) -> None:
        """Leave what hangs behind, and open the source anew."""
        ...


class Supervisor:
    """Reopens cameras that give neither a picture nor an error for too long.

    A camera that fails tries again by itself, and is none of its business. The time in which
    this process was suspended is nobody's silence.

    Args:
        cameras: all of a node.
        stall_s: so long a camera may be silent; or three of its usual intervals, or until its
            first picture what its source may take, where that is longer.
    """

    def __init__(self, cameras: Sequence[Supervised], stall_s: float) -> None:
        self._cameras = cameras
        self._stall_s = stall_s
        self._looked_ns: int | None = None
        self._awake_ns = 0

    @property
    def restarts(self) -> dict[str, int]:
        """How often each camera was reopened, by its name."""
        return {camera.name: camera.restarts for camera in self._cameras}

    def look(self, monotonic_ns: int) -> str:
        """Reopen who stalls, twice a second or so.

        Returns:
            Why only a new process may help: a camera stalls that was reopened before. Else an
            empty text.
        """
        if self._looked_ns is None or monotonic_ns - self._looked_ns > _ASLEEP_S * _NS:
            self._awake_ns = monotonic_ns
        self._looked_ns = monotonic_ns
        awake_s = (monotonic_ns - self._awake_ns) / _NS
        for camera in self._cameras:
            limit_s = max(longest_silence_s(self._stall_s, camera.interval_s), camera.start_s)
            if min(camera.silence_s(monotonic_ns), awake_s) < limit_s:
                continue
            if camera.is_beyond_help:
                return f"camera {camera.name} still hangs, {limit_s:g} s after it was reopened"
            camera.reopen()
            _log.warning(
                "camera stalled and is reopened",
                camera=camera.name,
                silent_s=limit_s,
                restarts=camera.restarts,
            )
        return ""
