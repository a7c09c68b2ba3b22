"""A service's log: one event a line, whatever stands in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from camfleet.logs import configure_logs
from camfleet_node.sources import FileSource, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Events = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def events(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What was logged so far, one event a line, all of it on stdout."""

    def read() -> list[dict[str, Any]]:
        said = capsys.readouterr()
        assert said.err == ""
        return [json.loads(line) for line in said.out.splitlines()]

    yield read
    structlog.reset_defaults()


def test_an_event_is_a_line_of_json_on_stdout(events: Events) -> None:
    configure_logs()
    structlog.get_logger().info("camera\nfailed", camera="front")
    [event] = events()
    assert (event["event"], event["level"], event["camera"]) == ("camera\nfailed", "info", "front")


def test_what_is_below_the_level_is_not_logged(events: Events) -> None:
    configure_logs("WARNING")
    structlog.get_logger().info("hello")
    structlog.get_logger().warning("hello")
    assert [event["level"] for event in events()] == ["warning"]


def test_a_traceback_stays_in_its_line(events: Events) -> None:
    configure_logs()
    try:
        FileSource("/nowhere")
    except SourceError:
        structlog.get_logger().exception("source broke")
    [event] = events()
    assert "no such file" in event["exception"]
