"""A real Alertmanager with our configuration: one cause is told once."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.integration.conftest import until
from tests.monitoring.conftest import ROOT, START_S
from tests.ports import held_ports

PROGRAM: Final = "prometheus-alertmanager"
Alert = tuple[str, str]  # its name, and its node or an empty text


class Alertmanager:
    """One that nobody else talks to."""

    def __init__(self, folder: Path, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v2/alerts"
        self.log = folder / "alertmanager.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    PROGRAM,
                    f"--config.file={ROOT / 'deploy/prometheus/alertmanager.yml'}",
                    f"--storage.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--cluster.listen-address=",
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            self._ask()
        except OSError:
            return False
        return True

    def tell(self, *alerts: Alert) -> None:
        """Say that these fire, as Prometheus does."""
        labels = [{"alertname": name} | ({"node": node} if node else {}) for name, node in alerts]
        self._ask(json.dumps([{"labels": one} for one in labels]).encode())

    def loud(self) -> set[Alert]:
        """Those of which somebody would be told."""
        found: list[dict[str, Any]] = json.loads(self._ask())
        return {
            (one["labels"]["alertname"], one["labels"].get("node", ""))
            for one in found
            if not one["status"]["inhibitedBy"]
        }

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(START_S)

    def _ask(self, body: bytes | None = None) -> bytes:
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url, body, kind)  # noqa: S310 - ours
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            answer: bytes = response.read()
        return answer


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    if shutil.which(PROGRAM) is None:
        pytest.skip(f"no {PROGRAM} here: run tests/monitoring/install.sh")
    with held_ports(1) as (port,):
        made = Alertmanager(tmp_path, port)
        try:
            until(made.is_ready, made.log.read_text)
            yield made
        finally:
            made.close()


@pytest.mark.parametrize(
    ("alerts", "loud"),
    [
        pytest.param(
            {("NodeUnderVoltage", "shed"), ("NodeThrottled", "shed"), ("NodeThrottled", "gate")},
            {("NodeUnderVoltage", "shed"), ("NodeThrottled", "gate")},
            id="low voltage is why that node is throttled, and no other",
        ),
        pytest.param(
            {("HubUnhealthy", ""), ("CameraStalled", "shed"), ("LatencyHigh", "shed")}
            | {("FramesLost", "shed"), ("NodeOffline", "gate"), ("NodeHot", "shed")},
            {("HubUnhealthy", ""), ("NodeOffline", "gate"), ("NodeHot", "shed")},
            id="a hub that is not well is why pictures do not arrive",
        ),
        pytest.param(
            {("HubDown", ""), ("NodeOffline", "shed"), ("HubUnhealthy", ""), ("LoginsFail", "")},
            {("HubDown", "")},
            id="a hub that is down knows nothing",
        ),
    ],
)
def test_one_cause_is_told_once(
    alertmanager: Alertmanager, alerts: set[Alert], loud: set[Alert]
) -> None:
    alertmanager.tell(*alerts)
    until(lambda: alertmanager.loud() == loud, lambda: str(alertmanager.loud()))
