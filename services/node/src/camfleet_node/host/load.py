"""How busy the processors are, out of the kernel's counts of time."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from camfleet_node.host.text import ROOT, read_text

_BUSY: Final = (0, 1, 2, 5, 6, 7)  # proc(5): all but idle, waiting for disks, and guests, which
_IDLE: Final = (3, 4)  # stand in `user` as well


class Times(NamedTuple):
    """Time of all processors together since the machine's start, in whatever unit."""

    busy: int
    idle: int


def read_times(root: Path = ROOT) -> Times | None:
    """Read what the kernel counts; None where it tells nothing."""
    name, *words = read_text(root / "proc/stat").partition("\n")[0].split() or [""]
    if name != "cpu" or len(words) < len(_BUSY) + len(_IDLE) or not "".join(words).isdecimal():
        return None
    numbers = list(map(int, words))
    return Times(sum(numbers[at] for at in _BUSY), sum(numbers[at] for at in _IDLE))


def share_between(before: Times | None, now: Times | None) -> float | None:
    """How much of the time between was busy, 0 to 1; None where nothing is known of it."""
    if before is None or now is None:
        return None
    busy, idle = now.busy - before.busy, now.idle - before.idle
    if busy < 0 or idle < 0 or busy + idle == 0:  # what waits for disks may count backwards
        return None
    return busy / (busy + idle)
