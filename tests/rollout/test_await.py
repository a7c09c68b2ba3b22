"""What the wait on a host makes of a container's state; Docker itself is in test_rollout.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.script import load

PATH = Path(__file__).parents[2] / "deploy/ansible/roles/docker/files/await_healthy.py"
awaiting = load(PATH)


NOW_S = 1_790_000_000.0
A_MOMENT_AGO, WEEKS_AGO = "2026-09-21T14:13:17.123456789Z", "2026-08-31T15:20:00.1+02:00"


def container(
    status: str,
    said: str = "",
    restarts: int = 0,
    started: str = A_MOMENT_AGO,
    *,
    runs: bool = True,
) -> dict[str, Any]:
    health = {"Status": status, "Log": [{"Output": "before"}, {"Output": said + "\n"}]}
    state = {"Running": runs, "Health": health, "StartedAt": started}
    return {"RestartCount": restarts, "State": state}


@pytest.mark.parametrize(
    ("inspected", "claims"),
    [
        ({}, set()),
        (container("healthy", "ok"), {"is_up", "is_healthy"}),
        (container("starting", "link: connecting: the hub does not answer"), {"is_up"}),
        (container("unhealthy", "link: refused: not enrolled"), {"is_up", "is_refused"}),
        (container("healthy", restarts=1), set()),
        (container("healthy", restarts=1, started=WEEKS_AGO), {"is_up", "is_healthy"}),
        (container("starting", runs=False), set()),
    ],
)
def test_a_container_is_up_healthy_or_refused_as_docker_says(
    inspected: dict[str, Any], claims: set[str]
) -> None:
    assert {
        name for name, value in awaiting.judge(inspected, NOW_S).items() if value is True
    } == claims


def test_the_last_look_is_told_in_one_line() -> None:
    assert awaiting.judge(container("unhealthy", "no\npicture"), NOW_S)["said"] == "no picture"
