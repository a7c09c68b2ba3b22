"""Who is enrolled at a hub, and the hub's own keys: a folder that only the hub's user may enter.

It never keeps the secret key of anybody else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace as replace_fields

from camfleet.errors import LocalProtocolError, RemoteProtocolError
from camfleet.folder_lock import locked
from camfleet.keys import Bundle, KeyPair, Role, check_key
from camfleet.names import check_name
from camfleet.pattern import EVERYTHING, MOST_CAMERA_PATTERNS, parse_camera_pattern
from camfleet.private_file import make_private_folder, read_private, write_private

_MOST_KEY_BYTES: Final = 256
_ALL: Final = (EVERYTHING,)  # one object, so that it is left out of the file
_MOST_TABLE_BYTES: Final = 2**24  # some 60 000 peers


@dataclass(frozen=True)
class Entry:
    """Somebody who is enrolled.

    Attributes:
        name: unique, whatever the role.
        role: what the key opens.
        key: public, in Z85.
        enrolled_at: UTC, in whole seconds.
        cameras: patterns of what it may read, as `parse_camera_pattern` has them; a node reads
            nothing.
    """

    name: str
    role: Role
    key: str
    enrolled_at: datetime
    cameras: tuple[str, ...] = _ALL


class _Enrolled(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One entry as it stands in the file, under its name; an old one says nothing of cameras."""

    role: Role
    key: str
    enrolled_at: datetime
    cameras: tuple[str, ...] = _ALL


