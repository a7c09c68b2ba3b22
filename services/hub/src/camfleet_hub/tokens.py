"""Tokens of programs that speak HTTP: their names, rights and hashes, never a token.

They are kept in the state folder, where a command may change them while the hub runs. A token
has 256 random bits, so that a plain hash is as good as a slow one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from camfleet.errors import LocalProtocolError, RemoteProtocolError
from camfleet.folder_lock import locked
from camfleet.names import check_name
from camfleet.pattern import EVERYTHING
from camfleet.private_file import make_private_folder
from camfleet_hub.permission import Identity, Role, check_rights
from camfleet_hub.table import Table, damaged, is_there, read_rows, write_rows

PREFIX: Final = "camfleet_"  # by which people, and scanners for secrets, know one
MOST_TOKENS: Final = 256
MAX_TOKEN: Final = 64  # characters; ours have 52
_BYTES: Final = 32
_FILE: Final = "tokens.json"


@dataclass(frozen=True)
class Token:
    """A program's right to come in.

    Attributes:
        identity: name, role and cameras.
        cameras: the same as text.
        digest: SHA-256 of the token.
        created_at: UTC, in whole seconds.
        expires_at: UTC; None where it holds until it is revoked.
    """

    identity: Identity
    cameras: tuple[str, ...]
    digest: bytes
    created_at: datetime
    expires_at: datetime | None

    @property
    def name(self) -> str:
        """By which people know it."""
        return self.identity.name

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    """One token as it stands in the file, under its name."""

    sha256: str
    role: Role
    cameras: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None


class Tokens:
    """The table of tokens; one thread uses it.

    Args:
        folder: the hub's state; an empty table is made at first use.

    Raises:
        LocalProtocolError: when the folder cannot be used, or the table is damaged.
    """

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        with locked(folder):
            if not is_there(folder / _FILE):
                write_rows(folder / _FILE, {}, replace=False)
        self._table = Table(folder / _FILE, _read)
        self._by_digest: dict[bytes, Token] = {}
        self.refresh()

    def find(self, digest: bytes) -> Token | None:
        """The token with this hash as of the last look at the file, be it expired, or None."""
        return self._by_digest.get(digest)

    def entries(self) -> list[Token]:
        """All tokens as of the last look at the file, by name."""
        return sorted(self._by_digest.values(), key=lambda token: token.name)

    def refresh(self) -> frozenset[str]:
        """Look whether another process has changed the file; return which are others now.

        Raises:
            LocalProtocolError: when it is damaged or gone; what was read before stays in force.
        """
        changed = self._table.refresh()
        if changed:
            self._by_digest = {token.digest: token for token in self._table.rows.values()}
        return changed


def list_tokens(folder: Path) -> list[Token]:
    """All tokens, by name, the expired ones included.

    Raises:
        LocalProtocolError: when the table is damaged.
    """
    return sorted(_rows(folder / _FILE).values(), key=lambda token: token.name)


def add_token(
    folder: Path,
    name: str,
    *,
    cameras: Iterable[str] = (EVERYTHING,),
    role: Role = Role.VIEWER,
    expires_at: datetime | None = None,
) -> str:
    """Make a token and let it in; it is returned here, and kept nowhere.

    Raises:
        LocalProtocolError: when the name is bad or taken, something else of it is bad, or the
            table is damaged or cannot be written.
    """
    try:
        check_name(name)
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from error
    now = datetime.now(UTC).replace(microsecond=0)
    if expires_at is not None and expires_at <= now:
        raise LocalProtocolError(f"it would expire at {expires_at:%Y-%m-%d %H:%M:%S}, want later")
    texts = tuple(cameras)
    identity = Identity(name, role, check_rights(role, texts))
    text = PREFIX + secrets.token_urlsafe(_BYTES)
    make_private_folder(folder)
    with locked(folder):
        path = folder / _FILE
        tokens = _rows(path)
        if name in tokens:
            raise LocalProtocolError(f"there is a token {name!r} already, want it revoked first")
        tokens[name] = Token(identity, texts, digest_of(text), now, expires_at)
        if len(tokens) > MOST_TOKENS:
            raise LocalProtocolError(f"tokens are {MOST_TOKENS}, want no more")
        _write(path, tokens)
    return text


def remove_token(folder: Path, name: str) -> None:
    """Let a token in no more; a running hub cuts off what it serves.

    Raises:
        LocalProtocolError: when there is none of this name, or the table is damaged or cannot
            be written.
    """
    path = folder / _FILE
    if name not in _rows(path):
        raise LocalProtocolError(f"there is no token {name!r}")
    with locked(folder):
        tokens = _rows(path)
        tokens.pop(name, None)
        _write(path, tokens)


def digest_of(text: str) -> bytes:
    """What a token is found by, so that no comparison of it can be timed."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _rows(path: Path) -> dict[str, Token]:
    return _read(path) if is_there(path) else {}


def _read(path: Path) -> dict[str, Token]:
    tokens = {}
    for name, row in read_rows(path, _Row).items():
        try:
            check_name(name)
            identity = Identity(name, row.role, check_rights(row.role, row.cameras))
            digest = bytes.fromhex(row.sha256)
        except (ValueError, LocalProtocolError, RemoteProtocolError) as error:
            raise damaged(path, f"token {name!r}: {error}") from error
        if len(digest) != hashlib.sha256().digest_size:
            raise damaged(path, f"token {name!r} has no SHA-256 hash")
        times = row.created_at, row.expires_at
        if any(time is not None and time.tzinfo is None for time in times):
            raise damaged(path, f"token {name!r} has a time without a zone")
        tokens[name] = Token(identity, row.cameras, digest, *times)
    return tokens


def _write(path: Path, tokens: dict[str, Token]) -> None:
    rows = {
        name: _Row(
            token.digest.hex(),
            token.identity.role,
            token.cameras,
            token.created_at,
            token.expires_at,
        )
        for name, token in tokens.items()
    }
    write_rows(path, rows)
