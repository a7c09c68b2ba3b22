"""Stock imagezmq publishers (PUB), by their addresses: one thread around one SUB for all of them.

A publisher that is down, or sends nonsense, or more than its share, holds up nobody else.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import zmq

from camfleet.errors import RemoteProtocolError
from camfleet.frame import Frame
from camfleet.sockets import POLL_MS, receive_parts
from camfleet_hub.fleet import IMAGEZMQ_NODE
from camfleet_hub.imagezmq_frame import read_frame
from camfleet_hub.imagezmq_port import OnFrame, OnReject
from camfleet_hub.pubsub import subscribe
from camfleet_hub.stream import Stream
from camfleet_hub.worker import Worker

_BURST: Final = 32  # messages looked at before the newest of each camera are handed on
_MOST_PARTS: Final = 3  # kept of one message, which has two: enough to say that they are too many
_PLACE: Final = "imagezmq"  # of a dropped frame
_NEWER: Final = "newer"  # the reason: another one of its camera came behind it


class ImagezmqPublishers(Worker):
    """Turns publishers' messages into frames of cameras that are named by their text.

    The publishers bind, as imagezmq's `ImageSender(REQ_REP=False)` does, and this connects. It
    does so again by itself, for as long as it takes. ZeroMQ takes one message from each in turn.
    Of the messages that wait, the newest of each camera is handed on.

    Args:
        addresses: of the publishers, for example `tcp://rpi1:5555`.
        on_frame: called on this thread; may raise RemoteProtocolError to refuse it.
        on_reject: called on the same thread with the node and what was wrong.
        find: returns a stream by its id, for counting its frames that newer ones overtook.

    Raises:
        LocalProtocolError: when one is no address.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        on_frame: OnFrame,
        on_reject: OnReject,
        find: Callable[[str], Stream | None],
    ) -> None:
        self._on_frame = on_frame
        self._on_reject = on_reject
        self._find = find
        super().__init__(*subscribe(addresses))

    def go_round(self) -> None:
        """Wait for a message, take what else is there, and hand on the newest of each camera."""
        if not self._socket.poll(POLL_MS):
            return
        newest: dict[str, Frame] = {}
        overtaken: Counter[str] = Counter()
        with contextlib.suppress(zmq.Again):
            for _ in range(_BURST):
                frame = self._take(receive_parts(self._socket, _MOST_PARTS, zmq.NOBLOCK))
                if frame is not None:
                    overtaken[frame.camera] += frame.camera in newest
                    newest[frame.camera] = frame
        for frame in newest.values():
            self._hand_on(frame)
        for camera, count in (+overtaken).items():
            if stream := self._find(f"{IMAGEZMQ_NODE}/{camera}"):
                stream.drop(_PLACE, _NEWER, count)

    def _take(self, parts: list[zmq.Frame]) -> Frame | None:
        try:
            return read_frame(parts)
        except RemoteProtocolError as error:
            self._on_reject(IMAGEZMQ_NODE, error)
            return None

    def _hand_on(self, frame: Frame) -> None:
        try:
            self._on_frame(frame)
        except RemoteProtocolError as error:
            error.stream = error.stream or frame.header.stream
            self._on_reject(IMAGEZMQ_NODE, error)
