"""Hears that the program is to stop, whatever its main thread is stuck in. It imports little."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
# A clean end takes tenths of a second, and who stops us expects it within one.
_PATIENCE_S: Final = 0.7


def hear_as_usual() -> None:
    """Let signals end a command that is none of a service, whoever has blocked them before."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)


class Stopping:
    """Waits for SIGTERM and Ctrl-C on a thread of its own; made first of all, on the main thread.

    A handler would run on the main thread, and only between two instructions of Python: never
    while that waits for a dead network drive, a resolver or a driver. Blocked signals reach a
    process number 1 too, for which the kernel ignores what has no handler. If the program has
    not ended by itself after a moment, this ends it.

    Args:
        patience_s: so long a clean end may take.
    """

    def __init__(self, patience_s: float = _PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._heard = threading.Event()
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        threading.Thread(target=self._listen, name="signals", daemon=True).start()

    @property
    def is_heard(self) -> bool:
        """Whether the program is to stop."""
        return self._heard.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the program is to stop; False after the timeout."""
        return self._heard.wait(timeout_s)

    def insist(self, code: int) -> None:
        """End the program with this exit code soon, even where its clean end hangs."""
        threading.Thread(target=self._end, args=(code,), name="end", daemon=True).start()

    def _listen(self) -> None:
        signal.sigwait(_SIGNALS)
        self._heard.set()
        self._end(0)

    def _end(self, code: int) -> None:
        time.sleep(self._patience_s)
        os._exit(code)
