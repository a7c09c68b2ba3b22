"""What one subscriber has coming: its credit, and the frames that wait for it, bounded."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from camfleet.frame import Frame
from camfleet.pattern import StreamPattern
from camfleet.window import MAX_WINDOW
from camfleet.wire import Ask, DeliveryMode

MAX_QUEUE_FRAMES: Final = 256  # eight seconds of a camera with 30 fps
MAX_QUEUE_BYTES: Final = 64 * 1024 * 1024  # the largest payload fits

NEWER: Final = "newer"
OVERFLOW: Final = "overflow"


class Waiting(NamedTuple):
    """A frame that waits for its credit, and how many right before it cannot be had."""

    stream_id: str
    frame: Frame
    missed: int


class Sent(NamedTuple):
    """A delivery of which nobody knows yet whether it arrived; times are on the hub's clock."""

    stream_id: str
    captured_ns: int  # 0 where unknown
    sent_ns: int


@dataclass
class _Tally:
    """How far a subscriber is with one stream."""

    seen: int | None = None  # the number of the last frame that was offered; None before it
    skipped: int = 0  # since its last delivery, and before what waits


class Subscription:
    """Frames for one subscriber, in the order in which they are due.

    Of the newest ones each stream has a place, taken in the order in which they became full,
    so that a busy stream does not starve a quiet one. Of all ones there is a queue, whose
    oldest makes room.

    Args:
        identity: of its connection.
        caller: the name that its key stands for; None where there are no keys.
        patterns: of its streams.
        delivery: `newest` or `all`.
        monotonic_ns: now.

    Attributes:
        heard_ns: when it was heard last.
        sent: how many were delivered.
        dropped: what it did not get, by stream and reason, until somebody takes it.
    """

    def __init__(
        self,
        identity: bytes,
        caller: str | None,
        patterns: Sequence[StreamPattern],
        delivery: DeliveryMode,
        monotonic_ns: int,
    ) -> None:
        self.identity = identity
        self.caller = caller
        self.delivery = delivery
        self.heard_ns = monotonic_ns
        self.sent = 0
        self.dropped: Counter[tuple[str, str]] = Counter()
        self._patterns = patterns
        self._limit = 0
        self._arrived = 0
        self._under_way: deque[Sent] = deque()
        self._newest: dict[str, Waiting] = {}
        self._queue: deque[Waiting] = deque()
        self._queue_bytes = 0
        self._tallies: dict[str, _Tally] = {}

    def wants(self, node: str, stream: str) -> bool:
        """Whether a stream is among its own."""
        return any(pattern.matches(node, stream) for pattern in self._patterns)

    @property
    def is_ready(self) -> bool:
        """Whether a frame is there, and a credit for it."""
        return self.sent < self._limit and bool(self._newest or self._queue)

    def offer(self, stream_id: str, frame: Frame, number: int) -> None:
        """Take one frame that arrived at the hub.

        Args:
            stream_id: whose it is.
            frame: the frame.
            number: among all that arrived of its stream. What is missing was overtaken before
                it could be offered; what is not above the last one was offered already.
        """
        tally = self._tallies.setdefault(stream_id, _Tally())
        missed = 0 if tally.seen is None else number - tally.seen - 1
        if missed < 0:
            return
        tally.seen = number
        if self.delivery == "newest":
            self._replace(Waiting(stream_id, frame, missed))
        else:
            self._queue_up(Waiting(stream_id, frame, missed))

    def take(self) -> tuple[Waiting, int]:
        """Spend a credit on the frame that is due; return how many of its stream it follows on.

        The number is that of frames skipped since the last delivery.
        """
        waiting = self._next()
        tally = self._tallies[waiting.stream_id]
        skipped, tally.skipped = tally.skipped + waiting.missed, 0
        return waiting, skipped

    def deliver(self, waiting: Waiting, unix_ns: int) -> None:
        """Note that a frame that was taken goes out now."""
        header = waiting.frame.header
        is_known = header.captured_ns and header.clock_uncertainty_ns >= 0
        captured_ns = header.captured_ns + header.clock_offset_ns if is_known else 0
        self._under_way.append(Sent(waiting.stream_id, captured_ns, unix_ns))
        self.sent += 1

    def refuse(self, waiting: Waiting, skipped: int, reason: str) -> None:
        """Note that a frame that was taken cannot go out."""
        self._tallies[waiting.stream_id].skipped = skipped + 1
        self.dropped[waiting.stream_id, reason] += 1

    def ask(self, ask: Ask) -> Sent | None:
        """Take credit; return the newest delivery that arrived, if that is news.

        Whatever it says, no more than the widest window is under way.
        """
        arrived = min(ask.arrived, self.sent)
        newest = None
        while self._arrived < arrived:
            newest = self._under_way.popleft()
            self._arrived += 1
        self._limit = max(self._limit, min(ask.limit, self._arrived + MAX_WINDOW))
        return newest

    def keep(self, stream_ids: frozenset[str]) -> None:
        """Forget the other streams but for what waits of them; their numbers may begin anew."""
        waiting = {waiting.stream_id for waiting in self._queue} | self._newest.keys()
        for gone in self._tallies.keys() - stream_ids:
            self._tallies[gone].seen = None
            if gone not in waiting:
                del self._tallies[gone]

    def forbid(self, is_allowed: Callable[[str], bool]) -> None:
        """Forget streams that it may have no more, and what waits of them."""
        for gone in [one for one in self._tallies if not is_allowed(one)]:
            del self._tallies[gone]
            self._newest.pop(gone, None)
        self._queue = deque(one for one in self._queue if one.stream_id in self._tallies)
        self._queue_bytes = sum(len(one.frame.payload) for one in self._queue)

    def _next(self) -> Waiting:
        if self._newest:
            return self._newest.pop(next(iter(self._newest)))
        waiting = self._queue.popleft()
        self._queue_bytes -= len(waiting.frame.payload)
        return waiting

    def _replace(self, waiting: Waiting) -> None:
        """Give a frame its stream's place, whoever has it."""
        stream_id, frame, missed = waiting
        replaced = self._newest.get(stream_id)
        self._drop(stream_id, NEWER, missed + (replaced is not None))
        if replaced is not None:
            missed += replaced.missed + 1
        self._newest[stream_id] = Waiting(stream_id, frame, missed)

    def _queue_up(self, waiting: Waiting) -> None:
        """Put a frame behind all others; the oldest make room."""
        self._drop(waiting.stream_id, OVERFLOW, waiting.missed)
        self._queue.append(waiting)
        self._queue_bytes += len(waiting.frame.payload)
        while len(self._queue) > MAX_QUEUE_FRAMES or self._queue_bytes > MAX_QUEUE_BYTES:
            oldest = self._next()
            self._tallies[oldest.stream_id].skipped += oldest.missed + 1
            self._drop(oldest.stream_id, OVERFLOW, 1)

    def _drop(self, stream_id: str, reason: str, count: int) -> None:
        if count:
            self.dropped[stream_id, reason] += count
