"""Says in words why the kernel refused a video device, and what to do about it."""

from __future__ import annotations

import errno
import grp
import os
from pathlib import Path
from typing import Final

_ELSEWHERE: Final = frozenset({errno.ENOENT, errno.ENOTTY, errno.EISDIR, errno.ENOTDIR})
_REASONS: Final = {
    errno.ENOENT: "is not there",
    errno.EPERM: "may not be opened: its container was not given it; list it in `devices`",
    errno.EBUSY: "is in use by another program, want it for this one alone",
    errno.ENODEV: "was unplugged",
    errno.ENXIO: "has no device behind it",
    errno.ENOTTY: "is no V4L2 device",
    errno.EISDIR: "is a folder, want a V4L2 device",
    errno.ENOTDIR: "is no path to a V4L2 device",
    errno.ENOSPC: "gets too little of the USB bus: plug it elsewhere, or want a smaller picture",
}


def explain(path: str, error: OSError) -> str:
    """Continue the sentence that begins with the device's path."""
    number = error.errno or 0
    if number == errno.EACCES:
        return f"may not be opened: want read and write for user {os.getuid()}{_by_group(path)}"
    reason = _REASONS.get(number, f"failed: {os.strerror(number)}")
    return f"{reason}; {others()}" if number in _ELSEWHERE else reason


def video_devices() -> list[str]:
    """List the paths of this machine's video devices, by their numbers."""
    paths = Path("/dev").glob("video[0-9]*")
    return sorted(map(str, paths), key=lambda path: (len(path), path))


def others() -> str:
    """Say which video devices there are."""
    paths = video_devices()
    return f"there are {', '.join(paths)}" if paths else "there is no /dev/video*"


def _by_group(path: str) -> str:
    """Name the group that would open it."""
    try:
        status = Path(path).stat()
    except OSError:
        return ""
    if status.st_mode & 0o060 != 0o060:
        return ""
    try:
        name = f"{grp.getgrgid(status.st_gid).gr_name} ({status.st_gid})"
    except KeyError:
        name = str(status.st_gid)
    return f", as members of the group {name} have"
