"""`docker compose --profile monitoring up`: numbers arrive and an alert goes out, without a click.

Prometheus and Alertmanager are Debian's programs in images of our own (monitoring/Dockerfile), as
those of docker-compose.yml cannot be had everywhere; Debian's Prometheus is of version 2, theirs of
version 3. Grafana is in no Debian: its files are checked by its schema (tests/monitoring/
test_files.py) and its queries by a real Prometheus (test_queries.py), and only its password is
made here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest
from tests.containers.conftest import STAND_INS, Images, Project, get, until
from tests.ports import held_ports

NODE: Final = "demo-garden"
HURRY: Final = 20  # NodeOffline waits for two minutes, and would for six seconds


class Monitoring:
    """What stands beside a project's hub."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._ports = {name: project.environment[_variable(name, "PORT")] for name in STAND_INS}

    def ask(self, program: str, path: str) -> Any:  # noqa: ANN401 - JSON
        """What the API of Prometheus or Alertmanager answers; None where nobody does."""
        status, text = get(f"http://127.0.0.1:{self._ports[program]}/api/{path}")
        if status != 200:
            return None
        answer = json.loads(text)
        return answer["data"] if program == "prometheus" else answer

    def targets(self) -> dict[str, str]:
        """Each job's health."""
        found = self.ask("prometheus", "v1/targets") or {"activeTargets": ()}
        return {one["labels"]["job"]: one["health"] for one in found["activeTargets"]}

    def alerts(self) -> set[tuple[str, str]]:
        """What Alertmanager knows: alerts by their names, each with its node."""
        found = [one["labels"] for one in self.ask("alertmanager", "v2/alerts") or ()]
        return {(labels["alertname"], labels.get("node", "")) for labels in found}

    def hurry(self) -> None:
        """Give Prometheus the same rules with shorter durations, as docs/operations.md says."""
        folder = self._project.tree / "deploy" / "prometheus"
        render = [sys.executable, str(folder / "render.py"), str(folder), f"--hurry={HURRY}"]
        subprocess.run(render, check=True)
        self._project("kill", "--signal=HUP", "prometheus")


def _variable(name: str, what: str) -> str:
    return f"CAMFLEET_{name.upper()}_{what}"


@pytest.fixture(scope="module")
def monitoring(project: Project, images: Images) -> Iterator[Monitoring]:
    """A hub, a node that opens its own metrics, and what watches them, but for Grafana."""
    with held_ports(len(STAND_INS)) as ports:
        for name, port in zip(STAND_INS, ports, strict=True):
            project.environment[_variable(name, "IMAGE")] = images.get_stand_in(name)
            project.environment[_variable(name, "PORT")] = str(port)
        settings = {
            "hub": {"CAMFLEET_HUB_METRICS_PORT": "9101"},  # as prometheus.yml has it
            NODE: {"CAMFLEET_NODE_METRICS_BIND": "0.0.0.0"},
        }
        project.override({name: {"environment": given} for name, given in settings.items()})
        project("--profile=demo", "up", "--detach", "--no-build", "--wait", NODE)
        services = (*STAND_INS, "grafana-password")
        project("--profile=monitoring", "up", "--detach", "--no-build", *services)
        yield Monitoring(project)


def test_every_target_is_found_and_answers(monitoring: Monitoring) -> None:
    up = dict.fromkeys(("camfleet", "camfleet-nodes", "prometheus"), "up")
    until(lambda: monitoring.targets() == up or None)


def test_all_rules_are_loaded_and_none_fails(monitoring: Monitoring, project: Project) -> None:
    def healths() -> list[str]:
        found = monitoring.ask("prometheus", "v1/rules") or {"groups": ()}
        return [rule["health"] for group in found["groups"] for rule in group["rules"]]

    rules = project.tree / "deploy" / "prometheus" / "rules"
    count = sum(path.read_text().count(" expr:") for path in rules.glob("*.yml"))
    until(lambda: healths() == ["ok"] * count or None)


def test_an_alert_of_a_node_that_died_reaches_alertmanager(
    monitoring: Monitoring, project: Project
) -> None:
    monitoring.hurry()
    died = ("NodeOffline", NODE)
    assert died not in monitoring.alerts()
    project("kill", "--signal=KILL", NODE)
    until(lambda: died in monitoring.alerts())


def test_what_was_measured_outlives_the_containers(
    monitoring: Monitoring, project: Project
) -> None:
    def first() -> float | None:
        """When Prometheus read for the first time, as it remembers it."""
        query = "min(min_over_time(timestamp(up)[1h:1s]))"
        found = monitoring.ask("prometheus", f"v1/query?query={query}") or {"result": ()}
        return next((float(one["value"][1]) for one in found["result"]), None)

    before = until(first)
    project("--profile=monitoring", "rm", "--stop", "--force", *STAND_INS)
    project("--profile=monitoring", "up", "--detach", "--no-build", "--no-deps", *STAND_INS)
    assert until(first) == pytest.approx(before, abs=1)


def test_grafanas_password_is_made_once_and_told(project: Project, monitoring: Monitoring) -> None:
    del monitoring
    made = project.container("grafana-password")
    until(lambda: made.state["Status"] == "exited")
    assert made.state["ExitCode"] == 0
    word = "Grafana's first password: admin "
    assert len(made.log.partition(word)[2].strip()) == 20
    assert word not in project("run", "--rm", "--no-deps", "grafana-password")
