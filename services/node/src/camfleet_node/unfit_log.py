"""Tells of pictures that are of no use, at most once a second for each cause."""

from __future__ import annotations

import time
from typing import Final

import structlog

from camfleet.errors import LocalProtocolError

_TELL_S: Final = 1.0  # between two events of one cause
_log = structlog.get_logger()


class UnfitLog:
    """One camera's; used by one thread.

    Args:
        camera: its name.
    """

    def __init__(self, camera: str) -> None:
        self._camera = camera
        self._told_s: dict[str, float] = {}  # monotonic, by cause

    def tell(self, error: Exception) -> None:
        """Log why a picture was unfit; with a traceback unless libjpeg or the link refused it."""
        cause = type(error).__name__
        now_s = time.monotonic()
        if now_s - self._told_s.get(cause, -_TELL_S) < _TELL_S:
            return
        self._told_s[cause] = now_s
        is_foreseen = isinstance(error, (ValueError, LocalProtocolError))
        trace = {} if is_foreseen else {"exc_info": error}
        _log.warning("unfit picture", camera=self._camera, problem=f"{cause}: {error}", **trace)
