"""A request and its reply, over as many connections as it takes. Never waits on a lost one.

A bare REQ socket sends its request once. A hub that dies with it leaves the socket waiting for
a reply that nobody owes any more.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any, Final

import zmq

from camfleet.backoff import Backoff
from camfleet.imagezmq.watched import WatchedSocket

# libzmq's own pause before it connects again; a peer that hangs up each time is asked less often
_FIRST_PAUSE_S: Final = 0.1
_MOST_PAUSE_S: Final = 5.0

# A hub that is unplugged hangs up for nobody, so the kernel asks for signs of life: probes while
# nothing is under way, acknowledgements while something is. ZMTP's heartbeats would do it too,
# but they add commands to the stream, a hub before libzmq 4.2 leaves them unanswered, and on a
# slow link they wait behind the picture. All of these must be set before the connection is made.
_OPTIONS: Final = {
    zmq.REQ_RELAXED: 1,  # without REQ_CORRELATE, which would add a part to each message
    zmq.TCP_KEEPALIVE: 1,
    zmq.TCP_KEEPALIVE_IDLE: 10,  # s
    zmq.TCP_KEEPALIVE_INTVL: 5,  # s
    zmq.TCP_KEEPALIVE_CNT: 4,
    zmq.TCP_MAXRT: 30_000,  # ms for which sent bytes may stay unacknowledged
    zmq.CONNECT_TIMEOUT: 5_000,  # ms; the kernel's own retries come up to a minute apart
}


class Exchange:
    """Sends requests over a REQ socket and waits for their replies.

    A request whose connection is lost before the reply is sent again over a new connection, so
    a hub gets it at least once. A request whose reply was not waited for is given up together
    with its connection, so its reply can never be taken for the next one's.

    Args:
        socket: a REQ socket, not yet connected, and to one hub only while this is used.
    """

    def __init__(self, socket: WatchedSocket) -> None:
        for option, value in _OPTIONS.items():
            socket.setsockopt(option, value)
        self._socket = socket
        self._losses = socket.watch()
        self._poller = zmq.Poller()
        self._poller.register(socket, zmq.POLLIN)
        self._poller.register(self._losses, zmq.POLLIN)
        self._is_reply_due = False

    def ask(self, send: Callable[[], object]) -> bytes:
        """Send a request and return its reply.

        Args:
            send: sends the request over the socket; called again for every repetition.

        Raises:
            zmq.Again: when the socket's `rcvtimeo` ran out; the next request can be sent.
        """
        if self._is_reply_due:
            self._reconnect()
        self._forget_losses()
        send()
        self._is_reply_due = True
        reply = self._await_reply(send)
        self._is_reply_due = False
        return reply

    def _await_reply(self, send: Callable[[], object]) -> bytes:
        backoff = Backoff(_FIRST_PAUSE_S, _MOST_PAUSE_S, random.random)
        time_out_ms: Any = self._socket.rcvtimeo  # pyzmq types every option as any kind of value
        ends_s = _end_s(time_out_ms)
        while True:
            ready = dict(self._poller.poll(_left_ms(ends_s)))
            if ready and self._socket not in ready:
                self._repeat(send, int(1000 * backoff.next_s()), ends_s)
                continue
            try:
                return self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                if not ready:  # the program's time-out; otherwise it was no reply to this request
                    raise

    def _repeat(self, send: Callable[[], object], pause_ms: int, ends_s: float | None) -> None:
        """Send again after a pause, unless the reply came just before the loss, or time is up."""
        self._forget_losses()
        if self._socket.poll(_left_ms(ends_s, pause_ms)) or not _left_ms(ends_s):
            return
        self._reconnect()
        send()

    def _forget_losses(self) -> None:
        while self._losses.poll(0):
            self._losses.recv_multipart()

    def _reconnect(self) -> None:
        """Leave the connection with all that is still on it, both ways, and open a new one."""
        # not the first address: the program may have moved to another hub
        address = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        linger_ms = self._socket.linger
        self._socket.linger = 0  # or the request left behind would reach the hub as well
        try:
            self._socket.disconnect(address)
        finally:
            self._socket.linger = linger_ms
        self._forget_losses()  # of connections that ZeroMQ made by itself during the pause
        self._socket.connect(address)


def _end_s(timeout_ms: int) -> float | None:
    return None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000


def _left_ms(ends_s: float | None, most_ms: int = -1) -> int:
    """Milliseconds until the end, at most `most_ms`; -1 means without an end, as in ZeroMQ."""
    if ends_s is None:
        return most_ms
    left_ms = max(0, int(1000 * (ends_s - time.monotonic()) + 0.999))
    return left_ms if most_ms < 0 else min(left_ms, most_ms)
