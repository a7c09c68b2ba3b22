"""Detections that wait to be sent: so many, newest wins, and not faster than a hub takes them."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from camfleet.allowance import Allowance
from camfleet.detection import DetectionDraft
from camfleet.wire import DetectionCounters

MAX_WAITING: Final = 64  # with pictures of 64 KiB they are 4 MiB, however long the hub is away
BURST: Final = 16  # every detector of a node at once
A_SECOND: Final = 10.0


class Waiting(NamedTuple):
    """A detection, and when its picture was captured, on the monotonic clock.

    It may wait for hours, and the Unix clock of a machine that has just started is often set.
    """

    stream: str
    draft: DetectionDraft
    captured_ns: int


class Backlog:
    """All that were detected are sent, dropped, or still wait.

    Attributes:
        sent: detections that were taken out to be sent.
        dropped: detections that a newer one pushed out.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.dropped = 0
        self._waiting: deque[Waiting] = deque()
        self._allowance = Allowance(BURST, A_SECOND)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, detection: Waiting) -> None:
        """Let one wait; where too many do, the oldest is dropped."""
        if len(self._waiting) == MAX_WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(detection)

    def take(self, monotonic_ns: int) -> Waiting | None:
        """Take the oldest one out, as it may be sent now; None where none may."""
        if not self._waiting or not self._allowance.take(monotonic_ns):
            return None
        self.sent += 1
        return self._waiting.popleft()

    def due_ns(self) -> int:
        """Monotonic time at which the next one may be sent, where one waits."""
        return self._allowance.due_ns()

    def counters(self) -> DetectionCounters:
        """What was counted in this session."""
        return DetectionCounters(self.sent, self.dropped)
