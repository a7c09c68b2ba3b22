"""The port for stock imagezmq senders: one thread around one ROUTER that answers each at once.

A sender that sends nonsense, or waits, or dies holds up nobody else.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Final

import zmq

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.frame import Frame, FrameHeader
from camfleet.imagezmq.camera_name import camera_name
from camfleet.imagezmq.message import Message, parse
from camfleet.names import MAIN
from camfleet.payload import check_payload
from camfleet.port import Port
from camfleet_hub.fleet import IMAGEZMQ_NODE

_OK: Final = b"OK"  # what imagezmq's hubs answer, and some senders compare with
_HIGH_WATER_MARK: Final = 16  # messages per sender; a REQ socket has one under way
_MAX_LABEL: Final = 512  # characters of the program's text that are kept with the frame

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
            header, data = _header_and_data(body)
            message = parse(header.bytes, data.buffer)
            stream = f"{camera_name(message.msg)}/{MAIN}"
            self._on_frame(_frame(stream, message))
            reply = _OK
        except RemoteProtocolError as error:
            error.stream = stream
            self._on_reject(IMAGEZMQ_NODE, error)
            reply = f"REJECTED: {error}".encode("utf-8", "backslashreplace")
        self.send(identity, *envelope, reply)


def _frame(stream: str, message: Message) -> Frame:
    shape = message.shape if message.codec == "raw" else (*message.shape, 3)
    check_payload(message.codec, shape, message.dtype, message.payload)
    text = message.msg if isinstance(message.msg, str) else json.dumps(message.msg)
    header = FrameHeader(
        stream=stream,
        session=0,
        sequence=0,  # a stock sender numbers nothing, so no gap can be seen
        sent=0,
        captured_ns=0,  # nor does it tell the time
        codec=message.codec,
        shape=shape,
        dtype=message.dtype,
        label=_sendable(text[:_MAX_LABEL]),
    )
    return Frame(IMAGEZMQ_NODE, header, message.payload, time.time_ns())


def _sendable(text: str) -> str:
    """Replace half characters, which JSON can spell and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _open(parts: list[zmq.Frame]) -> tuple[list[bytes], list[zmq.Frame]]:
    """Split what follows the identity into the envelope with its delimiter, and the message.

    A REQ socket's envelope is one empty part (ZeroMQ RFC 28); a proxy puts more before it.
    """
    for at, part in enumerate(parts):
        if not len(part):
            return [part.bytes for part in parts[: at + 1]], parts[at + 1 :]
    return [], parts


def _header_and_data(body: list[zmq.Frame]) -> tuple[zmq.Frame, zmq.Frame]:
    if len(body) != 2:
        raise RemoteProtocolError(Reason.PARTS, f"parts are {len(body)}, want 2, header and data")
    return body[0], body[1]
