"""Devices that cameras need: which are there, which may be opened, and how to get the others."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from camfleet_node.doctor.finding import Finding, fail, ok, warn
from camfleet_node.host.identity import Identity, group_name
from camfleet_node.host.text import ROOT, read_text

Opens = Callable[[Path], None]

# Below /dev, and where the kernel lists them whether or not a container sees them.
_KINDS: Final = (
    ("video*", "sys/class/video4linux", "video*"),
    ("media*", "sys/bus/media/devices", "media*"),
    ("v4l-subdev*", "sys/class/video4linux", "v4l-subdev*"),
    ("dma_heap/*", "sys/class/dma_heap", "*"),
)
_SHOWN: Final = 6


class _Shut(NamedTuple):
    path: Path
    number: int | None
    gid: int


def open_shortly(path: Path) -> None:
    """Open a device and close it again.

    Raises:
        OSError: it cannot be opened.
    """
    os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))


def look_at_devices(
    identity: Identity, *, is_wanted: bool, root: Path = ROOT, opens: Opens = open_shortly
) -> Iterator[Finding]:
    """Tell of each kind of device what is there, and what is missing.

    Args:
        identity: of this process.
        is_wanted: a camera of the settings needs devices.
        root: for tests; where `dev`, `sys` and `etc` are.
        opens: for tests.
    """
    verdict = fail if is_wanted else warn
    count = 0
    for pattern, listed, below in _KINDS:
        there = sorted((root / "dev").glob(pattern), key=_natural)
        known = {path.name for path in (root / listed).glob(below)}
        missing = sorted(known - {path.name for path in there})
        kind = f"/dev/{pattern}"
        count += len(there) + len(missing)
        shut = [one for path in there if (one := _try(path, opens))]
        if there and not shut:
            yield ok("devices", f"{kind}: {_names(path.name for path in there)} may be opened")
        if missing:
            yield verdict(
                "devices",
                f"{kind}: the machine has {_names(missing)}, which are not here",
                _devices_remedy(kind, missing, identity),
            )
        yield from _tell_shut(kind, shut, identity, root)
    if not count:
        found = (
            "none of /dev/video*, /dev/media*: no camera is plugged in, or its driver is missing"
        )
        remedy = "plug it in; for a ribbon cable, `camera_auto_detect=1` in config.txt"
        yield verdict("devices", found, remedy) if is_wanted else ok("devices", found)


def look_at_udev(root: Path, identity: Identity) -> Finding:
    """Tell whether libcamera can find cameras: it asks udev's database."""
    if (root / "run/udev/data").is_dir():
        return ok("udev", "/run/udev is here")
    remedy = "volumes: [/run/udev:/run/udev:ro]" if identity.is_contained else "start systemd-udevd"
    return fail("udev", "no /run/udev, by which libcamera finds cameras", remedy)


def holders(device: Path, root: Path = ROOT) -> list[str]:
    """Which programs hold a device, as far as this user may see that."""
    found = []
    for process in (root / "proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            held = {str(one.readlink()) for one in (process / "fd").iterdir()}
        except OSError:
            continue
        if str(device) in held:
            found.append(f"{read_text(process / 'comm')} (process {process.name})")
    return sorted(found)


def _try(path: Path, opens: Opens) -> _Shut | None:
    """Open it; a device that is in use, or is none after all, is not shut."""
    try:
        opens(path)
    except OSError as error:
        if error.errno in {errno.EACCES, errno.EPERM}:
            return _Shut(path, error.errno, path.stat().st_gid)
    return None


def _tell_shut(kind: str, shut: list[_Shut], identity: Identity, root: Path) -> Iterator[Finding]:
    foreign = [one.path.name for one in shut if one.number == errno.EPERM]
    if foreign:
        yield fail(
            "devices",
            f"{kind}: {_names(foreign)} are not allowed to this container",
            _devices_remedy(kind, foreign, identity),
        )
    by_group: dict[int, list[str]] = {}
    for one in shut:
        if one.number == errno.EACCES:
            by_group.setdefault(one.gid, []).append(one.path.name)
    for gid, names in by_group.items():
        found = (
            f"{kind}: no permission for {_names(names)}, of group {group_name(gid, root)} ({gid})"
        )
        if gid in identity.gids:
            remedy = "let the group read and write them: a rule for udev"
        elif identity.is_contained:
            remedy = f'group_add: ["{gid}"] in docker-compose.yml'
        else:
            remedy = f"sudo usermod -aG {group_name(gid, root)} USER, and log in anew"
        yield fail("devices", found, remedy)


def _devices_remedy(kind: str, names: list[str], identity: Identity) -> str:
    if not identity.is_contained:
        return "wait for udev, or load the driver anew"
    folder = kind.rpartition("/")[0]
    paths = [f"{folder}/{name}" for name in names]
    return "devices: [" + ", ".join(paths) + "] in docker-compose.yml"


def _names(names: Iterator[str] | list[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _natural(path: Path) -> tuple[int, str]:
    return len(path.name), path.name
