"""A lock on a folder, so that no two processes change what is in it at the same time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from camfleet.errors import LocalProtocolError
from camfleet.private_file import FILE_MODE

_LOCK_S: Final = 5.0
_LOCK_POLL_S: Final = 0.01


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes, and other threads, from changing anything meanwhile.

    Raises:
        LocalProtocolError: when it cannot be locked, or was locked for five seconds.
    """
    path = folder / "lock"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise LocalProtocolError(f"cannot write {path}: {error.strerror}") from error
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)  # which unlocks


def _lock(descriptor: int, path: Path) -> None:
    deadline_s = time.monotonic() + _LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline_s:
                raise LocalProtocolError(
                    f"{path} was locked for {_LOCK_S:.0f} s by another process"
                ) from error
            time.sleep(_LOCK_POLL_S)
        else:
            return
