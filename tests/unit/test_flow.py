from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from camfleet.wire import Counters
from camfleet_hub.fleet import IMAGEZMQ_NODE
from camfleet_hub.flow import Flow

if TYPE_CHECKING:
    from tests.unit.conftest import Feed


class Seconds:
    """A node `pi` that is heard every second, and a hub that looks as often."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.flow = Flow()
        self.captured = 0
        self.sent = 0
        self.dropped: Counter[str] = Counter()

    def pass_by(
        self, seconds: int, *, fps: int = 10, sent: int = 1, why: str = "unwanted"
    ) -> list[str]:
        """Let the node capture and send so many a second, of which none arrives.

        It drops the others, and says why. Returns the problems at the end.
        """
        for _ in range(seconds):
            self.feed.clock.advance(1)
            self.captured += fps
            self.sent += sent
            self.dropped[why] += fps - sent
            counters = Counters("front/main", self.captured, self.sent, dict(self.dropped))
            self.feed.heartbeat("pi", counters)
            self.look()
        return self.flow.problems()

    def look(self) -> None:
        self.flow.sample(self.feed.fleet.streams(), self.feed.fleet.now_ns())


@pytest.fixture
def seconds(feed: Feed) -> Seconds:
    feed.hello("pi", "front/main")
    return Seconds(feed)


def test_a_hub_without_nodes_is_healthy(feed: Feed) -> None:
    flow = Flow()
    for _ in range(100):
        feed.clock.advance(1)
        flow.sample(feed.fleet.streams(), feed.fleet.now_ns())
    assert flow.problems() == []


def test_frames_that_flow_are_no_problem(seconds: Seconds) -> None:
    for _ in range(60):
        seconds.feed.send()
        assert seconds.pass_by(1) == []


def test_a_hub_that_nobody_watches_is_known_by_its_thumbnails(seconds: Seconds) -> None:
    for _ in range(60):
        seconds.feed.send()  # of ten pictures one, while nine are `unwanted`
        assert seconds.pass_by(1, fps=10, sent=1, why="unwanted") == []
    assert seconds.pass_by(11) != [], "it is quiet no more, but deaf"


def test_pictures_of_which_none_arrives_are_a_problem_after_ten_seconds(seconds: Seconds) -> None:
    assert seconds.pass_by(11) == []  # the first report is where counting begins
    problem = "nodes have pictures for the hub, but no frame has arrived for"
    assert seconds.pass_by(1) == [f"{problem} 10 s"]
    assert seconds.pass_by(50) == [f"{problem} 60 s"]


@pytest.mark.parametrize("why", ["newer", "no_credit"])
def test_pictures_that_wait_for_credit_in_vain_are_a_problem(seconds: Seconds, why: str) -> None:
    assert seconds.pass_by(30, sent=0, why=why) != []


def test_one_frame_is_enough_to_be_healthy_again(seconds: Seconds) -> None:
    assert seconds.pass_by(30) != []
    seconds.feed.send()
    assert seconds.pass_by(9) == []


def test_a_camera_that_captures_nothing_is_no_problem(seconds: Seconds) -> None:
    assert seconds.pass_by(60, fps=0, sent=0) == []


def test_frames_of_another_node_show_that_the_hub_is_healthy(seconds: Seconds) -> None:
    for _ in range(60):
        seconds.feed.send(node=IMAGEZMQ_NODE)
        assert seconds.pass_by(1) == []


@pytest.mark.parametrize("why", ["still", "interval", "unwanted", "unfit"])
def test_pictures_that_a_node_chose_not_to_send_are_no_problem(seconds: Seconds, why: str) -> None:
    assert seconds.pass_by(60, sent=0, why=why) == []


def test_a_picture_that_is_replaced_now_and_then_is_no_problem(seconds: Seconds) -> None:
    for _ in range(30):
        seconds.pass_by(1, sent=0, why="interval")
        assert seconds.pass_by(1, fps=1, sent=0, why="newer") == []


def test_a_picture_in_the_encoder_that_comes_and_goes_is_no_problem(seconds: Seconds) -> None:
    for _ in range(30):
        seconds.captured += 1  # it is counted before it is left out
        assert seconds.pass_by(1, fps=0, sent=0) == []
        seconds.dropped["still"] += 1
        assert seconds.pass_by(1, fps=0, sent=0) == []


def test_a_node_that_is_gone_is_no_problem_of_the_hubs(seconds: Seconds) -> None:
    assert seconds.pass_by(30) != []
    seconds.feed.goodbye("pi")
    for _ in range(6):
        seconds.feed.clock.advance(1)
        seconds.look()
    assert seconds.flow.problems() == []


def test_a_node_that_begins_to_capture_has_ten_seconds(seconds: Seconds) -> None:
    assert seconds.pass_by(100, fps=0, sent=0) == []
    assert seconds.pass_by(10) == []
