"""Lends a driver's buffers to whoever holds a picture. It never lends so many that it stalls."""

from __future__ import annotations

from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


class Lease(Generic[T]):
    """Holds what was lent; it goes back when the last holder of the lease forgets it.

    Attributes:
        lent: what it holds.
    """

    __slots__ = ("_returned", "lent")

    def __init__(self, lent: T, returned: SimpleQueue[T]) -> None:
        self.lent = lent
        self._returned = returned

    def __del__(self) -> None:
        # Only this: it may run in the middle of anything, also of the lender's own locks.
        # SimpleQueue is made for that.
        self._returned.put(self.lent)


class Lending(Generic[T]):
    """Counts what is lent; one thread lends, one other takes back.

    Args:
        most: how many may be lent at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lent = 0  # written by the thread that lends
        self._back = 0  # written by the thread that takes back
        self._returned: SimpleQueue[T] = SimpleQueue()

    def lend(self, thing: T) -> Lease[T] | None:
        """Lend it, or None where the most is lent already."""
        if self._lent - self._back >= self._most:
            return None
        self._lent += 1
        return Lease(thing, self._returned)

    def take_back(self) -> list[T]:
        """What was returned since the last call."""
        things: list[T] = []
        try:
            while True:
                things.append(self._returned.get_nowait())
        except Empty:
            self._back += len(things)
        return things
