"""How often passwords may be tried: by one address, and by all together but where a user is known.

It does no I/O.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

_NS: Final = 1_000_000_000
_MOST_ADDRESSES: Final = 1024
_MOST_USERS: Final = 256  # as many as there are, so that none pushes out another
_MOST_KNOWN: Final = 4  # of one user; from each the own password may be tried without the others
_IPV6_PREFIX: Final = 64  # bits that a host cannot choose itself (RFC 4291, 2.5.4)


class TooManyTriesError(Exception):
    """Passwords or tokens were tried too often.

    Attributes:
        wait_s: how long to wait before the next try.
        whole_s: the same in whole seconds, never less.
    """

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s
        self.whole_s = max(1, math.ceil(wait_s))
        super().__init__(f"too many tries, want one in {self.whole_s} s")


class Bucket:
    """Tokens that come back with time (a token bucket).

    Args:
        burst: how many there are at most, and at first.
        every_s: after how many seconds one comes back.
        now_ns: monotonic time.
    """

    def __init__(self, burst: int, every_s: float, now_ns: int) -> None:
        self._burst = burst
        self._every_ns = every_s * _NS
        self._left = float(burst)
        self._at_ns = now_ns

    def wait_s(self, now_ns: int) -> float:
        """Seconds until there is a token; 0 where there is one."""
        self._left = min(self._burst, self._left + (now_ns - self._at_ns) / self._every_ns)
        self._at_ns = now_ns
        return max(0.0, (1 - self._left) * self._every_ns / _NS)

    def take(self) -> None:
        """Take a token, which `wait_s` has said is there."""
        self._left -= 1

    def give_back(self) -> None:
        """Put a token back."""
        self._left = min(self._burst, self._left + 1)


class Limiter:
    """A bucket for each address, and one for all together.

    An address that has none left takes none from the others. One from which a user's password was
    right is known of this user: for this name it needs none of those for all, so who has many
    addresses does not keep out who logs in from where this user did before. For other names it is
    one like any other, so nobody who may log in has more guesses at them. Of an IPv6 address only
    the network counts.

    Args:
        burst: tries of one address at once.
        every_s: after how many seconds it has another one.
        all_burst: tries at once of all addresses, but for users who are known there.
        all_every_s: after how many seconds they have another one.
        monotonic_ns: the clock that these are measured on.
    """

    def __init__(
        self,
        *,
        burst: int = 5,
        every_s: float = 10.0,
        all_burst: int = 20,
        all_every_s: float = 1.0,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._burst, self._every_s = burst, every_s
        self._monotonic_ns = monotonic_ns
        self._all = Bucket(all_burst, all_every_s, monotonic_ns())
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()
        self._known: OrderedDict[str, OrderedDict[str, Bucket]] = OrderedDict()  # by user

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, address: str, user: str = "") -> float:
        """Take the right to try once as a user; return 0, or the seconds to wait for it."""
        now_ns = self._monotonic_ns()
        network = _network(address)
        if (of_user := self._known.get(user)) and (known := of_user.get(network)):
            wait_s = known.wait_s(now_ns)
            if not wait_s:
                known.take()
            return wait_s
        bucket = self._buckets.get(network) or Bucket(self._burst, self._every_s, now_ns)
        wait_s = bucket.wait_s(now_ns) or self._all.wait_s(now_ns)
        if wait_s:
            return wait_s
        bucket.take()
        self._all.take()
        # Whose bucket is forgotten has a full one again; the one for all bounds what that gives.
        self._buckets[network] = bucket
        self._buckets.move_to_end(network)
        if len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return 0.0

    def give_back(self, address: str, user: str) -> None:
        """Give the right back: the password was right, and now the address is known of the user."""
        network = _network(address)
        of_user = self._known.pop(user, OrderedDict())
        bucket = of_user.pop(network, None)
        if bucket is None:
            self._all.give_back()
            # Its own bucket goes on: who may log in does not win back tries of other names by it.
            if tried := self._buckets.get(network):
                tried.give_back()
            bucket = Bucket(self._burst, self._every_s, self._monotonic_ns())
        bucket.give_back()
        of_user[network] = bucket
        if len(of_user) > _MOST_KNOWN:
            of_user.popitem(last=False)
        self._known[user] = of_user
        if len(self._known) > _MOST_USERS:
            self._known.popitem(last=False)


def _network(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(int(found) >> (128 - _IPV6_PREFIX))
    return str(found)
