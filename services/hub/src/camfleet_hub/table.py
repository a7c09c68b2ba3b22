"""A table of who may come in, as a file of the state folder that other processes may change.

It is read again when it is another one; what cannot be read changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from camfleet.errors import LocalProtocolError
from camfleet.private_file import read_private, write_private

Row = TypeVar("Row")
MOST_TABLE_BYTES: Final = 2**20


class Table(Generic[Row]):
    """Rows by name, as of the last look at their file; one thread uses it.

    Args:
        path: of the file.
        read: reads it whole, or raises LocalProtocolError.
    """

    def __init__(self, path: Path, read: Callable[[Path], dict[str, Row]]) -> None:
        self._path = path
        self._read = read
        self._mark: tuple[int, int, int] | None = None
        self.rows: dict[str, Row] = {}

    def refresh(self) -> frozenset[str]:
        """Look whether another process has changed the file, which costs microseconds if not.

        Returns:
            The names whose row is gone, new or another one since the last look.

        Raises:
            LocalProtocolError: when it is damaged or gone; what was read before stays in force.
        """
        mark = self._look()
        if mark == self._mark:
            return frozenset()
        before, self.rows = self.rows, self._read(self._path)
        self._mark = mark
        names = before.keys() | self.rows.keys()
        return frozenset(one for one in names if before.get(one) != self.rows.get(one))

    def _look(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError as error:
            raise LocalProtocolError(f"cannot read {self._path}: {error.strerror}") from error
        return found.st_ino, found.st_mtime_ns, found.st_size


def is_there(path: Path) -> bool:
    """Whether there is such a file.

    Raises:
        LocalProtocolError: when that cannot be told.
    """
    try:
        return path.exists()
    except OSError as error:
        raise LocalProtocolError(f"cannot read {path}: {error.strerror}") from error


def read_rows(path: Path, kind: type[Row]) -> dict[str, Row]:
    """Read rows of one kind, by name.

    Raises:
        LocalProtocolError: when the file is damaged, gone, or readable by others.
    """
    content = read_private(path, MOST_TABLE_BYTES)
    try:
        return msgspec.json.decode(content, type=dict[str, kind])  # type: ignore[valid-type]
    except ValueError as error:
        raise damaged(path, error) from error


def write_rows(path: Path, rows: dict[str, Row], *, replace: bool = True) -> None:
    """Write rows by name, whole or not at all.

    Raises:
        LocalProtocolError: when it cannot be written, is there and must not be replaced, or is
            larger than what `read_rows` takes.
    """
    content = msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n"
    if len(content) > MOST_TABLE_BYTES:  # or nobody could read it, to mend it
        raise LocalProtocolError(
            f"{path} would be {len(content)} bytes, want at most {MOST_TABLE_BYTES}: fewer or "
            "shorter patterns of cameras"
        )
    write_private(path, content, replace=replace)


def damaged(path: Path, problem: object) -> LocalProtocolError:
    """Say what is wrong with a file."""
    return LocalProtocolError(f"{path} is damaged: {problem}")
