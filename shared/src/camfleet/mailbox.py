"""Hands things from one thread to another, newest wins. Never holds more than one per key."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Mailbox(Generic[T]):
    """A slot per key; a newer item replaces the one that nobody has taken yet.

    Keys are taken in the order in which they became full, so that a busy key does not
    starve a quiet one.
    """

    def __init__(self) -> None:
        self._items: dict[str, T] = {}
        self._changed = threading.Condition()
        self._is_closed = False

    def put(self, item: T, key: str = "") -> T | None:
        """Leave an item; return the one that it replaced, so that it can be counted."""
        with self._changed:
            replaced = self._items.get(key)
            self._items[key] = item
            self._changed.notify()
        return replaced

    def take(self, timeout_s: float) -> T | None:
        """Wait for an item; None after the timeout, or when the mailbox was closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._is_closed, timeout_s)
            if not self._items:
                return None
            return self._items.pop(next(iter(self._items)))

    def close(self) -> None:
        """Wake whoever waits; what is in the slots can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return self._is_closed
