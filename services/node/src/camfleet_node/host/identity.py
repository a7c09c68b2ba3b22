"""Who this process is: its user and groups, and whether it is in a container."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from camfleet_node.host.text import ROOT, read_text


@dataclass(frozen=True)
class Identity:
    """A user, as the kernel knows it."""

    uid: int
    gids: frozenset[int]
    is_contained: bool

    @classmethod
    def of_this_process(cls, root: Path = ROOT) -> Self:
        """Ask the kernel."""
        gids = frozenset({os.getegid(), *os.getgroups()})
        return cls(os.geteuid(), gids, is_contained(root))


def is_contained(root: Path = ROOT) -> bool:
    """Whether this is a container: Docker, Podman and containerd each leave a trace."""
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return True
    words = ("docker", "containerd", "kubepods", "libpod")
    return any(word in read_text(root / "proc/1/cgroup") for word in words)


def group_name(gid: int, root: Path = ROOT) -> str:
    """A group's name, as far as this file system knows it; else its number."""
    for line in read_text(root / "etc/group").splitlines():
        name, _, rest = line.partition(":")
        if rest.split(":")[1:2] == [str(gid)]:
            return name
    return str(gid)
