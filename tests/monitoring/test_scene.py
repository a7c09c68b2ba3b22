"""A hub, four nodes and a real Prometheus: one node becomes slow, one late, one hot, one dead."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.integration.conftest import House, Service, until
from tests.monitoring.conftest import ROOT, Prometheus, deadline
from tests.monitoring.machine import Machine

from camfleet.testing.emulator import LinkEmulator

CALM_S: Final = 12.0  # without an alert, before and after
RUN_S, STOP_S = 0.03, 0.25  # of eight pictures at 30 fps two or three are captured, not in step
LATE_S: Final = 0.7  # one way
HOT_C: Final = 86.0
ALERTS: Final = {
    ("CameraSlow", "slow"),
    ("LatencyHigh", "late"),
    ("NodeHot", "hot"),
    ("NodeOffline", "dead"),
}


def query(board: str, title: str, ref: str = "A") -> str:
    """A panel's query as it stands in a dashboard."""
    path = ROOT / "deploy" / "grafana" / "dashboards" / f"{board}.json"
    panels = json.loads(path.read_text())["panels"]
    targets = next(panel["targets"] for panel in panels if panel["title"] == title)
    found: str = next(target["expr"] for target in targets if target["refId"] == ref)
    return found


@contextmanager
def slowed(node: Service) -> Iterator[None]:
    """Let a node have a processor for a tenth of the time, as on a machine that is busy."""
    is_over = threading.Event()

    def slow() -> None:
        while not is_over.is_set():
            node.process.send_signal(signal.SIGSTOP)
            is_over.wait(STOP_S)
            node.process.send_signal(signal.SIGCONT)
            is_over.wait(RUN_S)

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def first(prometheus: Prometheus, expression: str, *, lowest: bool = False) -> str:
    """The node that a query shows first."""
    order = "bottomk" if lowest else "topk"
    found: str = prometheus.query(f"{order}(1, {expression})")[0]["metric"]["node"]
    return found


def make_machine(folder: Path) -> Machine:
    """One of its own for a node, so that the heat of this one is not told."""
    folder.mkdir()
    return Machine(folder)


def cameras(fps: int) -> dict[str, str]:
    camera = {"source": "synthetic", "width": 160, "height": 120, "fps": fps}
    return {"CAMFLEET_NODE_CAMERAS": json.dumps({"door": camera})}


@pytest.mark.timeout(300)
def test_the_right_alerts_fire_and_no_others(
    house: House, watch: Callable[[House, Path], Prometheus], tmp_path: Path
) -> None:
    machines = {name: make_machine(tmp_path / name) for name in ("slow", "late", "hot", "dead")}
    house.start_hub()
    with LinkEmulator(house.nodes_address) as link:
        slow = house.start_node("slow", settings=cameras(30) | machines["slow"].settings)
        far = {"CAMFLEET_NODE_HUB": link.address}
        house.start_node("late", settings=cameras(10) | machines["late"].settings | far)
        house.start_node("hot", settings=cameras(10) | machines["hot"].settings)
        dead = house.start_node("dead", settings=cameras(10) | machines["dead"].settings)
        house.await_frames(*(f"{name}/door" for name in machines), more=2)
        prometheus = watch(house, tmp_path / "prometheus")
        until(lambda: len(prometheus.query("camfleet:node_latency_seconds:p95")) == 4)
        is_over = deadline(CALM_S)
        until(lambda: prometheus.firing() or is_over())
        assert prometheus.firing() == set(), "the fleet is well"

        fired: set[tuple[str, str]] = set()

        def fires_all() -> bool:
            fired.update(prometheus.firing())
            return fired >= ALERTS or not fired <= ALERTS

        link.delay_s = LATE_S
        machines["hot"].heat(HOT_C)
        dead.kill()
        with slowed(slow):
            until(fires_all, lambda: f"{fired}\n{prometheus.query('ALERTS')}")
            is_over = deadline(CALM_S)
            until(lambda: fires_all() and is_over())
            assert fired == ALERTS

            table = "Nodes, the worst first"
            assert first(prometheus, query("fleet", table)) == "dead"
            assert first(prometheus, query("fleet", table, "C"), lowest=True) == "slow"
            assert first(prometheus, query("fleet", table, "D")) == "late"
            assert first(prometheus, query("fleet", table, "G")) == "hot"
            assert first(prometheus, query("fleet", "From capture to the hub, p95")) == "late"
