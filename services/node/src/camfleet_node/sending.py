"""Decides which pictures are sent, before anything is done to them. It does no I/O."""

from __future__ import annotations

from typing import Final, Literal

Mode = Literal["always", "motion", "interval", "demand"]

SEND: Final = ""
STILL: Final = "still"
INTERVAL: Final = "interval"
UNWANTED: Final = "unwanted"
HOT: Final = "hot"
_NS: Final = 1_000_000_000


class Sending:
    """The gate of one stream; one thread uses it.

    Args:
        mode: as the camera's settings have it.
        every_s: between two pictures in mode `interval`, and in mode `motion` while all is still.
        count: pictures of each change that a detector tells in mode `motion`; 0 for one of each,
            and all while something moves.
        only_wanted: whatever the mode, nothing that nobody wants.
    """

    def __init__(
        self, mode: Mode, every_s: float = 60, count: int = 0, *, only_wanted: bool = False
    ) -> None:
        self._mode = mode
        self._every_ns = round(every_s * _NS)
        self._count = count
        self._only_wanted = only_wanted or mode == "demand"
        self._due_ns: int | None = None  # at once
        self._changes = 0
        self._left = 0  # of the last change
        self._is_other = False

    def judge(
        self,
        monotonic_ns: int,
        *,
        is_wanted: bool = True,
        is_moving: bool = False,
        changes: int = 0,
        is_hot: bool = False,
    ) -> str:
        """Let a picture pass, or say why it is dropped.

        Args:
            monotonic_ns: now.
            is_wanted: somebody wants the stream.
            is_moving: something moves in front of the camera.
            changes: how many changes detectors have told so far.
            is_hot: every other picture is to be left out.

        Returns:
            The reason, for `Outlet.drop`; empty where it is to be sent.
        """
        if self._only_wanted and not is_wanted:
            return UNWANTED
        self._note(changes)
        if not self._is_timely(monotonic_ns, is_moving=is_moving):
            return STILL if self._mode == "motion" else INTERVAL
        self._is_other = is_hot and not self._is_other
        if self._is_other:
            return HOT
        self._left = max(0, self._left - 1)
        self._due_ns = monotonic_ns + self._every_ns
        return SEND

    def _note(self, changes: int) -> None:
        if changes != self._changes:
            self._changes = changes
            self._left = max(1, self._count)

    def _is_timely(self, monotonic_ns: int, *, is_moving: bool) -> bool:
        if self._mode in {"always", "demand"}:
            return True
        if self._due_ns is None or monotonic_ns >= self._due_ns:
            return True
        has_reason = self._left > 0 or (is_moving and not self._count)
        return self._mode == "motion" and has_reason
