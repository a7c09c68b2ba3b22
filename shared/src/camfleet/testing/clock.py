"""A clock that moves only when told to. Never reads the machine's own."""

from __future__ import annotations

from typing import Final

_NS: Final = 1_000_000_000
_START_NS: Final = 1_800_000_000 * _NS  # January 2027; any time but 0, which means unknown


class FakeClock:
    """Unix and monotonic time in ns, as `time.time_ns` and `time.monotonic_ns` give them.

    Args:
        unix_ns: where the Unix clock starts; the monotonic one starts at one second.
    """

    def __init__(self, unix_ns: int = _START_NS) -> None:
        self._unix_ns = unix_ns
        self._monotonic_ns = _NS

    def unix_ns(self) -> int:
        """Unix time in ns."""
        return self._unix_ns

    def monotonic_ns(self) -> int:
        """Monotonic time in ns."""
        return self._monotonic_ns

    def advance(self, seconds: float) -> None:
        """Let time pass, on both clocks."""
        self.advance_ns(round(seconds * _NS))

    def advance_ns(self, ns: int) -> None:
        """Let so many ns pass, on both clocks."""
        self._unix_ns += ns
        self._monotonic_ns += ns

    def step(self, seconds: float) -> None:
        """Set the Unix clock forward, or back; the monotonic one knows nothing of it."""
        self._unix_ns += round(seconds * _NS)
