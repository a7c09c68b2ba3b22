"""imagezmq's ImageHub: receives pictures with their texts. Never loses its place after a bad one.

Names, order and defaults of all arguments are imagezmq 1.2.0's.
"""
# ruff: noqa: FBT001, FBT002, N803  # positional flags, one in capitals: the API is imagezmq's

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import zmq

from camfleet.errors import RemoteProtocolError
from camfleet.imagezmq.endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

T = TypeVar("T")


class ImageHub(Endpoint):
    """Receives pictures from any number of senders.

    With REQ/REP it binds, and every picture received must be answered by `send_reply` before
    the next is received. With PUB/SUB it connects to one sender, and to more by `connect`.

    With PUB/SUB a hub that is slower than its senders misses pictures, and is behind by 8 of
    each sender here and 8 there, where stock lets 1000 wait on each side. That needs this
    package at both ends: a stock sender still queues its 1000, in its own memory. Who would
    rather fall behind than miss one sets `zmq_socket.rcvhwm = 1000`.

    A bad message is received whole and then raises `RemoteProtocolError`; the hub goes on.
    With REQ/REP its sender still waits for a reply: call `send_reply` with one of your own,
    or just receive again, which first answers with an empty reply.

    Args:
        open_port: address to bind (REQ/REP) or to connect to (PUB/SUB).
        REQ_REP: True for REQ/REP, False for PUB/SUB.

    Raises:
        zmq.ZMQError: when the address is misspelt or in use.
    """

    _is_unanswered = False  # whether the last message was a bad one that awaits its reply

    def __init__(self, open_port: str = "tcp://*:5555", REQ_REP: bool = True) -> None:
        self.REQ_REP = REQ_REP
        if REQ_REP == 1:  # not its truth: programs that pass a text have always had PUB/SUB
            self.init_reqrep(open_port)
        else:
            self.init_pubsub(open_port)

    def init_reqrep(self, address: str) -> None:
        """Open a REP socket bound to an address of this machine."""
        self._open(zmq.REP, address, binds=True)

    def init_pubsub(self, address: str) -> None:
        """Open a SUB socket connected to a sender's address, for all topics."""
        self._open(zmq.SUB, address, binds=False)

    def connect(self, open_port: str) -> None:
        """Receive from one more PUB/SUB sender; without effect in REQ/REP mode."""
        if self.REQ_REP == 0:
            self.zmq_socket.connect(open_port)

    def recv_image(self, copy: bool = False) -> tuple[Any, NDArray[Any]]:
        """Wait for a picture and return (msg, array), a writable view of the message.

        Args:
            copy: without effect, as in imagezmq.

        Raises:
            RemoteProtocolError: when the message is not an array's.
            zmq.Again: when a time-out that the program set on `zmq_socket` ran out.
        """
        del copy
        return self._receive(self.zmq_socket.recv_array)

    def recv_jpg(self, copy: bool = False) -> tuple[Any, zmq.Frame]:
        """Wait for a buffer and return (msg, buffer); whether it is a JPEG is not looked at.

        Args:
            copy: without effect, as in imagezmq.

        Raises:
            RemoteProtocolError: when the message is not imagezmq's.
            zmq.Again: when a time-out that the program set on `zmq_socket` ran out.
        """
        del copy
        return self._receive(self.zmq_socket.recv_jpg)

    def send_reply(self, reply_message: bytes = b"OK") -> None:
        """Answer the sender of the picture received last; only in REQ/REP mode."""
        self.zmq_socket.send(reply_message)
        self._is_unanswered = False

    def _receive(self, receive: Callable[..., T]) -> T:
        self._answer_bad_message()
        try:
            return receive(copy=False)
        except RemoteProtocolError:
            self._is_unanswered = True
            raise

    def _answer_bad_message(self) -> None:
        """Answer for a program that did not: a REP socket receives nothing before it has sent."""
        if not self._is_unanswered:
            return
        self._is_unanswered = False
        # the program may have answered on zmq_socket itself; then there is nothing to send
        if self.zmq_socket.type == zmq.REP and self.zmq_socket.poll(0, zmq.POLLOUT):
            self.zmq_socket.send(b"")
