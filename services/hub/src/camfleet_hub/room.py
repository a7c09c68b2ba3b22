"""How many cameras and how much of their pictures a hub keeps, and who waits for a place.

What is refused here costs an ingest thread next to nothing, however full the fleet is.
"""

from __future__ import annotations

from typing import Final

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.frame import Frame

MAX_PICTURE_BYTES: Final = 2**30  # 512 JPEGs of 2 MB each, or 170 raw pictures of 1080p
_MOST_WAITING: Final = 64  # cameras that get a place within a second; the others in the next


class Room:
    """The bounds on cameras and their newest pictures.

    Args:
        max_cameras: streams that take a place.
        max_picture_bytes: of all newest frames together.

    Attributes:
        cameras: streams that have a place.
        picture_bytes: of their newest frames, together. Two ports may lose one of two sums made
            at the same time, so they are counted anew once a second.
    """

    def __init__(self, max_cameras: int, max_picture_bytes: int) -> None:
        self._max_cameras = max_cameras
        self._max_picture_bytes = max_picture_bytes
        self._waiting: set[tuple[str, str]] = set()
        self.cameras = 0
        self.picture_bytes = 0

    def want_bytes(self, frame: Frame, more_bytes: int) -> None:
        """See that a frame has room, which takes so many bytes more than the one before it.

        Raises:
            RemoteProtocolError: with reason `too_many`; it waits for a place then.
        """
        if more_bytes <= 0 or self.picture_bytes + more_bytes <= self._max_picture_bytes:
            return
        self._let_wait(frame.node, frame.header.stream)
        text = f"pictures here have {self.picture_bytes} bytes and this one {len(frame.payload)}"
        error = RemoteProtocolError(
            Reason.TOO_MANY, f"{text}, want {self._max_picture_bytes} together at most"
        )
        error.stream, error.sent = frame.header.stream, frame.header.sent
        raise error

    def want_place(self, node: str, stream: str) -> None:
        """See that there is a place for one more camera.

        Raises:
            RemoteProtocolError: the same.
        """
        if self.cameras >= self._max_cameras:
            self._let_wait(node, stream)
            raise self.no_place(stream)

    def no_place(self, stream: str = "") -> RemoteProtocolError:
        """What is said to who has no place."""
        text = f"{self._max_cameras} cameras are here, want no more"
        error = RemoteProtocolError(Reason.TOO_MANY, text)
        error.stream = stream
        return error

    def take_waiting(self) -> int:
        """How many wait for a place; from now on none does."""
        count = len(self._waiting)
        self._waiting.clear()
        return count

    @property
    def is_awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def _let_wait(self, node: str, stream: str) -> None:
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.add((node, stream))
