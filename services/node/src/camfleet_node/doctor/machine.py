"""What a node runs on: model, system, memory, heat, power. It only reads."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from camfleet_node.doctor.finding import Finding, fail, ok, warn
from camfleet_node.host.identity import Identity, group_name
from camfleet_node.host.memory import read_memory
from camfleet_node.host.temperature import read_temperature
from camfleet_node.host.text import ROOT, read_fields, read_text
from camfleet_node.host.throttling import read_throttling

_MIB: Final = 1 << 20
_LITTLE_MIB: Final = 60  # available: less than a node with one camera needs
_LITTLE_DISK_MIB: Final = 100


def look_at_machine(
    identity: Identity, software: str, hot_c: float, root: Path = ROOT
) -> Iterator[Finding]:
    """Tell what runs here, and on what.

    Args:
        identity: of this process.
        software: name and version.
        hot_c: from which temperature on a node spares its processor.
        root: for tests; where `proc`, `sys` and `etc` are.
    """
    yield ok("software", f"{software}, Python {platform.python_version()}")
    model = read_text(root / "proc/device-tree/model") or platform.machine()
    system = read_fields(root / "etc/os-release", "=").get("PRETTY_NAME", "unknown")
    yield ok("machine", f"{model}, {system}, Linux {read_text(root / 'proc/sys/kernel/osrelease')}")
    yield _user(identity, root)
    yield _memory(root)
    yield _disk(root)
    yield _temperature(hot_c, root)
    yield _power(root)


def _user(identity: Identity, root: Path) -> Finding:
    groups = ", ".join(group_name(gid, root) for gid in sorted(identity.gids))
    where = "in a container" if identity.is_contained else "on the host"
    is_read_only = bool(os.statvfs(root).f_flag & os.ST_RDONLY)
    system = ", its root read-only" if is_read_only else ""
    found = f"user {identity.uid} {where}{system}, groups {groups}"
    if identity.uid == 0:
        return warn("user", found, "run it as a user without privileges")
    return ok("user", found)


def _memory(root: Path) -> Finding:
    memory = read_memory(root)
    available, limit = memory.available // _MIB, memory.limit // _MIB
    found = f"{available} MiB available, {limit} MiB may be used"
    if min(available, limit) < _LITTLE_MIB:
        return warn("memory", found, "end other programs, or ask the camera for fewer pixels")
    return ok("memory", found)


def _disk(root: Path) -> Finding:
    room = os.statvfs(root)
    free = room.f_bavail * room.f_frsize // _MIB
    found = f"{free} MiB free; a node writes nothing"
    if free < _LITTLE_DISK_MIB:
        return warn("disk", found, "updates and logs need room: docker system prune, journalctl")
    return ok("disk", found)


def _temperature(hot_c: float, root: Path) -> Finding:
    degrees = read_temperature(root)
    if degrees is None:
        return ok("heat", "this machine tells no temperature")
    found = f"processor at {degrees:.0f} °C"
    if degrees >= hot_c:
        return warn("heat", f"{found}, want less than {hot_c:g}", "a heat sink, a fan, or less FPS")
    return ok("heat", found)


def _power(root: Path) -> Finding:
    flags = read_throttling(root)
    if flags is None:
        return ok("power", "this machine tells nothing of its power supply")
    if not flags:
        return ok("power", "no under-voltage and no throttling since its start")
    remedy = "the Pi's own power supply and a short cable, or cooling"
    is_now = any("since" not in flag for flag in flags)
    return (fail if is_now else warn)("power", ", ".join(flags), remedy)
