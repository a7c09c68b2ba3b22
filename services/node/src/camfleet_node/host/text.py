"""Small files of the kernel, which may be missing, unreadable or odd."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path("/")


def read_text(path: Path) -> str:
    """What stands in a file, without the space and zero bytes around it; empty without one."""
    try:
        return path.read_text(errors="replace").strip("\0 \n\t")
    except OSError:
        return ""


def read_number(path: Path, base: int = 10) -> int | None:
    """The whole number in a file; None where there is none."""
    try:
        return int(read_text(path), base)
    except ValueError:
        return None


def read_fields(path: Path, separator: str = ":") -> dict[str, str]:
    """Lines such as `MemTotal: 948 kB` by their names."""
    lines = (line.partition(separator) for line in read_text(path).splitlines())
    return {name.strip(): value.strip(' \t"') for name, _, value in lines}
