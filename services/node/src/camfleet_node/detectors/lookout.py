"""A camera's detectors at work: a thread that shows them pictures and tells what they find.

It never holds up the capture, nor holds a picture while it waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from camfleet.detection import MAX_PICTURE_BYTES
from camfleet.outbox import Outlet
from camfleet_node.detectors.detector import Change, Detector
from camfleet_node.detectors.small import LONG_SIDE, small_gray
from camfleet_node.encoder import encode
from camfleet_node.processing import Processing
from camfleet_node.reader import Reader
from camfleet_node.sources import Content, Picture

_QUALITIES: Final = (75, 40, 10)  # the next one where a picture is too large
_NS: Final = 1_000_000_000


class Pace:
    """Says when something is due that happens so many times a second."""

    def __init__(self, fps: float) -> None:
        self._interval_ns = round(_NS / fps)
        self._due_ns = 0

    def is_due(self, monotonic_ns: int) -> bool:
        """Whether it is; then it is due again an interval later, on the grid unless late."""
        if monotonic_ns < self._due_ns:
            return False
        following_ns = self._due_ns + self._interval_ns
        is_late = following_ns <= monotonic_ns
        self._due_ns = monotonic_ns + self._interval_ns if is_late else following_ns
        return True


class Lookout(Reader):
    """Shows pictures to detectors until it is stopped.

    Args:
        camera: its name, for the log.
        outlet: of the camera's main stream.
        detectors: at least one.
        processing: of that stream; a detection's picture hides what the stream hides.
    """

    def __init__(
        self, camera: str, outlet: Outlet, detectors: Sequence[Detector], processing: Processing
    ) -> None:
        self._outlet = outlet
        self._detectors = [(detector, Pace(detector.fps)) for detector in detectors]
        self._processing = processing.narrowed(LONG_SIDE)
        self._place = processing.place
        self._pace = Pace(max(detector.fps for detector in detectors))
        self._changes = 0
        self._known: set[Detector] = set()  # whose first state was told
        super().__init__(f"look-{camera}", camera)

    def offer(self, picture: Picture[Content], monotonic_ns: int) -> None:
        """Leave a picture where one is due; from the capture's thread."""
        if self._pace.is_due(monotonic_ns):
            self._put(monotonic_ns, picture)

    # For who decides what is sent, on any thread.

    @property
    def is_moving(self) -> bool:
        """Whether something moves in any region."""
        return any(detector.is_moving for detector, _ in self._detectors)

    @property
    def changes(self) -> int:
        """How often any detector has told a change, beyond its first state."""
        return self._changes

    # On its own thread.

    def work(self, monotonic_ns: int, picture: Picture[Content], /) -> None:
        """Show a picture to the detectors for which one is due."""
        image = None
        for detector, pace in self._detectors:
            if not pace.is_due(monotonic_ns):
                continue
            image = small_gray(picture) if image is None else image
            if change := detector.look(image, monotonic_ns):
                self._tell(detector, change, picture)

    def _tell(self, detector: Detector, change: Change, picture: Picture[Content]) -> None:
        self._changes += detector in self._known
        self._known.add(detector)
        box = self._place(change.box) if change.box else None
        self._outlet.detect(
            detector.kind,
            change.state,
            detector.name,
            picture.captured_ns,
            box or (),
            self._draw(picture),
        )

    def _draw(self, picture: Picture[Content]) -> bytes:
        """Make a JPEG small enough for a detection; empty where there is no way."""
        content = self._processing.apply(self._processing.choose(picture), picture.captured_ns)
        sizes = (encode(content, quality) for quality in _QUALITIES)
        return next((jpeg for jpeg in sizes if len(jpeg) <= MAX_PICTURE_BYTES), b"")
