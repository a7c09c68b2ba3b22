"""A real Prometheus, filled by a hub and nodes that run as processes of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from tests.integration.conftest import House, until
from tests.ports import held_ports

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "deploy" / "prometheus" / "rules"
HURRY: Final = 20  # as docs/operations.md tells a person to try it
START_S: Final = 30.0


class Prometheus:
    """A Prometheus that reads a house's hub by the rendered configuration."""

    def __init__(self, house: House, folder: Path, port: int) -> None:
        self._port = port
        render = [sys.executable, str(ROOT / "deploy/prometheus/render.py"), str(folder)]
        hub = f"127.0.0.1:{house.ports['METRICS']}"
        subprocess.run([*render, "--hub", hub, "--hurry", str(HURRY)], check=True)
        self.log = folder / "prometheus.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--query.lookback-delta=5s",
                ],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), "no_proxy": "*"},
            )

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
        """What the API answers."""
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{query}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                answer = json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{parameters}: {error.read().decode()}") from error
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The samples of an instant query."""
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=10).close()
        except OSError:
            return False
        return bool(self.query("up"))

    def firing(self) -> set[tuple[str, str]]:
        """Which alerts fire, each with its node, or an empty text.

        Those on disks are left out: they tell of the machine that the tests run on.
        """
        found = self.query('ALERTS{alertstate="firing", alertname!~"(Node|Hub)DiskFilling"}')
        return {(one["metric"]["alertname"], one["metric"].get("node", "")) for one in found}

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(START_S)


@pytest.fixture(scope="session", autouse=True)
def tools() -> None:
    """Skip where there is no Prometheus, and say so."""
    for name in ("prometheus", "promtool"):
        if shutil.which(name) is None:
            pytest.skip(f"no {name} here: run tests/monitoring/install.sh")


@pytest.fixture
def watch() -> Iterator[Callable[[House, Path], Prometheus]]:
    """Starts a Prometheus for a house; it ends with the test."""
    with ExitStack() as stack:

        def start(house: House, folder: Path) -> Prometheus:
            folder.mkdir()
            port = stack.enter_context(held_ports(1))[0]
            made = Prometheus(house, folder, port)
            stack.callback(made.close)
            until(made.is_ready, made.log.read_text)
            return made

        yield start


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house in which nothing runs yet."""
    made = House(tmp_path)
    yield made
    made.close()


def alerts() -> list[str]:
    """The names of all alerts, in their order."""
    return re.findall(r"^ *- alert: (\w+)$", (RULES / "alerts.yml").read_text(), re.MULTILINE)


def deadline(seconds: float) -> Callable[[], bool]:
    """Tells whether so many seconds have gone by."""
    end_s = time.monotonic() + seconds
    return lambda: time.monotonic() >= end_s
