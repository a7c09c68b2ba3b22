"""A simulated node: a real link around a real DEALER, and cameras that have but one picture."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from typing import Final

import zmq

from camfleet.backoff import Backoff
from camfleet.draft import Draft
from camfleet.errors import RemoteProtocolError
from camfleet.load.picture import SHAPE
from camfleet.load.plan import SimulatedNode
from camfleet.names import MAIN
from camfleet.node_link import LinkState, NodeLink
from camfleet.sockets import Context, open_dealer

_FIRST_HELLO_S: Final = 0.1
_MOST_HELLO_S: Final = 2.0
_HIGH_WATER_MARK: Final = 128  # never reached: credits bound what is sent
_MISSED: Final = "missed"
_NEWER: Final = "newer"


class NodeLoad:
    """One node's cameras. Used by one thread, which calls it in rounds.

    A picture that finds no credit waits for one, and a newer one takes its place, as on a real
    node. All pictures are one zmq frame, so that a round costs next to nothing beside the link.

    Args:
        context: that all of a generator's nodes share.
        address: the hub's.
        node: who it is.
        picture: its bytes, and the same as a frame of zmq.
        software: for the hub's list of nodes.

    Attributes:
        dealer: its socket, to be polled.
        sent: frames that were handed to it, by camera.
    """

    def __init__(
        self,
        context: Context,
        address: str,
        node: SimulatedNode,
        picture: tuple[bytes, zmq.Frame],
        software: str,
    ) -> None:
        backoff = Backoff(_FIRST_HELLO_S, _MOST_HELLO_S, random.random)
        self._link = NodeLink(node.name, random.getrandbits(63), backoff, software)
        self._streams = [f"camera-{number + 1}/{MAIN}" for number in range(node.cameras)]
        for stream in self._streams:
            self._link.declare(stream)
        self._jpeg, self._frame = picture
        self._pending: dict[int, Draft] = {}
        self.sent = [0] * node.cameras
        _, self.dealer = open_dealer(address, _HIGH_WATER_MARK, node.bundle, context)
        self.dealer.connect(address)

    def speak(self, monotonic_ns: int) -> None:
        """Send what the link has to say by itself."""
        self._link.notice_silence(monotonic_ns)
        for header in self._link.poll(time.time_ns(), monotonic_ns):
            with contextlib.suppress(zmq.Again):  # it is not connected: the link will repeat it
                self.dealer.send_multipart((header, b""), zmq.NOBLOCK)

    def capture(self, camera: int, *, is_missed: bool) -> None:
        """Take a picture, and send it where there is a credit."""
        link, stream = self._link, self._streams[camera]
        sequence = link.capture(stream)
        if is_missed:
            link.drop(stream, _MISSED)
            return
        if camera in self._pending:
            link.drop(stream, _NEWER)
        now_ns = time.time_ns()
        draft = Draft(sequence, now_ns, now_ns, self._jpeg, "jpeg", SHAPE)
        if link.credit(stream) > 0:
            self._pending.pop(camera, None)
            self._send(camera, draft, now_ns)
        else:
            self._pending[camera] = draft

    def read(self) -> None:
        """Take what the hub said, and spend the credits in it."""
        with contextlib.suppress(zmq.Again):
            while True:
                header = self.dealer.recv_multipart(zmq.NOBLOCK)[0]
                with contextlib.suppress(RemoteProtocolError):
                    self._link.receive(header, time.time_ns(), time.monotonic_ns())
        for camera in [one for one in self._pending if self._link.credit(self._streams[one]) > 0]:
            self._send(camera, self._pending.pop(camera), time.time_ns())

    def close(self) -> None:
        """Say goodbye and let the socket go."""
        with contextlib.suppress(zmq.Again):
            self.dealer.send_multipart((self._link.bye("the load test ended"), b""), zmq.NOBLOCK)
        self.dealer.close()

    @property
    def is_online(self) -> bool:
        """Whether the hub has welcomed it."""
        return self._link.state is LinkState.ONLINE

    @property
    def refusal(self) -> str:
        """What the hub said when it last refused it."""
        return "" if self.is_online else self._link.refusal

    def dropped(self) -> Iterator[tuple[str, int]]:
        """Pictures that were not sent, by reason."""
        for counters in self._link.counters():
            yield from counters.dropped.items()

    def _send(self, camera: int, draft: Draft, unix_ns: int) -> None:
        header = self._link.send(self._streams[camera], draft, unix_ns)
        self.sent[camera] += 1
        # Again: the connection broke just now; the hub counts what was sent on it as lost.
        with contextlib.suppress(zmq.Again):
            self.dealer.send(header, zmq.SNDMORE | zmq.NOBLOCK)
            self.dealer.send(self._frame, zmq.NOBLOCK, copy=False)
