"""The newest picture of those that come on a thread of their own; it never keeps an older one."""

from __future__ import annotations

import dataclasses
from typing import Generic, TypeVar

from camfleet.mailbox import Mailbox
from camfleet_node.sources.picture import Content, Picture, SourceError

C = TypeVar("C", bound=Content)


class Newest(Generic[C]):
    """Hands over the newest picture, and tells how many before that were passed over.

    Args:
        name: of the camera, for errors.
        timeout_s: the longest wait for a picture.
    """

    def __init__(self, name: str, timeout_s: float) -> None:
        self._name = name
        self._timeout_s = timeout_s
        self._is_closed = False
        self._pictures: Mailbox[tuple[int, Picture[C]]] = Mailbox()  # with their numbers
        self._next = 0  # the number that follows the last one read
        self._problem = f"gave no picture for {timeout_s:g} s"  # unless it is another

    @property
    def is_closed(self) -> bool:
        """Whether nobody wants any more of it."""
        return self._is_closed

    def put(self, number: int, picture: Picture[C]) -> None:
        """Leave a picture with its number among all that came."""
        self._pictures.put((number, picture))

    def end(self, problem: str) -> None:
        """Let no reader wait any more, and say why there will be no picture."""
        self._problem = problem
        self._pictures.close()

    def read(self) -> Picture[C] | None:
        """Wait for a picture that was not read before; None when closed.

        Raises:
            SourceError: there will be none, or none came in time.
        """
        taken = self._pictures.take(self._timeout_s)
        if self._is_closed:
            return None
        if taken is None:
            raise SourceError(f"{self._name} {self._problem}")
        number, picture = taken
        passed_over, self._next = number - self._next, number + 1
        return dataclasses.replace(picture, passed_over=passed_over)

    def close(self) -> None:
        """End a `read` that waits, and all later ones."""
        self._is_closed = True
        self._pictures.close()
