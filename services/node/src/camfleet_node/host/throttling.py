"""What a Raspberry Pi's firmware says of its power supply and of clocks that it holds back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from camfleet_node.host.text import ROOT, read_number, read_text

# Bits of `vcgencmd get_throttled` (Raspberry Pi's documentation, os/graphics-utilities): now, and
# 16 higher since the machine was started.
UNDER_VOLTAGE: Final = "under-voltage"
_FLAGS: Final = (
    (0, UNDER_VOLTAGE),
    (1, "frequency capped"),
    (2, "throttled"),
    (3, "soft temperature limit"),
)
_SINCE_START: Final = 16
# Of kernels whose device trees name the firmware's node one way or another.
_FIRMWARE: Final = ("soc*/*firmware/get_throttled", "*firmware/get_throttled")


def read_throttling(root: Path = ROOT) -> tuple[str, ...] | None:
    """What holds the machine back now, and what has since its start; None where nobody knows."""
    for pattern in _FIRMWARE:
        for path in sorted((root / "sys/devices/platform").glob(pattern)):
            bits = read_number(path, 16)
            if bits is not None:
                return _decode(bits)
    return _read_voltage(root)


def _decode(bits: int) -> tuple[str, ...]:
    now = [name for bit, name in _FLAGS if bits >> bit & 1]
    before = [
        f"{name} since its start"
        for bit, name in _FLAGS
        if bits >> (bit + _SINCE_START) & 1 and name not in now
    ]
    return (*now, *before)


def _read_voltage(root: Path) -> tuple[str, ...] | None:
    """The alarm of the driver `rpi_volt`, which knows under-voltage alone."""
    for device in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        alarm = read_number(device / "in0_lcrit_alarm")
        if read_text(device / "name") == "rpi_volt" and alarm is not None:
            return (UNDER_VOLTAGE,) if alarm else ()
    return None
