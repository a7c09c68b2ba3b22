"""Browsers' sessions as a file of the state folder, so that a restart of the hub logs nobody out.

It never holds a cookie, only what one is found by; what is damaged costs log-ins, never the hub.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Final

import msgspec
import structlog

from camfleet.errors import LocalProtocolError
from camfleet.private_file import read_private, write_private
from camfleet_hub.table import damaged, is_there
from camfleet_hub.users import Users
from camfleet_hub.web.sessions import MOST_SESSIONS, Sessions

_FILE: Final = "sessions.json"
_MOST_BYTES: Final = 2**20  # all that there may be, with the longest names
_USED_NS: Final = 3600 * 1_000_000_000  # between two writes that tell of use alone
_log = structlog.get_logger()

_Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Time = Annotated[int, msgspec.Meta(ge=0)]


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    """One session; times are Unix ns."""

    key: _Digest
    user: str
    as_of: _Digest  # the user's row in the table: another one ends the session
    opened_ns: _Time
    used_ns: _Time


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    """All sessions, the one used longest ago first."""

    written_ns: _Time
    sessions: Annotated[list[_Row], msgspec.Meta(max_length=MOST_SESSIONS)]

    def __post_init__(self) -> None:
        for row in self.sessions:
            if not row.opened_ns <= row.used_ns <= self.written_ns:
                raise ValueError("a session was used before it was opened, or after it was written")


class KeptSessions:
    """Keeps sessions from one run of the hub to the next.

    Args:
        sessions: those of browsers; what was kept is put into them.
        users: who may log in; a session ends with the row of its user, also while no hub runs.
        monotonic_ns: the clock that sessions end by.
        unix_ns: the clock that goes on while no hub runs.
    """

    def __init__(
        self,
        sessions: Sessions,
        users: Users,
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        unix_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._sessions = sessions
        self._users = users
        self._path = users.folder / _FILE
        self._monotonic_ns = monotonic_ns
        self._unix_ns = unix_ns
        self._writer = ThreadPoolExecutor(1, "sessions")
        self._lock = asyncio.Lock()
        self._saving: asyncio.Task[None] | None = None
        self._is_writable = True
        self._saved_changes, self._saved_ns = sessions.changes, monotonic_ns()
        self._resume()

    async def save(self) -> None:
        """Write what has begun or ended since the last time; who asks meanwhile shares the next."""
        async with self._lock:
            if self._saved_changes == self._sessions.changes and not self._is_due:
                return
            content = self._take()
            writing = asyncio.get_running_loop().run_in_executor(self._writer, self._write, content)
            await asyncio.shield(writing)  # who asked may hang up

    def follow(self) -> None:
        """Have it written beside the event loop where something has changed; now and then."""
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self.save())

    def close(self) -> None:
        """Write for the last time, where there is something to tell."""
        self._writer.shutdown(wait=True)
        if self._saved_changes != self._sessions.changes or self._is_used:
            self._write(self._take())

    @property
    def _is_used(self) -> bool:
        return any(session.used_ns > self._saved_ns for _, session in self._sessions.entries())

    @property
    def _is_due(self) -> bool:
        return self._monotonic_ns() - self._saved_ns > _USED_NS and self._is_used

    def _take(self) -> _Kept:
        """What there is to write now."""
        now_ns, unix_ns = self._monotonic_ns(), self._unix_ns()
        ahead_ns = unix_ns - now_ns
        as_of: dict[str, str] = {}
        rows = []
        for key, session in self._sessions.entries():
            name = session.identity.name
            if name not in as_of:
                user = self._users.find(name)
                if user is None:
                    continue
                as_of[name] = user.digest
            opened_ns, used_ns = session.opened_ns + ahead_ns, session.used_ns + ahead_ns
            rows.append(_Row(key.hex(), name, as_of[name], max(0, opened_ns), max(0, used_ns)))
        self._saved_changes, self._saved_ns = self._sessions.changes, now_ns
        return _Kept(unix_ns, rows)

    def _write(self, kept: _Kept) -> None:
        try:
            write_private(self._path, msgspec.json.encode(kept) + b"\n", replace=True)
            self._is_writable = True
        except LocalProtocolError as error:
            # Rather none after a restart than one that has ended.
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            if self._is_writable:
                _log.error("sessions cannot be kept, they end with the hub", problem=str(error))
            self._is_writable = False

    def _resume(self) -> None:
        try:
            if not is_there(self._path):
                return
            kept = _read(self._path)
        except LocalProtocolError as error:
            _log.warning("sessions are lost, browsers must log in again", problem=str(error))
            return
        now_ns = self._monotonic_ns()
        # A clock that is behind, as without a battery, takes nothing from what a session has lived.
        off_ns = max(0, self._unix_ns() - kept.written_ns)
        for row in kept.sessions:
            user = self._users.find(row.user)
            if user is not None and user.digest == row.as_of:
                self._sessions.resume(
                    bytes.fromhex(row.key),
                    user.identity,
                    opened_ns=now_ns - off_ns - (kept.written_ns - row.opened_ns),
                    used_ns=now_ns - off_ns - (kept.written_ns - row.used_ns),
                )
        if len(self._sessions) < len(kept.sessions):
            self._saved_changes -= 1  # what has ended meanwhile must not be found again


def _read(path: Path) -> _Kept:
    content = read_private(path, _MOST_BYTES)
    try:
        return msgspec.json.decode(content, type=_Kept)
    except ValueError as error:
        raise damaged(path, error) from error
