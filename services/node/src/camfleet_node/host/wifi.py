"""How strong the Wi-Fi signal is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from camfleet_node.host.text import ROOT, read_text

_LEVEL: Final = 2  # among a line's numbers: status, link, level, noise
_UNSIGNED: Final = 63  # a driver that tells more than that tells a byte without its sign
_BYTE: Final = 256


def read_wifi_signal(root: Path = ROOT) -> float | None:
    """The strongest link's level in dBm; None without one.

    Each network namespace has its own file: a container sees Wi-Fi only on the host's network.
    """
    lines = read_text(root / "proc/net/wireless").splitlines()[2:]
    levels = [level for line in lines if (level := _level(line)) is not None]
    return max(levels, default=None)


def _level(line: str) -> float | None:
    numbers = line.partition(":")[2].split()
    try:
        level = float(numbers[_LEVEL])
    except (IndexError, ValueError):
        return None
    level -= _BYTE if level > _UNSIGNED else 0
    return level if -150 <= level < 0 else None
