"""Programs that come by a token: which one it is, and what to tell who brings a bad one.

A token costs no password check, so a program that brings one a hundred times a second may.
"""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from camfleet_hub.tokens import MAX_TOKEN, Token, Tokens, digest_of
from camfleet_hub.web.limiter import Limiter, TooManyTriesError
from camfleet_hub.web.sessions import Session

_BURST: Final = 20  # bad ones of an address; what is good is never held up
_EVERY_S: Final = 1.0
_ALL_BURST: Final = 200
_ALL_EVERY_S: Final = 0.02
_MOST_REVOKED: Final = 256


class BadTokenError(Exception):
    """A token opens nothing.

    Attributes:
        reason: `unknown`, `expired` or `revoked`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(f"token is {reason}, want one that camfleet-hub tokens lists")
        self.reason = reason


class Bearers:
    """Sessions of tokens: one for each that is in use, which ends with it.

    Args:
        tokens: the table of those that may come in.
        monotonic_ns: the clock that tries are measured on.
        now: the time of the calendar, by which tokens expire.

    Attributes:
        failed: counts bad ones, by `unknown_token`, `expired_token`, `revoked_token`, and
            `too_many_tokens` for those that had to wait.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        failed: Counter[str] | None = None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tokens = tokens
        self._limiter = Limiter(
            burst=_BURST,
            every_s=_EVERY_S,
            all_burst=_ALL_BURST,
            all_every_s=_ALL_EVERY_S,
            monotonic_ns=monotonic_ns,
        )
        self._monotonic_ns = monotonic_ns
        self._now = now
        self._open: dict[str, tuple[Token, Session]] = {}
        self._known = {token.digest for token in tokens.entries()}
        self._revoked: OrderedDict[bytes, None] = OrderedDict()
        self.failed: Counter[str] = Counter() if failed is None else failed

    def find(self, text: str, address: str) -> Session:
        """The session of a token.

        Raises:
            BadTokenError: when it opens nothing.
            TooManyTriesError: likewise, and this address has brought too many of those.
        """
        digest = digest_of(text[: MAX_TOKEN + 1])
        token = self._tokens.find(digest)
        if token is not None and not token.is_expired(self._now()):
            return self._session(token)
        if wait_s := self._limiter.take(address):
            self.failed["too_many_tokens"] += 1
            raise TooManyTriesError(wait_s)
        reason = "expired" if token else "revoked" if digest in self._revoked else "unknown"
        self.failed[f"{reason}_token"] += 1
        raise BadTokenError(reason)

    def follow(self) -> frozenset[str]:
        """Follow the table, and cut off what is served to tokens that are over.

        Returns:
            The names of those that were made or revoked since.

        Raises:
            LocalProtocolError: when the table cannot be read; those of before hold, and end.
        """
        try:
            return self._take_over()
        finally:
            now = self._now()
            for name, (token, session) in list(self._open.items()):
                if self._tokens.find(token.digest) != token or token.is_expired(now):
                    del self._open[name]
                    session.end()

    def _take_over(self) -> frozenset[str]:
        changed = self._tokens.refresh()
        if changed:
            known = {token.digest for token in self._tokens.entries()}
            for digest in self._known - known:
                self._revoked[digest] = None
            while len(self._revoked) > _MOST_REVOKED:
                self._revoked.popitem(last=False)
            self._known = known
        return changed

    def _session(self, token: Token) -> Session:
        found = self._open.get(token.name)
        if found is not None and found[0] == token:
            return found[1]
        if found is not None:
            found[1].end()
        session = Session(token.identity, self._monotonic_ns())
        self._open[token.name] = token, session
        return session
