"""Does not wait for ever: what may hang in a driver or a resolver has a thread and a limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def within(limit_s: float, action: Callable[[], T]) -> T | Exception | None:
    """Do something that may hang.

    Returns:
        Its answer, or what it raised; None where it gave neither in time. Its thread is left
        behind then.
    """
    answers: list[T | Exception] = []

    def act() -> None:
        try:
            answers.append(action())
        except Exception as error:  # noqa: BLE001 - a supervision boundary: the caller tells it
            answers.append(error)

    thread = threading.Thread(target=act, name="doctor", daemon=True)
    thread.start()
    thread.join(limit_s)
    return answers[0] if answers else None
