"""How the whole machine does, as its hub is told with every heartbeat."""

from __future__ import annotations

import os
from pathlib import Path

from camfleet.machine_health import MachineHealth
from camfleet_node.host.load import read_times, share_between
from camfleet_node.host.memory import Memory
from camfleet_node.host.text import ROOT, read_text
from camfleet_node.host.throttling import read_power
from camfleet_node.host.wifi import read_wifi_signal

_COLDEST_C, _HOTTEST_C = -60.0, 150.0  # what a sensor tells beyond them is its own trouble


class Machine:
    """Reads what the kernel says. In a container that is the host's, but for Wi-Fi and the disk.

    Args:
        root: for tests; where `proc` and `sys` are.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._times = read_times(root)

    def read(self, memory: Memory, temperature_c: float | None) -> MachineHealth:
        """Read what was not read already; how busy it was since the last time."""
        before, self._times = self._times, read_times(self._root)
        power = read_power(self._root)
        is_told = memory.total > 0 and memory.available > 0
        return MachineHealth(
            cpu_share=share_between(before, self._times),
            memory_used_bytes=max(0, memory.total - memory.available) if is_told else None,
            memory_total_bytes=memory.total if is_told else None,
            temperature_c=_plausible(temperature_c),
            is_under_voltage=power.is_under_voltage,
            is_throttled=power.is_throttled,
            was_under_voltage=power.was_under_voltage,
            was_throttled=power.was_throttled,
            wifi_signal_dbm=read_wifi_signal(self._root),
            disk_free_share=_disk_free_share(self._root),
            uptime_s=_uptime_s(self._root),
        )


def _plausible(temperature_c: float | None) -> float | None:
    if temperature_c is None or not _COLDEST_C <= temperature_c <= _HOTTEST_C:
        return None
    return temperature_c


def _disk_free_share(root: Path) -> float | None:
    try:
        room = os.statvfs(root)
    except OSError:
        return None
    return min(1.0, room.f_bavail / room.f_blocks) if room.f_blocks else None


def _uptime_s(root: Path) -> float | None:
    try:
        seconds = float(read_text(root / "proc/uptime").split()[0])
    except (IndexError, ValueError):
        return None
    return seconds if 0 <= seconds <= 1e10 else None
