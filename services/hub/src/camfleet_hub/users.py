"""Who may log in at the hub: names and hashes of passwords, never a password.

They are kept in the state folder, where a command may change them while the hub runs.
"""

from __future__ import annotations

import secrets
import unicodedata
from pathlib import Path
from typing import Final

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import Type

from camfleet.errors import LocalProtocolError
from camfleet.private_file import make_private_folder, read_private, write_private
from camfleet_hub.permission import ALL_CAMERAS, Identity, Role

ADMIN: Final = "admin"
MIN_PASSWORD: Final = 12  # characters
MAX_PASSWORD_BYTES: Final = 256
_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"  # 32 of them; no l, 1, o and 0
_GROUPS: Final = 5  # of four, so 100 bits
_MOST_TABLE_BYTES: Final = 2**20
# RFC 9106's argon2id within OWASP's least memory, for a hub may have little: 20 to 100 ms each.
_hasher: Final = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)


class _User(msgspec.Struct, forbid_unknown_fields=True):
    """One user as it stands in the file, under its name."""

    password: str


class Users:
    """The users' table; one thread uses it.

    Args:
        folder: the hub's state; made at first use.

    Attributes:
        first_password: the administrator's, where this object has just made it; else None.

    Raises:
        LocalProtocolError: when the folder cannot be used, or the table is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "users.json"
        make_private_folder(folder)
        self.first_password = self._make_first()
        self._mark: tuple[int, int, int] | None = None
        self._hashes: dict[str, str] = {}
        self.refresh()

    def hash_of(self, name: str) -> str | None:
        """The hash of a user's password as of the last look at the file, or None."""
        return self._hashes.get(name)

    def identity(self, name: str) -> Identity:
        """Who a user is, and may see."""
        return Identity(name, Role.ADMINISTRATOR, ALL_CAMERAS)

    @property
    def any_hash(self) -> str:
        """The hash of some user's password, to spend as much time on a name that is nobody's."""
        return self._hashes[ADMIN]

    def refresh(self) -> bool:
        """Look whether another process has changed the file; return whether it did.

        Raises:
            LocalProtocolError: when it is damaged or gone; what was read before stays in force.
        """
        try:
            found = self._path.stat()
        except OSError as error:
            raise LocalProtocolError(f"cannot read {self._path}: {error.strerror}") from error
        mark = found.st_ino, found.st_mtime_ns, found.st_size
        if mark == self._mark:
            return False
        before, self._hashes = self._hashes, _read(self._path)
        self._mark = mark
        return before != self._hashes

    def _make_first(self) -> str | None:
        try:
            is_there = self._path.exists()
        except OSError as error:
            raise LocalProtocolError(f"cannot read {self._path}: {error.strerror}") from error
        if is_there:
            return None
        password = make_password()
        _write(self._path, {ADMIN: hash_password(password)}, replace=False)
        return password


def set_password(folder: Path, password: str) -> None:
    """Give the administrator another password; a running hub ends all sessions.

    Raises:
        LocalProtocolError: when it is too short or too long, or cannot be written.
    """
    if not password.isprintable():
        raise LocalProtocolError("password has characters that cannot be printed, want none")
    if len(password) < MIN_PASSWORD:
        raise LocalProtocolError(
            f"password has {len(password)} characters, want {MIN_PASSWORD} or more"
        )
    size = len(password.encode())
    if size > MAX_PASSWORD_BYTES:
        raise LocalProtocolError(f"password has {size} bytes, want at most {MAX_PASSWORD_BYTES}")
    make_private_folder(folder)
    _write(folder / "users.json", {ADMIN: hash_password(password)}, replace=True)


def make_password() -> str:
    """Make a password of 100 bits that a person can type."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(_GROUPS))
    return "-".join(groups)


def hash_password(password: str) -> str:
    """Hash a password with argon2id (RFC 9106); it takes tens of milliseconds."""
    return _hasher.hash(_normal(password))


def is_password(password: str, hashed: str) -> bool:
    """Whether it is the password that was hashed; it takes as long, and does not hold the GIL."""
    try:
        return _hasher.verify(hashed, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> bytes:
    """One form for what looks alike, whatever keyboard it came from (RFC 8265, 4.2)."""
    return unicodedata.normalize("NFC", password).encode(errors="replace")


def _read(path: Path) -> dict[str, str]:
    content = read_private(path, _MOST_TABLE_BYTES)
    try:
        table = msgspec.json.decode(content, type=dict[str, _User])
    except ValueError as error:
        raise LocalProtocolError(f"{path} is damaged: {error}") from error
    hashes = {name: user.password for name, user in table.items()}
    if ADMIN not in hashes:
        raise LocalProtocolError(f"{path} is damaged: found no user {ADMIN!r}, want one")
    for name, hashed in hashes.items():
        if not hashed.startswith("$argon2id$"):
            raise LocalProtocolError(f"{path} is damaged: user {name!r} has no argon2id hash")
    return hashes


def _write(path: Path, hashes: dict[str, str], *, replace: bool) -> None:
    table = {name: _User(hashed) for name, hashed in hashes.items()}
    content = msgspec.json.format(msgspec.json.encode(table), indent=1)
    write_private(path, content + b"\n", replace=replace)
