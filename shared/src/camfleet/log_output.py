"""Where a service's log goes. It never waits for long, and never fails, whatever becomes of it.

A full disk, a reader that went away or that reads no more must not stop a service.
"""

from __future__ import annotations

import os
import select
import threading
from typing import Final

_FIRST_WAIT_MS: Final = 100
# A pipe that is writable has room for as much without a wait (POSIX, PIPE_BUF; pipe(7)).
_PIECE_BYTES: Final = select.PIPE_BUF


class LogOutput:
    """A file to print a log on: whole lines, in order, from any thread.

    While nobody reads, lines are lost at once and without a wait, but for the first one.

    Args:
        descriptor: where they go, for example 1.

    Attributes:
        lost: lines that could not be written.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._lock = threading.Lock()
        self._text = threading.local()
        self._wait_ms = _FIRST_WAIT_MS
        self._is_cut = False  # the last line was written in part
        self.lost = 0

    def write(self, text: str) -> int:
        """Take text; it goes out when its line is whole."""
        line = getattr(self._text, "line", "") + text
        self._text.line = ""
        if not line.endswith("\n"):
            self._text.line = line
            return len(text)
        with self._lock:
            if not self._put(("\n" * self._is_cut + line).encode(errors="backslashreplace")):
                self.lost += 1
        return len(text)

    def flush(self) -> None:
        """Nothing waits here."""

    def _put(self, content: bytes) -> bool:
        """Write a line; False where it is lost, or a part of it."""
        view = memoryview(content)
        try:
            while view and self._poll.poll(self._wait_ms):
                self._wait_ms = _FIRST_WAIT_MS
                view = view[os.write(self._descriptor, view[:_PIECE_BYTES]) :]
        except OSError:  # no space left, nobody reads any more, closed: nobody can be told
            return False
        finally:
            self._is_cut = 0 < len(view) < len(content) or (self._is_cut and bool(view))
        if view:
            self._wait_ms = 0
        return not view
