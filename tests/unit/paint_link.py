"""A viewer behind a simulated link: what is sent takes its time, and is painted at a refresh."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random

from camfleet_hub.web.window import Window

MS = 1_000_000
REFRESH_MS = 17


@dataclass
class PaintLink:
    """Cameras that always have a newer picture, a link, and a browser; a step is a millisecond.

    Attributes:
        rate: bytes per millisecond.
        delay_ms: one way.
        decode_ms: of one frame, one after the other.
        pause_ms: up to so much longer than a refresh the browser waits with each painting.
        ages_ms: from sending to painting, of each frame.
    """

    rate: float
    delay_ms: int
    size_bytes: int
    decode_ms: float = 0.0
    fps: float = 1000.0
    pause_ms: int = 0
    window: Window = field(default_factory=Window)
    ages_ms: list[float] = field(default_factory=list)
    painted_bytes: int = 0
    now_ms: int = 0
    most_bytes: int = 0
    _number: int = 0
    _messages: int = 0
    _paints_ms: int = 0
    _random: Random = field(default_factory=lambda: Random(1))  # noqa: S311 - the same each time
    _free_ms: float = 0.0
    _decoded_ms: float = 0.0
    _offered: float = 0.0
    _due: deque[tuple[float, int, int]] = field(default_factory=deque)
    _acks: deque[tuple[float, list[int]]] = field(default_factory=deque)

    def run(self, span_ms: int) -> PaintLink:
        """Let so much time pass; count anew."""
        self.ages_ms, self.painted_bytes, self.most_bytes = [], 0, 0
        for _ in range(span_ms):
            self.now_ms += 1
            self._offered = min(self._offered + self.fps / 1000, 64)
            self._acknowledge()
            self._paint()
            self._send()
        return self

    def _send(self) -> None:
        while self._send_message():
            pass
        self.most_bytes = max(self.most_bytes, self.window.unpainted_bytes)

    def _send_message(self) -> int:
        """Send what is due as one message, which arrives as a whole; return how many frames."""
        now_ns = self.now_ms * MS + self._messages  # no two messages at the same time
        self._messages = (self._messages + 1) % MS
        numbers: list[int] = []
        left_bytes = self.window.message_bytes(now_ns)
        while self._offered >= 1 and (left_bytes > 0 or not numbers):
            if not self.window.has_room(now_ns):
                break
            self._offered -= 1
            self._number += 1
            self.window.send(self._number, self.size_bytes, now_ns)
            numbers.append(self._number)
            left_bytes -= self.size_bytes
        occupied_ms = len(numbers) * self.size_bytes / self.rate
        self._free_ms = max(self._free_ms, self.now_ms) + occupied_ms
        for number in numbers:
            arrived_ms = self._free_ms + self.delay_ms
            self._decoded_ms = max(self._decoded_ms, arrived_ms) + self.decode_ms
            self._due.append((self._decoded_ms, number, self.now_ms))
        return len(numbers)

    def _paint(self) -> None:
        if self.now_ms < self._paints_ms:
            return
        self._paints_ms = self.now_ms + REFRESH_MS + self._random.randint(0, self.pause_ms)
        painted = []
        while self._due and self._due[0][0] <= self.now_ms:
            _, number, sent_ms = self._due.popleft()
            painted.append(number)
            self.ages_ms.append(self.now_ms - sent_ms)
        if painted:
            self.painted_bytes += len(painted) * self.size_bytes
            self._acks.append((self.now_ms + self.delay_ms, painted))

    def _acknowledge(self) -> None:
        while self._acks and self._acks[0][0] <= self.now_ms:
            for number in self._acks.popleft()[1]:
                self.window.acknowledge(number, self.now_ms * MS)
            self.window.measure(self.now_ms * MS)
