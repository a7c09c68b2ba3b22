"""The credit of one stream, at the side that grants it: what may come, and what has come."""

from __future__ import annotations

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.window import DeliveryRate, batch, window


class Ledger:
    """Frames numbered `expected` up to `limit` may come.

    A limit is absolute, as QUIC's are (RFC 9000, 4.1), and never goes back: what was granted
    may be under way already.

    Args:
        expected: the number of the next frame.
        most: frames that may be in flight, whatever the link holds.
    """

    def __init__(self, expected: int, most: int) -> None:
        self.expected = expected
        self.limit = expected
        self.window = 0
        self._most = most
        self._due = expected
        self._size_bytes = 0  # of the last frame
        self._rate = DeliveryRate()

    def take(self, number: int, size_bytes: int = 0) -> None:
        """Account for one frame of so many bytes.

        Raises:
            RemoteProtocolError: with reason `no_credit` when it came out of turn.
        """
        if not self.expected <= number < self.limit:
            raise RemoteProtocolError(
                Reason.NO_CREDIT, f"frame {number} came, want {self.expected} up to {self.limit}"
            )
        self.expected = number + 1
        self._size_bytes = size_bytes

    def catch_up(self, number: int) -> None:
        """Expect none below `number` any more: what is missing there is lost."""
        self.expected = max(self.expected, number)

    @property
    def credit(self) -> int:
        """How many frames may come before the next grant."""
        return max(0, self.limit - self.expected)

    @property
    def is_due(self) -> bool:
        """Whether it is time to grant more: some have come since, or all that may."""
        return self.expected >= self._due

    def extend(self, monotonic_ns: int, round_trip_ns: int) -> int:
        """Grant as many as the link needs in flight; return the limit."""
        fps = self._rate.add(self.expected, monotonic_ns, round_trip_ns)
        frames = window(fps, round_trip_ns, self._most, size_bytes=self._size_bytes)
        self.window = frames
        self.limit = max(self.limit, self.expected + frames)
        self._due = min(self.expected + batch(fps), self.limit)
        return self.limit

    def keep_alive(self) -> int:
        """Grant one frame, whatever was granted before is spent; return the limit."""
        self.limit = max(self.limit, self.expected + 1)
        return self.limit
