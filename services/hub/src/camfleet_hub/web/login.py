"""Who may come in by the web: checks passwords, and knows who is logged in.

Passwords are checked one at a time beside the event loop, so that nobody who guesses can keep
the hub from its work.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

import structlog

from camfleet.errors import LocalProtocolError
from camfleet_hub.passwords import MAX_PASSWORD_BYTES, is_password
from camfleet_hub.tokens import Tokens, digest_of
from camfleet_hub.users import MOST_USERS, User, Users, set_password
from camfleet_hub.web.bearers import BadTokenError, Bearers
from camfleet_hub.web.kept_sessions import KeptSessions
from camfleet_hub.web.limiter import Limiter, TooManyTriesError
from camfleet_hub.web.sessions import Session, Sessions

_COOKIE_BYTES: Final = 32
_MOST_COOKIE: Final = 64  # characters; ours have 43
_MOST_WRONG: Final = 256
_REFRESH_S: Final = 0.5  # another password holds within a second
_TELL_S: Final = 10.0  # between two lines about log-ins that failed
_log = structlog.get_logger()


class Login:
    """Users' sessions: of browsers by a random cookie, of programs by what they send each time.

    Those of browsers outlast the hub: they are kept beside the table of users.

    Args:
        users: who may log in.
        tokens: which tokens open what; without a table none does.
        limiter: how often passwords may be tried.
        monotonic_ns: the clock that sessions end by.
        unix_ns: the clock that goes on while no hub runs.

    Attributes:
        failed: log-ins that failed, by reason: `wrong` or `too_many` of passwords, and of tokens
            as `Bearers` has them.
    """

    def __init__(
        self,
        users: Users,
        tokens: Tokens | None = None,
        *,
        limiter: Limiter | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        unix_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.failed: Counter[str] = Counter()
        self._users = users
        self._bearers = None
        if tokens is not None:
            self._bearers = Bearers(tokens, failed=self.failed, monotonic_ns=monotonic_ns)
        # An empty limiter is false.
        self._limiter = Limiter(monotonic_ns=monotonic_ns) if limiter is None else limiter
        self._browsers = Sessions(monotonic_ns=monotonic_ns)
        self._kept = KeptSessions(self._browsers, users, monotonic_ns=monotonic_ns, unix_ns=unix_ns)
        # One of each user, so that none pushes out another.
        self._programs = Sessions(MOST_USERS, monotonic_ns=monotonic_ns)
        self._secret = secrets.token_bytes(32)
        # A program with an old password asks with it for ever; that costs no try, and no argon2.
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._checking: dict[bytes, asyncio.Task[User | None]] = {}
        self._checker = ThreadPoolExecutor(1, "password")
        self._changing = 0  # passwords that are being changed here
        self._followed = _Followed("users"), _Followed("tokens")
        self._last_address = ""
        self._told, self._tells_s = 0, 0.0

    async def log_in(self, user: str, password: str, address: str) -> str | None:
        """Begin a browser's session and return its cookie, or None where the password is wrong.

        Raises:
            TooManyTriesError: when this address, or all together, have tried too often.
        """
        found = await self._check(user, password, address)
        if found is None:
            return None
        _log.info("logged in", user=user, address=address)
        return self._open(found)

    async def log_out(self, cookie: str) -> None:
        """End a browser's session, where there is one; a restart does not bring it back."""
        self._browsers.end(digest_of(cookie))
        await self._kept.save()

    def browser(self, cookie: str | None) -> Session | None:
        """The session behind a browser's cookie, or None."""
        is_one = cookie and len(cookie) <= _MOST_COOKIE
        return self._browsers.find(digest_of(cookie)) if cookie and is_one else None

    async def program(self, user: str, password: str, address: str) -> Session | None:
        """The session of a program that sends its password each time; None where it is wrong.

        Raises:
            TooManyTriesError: when this address, or all together, have tried too often.
        """
        key = self._digest(user, password)
        session = self._programs.find(key)
        if session is None and (found := await self._check(user, password, address)):
            session = self._programs.find(key) or self._programs.open(key, found.identity)
        return session

    def bearer(self, token: str, address: str) -> Session:
        """The session of a program that sends a token each time.

        Raises:
            BadTokenError: when it opens nothing.
            TooManyTriesError: likewise, and this address has brought too many of those.
        """
        if self._bearers is None:
            raise BadTokenError("unknown")
        try:
            return self._bearers.find(token, address)
        except (BadTokenError, TooManyTriesError):
            self._last_address = address
            raise

    async def change_password(
        self, session: Session, password: str, new: str, address: str
    ) -> str | None:
        """Give who is logged in another password, and end all sessions of that user but a new one.

        Returns:
            The cookie of the new session, or None where the old password is wrong.

        Raises:
            TooManyTriesError: when this address, or all together, have tried too often.
            LocalProtocolError: when the new password is bad, or cannot be kept.
        """
        name = session.identity.name
        if await self._check(name, password, address) is None or session.is_over:
            return None
        change = partial(set_password, self._users.folder, new, name)
        changing = asyncio.get_running_loop().run_in_executor(self._checker, change)
        self._changing += 1
        try:
            await asyncio.shield(changing)  # what has begun is ended, though who asked may hang up
        finally:
            self._changing -= 1
        _log.info("password changed", user=name, address=address)
        self.forget(self._users.refresh() | {name})
        changed = self._users.find(name)
        return self._open(changed) if changed else None

    async def run(self) -> None:
        """Follow both tables, end what is over, and tell of log-ins that failed."""
        while True:
            self.follow()
            self._tell()
            self._kept.follow()
            await asyncio.sleep(_REFRESH_S)

    def follow(self) -> None:
        """Look at both tables once, and end what is over."""
        users, tokens = self._followed
        if not self._changing:  # or who changes the own password is cut off before the answer
            self.forget(users.follow(self._users.refresh))
        if self._bearers is not None:
            tokens.follow(self._bearers.follow)
        self._browsers.sweep()
        self._programs.sweep()

    def forget(self, names: frozenset[str]) -> None:
        """End every session of these users, and believe nothing of what was wrong before."""
        if not names:
            return
        self._wrong.clear()
        self._checking.clear()
        self._browsers.end_of(names)
        self._programs.end_of(names)

    def close(self) -> None:
        """Check no password any more, and keep who is logged in."""
        self._checker.shutdown(wait=False, cancel_futures=True)
        self._kept.close()

    def _open(self, user: User) -> str:
        """Begin a browser's session, by a cookie that nobody has seen before."""
        cookie = secrets.token_urlsafe(_COOKIE_BYTES)
        self._browsers.open(digest_of(cookie), user.identity)
        return cookie

    async def _check(self, user: str, password: str, address: str) -> User | None:
        """Check a password; the same one that many bring at once is checked once."""
        key = self._digest(user, password)
        if len(password) > MAX_PASSWORD_BYTES or key in self._wrong:
            self._count("wrong", address)
            return None
        checking = self._checking.get(key)
        if checking is None:
            if wait_s := self._limiter.take(address, user):
                self._count("too_many", address)
                raise TooManyTriesError(wait_s)
            checking = asyncio.create_task(self._check_once(key, user, password, address))
            self._checking[key] = checking
            checking.add_done_callback(lambda _: self._checking.pop(key, None))
        # Who hangs up meanwhile takes nothing from the others.
        found = await asyncio.shield(checking)
        # Another one may be in force since the check, and before we came to know of it.
        if found is None or self._users.find(user) != found:
            self._count("wrong", address)
            return None
        return found

    async def _check_once(self, key: bytes, user: str, password: str, address: str) -> User | None:
        found = self._users.find(user)
        loop = asyncio.get_running_loop()
        # A user who is not there takes as long as one who is.
        against = found.hash if found else self._users.any_hash
        is_right = await loop.run_in_executor(self._checker, is_password, password, against)
        if self._users.find(user) != found:
            return None  # it was changed meanwhile
        if found is not None and is_right:
            self._limiter.give_back(address, user)
            return found
        self._wrong[key] = None
        if len(self._wrong) > _MOST_WRONG:
            self._wrong.popitem(last=False)
        return None

    def _digest(self, user: str, password: str) -> bytes:
        """What stands for a name and a password here: of no use to who reads our memory later."""
        text = f"{len(user)}:{user}{password}".encode(errors="surrogatepass")
        return hmac.digest(self._secret, text, hashlib.sha256)

    def _count(self, reason: str, address: str) -> None:
        self.failed[reason] += 1
        self._last_address = address

    def _tell(self) -> None:
        """Tell what failed since the last time, but not too often."""
        failed = self.failed.total()
        if failed > self._told and time.monotonic() >= self._tells_s:
            _log.warning("log-ins failed", count=failed - self._told, last_from=self._last_address)
            self._told, self._tells_s = failed, time.monotonic() + _TELL_S


class _Followed:
    """A table that is followed; that it cannot be read is told once."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_readable = True

    def follow(self, refresh: Callable[[], frozenset[str]]) -> frozenset[str]:
        """Look at it; return whose row is another one."""
        try:
            changed = refresh()
        except LocalProtocolError as error:
            if self._is_readable:
                _log.error(f"{self._what} cannot be read, the old ones hold", problem=str(error))
            self._is_readable = False
            return frozenset()
        self._is_readable = True
        if changed:
            _log.info(f"{self._what} changed", names=sorted(changed))
        return changed
