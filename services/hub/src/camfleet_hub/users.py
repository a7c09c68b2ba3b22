"""Who may log in at the hub, and what each may see: names and hashes, never a password.

They are kept in the state folder, where a command may change them while the hub runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from camfleet.errors import LocalProtocolError, RemoteProtocolError
from camfleet.folder_lock import locked
from camfleet.names import check_name
from camfleet.pattern import EVERYTHING
from camfleet.private_file import make_private_folder
from camfleet_hub.passwords import HASH_PREFIX, check_password, hash_password, make_password
from camfleet_hub.permission import Identity, Role, check_rights
from camfleet_hub.table import Table, damaged, is_there, read_rows, write_rows

ADMIN: Final = "admin"
TOKEN_USER: Final = "token"  # noqa: S105 - as which programs send a token by HTTP Basic
MOST_USERS: Final = 256
MAX_NAME: Final = 64  # characters
_FILE: Final = "users.json"


@dataclass(frozen=True)
class User:
    """Somebody who may log in.

    Attributes:
        identity: name, role and cameras.
        cameras: the same as text.
        hash: of the password, with argon2id.
    """

    identity: Identity
    cameras: tuple[str, ...]
    hash: str

    @property
    def name(self) -> str:
        """What is typed at the log-in."""
        return self.identity.name

    @property
    def digest(self) -> str:
        """What stands for this row as it is; after any change it is another one."""
        return hashlib.sha256(msgspec.json.encode(_row(self))).hexdigest()


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    """One user as it stands in the file, under its name; an old one has a password alone."""

    password: str
    role: Role | None = None
    cameras: tuple[str, ...] = (EVERYTHING,)


class Users:
    """The users' table; one thread uses it.

    Args:
        folder: the hub's state; made at first use.

    Attributes:
        folder: as given.
        first_password: the administrator's, where this object has just made it; else None.

    Raises:
        LocalProtocolError: when the folder cannot be used, or the table is damaged.
    """

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        self.first_password = _make_first(folder)
        self.folder = folder
        self._table = Table(folder / _FILE, _read)
        self.refresh()

    def find(self, name: str) -> User | None:
        """The user of this name as of the last look at the file, or None."""
        return self._table.rows.get(name)

    @property
    def any_hash(self) -> str:
        """The hash of some user's password, to spend as much time on a name that is nobody's."""
        return next(iter(self._table.rows.values())).hash

    def refresh(self) -> frozenset[str]:
        """Look whether another process has changed the file; return who is another one now.

        Raises:
            LocalProtocolError: when it is damaged or gone; what was read before stays in force.
        """
        return self._table.refresh()


def list_users(folder: Path) -> list[User]:
    """All users, by name.

    Raises:
        LocalProtocolError: when there is no table, or it is damaged.
    """
    return sorted(_read(folder / _FILE).values(), key=lambda user: user.name)


def set_user(
    folder: Path,
    name: str,
    *,
    role: Role | None = None,
    cameras: Iterable[str] | None = None,
    password: str | None = None,
) -> User:
    """Add a user, or change one; a running hub ends the sessions of that one alone.

    Args:
        folder: the hub's state.
        name: obeys `check_user_name`.
        role: viewer by default; of one who is there, the same as before.
        cameras: patterns such as `garden/*`; every camera by default, or as before.
        password: needed for one who is new.

    Raises:
        LocalProtocolError: when something of it is bad, it would leave no administrator, or
            the table is damaged or cannot be written.
    """
    check_user_name(name)
    if password is not None:
        check_password(password)
    hashed = hash_password(password) if password is not None else None
    make_private_folder(folder)
    with locked(folder):
        path = folder / _FILE
        users = _read(path) if is_there(path) else {}
        before = users.get(name)
        hashed = hashed or (before.hash if before else None)
        if hashed is None:
            raise LocalProtocolError(f"there is no user {name!r} yet, want a password for one")
        role = role or (before.identity.role if before else Role.VIEWER)
        texts = _cameras(role, cameras, before)
        users[name] = _user(name, role, texts, hashed)
        if len(users) > MOST_USERS:
            raise LocalProtocolError(f"users are {MOST_USERS}, want no more")
        _write(path, users)
    return users[name]


def set_password(folder: Path, password: str, name: str = ADMIN) -> None:
    """Give a user another password; a running hub ends the sessions of that one.

    Where no user is there yet, it is the first administrator's.

    Raises:
        LocalProtocolError: when it is too short or too long, there is no such user, or it
            cannot be written.
    """
    check_password(password)
    path = folder / _FILE
    is_first = name == ADMIN and not is_there(path)
    if not is_first and name not in _read(path):
        raise LocalProtocolError(f"there is no user {name!r}")
    set_user(folder, name, role=Role.ADMINISTRATOR if is_first else None, password=password)


def remove_user(folder: Path, name: str) -> None:
    """Let a user in no more; a running hub ends its sessions.

    Raises:
        LocalProtocolError: when there is none of this name, it is the last administrator, or
            the table is damaged or cannot be written.
    """
    with locked(folder):
        path = folder / _FILE
        users = _read(path)
        if users.pop(name, None) is None:
            raise LocalProtocolError(f"there is no user {name!r}")
        _write(path, users)


def check_user_name(name: str) -> None:
    """See that a name may be a user's.

    Raises:
        LocalProtocolError: saying what was found and what was wanted.
    """
    try:
        check_name(name)
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from error
    if ":" in name or len(name) > MAX_NAME:  # RFC 7617, 2
        raise LocalProtocolError(
            f"name is {name[:MAX_NAME]!r}, want at most {MAX_NAME} characters and no colon"
        )
    if name == TOKEN_USER:
        raise LocalProtocolError(f"name {name!r} is what tokens are sent with, want another")


def _cameras(role: Role, cameras: Iterable[str] | None, before: User | None) -> tuple[str, ...]:
    """What is asked for, or what was; an administrator's are all where nothing else is said."""
    if cameras is not None:
        return tuple(cameras)
    if before is None or role is Role.ADMINISTRATOR:
        return (EVERYTHING,)
    return before.cameras


def _make_first(folder: Path) -> str | None:
    path = folder / _FILE
    if is_there(path):
        return None
    password = make_password()
    user = _user(ADMIN, Role.ADMINISTRATOR, (EVERYTHING,), hash_password(password))
    _write(path, {ADMIN: user}, replace=False)
    return password


def _user(name: str, role: Role, cameras: tuple[str, ...], hashed: str) -> User:
    return User(Identity(name, role, check_rights(role, cameras)), cameras, hashed)


def _read(path: Path) -> dict[str, User]:
    users = {}
    for name, row in read_rows(path, _Row).items():
        role = row.role or (Role.ADMINISTRATOR if name == ADMIN else Role.VIEWER)
        try:
            check_user_name(name)
            users[name] = _user(name, role, row.cameras, row.password)
        except LocalProtocolError as error:
            raise damaged(path, f"user {name!r}: {error}") from error
        if not row.password.startswith(HASH_PREFIX):
            raise damaged(path, f"user {name!r} has no argon2id hash")
    if not any(user.identity.is_administrator for user in users.values()):
        raise damaged(path, "found no administrator, want one")
    return users


def _write(path: Path, users: dict[str, User], *, replace: bool = True) -> None:
    if not any(user.identity.is_administrator for user in users.values()):
        raise LocalProtocolError("it is the last administrator, want another one first")
    write_rows(path, {name: _row(user) for name, user in users.items()}, replace=replace)


def _row(user: User) -> _Row:
    return _Row(user.hash, user.identity.role, user.cameras)
