"""How hot the processor is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from camfleet_node.host.text import ROOT, read_number, read_text

_MILLI: Final = 1000
_PROCESSORS: Final = ("cpu", "soc", "x86_pkg")  # in the types of zones; others are disks, radios


def read_temperature(root: Path = ROOT) -> float | None:
    """The processor's temperature in °C, or the highest that there is; None without any."""
    zones: dict[str, list[float]] = {"processor": [], "other": []}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        degrees = read_number(zone / "temp")
        if degrees is not None:
            kind = read_text(zone / "type").lower()
            is_processor = any(word in kind for word in _PROCESSORS)
            zones["processor" if is_processor else "other"].append(degrees / _MILLI)
    return max(zones["processor"] or zones["other"], default=None)
