"""A frame out of a stock imagezmq message, for both of the ways that such messages come in."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Final

import zmq

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.frame import Frame, FrameHeader
from camfleet.imagezmq.camera_name import camera_name
from camfleet.imagezmq.message import Message, parse
from camfleet.names import MAIN
from camfleet.payload import check_payload
from camfleet_hub.fleet import IMAGEZMQ_NODE

_MAX_LABEL: Final = 512  # characters of the program's text that are kept with the frame


def read_frame(parts: Sequence[zmq.Frame]) -> Frame:
    """Check a message and return its frame, of the camera that is named by its text.

    Raises:
        RemoteProtocolError: with the reasons of `parse`, `camera_name` and `check_payload`, and
            with the stream where the text could be read.
    """
    if len(parts) != 2:
        raise RemoteProtocolError(Reason.PARTS, f"parts are {len(parts)}, want 2, header and data")
    message = parse(parts[0].bytes, parts[1].buffer)
    stream = f"{camera_name(message.msg)}/{MAIN}"
    try:
        return _frame(stream, message)
    except RemoteProtocolError as error:
        error.stream = stream
        raise


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
