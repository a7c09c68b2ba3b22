"""How much memory this process uses, and how much it may: its control group's limit, or all."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from camfleet_node.host.text import ROOT, read_fields, read_number, read_text

_KIB: Final = 1024


class Memory(NamedTuple):
    """In bytes; 0 where it is not known.

    Attributes:
        used: by this process, of what the kernel cannot take back: without pages of files.
        limit: that it may use, with all others in its control group.
        available: on the whole machine, before it must swap or kill.
        total: of the whole machine.
    """

    used: int
    limit: int
    available: int
    total: int = 0

    @property
    def share(self) -> float:
        """Used, in percent of the limit."""
        return 100 * self.used / self.limit if self.limit else 0.0


def read_memory(root: Path = ROOT) -> Memory:
    """Read what the kernel says now."""
    machine = read_fields(root / "proc/meminfo")
    process = read_fields(root / "proc/self/status")
    limits = [_bytes(machine, "MemTotal"), *_group_limits(root)]
    return Memory(
        used=_bytes(process, "RssAnon") + _bytes(process, "RssShmem"),
        limit=min((limit for limit in limits if limit), default=0),
        available=_bytes(machine, "MemAvailable"),
        total=_bytes(machine, "MemTotal"),
    )


def _bytes(fields: dict[str, str], name: str) -> int:
    number = fields.get(name, "").partition(" ")[0]
    return int(number) * _KIB if number.isdecimal() else 0


def _group_limits(root: Path) -> list[int]:
    """Limits of the control groups that this process is in, and of those above them.

    Version 2 has one tree, `0::/path`; version 1 one for memory, `4:memory:/path`. A container
    may see its own group as the top, under whatever path.
    """
    limits = []
    for line in read_text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
        file = "memory.limit_in_bytes" if controllers else "memory.max"
        group = Path(path.lstrip("/"))
        parts = (group, *group.parents)
        limits += [read_number(top / part / file) or 0 for part in parts]
    return limits
