"""Runs a module under a Unix clock that a test steps: `stepped_clock.py FILE MODULE`.

FILE holds how many seconds to add, as one little-endian 64-bit number, and is looked at whenever
the time is. The monotonic clock is the machine's own, as it is when somebody sets the time.
"""

from __future__ import annotations

import mmap
import runpy
import struct
import sys
import time
from pathlib import Path
from typing import Final

_STEP: Final = struct.Struct("<q")
_NS: Final = 1_000_000_000


def _install(path: str) -> None:
    with Path(path).open("rb") as file:
        seen = mmap.mmap(file.fileno(), _STEP.size, access=mmap.ACCESS_READ)
    true_time, true_time_ns = time.time, time.time_ns

    def stepped_s() -> float:
        return true_time() + float(_STEP.unpack(seen[:])[0])

    def stepped_ns() -> int:
        return true_time_ns() + int(_STEP.unpack(seen[:])[0]) * _NS

    time.time, time.time_ns = stepped_s, stepped_ns


if __name__ == "__main__":
    _, file, module = sys.argv
    _install(file)
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
