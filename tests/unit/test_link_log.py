from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from camfleet.node_link import LinkState
from camfleet_node.link_log import LinkLog

CONNECTING, ONLINE, REFUSED = LinkState.CONNECTING, LinkState.ONLINE, LinkState.REFUSED


def told(*looks: tuple[LinkState, str, float]) -> list[tuple[str, str]]:
    link_log = LinkLog("tcp://hub:5556")
    with capture_logs() as lines:
        for state, refusal, now_s in looks:
            link_log.look(state, refusal, now_s)
    return [(line["log_level"], line["event"]) for line in lines]


def test_each_change_is_told_once() -> None:
    looks = [(CONNECTING, "", 0.0), (ONLINE, "", 0.5), (ONLINE, "", 100.0), (CONNECTING, "", 101.0)]
    assert told(*looks) == [("info", "link")] * 3


def test_a_refusal_is_a_warning() -> None:
    assert told((REFUSED, "name taken", 0.0)) == [("warning", "link")]


def test_an_old_refusal_is_not_told_with_another_state() -> None:
    assert told((ONLINE, "name taken", 0.0)) == [("info", "link")]


@pytest.mark.parametrize(
    ("until_s", "reminders"), [(4, 0), (6, 1), (14, 1), (16, 2), (36, 3), (10_000, 38)]
)
def test_a_link_that_stays_down_is_told_ever_more_rarely(until_s: int, reminders: int) -> None:
    looks = [(CONNECTING, "", float(second)) for second in range(until_s)]
    assert told(*looks)[1:] == [("warning", "still no link")] * reminders


def test_a_link_that_comes_and_goes_for_hours_does_not_fill_the_log() -> None:
    looks = [((CONNECTING, ONLINE)[n % 2], "", float(n)) for n in range(3600)]
    assert 60 <= len(told(*looks)) <= 100  # a line a minute after the first ones
