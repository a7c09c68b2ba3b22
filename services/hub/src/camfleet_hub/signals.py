"""The signals that end the hub.

In its container they are blocked until somebody listens: the kernel drops what reaches process
number 1 before that, and a blocked signal waits.
"""

from __future__ import annotations

import signal
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def hear_signals() -> None:
    """Let signals through to this thread, the main one, whoever has blocked them before."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
