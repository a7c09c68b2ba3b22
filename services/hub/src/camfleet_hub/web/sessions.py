"""Who is logged in, bounded. A session ends by time, by log-out, or with its user.

What it holds open ends with it, so that nobody watches on after a log-out.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from camfleet_hub.permission import Identity

_NS: Final = 1_000_000_000
IDLE_S: Final = 3 * 86_400.0  # a display that is switched off over a weekend
ABSOLUTE_S: Final = 30 * 86_400.0
MOST_SESSIONS: Final = 1024
MOST_OF_USER: Final = 128


class Session:
    """One log-in.

    Attributes:
        identity: whose it is, as of the log-in.
        is_over: it ended, and what it still serves is being cut off.
    """

    def __init__(self, identity: Identity, now_ns: int) -> None:
        self.identity = identity
        self.is_over = False
        self.opened_ns = self.used_ns = now_ns
        self._cuts: set[Callable[[], object]] = set()

    @property
    def is_in_use(self) -> bool:
        """Whether something is served in its name just now."""
        return bool(self._cuts)

    @contextmanager
    def holding(self, cut: Callable[[], object]) -> Iterator[None]:
        """Have `cut` called should the session end while the block runs."""
        self._cuts.add(cut)
        try:
            yield
        finally:
            self._cuts.discard(cut)

    def end(self) -> None:
        """Cut off what it serves."""
        self.is_over = True
        for cut in self._cuts.copy():
            cut()


class Sessions:
    """All sessions by key; the one that was used longest ago gives way when there is no room.

    Args:
        most: how many there may be.
        idle_s: how long one lives that serves nothing.
        absolute_s: how long one lives at most.
        monotonic_ns: the clock that these are measured on.

    Attributes:
        changes: how many have begun or ended.
    """

    def __init__(
        self,
        most: int = MOST_SESSIONS,
        *,
        idle_s: float = IDLE_S,
        absolute_s: float = ABSOLUTE_S,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._most = most
        self._idle_ns = round(idle_s * _NS)
        self._absolute_ns = round(absolute_s * _NS)
        self._monotonic_ns = monotonic_ns
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self.changes = 0

    def __len__(self) -> int:
        return len(self._sessions)

    def entries(self) -> list[tuple[bytes, Session]]:
        """All with their keys; the one that was found longest ago is first."""
        return list(self._sessions.items())

    def open(self, key: bytes, identity: Identity) -> Session:
        """Begin a session; one that has this key already ends.

        Who has too many gives up the one used longest ago, so that nobody pushes out others.
        """
        self.end(key)
        own = [other for other, one in self._sessions.items() if one.identity.name == identity.name]
        if len(own) >= MOST_OF_USER:
            self.end(own[0])
        while len(self._sessions) >= self._most:
            self.end(next(iter(self._sessions)))
        session = self._sessions[key] = Session(identity, self._monotonic_ns())
        self.changes += 1
        return session

    def resume(self, key: bytes, identity: Identity, *, opened_ns: int, used_ns: int) -> None:
        """Go on with a session of an earlier run, unless its time is over."""
        session = Session(identity, opened_ns)
        session.used_ns = used_ns
        if len(self._sessions) < self._most and not self._is_expired(session, self._monotonic_ns()):
            self._sessions[key] = session

    def find(self, key: bytes) -> Session | None:
        """The session with this key, which was used herewith; None where there is none."""
        session = self._sessions.get(key)
        if session is None:
            return None
        now_ns = self._monotonic_ns()
        if self._is_expired(session, now_ns):
            self.end(key)
            return None
        session.used_ns = now_ns
        self._sessions.move_to_end(key)
        return session

    def end(self, key: bytes) -> None:
        """End the session with this key, where there is one."""
        session = self._sessions.pop(key, None)
        if session is not None:
            self.changes += 1
            session.end()

    def end_of(self, names: frozenset[str]) -> None:
        """End every session of these users."""
        for key, session in self.entries():
            if session.identity.name in names:
                self.end(key)

    def sweep(self) -> None:
        """End those whose time is over; now and then."""
        now_ns = self._monotonic_ns()
        for key, session in self.entries():
            if session.is_in_use:
                session.used_ns = now_ns
            if self._is_expired(session, now_ns):
                self.end(key)

    def _is_expired(self, session: Session, now_ns: int) -> bool:
        is_idle = not session.is_in_use and now_ns - session.used_ns > self._idle_ns
        return is_idle or now_ns - session.opened_ns > self._absolute_ns
