"""A machine whose sensors are files: those of a Pi on Wi-Fi, and the rest as it is here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_WIRELESS: Final = (
    "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n"
    " face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"
    " wlan0: 0000   58.  -52.  -256        0      0      0      0     15        0\n"
)


class Machine:
    """Files below a root.

    Args:
        root: an empty folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._write("sys/class/thermal/thermal_zone0/type", "cpu-thermal")
        self._write("sys/devices/platform/soc/soc:firmware/get_throttled", "0")
        self._write("proc/net/wireless", _WIRELESS)
        for name in ("stat", "meminfo", "uptime"):
            (root / "proc" / name).symlink_to(f"/proc/{name}")
        self.heat(55)

    def heat(self, celsius: float) -> None:
        """Let the processor have this temperature."""
        self._write("sys/class/thermal/thermal_zone0/temp", str(round(1000 * celsius)))

    @property
    def settings(self) -> dict[str, str]:
        """What lets a node read this machine."""
        return {"CAMFLEET_NODE_SYSTEM_ROOT": str(self.root)}

    def _write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        made = file.with_suffix(".new")
        made.write_text(text)
        made.replace(file)
