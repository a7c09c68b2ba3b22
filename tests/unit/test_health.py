"""Frames flow, or it is said which do not and why; in time that a test controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from camfleet.node_link import LinkState
from camfleet.wire import Counters
from camfleet_node.health import Health

S: Final = 1_000_000_000
STALL_S: Final = 10.0


@dataclass
class FakeCamera:
    name: str
    interval_s: float = 0.0
    problem: str = ""


def counted(**captured: int) -> list[Counters]:
    streams = [Counters(f"{name}/main", count, 0, {}) for name, count in captured.items()]
    return [*streams, Counters("front/preview", 99, 0, {})]


def look(health: Health, at_s: float, captured: int, state: LinkState = LinkState.ONLINE) -> None:
    refusal = "revoked" if state is LinkState.REFUSED else ""
    health.look(counted(front=captured), state, refusal, int(at_s * S))


def test_a_node_that_has_just_started_is_not_healthy_yet() -> None:
    health = Health([FakeCamera("front")], STALL_S)
    assert health.problems(0)
    look(health, 0, 0)
    assert health.problems(0) == ("camera front: no picture yet",)


def test_a_node_whose_frames_flow_is_healthy() -> None:
    health = Health([FakeCamera("front")], STALL_S)
    look(health, 0, 1)
    assert health.problems(0) == ()


def test_a_camera_without_a_picture_for_its_stall_time_is_named() -> None:
    health = Health([FakeCamera("front"), FakeCamera("back")], STALL_S)
    for second in range(12):
        counters = counted(front=1, back=second)
        health.look(counters, LinkState.ONLINE, "", second * S)
    assert health.problems(11 * S) == ("camera front: no picture for 11 s",)
    look(health, 12, 2)
    assert "camera front: no picture for 11 s" not in health.problems(12 * S)


def test_a_camera_that_knows_why_says_it() -> None:
    health = Health([FakeCamera("front", problem="unplugged")], STALL_S)
    look(health, 0, 0)
    assert health.problems(0) == ("camera front: no picture yet: unplugged",)
    look(health, 1, 1)
    look(health, 12, 1)
    assert health.problems(12 * S) == ("camera front: no picture for 11 s: unplugged",)


def test_a_slow_camera_is_given_three_of_its_intervals() -> None:
    health = Health([FakeCamera("front", interval_s=60)], STALL_S)
    look(health, 0, 1)
    look(health, 179, 1)
    assert health.problems(179 * S) == ()
    look(health, 181, 1)
    assert health.problems(181 * S) == ("camera front: no picture for 181 s",)


def test_a_link_that_is_down_says_why() -> None:
    health = Health([FakeCamera("front")], STALL_S)
    look(health, 0, 1, LinkState.REFUSED)
    assert health.problems(0) == ("link: refused: revoked",)
    look(health, 1, 2, LinkState.CONNECTING)
    assert health.problems(S) == ("link: connecting: the hub does not answer",)


def test_a_supervisor_that_hangs_is_a_problem() -> None:
    health = Health([FakeCamera("front")], STALL_S)
    look(health, 0, 1)
    assert health.problems(9 * S) == ()
    assert health.problems(11 * S) == ("supervisor: it has not looked for 11 s",)
