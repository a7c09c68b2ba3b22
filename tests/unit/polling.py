"""Waiting for what other threads do, without a sleep that anything depends on."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

DEADLINE_S: Final = 30.0  # a busy machine takes seconds for what else is a millisecond
T = TypeVar("T")


def until(claim: Callable[[], T]) -> T:
    """Ask until the answer is neither false nor empty, and return it."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not (answer := claim()):
        assert time.monotonic() < deadline_s, "it never became true"
        time.sleep(0.002)  # of a poll: nothing depends on how long it is
    return answer
