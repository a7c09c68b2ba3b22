"""How long a thread has run, for who looks now and then. The thread itself does nothing for it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

# Fields behind the name, which may have spaces (proc(5), /proc/pid/stat).
_UTIME: Final = 11
_STIME: Final = 12


def busy_s(thread: threading.Thread) -> float:
    """Seconds of a processor that a thread has used; 0 where that is not known.

    It is read from /proc, for a clock of a thread that ends meanwhile would be another's.
    """
    path = Path(f"/proc/self/task/{thread.native_id}/stat")
    try:
        fields = path.read_text().rpartition(")")[2].split()
        ticks = int(fields[_UTIME]) + int(fields[_STIME])
    except (OSError, ValueError, IndexError):
        return 0.0
    return ticks / os.sysconf("SC_CLK_TCK")
