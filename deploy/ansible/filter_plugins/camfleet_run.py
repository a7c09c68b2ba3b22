"""Which run of a playbook this is, whether another one lives, and why a task of it failed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class FilterModule:
    """Filters, as Ansible looks for them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {
            "camfleet_is_alive": is_alive,
            "camfleet_reason": reason,
            "camfleet_run_pid": run_pid,
        }


def is_alive(pid: object) -> bool:
    """Whether a playbook of this machine still runs; where that is not to be known it does not."""
    try:
        command = Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return False
    words = command.split(b"\0")[:2]
    return any(word.rpartition(b"/")[2].startswith(b"ansible") for word in words)


def run_pid(_: object) -> int:
    """This run's process: the uppermost one above a worker that is Ansible's."""
    pid = os.getpid()
    while True:
        try:
            status = Path("/proc", str(pid), "status").read_text("utf-8")
        except OSError:
            return os.getppid()
        parent = int(status.partition("PPid:")[2].split()[0])
        if not is_alive(parent):
            return pid
        pid = parent


def reason(result: dict[str, Any]) -> str:
    """Say in one line why a task failed."""
    failed = [one for one in result.get("results", []) if one.get("failed")] or [result]
    return "; ".join(" ".join(_why(one).split()) for one in failed)


def _why(result: dict[str, Any]) -> str:
    said = str(result.get("msg") or "a task failed")
    lines = str(result.get("stderr") or "").strip().splitlines()
    return f"{said}: {lines[-1].strip()}" if lines else said
