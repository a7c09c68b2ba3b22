"""The first opening of a source, which may hang, and what is wrong for ever."""

from __future__ import annotations

import threading
from typing import Final

import pytest

from camfleet_node.opening import Opening
from camfleet_node.sources import Image, Picture, SourceError
from camfleet_node.sources.picture import SettingError

DEADLINE_S: Final = 30.0


class FakeSource:
    def read(self) -> Picture[Image] | None:
        return None

    def close(self) -> None:
        """Nothing is open."""


def failing(error: Exception) -> Opening:
    def opens() -> FakeSource:
        raise error

    return Opening("front", opens)


def answered(opening: Opening) -> Opening:
    assert opening.wait(DEADLINE_S)
    return opening


def test_the_first_call_takes_what_is_open_already_and_later_ones_open_anew() -> None:
    opened: list[FakeSource] = []

    def opens() -> FakeSource:
        opened.append(FakeSource())
        return opened[-1]

    opening = answered(Opening("front", opens))
    assert opening() is opened[0]
    assert opening() is opened[1]
    assert len(opened) == 2


def test_a_source_that_hangs_is_waited_for_no_longer_than_told() -> None:
    may_open = threading.Event()

    def opens() -> FakeSource:
        may_open.wait(DEADLINE_S)
        return FakeSource()

    opening = Opening("front", opens)
    assert not opening.wait(0.01)
    assert opening.problem == ""
    may_open.set()
    assert isinstance(opening(), FakeSource)


def test_an_error_is_the_first_calls_too() -> None:
    opening = answered(failing(SourceError("no such file")))
    with pytest.raises(SourceError, match="no such file"):
        opening()


def test_a_missing_device_may_come_and_a_missing_file_does_not() -> None:
    def opens() -> FakeSource:
        raise SourceError("nothing there")

    assert answered(Opening("front", opens)).problem == ""
    assert answered(Opening("front", opens, is_device=False)).problem == ": nothing there"


def test_a_setting_that_a_device_cannot_have_is_wrong_for_ever() -> None:
    opening = answered(failing(SettingError("FPS", 99, "1 to 30")))
    assert opening.problem == "__FPS: found 99, want 1 to 30"


def test_a_bug_is_no_wrong_setting() -> None:
    opening = answered(failing(RuntimeError("bug")))
    assert opening.problem == ""
    with pytest.raises(RuntimeError):
        opening()
