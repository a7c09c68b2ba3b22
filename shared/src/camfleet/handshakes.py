"""Why a sender's connection does not come about, told by its socket; and when to try anew.

libzmq tells nobody, and after a refusal never connects again by itself.
"""

from __future__ import annotations

import contextlib
from typing import Final

import zmq

from camfleet.backoff import Backoff
from camfleet.closing import Closing
from camfleet.connections import FAILED, next_event, unwatch, watch
from camfleet.errors import LocalProtocolError

_NS: Final = 1_000_000_000
_AGAIN_NS: Final = 100_000_000  # after a connection that had been good, as libzmq itself does
_ENOUGH: Final = 3  # a hub that is stopped may end one or two handshakes without a word
_REFUSED: Final = 400  # the status of a key that is not allowed (ZeroMQ RFC 27)
_TRIED: Final = zmq.EVENT_CONNECT_RETRIED | zmq.EVENT_CONNECT_DELAYED | zmq.EVENT_CONNECTED
_WATCHED: Final = _TRIED | FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED

_NOT_ENROLLED: Final = (
    "the hub does not let this key in: it is not enrolled for this port, or revoked; "
    "want a bundle of this hub by `camfleet-hub enrol NAME` (--subscriber for who reads frames)"
)
_NO_CHECK: Final = "the hub could not check this key, status {}; want it repaired"
_HUB_WANTS_KEYS: Final = (
    "the hub lets only keys in and this side is plain; want a bundle by `camfleet-hub enrol NAME` "
    "(--subscriber for who reads frames)"
)
_HUB_IS_PLAIN: Final = "the hub there is plain, without keys; want the one that made this bundle"
_WRONG_HUB: Final = (
    "the hub there has another key than this bundle says, is no camfleet hub, or is down behind a "
    "proxy such as Docker's; want the one that made this bundle, or a new bundle of it"
)
_NOT_PLAIN: Final = (
    "what listens there takes nobody plain: a hub that lets only keys in, or no hub; "
    "want a bundle by `camfleet-hub enrol NAME` (--subscriber for who reads frames)"
)


class Handshakes(Closing):
    """Watches a DEALER. Used by the socket's own thread, and closed before it.

    Args:
        dealer: not connected yet; it is watched first, so that nothing is missed.
        address: the hub's, to which it is connected then.
        backoff: delays between attempts that fail.
        plain: whether it speaks without keys.

    Attributes:
        monitor: becomes readable when there is something to look at.
        is_new: a connection has come about since this was last set to False.
        problem: why there is no connection, in words for a person; empty while nothing is
            known to be wrong.

    Raises:
        LocalProtocolError: when that is no address.
    """

    def __init__(
        self, dealer: zmq.Socket[bytes], address: str, backoff: Backoff, *, plain: bool
    ) -> None:
        self._dealer = dealer
        self._address = address
        self._backoff = backoff
        self._plain = plain
        self._is_good = False  # the newest connection got through its handshake
        self._failed = 0
        self._cause = ""
        self._again_ns: int | None = None
        self.is_new = False
        self.problem = ""
        self.monitor = watch(dealer, _WATCHED)
        try:
            dealer.connect(address)
        except zmq.ZMQError as error:
            self.close()
            raise LocalProtocolError(f"address is {address!r}, want tcp://HOST:PORT") from error

    def look(self, monotonic_ns: int) -> None:
        """Take what happened since the last look, and connect anew when that is due."""
        with contextlib.suppress(zmq.Again):
            while True:
                self._take(*next_event(self.monitor), monotonic_ns)
        if self._again_ns is not None and monotonic_ns >= self._again_ns:
            self._again_ns = None
            self._disconnect()
            self._dealer.connect(self._address)

    def reconnect(self) -> None:
        """Replace a connection that brings nothing any more, without waiting for its end."""
        if not self._is_good:
            return  # there is none, and libzmq or `look` are at it
        self._again_ns = None
        self._is_good = False
        self._disconnect()
        self._dealer.connect(self._address)

    def due_ns(self) -> int | None:
        """Monotonic time at which `look` has something to do by itself, or None."""
        return self._again_ns

    def close(self) -> None:
        """Watch no more; the context could not end otherwise."""
        unwatch(self._dealer, self.monitor)

    def _take(self, event: int, value: int, monotonic_ns: int) -> None:
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._is_good = self.is_new = True
            self._again_ns = None
            self._failed = 0
            self.problem = self._cause = ""
            self._backoff.reset()
        elif event & FAILED:
            self._cause = self._explain(event, value)
        elif event == zmq.EVENT_DISCONNECTED and self._is_good:
            self._is_good = False
            self._again_ns = monotonic_ns + _AGAIN_NS
        elif event == zmq.EVENT_DISCONNECTED:
            self._fail(monotonic_ns)
        elif self._failed == 0:
            self._again_ns = None  # libzmq tries by itself

    def _fail(self, monotonic_ns: int) -> None:
        """Remember why a handshake failed, and let the next one wait: libzmq would not."""
        self._failed += 1
        if self._cause:
            self.problem = self._cause
        elif self._failed >= _ENOUGH:
            self.problem = self.problem or (_NOT_PLAIN if self._plain else _WRONG_HUB)
        self._cause = ""
        self._disconnect()
        self._again_ns = monotonic_ns + int(self._backoff.next_s() * _NS)

    def _explain(self, event: int, value: int) -> str:
        """Say what a failed handshake means; empty where it may mean many things."""
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return _NOT_ENROLLED if value == _REFUSED else _NO_CHECK.format(value)
        if value == zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
            return _HUB_WANTS_KEYS if self._plain else _HUB_IS_PLAIN
        return ""

    def _disconnect(self) -> None:
        with contextlib.suppress(zmq.ZMQError):  # libzmq has given it up already
            self._dealer.disconnect(self._address)
