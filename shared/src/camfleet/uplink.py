"""A node's socket: one thread around one DEALER, which sends what its outbox allows.

It never queues: a stream has one pending frame, and a newer one replaces it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Final

import zmq

from camfleet.node_link import NodeLink
from camfleet.outbox import Outbox
from camfleet.sockets import connect_dealer

_NS: Final = 1_000_000_000
_POLL_MOST_S: Final = 1.0
_HIGH_WATER_MARK: Final = 128  # never reached: credits bound what is sent


class Uplink:
    """Keeps one link to a hub until it is closed.

    Args:
        address: the hub's, for example `tcp://hub:5556`.
        link: the state machine; from now on only its outbox uses it.

    Attributes:
        outbox: where cameras' threads leave their frames.

    Raises:
        LocalProtocolError: for a bad address.
    """

    def __init__(self, address: str, link: NodeLink) -> None:
        self._context, self._dealer = connect_dealer(address, _HIGH_WATER_MARK)
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self.outbox = Outbox(link, self._wake)
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="camfleet-sender", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether the thread is running: not after `close`, nor after a bug in it."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Say goodbye and stop, within a second whatever the network does."""
        if self._is_closing:
            return
        self._is_closing = True
        self.outbox.close()
        self._wake()
        self._thread.join()
        self._context.term()
        self._waker.close()
        self._woken.close()

    def _wake(self) -> None:
        with contextlib.suppress(OSError):  # then it is awake already, or closed
            self._waker.send(b"\0")

    # From here on only the uplink's own thread, which alone touches the socket.

    def _run(self) -> None:
        with self._dealer:
            while not self._is_closing:
                self._write()
                self._await()
                self._read()
            self._transmit(self.outbox.bye(), b"")

    def _is_connected(self) -> bool:
        return bool(int(self._dealer.get(zmq.EVENTS)) & zmq.POLLOUT)

    def _write(self) -> None:
        self.outbox.notice_silence(time.monotonic_ns())
        if self._is_connected():
            for header, payload in self.outbox.take(time.time_ns(), time.monotonic_ns()):
                self._transmit(header, payload)

    def _await(self) -> None:
        """Sleep until there is something to read, to send, or a connection to send it on."""
        poller = zmq.Poller()
        poller.register(self._woken, zmq.POLLIN)
        wait_s = _POLL_MOST_S
        if self._is_connected():
            poller.register(self._dealer, zmq.POLLIN)
            wait_s = min(wait_s, (self.outbox.due_ns() - time.monotonic_ns()) / _NS)
        else:
            poller.register(self._dealer, zmq.POLLIN | zmq.POLLOUT)
        if self._woken.fileno() in dict(poller.poll(max(0, int(wait_s * 1000) + 1))):
            self._woken.recv(4096)

    def _read(self) -> None:
        headers = []
        with contextlib.suppress(zmq.Again):
            while True:
                parts = self._dealer.recv_multipart(zmq.NOBLOCK)
                headers.append(parts[0])
        if headers:
            self.outbox.receive(headers, time.time_ns(), time.monotonic_ns())

    def _transmit(self, header: bytes, payload: bytes | memoryview) -> None:
        # Again: the connection broke just now; what was sent on it is counted as lost.
        with contextlib.suppress(zmq.Again):
            self._dealer.send_multipart((header, payload), zmq.NOBLOCK, copy=False)
