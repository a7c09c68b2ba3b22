"""Files that only their owner may read: written whole or not at all, refused when others may read.

What stands in them is their callers' affair.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from camfleet.errors import LocalProtocolError

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
# Docker's and Podman's mount of secrets: its files have mode 0444, and only one container sees it.
_CONTAINER_SECRETS: Final = Path("/run/secrets")


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; into one that is there others may not write.

    Raises:
        LocalProtocolError: naming the folder, when it cannot be made or others may write to it.
    """
    try:
        folder.mkdir(FOLDER_MODE, parents=True, exist_ok=True)
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError as error:
        raise LocalProtocolError(f"cannot make {folder}: {error.strerror}") from error
    if mode & _OTHERS_WRITE:
        raise LocalProtocolError(f"{folder}: found mode {mode:04o}, want {FOLDER_MODE:04o}")


def write_private(path: Path, content: bytes, *, replace: bool) -> None:
    """Write a file with mode 0600 that is there whole, even after a power cut, or not at all.

    Args:
        path: where; its folder must be there.
        content: what.
        replace: whether a file that is there already gives way.

    Raises:
        LocalProtocolError: naming the file, when it is there or cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        try:
            _write_new(draft, content)
            if replace:
                draft.replace(path)
            else:
                path.hardlink_to(draft)  # unlike a rename it never takes another file's place
        finally:
            draft.unlink(missing_ok=True)
        _sync(path.parent)
    except FileExistsError as error:
        raise LocalProtocolError(
            f"{path} is there already, want a new file, or to replace it"
        ) from error
    except OSError as error:
        raise LocalProtocolError(f"cannot write {path}: {error.strerror}") from error


def read_private(
    path: Path, most_bytes: int, *, secrets_folder: Path = _CONTAINER_SECRETS
) -> bytes:
    """Read a file that only its owner may read; or in a container, a secret that it was given.

    Raises:
        LocalProtocolError: naming the file, when it is not there, others may read it, or it
            is too long.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & (_OTHERS_WRITE if path.parent == secrets_folder else _OTHERS):
                raise LocalProtocolError(f"{path}: found mode {mode:04o}, want {FILE_MODE:04o}")
            content = file.read(most_bytes + 1)
    except FileNotFoundError as error:
        raise LocalProtocolError(f"there is no {path}") from error
    except OSError as error:
        raise LocalProtocolError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > most_bytes:
        raise LocalProtocolError(f"{path}: found more than {most_bytes} bytes, want fewer")
    return content


def _write_new(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, FILE_MODE), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Let the folder's new entry survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