class Keyring:
    """The hub's keys and its allow-list.

    Any thread may look a key up; one thread, or process, at a time changes it.

    Args:
        folder: where they are kept; made at first use, as are the hub's own keys.
        reserved: names that nobody may have, because the hub uses them itself.

    Attributes:
        folder: as given.
        hub_keys: the hub's own pair.

    Raises:
        LocalProtocolError: when the folder cannot be used, or what is in it is damaged.
    """

    def __init__(self, folder: Path, *, reserved: frozenset[str] = frozenset()) -> None:
        self.folder = folder
        self._reserved = reserved
        self._table_path = folder / "enrolled.json"
        make_private_folder(folder)
        with locked(folder):
            # The list first: from the key on, a list that is missing is one that was lost.
            if not ((folder / "hub.key").exists() or self._table_path.exists()):
                write_private(self._table_path, b"{}\n", replace=False)
            self.hub_keys = _read_or_make(folder / "hub.key")
        self._seen: tuple[int, int, int] | None = None
        self._by_key: dict[str, Entry] = {}
        self._by_name: dict[str, Entry] = {}
        self._gone: set[str] = set()
        self._looking = threading.Lock()
        self._look()

    def find(self, key: str, role: Role) -> str | None:
        """The name that a public key stands for in this role, or None."""
        entry = self._by_key.get(key)
        return entry.name if entry is not None and entry.role is role else None

    def admit(self, key: str, role: Role) -> str | None:
        """Like `find`, but as of this moment: for who comes in, not for each message."""
        with suppress(LocalProtocolError):  # then as of the last good look; `refresh` tells it
            self._look()
        return self.find(key, role)

    def entry(self, name: str) -> Entry | None:
        """Who is enrolled under a name, as of the last look at the file, or None."""
        return self._by_name.get(name)

    def entries(self) -> list[Entry]:
        """Everybody who is enrolled, by name, as of the last look at the file."""
        return sorted(self._by_key.values(), key=lambda entry: entry.name)

    def holds(self, name: str) -> bool:
        """Whether somebody of this name is enrolled, as of this moment.

        Raises:
            LocalProtocolError: when the file is damaged or gone.
        """
        self._look()
        return name in self._by_name

    def refresh(self) -> frozenset[str]:
        """Look whether another process has changed the file, which costs microseconds if not.

        Returns:
            The names of whom the key is gone or another one, or the cameras are others, since
            the last look.

        Raises:
            LocalProtocolError: when it is damaged or gone; what was read before stays in force.
        """
        self._look()
        with self._looking:
            gone, self._gone = frozenset(self._gone), set()
        return gone

    def enrol(
        self,
        name: str,
        role: Role,
        address: str,
        *,
        cameras: Sequence[str] = _ALL,
        replace: bool = False,
        deliver: Callable[[Bundle], None] | None = None,
    ) -> Bundle:
        """Make keys for a peer and let it in.

        Args:
            name: obeys `check_name`.
            role: what it may do.
            address: the hub's, as the peer is to find it.
            cameras: patterns of what a subscriber may read; a node reads nothing.
            replace: whether one of this name gets new keys in place of its old ones.
            deliver: called with the bundle before anything is changed; what it raises leaves
                everything as it was.

        Raises:
            LocalProtocolError: for a name that is bad, reserved or taken, and for a file that
                is damaged or cannot be written.
        """
        try:
            check_name(name)
        except RemoteProtocolError as error:
            raise LocalProtocolError(str(error)) from error
        if name in self._reserved:
            raise LocalProtocolError(f"name {name!r} is the hub's own, want another")
        patterns = _cameras(role, cameras)
        keys = KeyPair.make()
        bundle = Bundle(name, role, address, self.hub_keys.public, keys)
        with locked(self.folder):
            table = self._read()
            if name in table and not replace:
                raise LocalProtocolError(
                    f"{name!r} is enrolled already, as {table[name].role}; replace it (--replace) "
                    "to give it new keys"
                )
            if deliver is not None:
                deliver(bundle)
            now = datetime.now(UTC).replace(microsecond=0)
            self._write({**table, name: _Enrolled(role, keys.public, now, patterns)})
        return bundle

    def permit(self, name: str, cameras: Sequence[str]) -> None:
        """Let a subscriber read other cameras than before; its keys stay.

        Raises:
            LocalProtocolError: when there is no subscriber of this name, a pattern is bad, or
                the file is damaged.
        """
        with locked(self.folder):
            table = self._read()
            if name not in table:
                raise LocalProtocolError(f"{name!r} is not enrolled")
            patterns = _cameras(table[name].role, cameras)
            self._write({**table, name: replace_fields(table[name], cameras=patterns)})

    def revoke(self, name: str) -> None:
        """Let a peer in no more.

        Raises:
            LocalProtocolError: when there is none of this name, or the file is damaged.
        """
        with locked(self.folder):
            table = self._read()
            if name not in table:
                raise LocalProtocolError(f"{name!r} is not enrolled")
            del table[name]
            self._write(table)

    def _read(self) -> dict[str, _Enrolled]:
        content = read_private(self._table_path, _MOST_TABLE_BYTES)
        try:
            table = msgspec.json.decode(content, type=dict[str, _Enrolled])
            for name, entry in table.items():
                check_name(name)
                check_key(entry.key)
                _cameras(entry.role, entry.cameras)
            _check_unique([entry.key for entry in table.values()])
        except (ValueError, RemoteProtocolError, LocalProtocolError) as error:
            raise LocalProtocolError(f"{self._table_path} is damaged: {error}") from error
        return table

    def _write(self, table: dict[str, _Enrolled]) -> None:
        content = msgspec.json.format(msgspec.json.encode(table), indent=1) + b"\n"
        if len(content) > _MOST_TABLE_BYTES:  # or nobody could read it, to revoke somebody
            raise LocalProtocolError(
                f"{self._table_path} would be {len(content)} bytes, want at most "
                f"{_MOST_TABLE_BYTES}: revoke somebody first"
            )
        write_private(self._table_path, content, replace=True)
        self._look()

    def _look(self) -> None:
        """Read the file if it is another than before, and note who is gone for `refresh`."""
        with self._looking:
            mark = self._mark()
            if mark is None:
                raise LocalProtocolError(
                    f"there is no {self._table_path} any more; want it back, or hub.key beside it "
                    "removed as well, to begin anew with nobody enrolled"
                )
            if mark == self._seen:
                return
            new = {
                entry.key: Entry(name, entry.role, entry.key, entry.enrolled_at, entry.cameras)
                for name, entry in self._read().items()
            }
            old, self._by_key, self._seen = self._by_key, new, mark
            self._by_name = {entry.name: entry for entry in new.values()}
            self._gone |= {entry.name for key, entry in old.items() if new.get(key) != entry}

    def _mark(self) -> tuple[int, int, int] | None:
        """What differs as soon as the file is another; None where there is none."""
        try:
            found = self._table_path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LocalProtocolError(f"cannot read {self._table_path}: {error.strerror}") from error
        return found.st_ino, found.st_mtime_ns, found.st_size


def _cameras(role: Role, cameras: Sequence[str]) -> tuple[str, ...]:
    """See that patterns are what a peer of this role may have."""
    if not 1 <= len(cameras) <= MOST_CAMERA_PATTERNS:
        raise LocalProtocolError(
            f"found {len(cameras)} patterns of cameras, want 1 to {MOST_CAMERA_PATTERNS}"
        )
    if role is not Role.SUBSCRIBER and tuple(cameras) != _ALL:
        raise LocalProtocolError(f"found cameras for a {role}, want them for a subscriber alone")
    try:
        list(map(parse_camera_pattern, cameras))
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from error
    return _ALL if tuple(cameras) == _ALL else tuple(cameras)


def _check_unique(keys: list[str]) -> None:
    if len(set(keys)) != len(keys):
        raise ValueError("two names have the same key")


def _read_or_make(path: Path) -> KeyPair:
    """Read the hub's secret key; make one at first use."""
    if not path.exists():
        keys = KeyPair.make()
        write_private(path, f"{keys.secret}\n".encode(), replace=False)
        return keys
    try:
        return KeyPair.of(read_private(path, _MOST_KEY_BYTES).decode("ascii").strip())
    except ValueError as error:
        raise LocalProtocolError(f"{path} is damaged: {error}") from error
