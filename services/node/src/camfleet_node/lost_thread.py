"""Notices when a thread that the node cannot do without has ended by an error."""

from __future__ import annotations

import threading
from typing import Final

import structlog

# Their loops catch what a picture can do to them; what comes through is most often a want of
# memory in the handling of a want of memory. Nobody would start such a thread again.
_NEEDED: Final = ("capture-", "encode-", "look-")
_log = structlog.get_logger()


class LostThread:
    """Hears of every thread that an error has ended, from now on.

    Attributes:
        problem: which one is missing and why; else empty.
    """

    def __init__(self) -> None:
        self.problem = ""
        threading.excepthook = self._hear

    def _hear(self, arguments: threading.ExceptHookArgs) -> None:
        name = arguments.thread.name if arguments.thread else "unknown"
        kind = arguments.exc_type.__name__
        if name.startswith(_NEEDED):
            self.problem = f"thread {name} has ended by an error: {kind}: {arguments.exc_value}"
        trace = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
        _log.error("thread ended by an error", thread=name, exc_info=trace)
