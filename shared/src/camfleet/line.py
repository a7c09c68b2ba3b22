"""A connection to a hub: one thread around one DEALER, which says what its end has to say.

It never queues, and replaces a connection that brings nothing any more.
"""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from abc import ABC, abstractmethod
from typing import Final

import zmq

from camfleet.backoff import Backoff
from camfleet.errors import LocalProtocolError
from camfleet.handshakes import Handshakes
from camfleet.keys import Bundle
from camfleet.payload import Payload
from camfleet.sockets import open_dealer

_POLL_MOST_S: Final = 1.0
_MOST_PATIENCE: Final = 8
_CALM_NS: Final = 60_000_000_000  # without a silence, until there is no patience any more
_HIGH_WATER_MARK: Final = 128  # never reached: credits bound what is sent
_FIRST_HANDSHAKE_S: Final = 0.25
_MOST_HANDSHAKE_S: Final = 5.0
_NS: Final = 1_000_000_000


class End(ABC):
    """What a line carries messages for: a link behind a lock. It touches no socket."""

    @abstractmethod
    def take(self, unix_ns: int, monotonic_ns: int) -> list[tuple[bytes, Payload]]:
        """Return what is to go out now as (header part, payload part)."""

    @abstractmethod
    def receive(self, header: bytes, payload: Payload, unix_ns: int, monotonic_ns: int) -> None:
        """Take one message of the hub; one that it does not send is counted and dropped."""

    @abstractmethod
    def reject(self) -> None:
        """Count a message that is none."""

    @abstractmethod
    def begin(self) -> None:
        """Introduce ourselves anew, as on every new connection."""

    @abstractmethod
    def notice_silence(self, monotonic_ns: int) -> bool:
        """Let the link find out that nobody answers; return whether it has just now."""

    @abstractmethod
    def due_ns(self) -> int | None:
        """Monotonic time at which `take` has something to say by itself, or None."""

    @abstractmethod
    def tell(self, problem: str) -> None:
        """Take why there is no connection, for whoever asks; empty where nothing is wrong."""

    @abstractmethod
    def bye(self) -> bytes:
        """Return the header part that ends the link in order."""

    @abstractmethod
    def close(self) -> None:
        """Let whoever waits go; nothing more will come."""


class Line:
    """Keeps one connection to a hub until it is closed.

    Args:
        address: the hub's, for example `tcp://hub:5556`.
        bundle: the keys; without them everything is sent unencrypted.

    Raises:
        LocalProtocolError: for a bad address.
    """

    def __init__(self, address: str, bundle: Bundle | None = None) -> None:
        self._context, self._dealer = open_dealer(address, _HIGH_WATER_MARK, bundle)
        backoff = Backoff(_FIRST_HANDSHAKE_S, _MOST_HANDSHAKE_S, random.random)
        try:
            self._handshakes = Handshakes(self._dealer, address, backoff, plain=bundle is None)
        except LocalProtocolError:
            self._dealer.close()
            self._context.term()
            raise
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._is_closing = False
        self._notices = 0  # of a silence that lasts
        self._noticed_ns = 0
        self._patience = 1  # notices until a connection is replaced
        self._end: End
        self._thread: threading.Thread

    def start(self, end: End, name: str) -> None:
        """Carry messages for `end` from now on, on a thread of this name."""
        self._end = end
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running: not after `close`, nor after a bug in it."""
        return self._thread.is_alive()

    @property
    def is_closing(self) -> bool:
        """Whether `close` was called."""
        return self._is_closing

    def wake(self) -> None:
        """Let the thread look at what its end has to say; from any thread, without waiting."""
        with contextlib.suppress(OSError):  # then it is awake already, or closed
            self._waker.send(b"\0")

    def close(self) -> None:
        """Say goodbye and stop, within a second whatever the network does."""
        if self._is_closing:
            return
        if threading.current_thread() is self._thread:
            raise LocalProtocolError("closed by its own thread, want another one")
        self._is_closing = True
        self._end.close()
        self.wake()
        self._thread.join()
        self._context.term()
        self._waker.close()
        self._woken.close()

    # From here on only the line's own thread, which alone touches the socket.

    def _run(self) -> None:
        try:
            with self._dealer, self._handshakes:
                while not self._is_closing:
                    self._write()
                    self._await()
                    self._read()
                    self._look()
                self._end.close()  # or `close` may not have come to it yet
                self._say()  # what was taken before the end goes out before the goodbye
                self._transmit(self._end.bye(), b"")
        finally:
            self._end.close()  # also after a bug: nobody is to wait for ever

    def _notice_silence(self, monotonic_ns: int) -> None:
        """Replace a connection that brings nothing any more, each time with more patience.

        An answer may wait behind a frame that takes seconds, and a new connection would begin
        that frame anew, for ever.
        """
        if not self._end.notice_silence(monotonic_ns):
            return
        if monotonic_ns - self._noticed_ns > _CALM_NS:
            self._patience = 1
        self._noticed_ns = monotonic_ns
        self._notices += 1
        if self._notices >= self._patience:
            self._notices = 0
            self._patience = min(2 * self._patience, _MOST_PATIENCE)
            self._handshakes.reconnect()

    def _look(self) -> None:
        """Hear what became of the connection; on a new one nobody knows us yet."""
        self._handshakes.look(time.monotonic_ns())
        if self._handshakes.is_new:
            self._handshakes.is_new = False
            self._end.begin()
        self._end.tell(self._handshakes.problem)

    def _is_connected(self) -> bool:
        return bool(int(self._dealer.get(zmq.EVENTS)) & zmq.POLLOUT)

    def _write(self) -> None:
        self._notice_silence(time.monotonic_ns())
        self._say()

    def _say(self) -> None:
        if self._is_connected():
            for header, payload in self._end.take(time.time_ns(), time.monotonic_ns()):
                self._transmit(header, payload)

    def _await(self) -> None:
        """Sleep until there is something to read, to send, or a connection to send it on."""
        poller = zmq.Poller()
        poller.register(self._woken, zmq.POLLIN)
        poller.register(self._handshakes.monitor, zmq.POLLIN)
        is_connected = self._is_connected()
        # Without a connection it waits for one, which is when the socket may be written to.
        poller.register(self._dealer, zmq.POLLIN if is_connected else zmq.POLLIN | zmq.POLLOUT)
        now_ns = time.monotonic_ns()
        says_ns = self._end.due_ns() if is_connected else None
        times = (says_ns, self._handshakes.due_ns(), now_ns + int(_POLL_MOST_S * _NS))
        wait_ns = min(at_ns for at_ns in times if at_ns is not None) - now_ns
        if self._woken.fileno() in dict(poller.poll(max(0, wait_ns // 1_000_000 + 1))):
            self._woken.recv(4096)

    def _read(self) -> None:
        with contextlib.suppress(zmq.Again):
            while True:
                parts = self._dealer.recv_multipart(zmq.NOBLOCK, copy=False)
                now_ns = time.time_ns(), time.monotonic_ns()
                self._notices = 0
                if len(parts) == 2:
                    self._end.receive(parts[0].bytes, parts[1].buffer, *now_ns)
                else:
                    self._end.reject()

    def _transmit(self, header: bytes, payload: Payload) -> None:
        # Again: the connection broke just now; what was sent on it is counted as lost.
        with contextlib.suppress(zmq.Again):
            self._dealer.send_multipart((header, payload), zmq.NOBLOCK, copy=False)
