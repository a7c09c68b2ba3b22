"""Every query of every panel, rule and alert, asked of a Prometheus that a running fleet fills."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
import zmq
from tests.integration.conftest import House, until
from tests.monitoring.conftest import ROOT, Prometheus
from tests.monitoring.machine import Machine
from tests.ports import held_ports

BOARDS: Final = ROOT / "deploy" / "grafana" / "dashboards"
COMPARISON: Final = re.compile(r" (==|!=|>=|<=|>|<) [\d.]+")
SETTING: Final = re.compile(r" (?:and|unless) ")  # where a second condition begins
MATCHING: Final = re.compile(r"^on ?\([^)]*\) ?")  # and what it is matched by
NODE: Final = "garden"


class TlsHouse(House):
    """A house whose hub speaks https to browsers; its port for metrics does not."""

    def is_serving(self) -> bool:
        assert self.hub.process.poll() is None, self.hub.said()
        try:
            return self.get("/metrics", "METRICS").status == 200
        except OSError:
            return False


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate and its key, for a month."""
    certificate, key = folder / "hub.pem", folder / "hub.key"
    words = ["openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=hub"]
    words += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*words, *files], check=True, capture_output=True)
    return certificate, key


def board_queries() -> Iterator[tuple[str, str]]:
    """Each query of each panel, with where it stands."""
    for path in sorted(BOARDS.glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", ()):
                yield f"{path.stem}: {panel['title']}", target["expr"]


def rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    """All rules as Prometheus has read them."""
    groups = prometheus.get("rules")["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A hub with two nodes, one of which opens its own metrics, and a Prometheus."""
    folder = tmp_path_factory.mktemp("fleet")
    house = TlsHouse(folder)
    (folder / "machine").mkdir()
    machine = Machine(folder / "machine")
    (folder / "prometheus").mkdir()
    with held_ports(2) as (own, port):
        prometheus = None
        try:
            certificate, key = make_certificate(folder)
            house.start_hub(
                {
                    "CAMFLEET_HUB_AUTH": "password",
                    "CAMFLEET_HUB_TLS_CERTIFICATE": str(certificate),
                    "CAMFLEET_HUB_TLS_KEY": str(key),
                }
            )
            is_open = {
                "CAMFLEET_NODE_METRICS_BIND": "0.0.0.0",
                "CAMFLEET_NODE_METRICS_PORT": str(own),
            }
            house.start_node(
                NODE,
                "pond",
                "gate",
                settings={
                    "CAMFLEET_NODE_BUNDLE": str(house.enrol(NODE)),
                    "CAMFLEET_NODE_CAMERAS": json.dumps(
                        {
                            name: {"source": "synthetic", "width": 160, "height": 120, "fps": 5}
                            for name in ("pond", "gate")
                        }
                    ),
                    **is_open,
                    **machine.settings,
                },
            )
            house.start_node("shed", "door")
            _say_nonsense(house)
            prometheus = Prometheus(house, folder / "prometheus", port)
            until(prometheus.is_ready, prometheus.log.read_text)
            until(lambda: len(prometheus.query("camfleet:node_latency_seconds:p95")) == 2)
            until(lambda: prometheus.query(f'camfleet_node_cpu_ratio{{node="{NODE}"}}'))
            until(lambda: prometheus.query("increase(camfleet_messages_rejected_total[5s])"))
            yield prometheus
        finally:
            if prometheus is not None:
                prometheus.close()
            house.close()


def _say_nonsense(house: House) -> None:
    """Have one message rejected, by the port for stock senders, which has no keys."""
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.connect(f"tcp://127.0.0.1:{house.ports['IMAGEZMQ']}")
        socket.send(b"nonsense")
        socket.poll(5000)
        until(lambda: b"camfleet_messages_rejected_total{" in house.get("/metrics", "METRICS").body)


@pytest.mark.parametrize(("where", "expression"), list(board_queries()))
def test_every_panels_query_finds_something(fleet: Prometheus, where: str, expression: str) -> None:
    asked = expression.replace("$node", NODE).replace("$camera", "pond")
    asked = asked.replace("$__rate_interval", "5s")
    until(lambda: fleet.query(asked), lambda: f"{where}: {asked} returns nothing")


def test_the_variable_of_nodes_knows_them_all(fleet: Prometheus) -> None:
    found = fleet.get("label/node/values", **{"match[]": "camfleet_node_online"})
    assert {NODE, "shed"} <= set(found)


def test_every_rule_is_evaluated_without_an_error(fleet: Prometheus) -> None:
    until(lambda: all(rule["health"] != "unknown" for rule in rules(fleet)))
    assert {rule["health"] for rule in rules(fleet)} == {"ok"}


def test_every_recorded_series_is_there(fleet: Prometheus) -> None:
    for rule in rules(fleet):
        if rule["type"] == "recording":
            until(partial(fleet.query, rule["name"]), rule.__repr__)


def test_every_alert_asks_for_series_that_are_there(fleet: Prometheus) -> None:
    """Without its bound an alert's expression must find something in a healthy fleet too."""
    found = [rule for rule in rules(fleet) if rule["type"] == "alerting"]
    assert found
    for rule in found:
        for part in SETTING.split(rule["query"]):
            asked = COMPARISON.sub(" > -1e9", MATCHING.sub("", part))
            until(partial(fleet.query, asked), asked.__str__)


def test_no_alert_fires_in_a_fleet_that_is_well(fleet: Prometheus) -> None:
    assert fleet.firing() == set()


def test_a_node_that_opens_its_metrics_is_found_by_itself(fleet: Prometheus) -> None:
    until(lambda: fleet.query(f'up{{job="camfleet-nodes", node="{NODE}"}} == 1'))
    assert fleet.query("camfleet_node_camera_restarts_total")
    assert not fleet.query('up{job="camfleet-nodes", node="shed"}')


def test_the_worst_first_table_has_each_node_once(fleet: Prometheus) -> None:
    def found() -> list[str]:
        return [one["metric"]["node"] for one in fleet.query("camfleet:node_trouble:score")]

    until(lambda: {NODE, "shed"} <= set(found()), lambda: str(found()))
    nodes = found()
    assert len(nodes) == len(set(nodes))
