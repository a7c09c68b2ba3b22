"""The port for stock imagezmq senders: one thread around one ROUTER that answers each at once.

A sender that sends nonsense, or waits, or dies holds up nobody else.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import zmq

from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import Frame, FrameHeader, check_payload
from camfleet.imagezmq.camera_name import camera_name
from camfleet.imagezmq.message import Message, parse
from camfleet.sender import MAIN
from camfleet.sockets import guard
from camfleet_hub.fleet import IMAGEZMQ_NODE

_OK: Final = b"OK"  # what imagezmq's hubs answer, and some senders compare with
_POLL_MS: Final = 100
_BURST: Final = 16
_HIGH_WATER_MARK: Final = 16  # messages per sender; a REQ socket has one under way
_LINGER_MS: Final = 100
_MAX_LABEL: Final = 512  # characters of the program's text that are kept with the frame

OnFrame = Callable[[Frame], None]
OnReject = Callable[[str, str, RemoteProtocolError], None]


class ImagezmqPort:
    """Turns stock senders' messages into frames of cameras that are named by their text.

    Args:
        address: where to bind, for example `tcp://*:5555`; port 0 takes any free one.
        on_frame: called on this port's thread; may raise RemoteProtocolError to refuse it.
        on_reject: called with the node, the camera (empty where unknown) and what was wrong.

    Raises:
        LocalProtocolError: when the address cannot be bound.
    """

    def __init__(self, address: str, on_frame: OnFrame, on_reject: OnReject) -> None:
        self._on_frame = on_frame
        self._on_reject = on_reject
        self._counts: Counter[str] = Counter()
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        self._bind(address)
        self.address = self._router.get_string(zmq.LAST_ENDPOINT)
        self.alive_ns = time.monotonic_ns()
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name="imagezmq-port", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and let the address go."""
        if not self._is_closing:
            self._is_closing = True
            self._thread.join()
            self._context.term()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _bind(self, address: str) -> None:
        guard(self._router, _HIGH_WATER_MARK)
        self._router.setsockopt(zmq.LINGER, _LINGER_MS)
        try:
            self._router.bind(address)
        except zmq.ZMQError as error:
            self._router.close()
            self._context.term()
            raise LocalProtocolError(
                f"cannot bind {address!r}: {error.strerror}; want a free tcp://ADDRESS:PORT"
            ) from error

    def _run(self) -> None:
        with self._router:
            while not self._is_closing:
                if self._router.poll(_POLL_MS):
                    with contextlib.suppress(zmq.Again):
                        for _ in range(_BURST):
                            self._serve(self._router.recv_multipart(zmq.NOBLOCK, copy=False))
                self.alive_ns = time.monotonic_ns()

    def _serve(self, parts: list[zmq.Frame]) -> None:
        identity, envelope, body = _open(parts)
        camera = ""
        try:
            header, data = _header_and_data(body)
            message = parse(header.bytes, data.buffer)
            camera = camera_name(message.msg)
            self._on_frame(self._frame(camera, message))
            self._counts[camera] += 1  # only of accepted cameras, so it is bounded
            reply = _OK
        except RemoteProtocolError as error:
            self._on_reject(IMAGEZMQ_NODE, camera, error)
            reply = f"REJECTED: {error}".encode("utf-8", "backslashreplace")
        with contextlib.suppress(zmq.Again):  # it does not read its answers: its own loss
            self._router.send_multipart([identity, *envelope, reply], zmq.NOBLOCK)

    def _frame(self, camera: str, message: Message) -> Frame:
        shape = message.shape
        if message.codec == "raw":
            check_payload("raw", shape, message.dtype, message.payload)
        else:
            shape = (*shape, 3)
        text = message.msg if isinstance(message.msg, str) else json.dumps(message.msg)
        number = self._counts[camera]
        header = FrameHeader(
            stream=f"{camera}/{MAIN}",
            session=0,
            sequence=number,
            sent=number,
            captured_ns=0,  # a stock sender does not tell
            codec=message.codec,
            shape=shape,
            dtype=message.dtype,
            label=text[:_MAX_LABEL],
        )
        return Frame(IMAGEZMQ_NODE, header, message.payload, time.time_ns())


def _open(parts: list[zmq.Frame]) -> tuple[bytes, list[bytes], list[zmq.Frame]]:
    """Split into the peer's identity, its envelope with the delimiter, and the message.

    A REQ socket's envelope is one empty part (ZeroMQ RFC 28); a proxy puts more before it.
    """
    identity, *rest = parts
    for at, part in enumerate(rest):
        if not len(part):
            return identity.bytes, [part.bytes for part in rest[: at + 1]], rest[at + 1 :]
    return identity.bytes, [], rest


def _header_and_data(body: list[zmq.Frame]) -> tuple[zmq.Frame, zmq.Frame]:
    if len(body) != 2:
        raise RemoteProtocolError(
            Reason.PARTS, f"message has {len(body)} parts, want header and data"
        )
    return body[0], body[1]
