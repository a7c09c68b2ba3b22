"""Wakes the thread of a ROUTER that waits for messages, by a message from within the process.

So that the thread waits in one place, and a frame costs it no look at a second one.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Final

import zmq

from camfleet.sockets import Context, Socket

_ADDRESS: Final = "inproc://wake"  # of the port's own context


class Waker:
    """A DEALER inside the process, connected to a ROUTER.

    Args:
        context: the ROUTER's.
        router: bound to this address as well, from now on.

    Attributes:
        identity: of its messages; it cannot be guessed, so no peer can have it.
    """

    def __init__(self, context: Context, router: Socket) -> None:
        self.identity = b"w" + os.urandom(16)
        router.bind(_ADDRESS)
        self._dealer = context.socket(zmq.DEALER)
        self._dealer.setsockopt(zmq.ROUTING_ID, self.identity)
        self._dealer.setsockopt(zmq.LINGER, 0)
        self._dealer.connect(_ADDRESS)
        # A socket may go from thread to thread behind a full fence (zmq_socket(3)), as a lock is.
        self._waking = threading.Lock()
        self._is_under_way = False

    def wake(self) -> None:
        """Send one message, unless one is under way; from any thread, without waiting."""
        if self._is_under_way:
            return
        with self._waking, contextlib.suppress(zmq.ZMQError):  # closed: nobody is to be woken
            if not self._is_under_way:
                self._is_under_way = True
                self._dealer.send(b"", zmq.NOBLOCK)

    def heard(self) -> None:
        """Note that the message came: whatever is asked from now on needs another one."""
        self._is_under_way = False

    def close(self) -> None:
        """Let it go, after the ROUTER's thread has ended."""
        with self._waking:
            self._dealer.close()
