"""A thread that the node needs and that dies is noticed; others are logged alone."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import structlog

from camfleet_node.lost_thread import LostThread

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _hook() -> Iterator[None]:
    hook = threading.excepthook
    with structlog.testing.capture_logs():
        yield
    threading.excepthook = hook


def die(name: str) -> None:
    def run() -> None:
        raise MemoryError("no room")

    thread = threading.Thread(target=run, name=name)
    thread.start()
    thread.join()


@pytest.mark.parametrize("name", ["capture-front", "encode-front/main", "look-front"])
def test_a_thread_that_is_needed_is_missed(name: str) -> None:
    lost = LostThread()
    die(name)
    assert lost.problem == f"thread {name} has ended by an error: MemoryError: no room"


def test_a_thread_that_closes_a_source_is_not_missed() -> None:
    lost = LostThread()
    die("close-front")
    assert lost.problem == ""
