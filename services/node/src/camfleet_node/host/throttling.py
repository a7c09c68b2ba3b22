"""What a Raspberry Pi's firmware says of its power supply and of clocks that it holds back."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

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
_HELD_BACK: Final = 0b1110
# Of kernels whose device trees name the firmware's node one way or another.
_FIRMWARE: Final = ("soc*/*firmware/get_throttled", "*firmware/get_throttled")


class Power(NamedTuple):
    """Whether the supply is weak and the processor held back; None where nobody knows."""

    is_under_voltage: bool | None = None
    is_throttled: bool | None = None
    was_under_voltage: bool | None = None
    was_throttled: bool | None = None


def read_throttling(root: Path = ROOT) -> tuple[str, ...] | None:
    """What holds the machine back now, and what has since its start; None where nobody knows."""
    bits = _read_bits(root)
    if bits is not None:
        return _decode(bits)
    alarm = _read_alarm(root)
    return None if alarm is None else (UNDER_VOLTAGE,) * alarm


def read_power(root: Path = ROOT) -> Power:
    """The same as four answers: any flag but under-voltage holds the processor back."""
    bits = _read_bits(root)
    if bits is None:
        return Power(is_under_voltage=_read_alarm(root))
    before = bits >> _SINCE_START
    return Power(
        bool(bits & 1), bool(bits & _HELD_BACK), bool(before & 1), bool(before & _HELD_BACK)
    )


def _read_bits(root: Path) -> int | None:
    for pattern in _FIRMWARE:
        for path in sorted((root / "sys/devices/platform").glob(pattern)):
            bits = read_number(path, 16)
            if bits is not None:
                return bits
    return None


def _decode(bits: int) -> tuple[str, ...]:
    now = [name for bit, name in _FLAGS if bits >> bit & 1]
    before = [
        f"{name} since its start"
        for bit, name in _FLAGS
        if bits >> (bit + _SINCE_START) & 1 and name not in now
    ]
    return (*now, *before)


def _read_alarm(root: Path) -> bool | None:
    """The alarm of the driver `rpi_volt`, which knows under-voltage alone."""
    for device in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        alarm = read_number(device / "in0_lcrit_alarm")
        if read_text(device / "name") == "rpi_volt" and alarm is not None:
            return bool(alarm)
    return None
