"""A log that nobody reads, that has no room or no end must not hold anything up."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import pytest

from camfleet.log_output import LogOutput

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE: Final = "x" * 99 + "\n"
MANY: Final = 5_000  # lines: more than a pipe holds


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue  # a test has closed it


def test_lines_arrive_whole_and_in_order(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    output = LogOutput(writer)
    output.write("first")
    output.write("\n")
    output.write("second\n")
    output.flush()
    assert os.read(reader, 100) == b"first\nsecond\n"


def test_a_line_longer_than_a_pipe_takes_at_once_arrives_whole(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    LogOutput(writer).write("y" * 20_000 + "\n")
    assert os.read(reader, 50_000) == b"y" * 20_000 + b"\n"


def test_who_does_not_read_holds_nobody_up(pipe: tuple[int, int]) -> None:
    _, writer = pipe
    output = LogOutput(writer)
    begun_s = time.monotonic()
    for _ in range(MANY):
        output.write(LINE)
    assert time.monotonic() - begun_s < 5.0, "one wait, and not one for each line"
    assert output.lost > 0


def test_who_reads_again_gets_whole_lines_again(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    output = LogOutput(writer)
    for _ in range(MANY):
        output.write(LINE)
    os.read(reader, 1 << 20)
    output.write("again\n")
    assert os.read(reader, 1 << 20).splitlines()[-1] == b"again"


def test_a_full_disk_stops_nobody() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    output = LogOutput(full)
    output.write("hello\n")
    os.close(full)
    assert output.lost == 1


def test_a_reader_that_went_away_stops_nobody(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    output = LogOutput(writer)
    os.close(reader)
    output.write("hello\n")
    assert output.lost == 1


def test_text_that_is_no_unicode_is_logged_all_the_same(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    LogOutput(writer).write("a\udcffb\n")
    assert os.read(reader, 100) == b"a\\udcffb\n"
