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
from typing import Final

import structlog

from camfleet.errors import LocalProtocolError
from camfleet_hub.users import MAX_PASSWORD_BYTES, Users, is_password
from camfleet_hub.web.limiter import Limiter
from camfleet_hub.web.sessions import Session, Sessions

_TOKEN_BYTES: Final = 32
_MOST_TOKEN: Final = 64  # characters; ours have 43
_MOST_PROGRAMS: Final = 64
_MOST_WRONG: Final = 256
_REFRESH_S: Final = 0.5  # another password holds within a second
_TELL_S: Final = 10.0  # between two lines about log-ins that failed
_log = structlog.get_logger()


class TooManyTriesError(Exception):
    """Passwords were tried too often; nobody has looked at this one.

    Attributes:
        wait_s: how long to wait before the next try.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many tries, want one in {wait_s:.0f} s")
        self.wait_s = wait_s


class Login:
    """Users' sessions: of browsers by a random token, of programs by what they send each time.

    Args:
        users: who may log in.
        limiter: how often passwords may be tried.
        monotonic_ns: the clock that sessions end by.

    Attributes:
        failed: log-ins that failed, by reason: `wrong`, or `too_many`.
    """

    def __init__(
        self,
        users: Users,
        *,
        limiter: Limiter | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._users = users
        # An empty limiter is false.
        self._limiter = Limiter(monotonic_ns=monotonic_ns) if limiter is None else limiter
        self._browsers = Sessions(monotonic_ns=monotonic_ns)
        self._programs = Sessions(_MOST_PROGRAMS, monotonic_ns=monotonic_ns)
        self._secret = secrets.token_bytes(32)
        # A program with an old password asks with it for ever; that costs no try, and no argon2.
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._checking: dict[bytes, asyncio.Task[bool]] = {}
        self._forgotten = 0  # times
        self._checker = ThreadPoolExecutor(1, "password")
        self.failed: Counter[str] = Counter()
        self._last_address = ""
        self._told, self._tells_s = 0, 0.0

    async def log_in(self, user: str, password: str, address: str) -> str | None:
        """Begin a browser's session and return its token, or None where the password is wrong.

        Raises:
            TooManyTriesError: when this address, or all together, have tried too often.
        """
        if not await self._is_right(user, password, address):
            return None
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._browsers.open(_key(token), self._users.identity(user))
        _log.info("logged in", user=user, address=address)
        return token

    def log_out(self, token: str) -> None:
        """End a browser's session, where there is one."""
        self._browsers.end(_key(token))

    def browser(self, token: str | None) -> Session | None:
        """The session behind a browser's token, or None."""
        return self._browsers.find(_key(token)) if token and len(token) <= _MOST_TOKEN else None

    async def program(self, user: str, password: str, address: str) -> Session | None:
        """The session of a program that sends its password each time; None where it is wrong.

        Raises:
            TooManyTriesError: when this address, or all together, have tried too often.
        """
        key = self._digest(user, password)
        found = self._programs.find(key)
        if found is None and await self._is_right(user, password, address):
            found = self._programs.find(key) or self._programs.open(key, self._users.identity(user))
        return found

    async def run(self) -> None:
        """Follow the users' table, end what is over, and tell of log-ins that failed."""
        is_readable = True
        while True:
            try:
                if self._users.refresh():
                    self.forget()
                    _log.info("users changed: every session ended")
                is_readable = True
            except LocalProtocolError as error:
                if is_readable:
                    _log.error("users cannot be read, the old ones hold", problem=str(error))
                is_readable = False
            self._browsers.sweep()
            self._programs.sweep()
            self._tell()
            await asyncio.sleep(_REFRESH_S)

    def forget(self) -> None:
        """End every session, and believe nothing that was found out about passwords."""
        self._forgotten += 1
        self._wrong.clear()
        self._checking.clear()
        self._browsers.end_all()
        self._programs.end_all()

    def close(self) -> None:
        """Check no password any more."""
        self._checker.shutdown(wait=False, cancel_futures=True)

    async def _is_right(self, user: str, password: str, address: str) -> bool:
        """Check a password; the same one that many bring at once is checked once."""
        if len(password) > MAX_PASSWORD_BYTES:
            return self._count("wrong", address)
        key, forgotten = self._digest(user, password), self._forgotten
        if key in self._wrong:
            return self._count("wrong", address)
        checking = self._checking.get(key)
        if checking is None:
            if wait_s := self._limiter.take(address):
                self._count("too_many", address)
                raise TooManyTriesError(wait_s)
            checking = asyncio.create_task(self._check(key, user, password, address))
            self._checking[key] = checking
            checking.add_done_callback(lambda _: self._checking.pop(key, None))
        # Who hangs up meanwhile takes nothing from the others.
        is_right = await asyncio.shield(checking)
        # All may have been forgotten after the check, and before we came to know of it.
        return (is_right and forgotten == self._forgotten) or self._count("wrong", address)

    async def _check(self, key: bytes, user: str, password: str, address: str) -> bool:
        hashed = self._users.hash_of(user)
        loop = asyncio.get_running_loop()
        # A user who is not there takes as long as one who is.
        against = hashed or self._users.any_hash
        is_right = await loop.run_in_executor(self._checker, is_password, password, against)
        if self._users.hash_of(user) != hashed:
            return False  # it was changed meanwhile
        if hashed is not None and is_right:
            self._limiter.give_back(address)
            return True
        self._wrong[key] = None
        if len(self._wrong) > _MOST_WRONG:
            self._wrong.popitem(last=False)
        return False

    def _digest(self, user: str, password: str) -> bytes:
        """What stands for a name and a password here: of no use to who reads our memory later."""
        text = f"{len(user)}:{user}{password}".encode(errors="surrogatepass")
        return hmac.digest(self._secret, text, hashlib.sha256)

    def _count(self, reason: str, address: str) -> bool:
        self.failed[reason] += 1
        self._last_address = address
        return False

    def _tell(self) -> None:
        """Tell what failed since the last time, but not too often."""
        failed = self.failed.total()
        if failed > self._told and time.monotonic() >= self._tells_s:
            _log.warning("log-ins failed", count=failed - self._told, last_from=self._last_address)
            self._told, self._tells_s = failed, time.monotonic() + _TELL_S


def _key(token: str) -> bytes:
    """What a token is found by, so that no comparison of it can be timed."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
