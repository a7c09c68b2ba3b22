"""A ZeroMQ socket that sends and receives pictures; never leaves a message half sent or half read.

Names, order and defaults of all arguments are imagezmq 1.2.0's.
"""
# ruff: noqa: FBT001, FBT002, N803  # positional flags and a capital A: the API is imagezmq's

from __future__ import annotations

from typing import Any, Final

import numpy as np
import zmq
from numpy.typing import NDArray

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.imagezmq.message import encode_header, parse_header, parse_layout

# Stock has no limit, and programs may send long texts. This one only keeps a hostile header from
# becoming many times its size in small objects.
MAX_TEXT_BYTES: Final = 16 * 1024 * 1024


class SerializingSocket(zmq.Socket[bytes]):
    """A socket with imagezmq's two kinds of message: an array, and a JPEG buffer.

    Everything is checked before the first part is sent, and all parts are received before the
    first is looked at. So an error leaves the socket between two messages. (A REP socket then
    owes the answer to the rejected message, as it would to any other.)
    """

    def send_array(
        self,
        A: NDArray[Any],
        msg: object = "NoName",
        flags: int = 0,
        copy: bool = True,
        track: bool = False,
    ) -> zmq.MessageTracker | None:
        """Send an array of any shape; one that is not C-contiguous is made so first.

        Args:
            A: the array; of any dtype but objects.
            msg: a text, or any value that JSON can hold.
            flags: ZeroMQ's send flags.
            copy: False lends the array's memory to ZeroMQ until it is sent.
            track: with `copy=False`, return a tracker that tells when that was.

        Raises:
            TypeError: when A is no array or holds objects, or JSON cannot hold `msg`; nothing
                is sent then.
            zmq.Again: when `zmq.NOBLOCK` or a time-out ended the wait.
        """
        header = encode_header(msg, _check_array(A))
        data: Any = A if A.flags.c_contiguous else np.ascontiguousarray(A)
        if data.dtype.kind in "mM":  # numpy lends no buffer of times, but one of their integers
            data = data.view(np.int64)
        self.send(header, flags | zmq.SNDMORE)
        tracker: zmq.MessageTracker | None = self.send(data, flags, copy=copy, track=track)
        return tracker

    def send_jpg(
        self,
        msg: object = "NoName",
        jpg_buffer: Any = b"00",  # noqa: ANN401  # Python 3.11 has no type for "any buffer"
        flags: int = 0,
        copy: bool = True,
        track: bool = False,
    ) -> zmq.MessageTracker | None:
        """Send a buffer, verbatim; whether it holds a JPEG is not looked at.

        Args:
            msg: a text, or any value that JSON can hold.
            jpg_buffer: bytes, an array or another contiguous buffer.
            flags: ZeroMQ's send flags.
            copy: False lends the buffer's memory to ZeroMQ until it is sent.
            track: with `copy=False`, return a tracker that tells when that was.

        Raises:
            TypeError: when `jpg_buffer` is no buffer, or JSON cannot hold `msg`; nothing is
                sent then.
            ValueError: when the buffer has gaps; nothing is sent then.
            zmq.Again: when `zmq.NOBLOCK` or a time-out ended the wait.
        """
        header = encode_header(msg, None)
        _check_buffer(jpg_buffer)
        self.send(header, flags | zmq.SNDMORE)
        tracker: zmq.MessageTracker | None = self.send(jpg_buffer, flags, copy=copy, track=track)
        return tracker

    def recv_array(
        self, flags: int = 0, copy: bool = True, track: bool = False
    ) -> tuple[Any, NDArray[Any]]:
        """Receive (msg, array); with `copy=False` the array is a writable view of the message.

        Raises:
            RemoteProtocolError: when the message is not an array's; it is received whole and
                gone, and the next one can be received.
            zmq.Again: when `zmq.NOBLOCK` or a time-out ended the wait.
        """
        fields, data = self._recv_parts(flags, copy, track)
        shape, dtype = parse_layout(fields, memoryview(data).nbytes)
        return fields["msg"], np.frombuffer(data, dtype=dtype).reshape(shape)

    def recv_jpg(self, flags: int = 0, copy: bool = True, track: bool = False) -> tuple[Any, Any]:
        """Receive (msg, buffer), the buffer as bytes, or as a `zmq.Frame` with `copy=False`.

        Raises:
            RemoteProtocolError: when the message is not imagezmq's; it is received whole and
                gone, and the next one can be received.
            zmq.Again: when `zmq.NOBLOCK` or a time-out ended the wait.
        """
        fields, data = self._recv_parts(flags, copy, track)
        return fields["msg"], data

    def _recv_parts(self, flags: int, copy: bool, track: bool) -> tuple[dict[str, Any], Any]:
        parts: list[Any] = self.recv_multipart(flags, copy=copy, track=track)
        if len(parts) != 2:
            raise RemoteProtocolError(
                Reason.PARTS, f"parts are {len(parts)}, want 2, header and data"
            )
        return parse_header(bytes(parts[0]), MAX_TEXT_BYTES), parts[1]


class SerializingContext(zmq.Context[SerializingSocket]):
    """A ZeroMQ context whose sockets are `SerializingSocket`."""

    _socket_class = SerializingSocket


def _check_array(array: object) -> NDArray[Any]:
    if not isinstance(array, np.ndarray):
        raise TypeError(f"image is {type(array).__name__}, want a numpy array")
    if array.dtype.hasobject:
        raise TypeError(
            f"image has dtype {array.dtype}, want numbers: an object's bytes are its address"
        )
    return array


def _check_buffer(buffer: Any) -> None:  # noqa: ANN401  # Python 3.11 has no type for "any buffer"
    try:
        view = memoryview(buffer)
    except TypeError:
        raise TypeError(
            f"jpg_buffer is {type(buffer).__name__}, want bytes or another buffer"
        ) from None
    with view:
        if "O" in view.format:
            raise TypeError("jpg_buffer holds objects, want bytes")
        if not view.contiguous:
            raise ValueError(f"jpg_buffer has strides {view.strides}, want contiguous bytes")
