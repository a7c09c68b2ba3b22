"""How fast one browser is read: what it says too much waits on its own side. It does no I/O."""

from __future__ import annotations

from typing import Final

_NS: Final = 1_000_000_000
_PER_S: Final = 1_048_576  # bytes: of 256 tiles at 60 Hz the acknowledgements have less
_BURST: Final = 524_288  # what was held up by a bad link may come at once
_FRAME: Final = 256  # bytes that take as long to read as there to be a frame at all


class Pace:
    """A bound for frames and bytes of one WebSocket together (a leaky bucket as a meter)."""

    def __init__(self) -> None:
        self._empty_ns = 0  # monotonic time at which all that was taken is worked off

    def take(self, size_bytes: int, frames: int, now_ns: int) -> float:
        """Take note of what was read; return after how many seconds to read on, often 0."""
        cost_ns = (size_bytes + frames * _FRAME) * _NS // _PER_S
        self._empty_ns = max(self._empty_ns, now_ns) + cost_ns
        return max(0, self._empty_ns - now_ns - _BURST * _NS // _PER_S) / _NS
