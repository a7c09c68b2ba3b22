"""A thread with a socket of its own, which goes round until it is closed. It waits for no peer."""

from __future__ import annotations

import threading
import time
from abc import abstractmethod

from camfleet.closing import Closing
from camfleet.sockets import Context, Socket
from camfleet.thread_time import busy_s


class Worker(Closing):
    """Goes round on its thread. What it does in a round is its subclass's affair.

    Args:
        context: of the socket; both are closed with this.
        socket: used by the thread alone from now on.

    Attributes:
        alive_ns: monotonic time of the thread's last round, ten a second or more.
    """

    def __init__(self, context: Context, socket: Socket) -> None:
        self._context = context
        self._socket = socket
        self.alive_ns = time.monotonic_ns()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._thread.start()

    @abstractmethod
    def go_round(self) -> None:
        """Do what is to do, on the thread; wait for at most `sockets.POLL_MS` when it is none."""

    def end(self) -> None:
        """Do what is owed after the last round, on the thread."""

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running: not after `close`, nor after a bug in it."""
        return self._thread.is_alive()

    @property
    def busy_s(self) -> float:
        """Seconds of a processor that the thread has used."""
        return busy_s(self._thread)

    def close(self) -> None:
        """Stop within a second, whatever the peers do."""
        if not self._is_closing:
            self._is_closing = True
            self._thread.join()
            self._context.term()

    def _run(self) -> None:
        with self._socket:
            while not self._is_closing:
                self.go_round()
                self.alive_ns = time.monotonic_ns()
            self.end()
