"""The port for stock imagezmq senders: one thread around one ROUTER that answers each at once.

A sender that sends nonsense, or waits, or dies holds up nobody else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import zmq

from camfleet.errors import RemoteProtocolError
from camfleet.frame import Frame
from camfleet.port import Port
from camfleet_hub.fleet import IMAGEZMQ_NODE
from camfleet_hub.imagezmq_frame import read_frame

_OK: Final = b"OK"  # what imagezmq's hubs answer, and some senders compare with
_HIGH_WATER_MARK: Final = 16  # messages per sender; a REQ socket has one under way

OnFrame = Callable[[Frame], None]
OnReject = Callable[[str, RemoteProtocolError], None]


class ImagezmqPort(Port):
    """Turns stock senders' messages into frames of cameras that are named by their text.

    Args:
        address: where to bind, for example `tcp://*:5555`; port 0 takes any free one.
        on_frame: called on this port's thread; may raise RemoteProtocolError to refuse it.
        on_reject: called on the same thread with the node and what was wrong.

    Raises:
        LocalProtocolError: when the address cannot be bound.
    """

    def __init__(self, address: str, on_frame: OnFrame, on_reject: OnReject) -> None:
        self._on_frame = on_frame
        self._on_reject = on_reject
        super().__init__(address, _HIGH_WATER_MARK)

    def take(self, identity: bytes, parts: list[zmq.Frame]) -> None:
        """Take one message and answer it at once, whatever it is."""
        envelope, body = _open(parts)
        stream = ""
        try:
            frame = read_frame(body)
            stream = frame.header.stream
            self._on_frame(frame)
            reply = _OK
        except RemoteProtocolError as error:
            error.stream = error.stream or stream
            self._on_reject(IMAGEZMQ_NODE, error)
            reply = f"REJECTED: {error}".encode("utf-8", "backslashreplace")
        self.send(identity, *envelope, reply)


def _open(parts: list[zmq.Frame]) -> tuple[list[bytes], list[zmq.Frame]]:
    """Split what follows the identity into the envelope with its delimiter, and the message.

    A REQ socket's envelope is one empty part (ZeroMQ RFC 28); a proxy puts more before it.
    """
    for at, part in enumerate(parts):
        if not len(part):
            return [part.bytes for part in parts[: at + 1]], parts[at + 1 :]
    return [], parts
