"""imagezmq's ImageSender: sends pictures with a text to a hub. Never sends half a message.

Names, order and defaults of all arguments are imagezmq 1.2.0's.
"""
# ruff: noqa: FBT001, FBT002, N803  # a positional flag in capitals: the API is imagezmq's

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import zmq

from camfleet.imagezmq.endpoint import Endpoint
from camfleet.imagezmq.exchange import Exchange
from camfleet.imagezmq.watched import WatchedSocket

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from camfleet.imagezmq.serializing import SerializingSocket


class ImageSender(Endpoint):
    """Sends pictures, each with a text or another JSON value.

    With REQ/REP it connects to one hub and every send waits for the hub's reply, for ever
    unless `zmq_socket.rcvtimeo` is set; after that time-out the next picture can be sent. A hub
    that dies before it has replied gets the picture again when it is back.

    With PUB/SUB it binds, hubs connect to it, nothing waits, and a picture that no hub has
    subscribed to is gone. So is one for a hub that has not taken the 8 before it, where stock
    keeps 1000 and lets the hub fall behind. `zmq_socket.sndhwm = 1000` has it stock's way for
    the hubs that are connected already, and for addresses that `zmq_socket` binds after it.

    Args:
        connect_to: address to connect to (REQ/REP) or to bind (PUB/SUB).
        REQ_REP: True for REQ/REP, False for PUB/SUB.

    Raises:
        zmq.ZMQError: when the address is misspelt or in use.
    """

    _waits_for_reply: bool
    _exchange: Exchange

    def __init__(self, connect_to: str = "tcp://127.0.0.1:5555", REQ_REP: bool = True) -> None:
        if REQ_REP == 1:  # not its truth: programs that pass a text have always had PUB/SUB
            self.init_reqrep(connect_to)
        else:
            self.init_pubsub(connect_to)

    def init_reqrep(self, address: str) -> None:
        """Open a REQ socket connected to a hub's address."""
        self._waits_for_reply = True
        self._open(zmq.REQ, address, binds=False)

    def init_pubsub(self, address: str) -> None:
        """Open a PUB socket bound to an address of this machine."""
        self._waits_for_reply = False
        self._open(zmq.PUB, address, binds=True)

    def send_image(self, msg: object, image: NDArray[Any]) -> bytes | None:
        """Send an array of any shape and return the hub's reply, or None with PUB/SUB.

        Args:
            msg: a text, or any value that JSON can hold.
            image: the array, of any dtype but objects; its memory is lent, not copied, so with
                PUB/SUB it must not be changed at once.

        Raises:
            TypeError: when `image` is no array or holds objects; nothing is sent then.
            zmq.Again: when a time-out that the program set on `zmq_socket` ran out.
        """
        if self._waits_for_reply:
            return self.send_image_reqrep(msg, image)
        self.send_image_pubsub(msg, image)
        return None

    def send_image_reqrep(self, msg: object, image: NDArray[Any]) -> bytes:
        """Send an array over REQ/REP and return the hub's reply."""
        return self._exchange.ask(lambda: self.zmq_socket.send_array(image, msg, copy=False))

    def send_image_pubsub(self, msg: object, image: NDArray[Any]) -> None:
        """Send an array over PUB/SUB."""
        self.zmq_socket.send_array(image, msg, copy=False)

    def send_jpg(self, msg: object, jpg_buffer: Any) -> bytes | None:  # noqa: ANN401  # any buffer
        """Send a buffer, verbatim, and return the hub's reply, or None with PUB/SUB.

        Args:
            msg: a text, or any value that JSON can hold.
            jpg_buffer: bytes, an array or another contiguous buffer; lent, not copied.

        Raises:
            TypeError: when `jpg_buffer` is no buffer; nothing is sent then.
            ValueError: when the buffer has gaps; nothing is sent then.
            zmq.Again: when a time-out that the program set on `zmq_socket` ran out.
        """
        if self._waits_for_reply:
            return self.send_jpg_reqrep(msg, jpg_buffer)
        self.send_jpg_pubsub(msg, jpg_buffer)
        return None

    def send_jpg_reqrep(self, msg: object, jpg_buffer: Any) -> bytes:  # noqa: ANN401  # any buffer
        """Send a buffer over REQ/REP and return the hub's reply."""
        return self._exchange.ask(lambda: self.zmq_socket.send_jpg(msg, jpg_buffer, copy=False))

    def send_jpg_pubsub(self, msg: object, jpg_buffer: Any) -> None:  # noqa: ANN401  # any buffer
        """Send a buffer over PUB/SUB."""
        self.zmq_socket.send_jpg(msg, jpg_buffer, copy=False)

    def _make_socket(self, kind: int) -> SerializingSocket:
        if kind != zmq.REQ:
            return super()._make_socket(kind)
        # pyzmq types a context for one class of sockets, and makes any
        socket = cast("WatchedSocket", self.zmq_context.socket(kind, WatchedSocket))
        self._exchange = Exchange(socket)
        return socket
