"""One of a camera's streams on the node: mailbox, gate, processing, encoder, outlet.

It never encodes a picture that the hub has no room for, and holds none while it waits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from camfleet.draft import Draft
from camfleet.frame import Stages
from camfleet.outbox import Outlet
from camfleet_node.processing import Processing
from camfleet_node.reader import WAIT_S, Reader
from camfleet_node.sending import Sending
from camfleet_node.sources import Content, Picture


class Detectors(Protocol):
    """What a stream wants to know of its camera's detectors."""

    @property
    def is_moving(self) -> bool:
        """Whether something moves."""
        ...

    @property
    def changes(self) -> int:
        """How many changes were told so far."""
        ...


class NoDetectors:
    """Of a camera that has none."""

    is_moving = False
    changes = 0


class Stream(Reader):
    """Encodes the newest picture on a thread of its own whenever the hub has room for it.

    Args:
        camera: its name, for the log.
        outlet: where its frames go.
        sending: which pictures are sent at all.
        processing: what is done to them.
        encode: makes a JPEG of a picture; a `ValueError` of it says that the picture is unfit.
        detectors: of the camera.

    Attributes:
        is_hot: every other picture is to be left out.
    """

    def __init__(
        self,
        camera: str,
        outlet: Outlet,
        sending: Sending,
        processing: Processing,
        encode: Callable[[Content], bytes],
        *,
        detectors: Detectors | None = None,
    ) -> None:
        self.is_hot = False
        self._outlet = outlet
        self._sending = sending
        self._processing = processing
        self._encode = encode
        self._detectors = detectors or NoDetectors()
        super().__init__(f"encode-{outlet.stream}", camera)

    def put(self, picture: Picture[Content]) -> None:
        """Count a picture and leave it for the encoder; from the capture's thread."""
        for _ in range(picture.passed_over):
            self._outlet.capture()
            self._outlet.drop("newer")
        sequence = self._outlet.capture()
        if self._put(sequence, picture):
            self._outlet.drop("newer")

    # On its own thread.

    def is_ready(self) -> bool:
        """Wait for a credit first: the picture that is encoded then is the newest one."""
        return self._outlet.wait_credit(WAIT_S)

    def work(self, sequence: int, picture: Picture[Content], /) -> None:
        """Send a picture, or say why not."""
        if reason := self._judge():
            self._outlet.drop(reason)
        else:
            self._outlet.send(self._draft(sequence, picture))

    def give_up(self) -> None:
        """Count a picture that is unfit."""
        self._outlet.drop("unfit")

    def _judge(self) -> str:
        return self._sending.judge(
            time.monotonic_ns(),
            is_wanted=self._outlet.is_wanted,
            is_moving=self._detectors.is_moving,
            changes=self._detectors.changes,
            is_hot=self.is_hot,
        )

    def _draft(self, sequence: int, picture: Picture[Content]) -> Draft:
        content = self._processing.choose(picture)
        content = self._processing.apply(content, picture.captured_ns)
        begun_ns = time.time_ns()
        if picture.encode and content is picture.image:  # nothing was done to it
            jpeg = picture.encode()
        else:
            jpeg = self._encode(content)
        ready_ns = time.time_ns()
        handed_over_ns = picture.captured_ns + picture.capture_ns
        stages = Stages(
            capture_ns=picture.capture_ns,
            process_ns=max(0, begun_ns - handed_over_ns),
            encode_ns=max(0, ready_ns - begun_ns),
        )
        return Draft(
            sequence=sequence,
            captured_ns=picture.captured_ns,
            ready_ns=ready_ns,
            payload=jpeg,
            codec="jpeg",
            shape=content.shape,
            stages=stages,
        )
