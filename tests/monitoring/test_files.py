"""What is beside the rules: dashboards, runbooks, provisioning, and the renderer."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from tests.monitoring.conftest import ROOT, RULES, alerts
from tests.script import load

GRAFANA: Final = ROOT / "deploy" / "grafana"
BOARDS: Final = sorted((GRAFANA / "dashboards").glob("*.json"))
RUNBOOKS: Final = (ROOT / "docs" / "operations.md").read_text()
METRICS: Final = (ROOT / "docs" / "metrics.md").read_text()
OTHERS: Final = ("process_", "up", "scrape_duration_seconds", "ALERTS", "camfleet:")
SUFFIXES: Final = re.compile(r"_(bucket|sum|count)$")


def rules() -> list[dict[str, str]]:
    pages = [yaml.safe_load(path.read_text()) for path in sorted(RULES.glob("*.yml"))]
    return [rule for page in pages for group in page["groups"] for rule in group["rules"]]


def board(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_dashboards_are_what_their_code_says() -> None:
    made = load(GRAFANA / "dashboards.py").dashboards()
    assert {path.name: path.read_text() for path in BOARDS} == made, "stale: run `make docs`"


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_nothing_that_grafanas_schema_has_not(path: Path) -> None:
    register_default_plugins()
    read = Dashboard.from_json(board(path))
    assert json.loads(JSONEncoder().encode(read)) == board(path)


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_panels_do_not_lie_on_one_another(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board(path)["panels"]:
        at = panel["gridPos"]
        columns, lines = range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])
        cells = {(x, y) for x in columns for y in lines}
        assert max(columns) < 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_alert_has_a_runbook_and_links_to_it() -> None:
    named = re.findall(r"^### (\w+)$", RUNBOOKS, re.MULTILINE)
    assert named == alerts()
    panels = {panel["id"]: panel["title"] for panel in board(BOARDS[-1])["panels"]}
    linked = [rule for rule in rules() if "alert" in rule]
    for rule in linked:
        url = rule["annotations"]["runbook_url"]  # type: ignore[index]  # it is a map
        address, _, number = url.partition("?viewPanel=")
        assert address.endswith("/d/camfleet-runbooks/runbooks")
        assert panels[int(number)] == rule["alert"]


def test_every_runbook_says_why_its_bound_is_what_it_is() -> None:
    for name, body in load(GRAFANA / "dashboards.py").runbooks.sections(RUNBOOKS).items():
        assert body.startswith("*"), name


def test_links_between_runbooks_lead_somewhere() -> None:
    anchors = {name.lower() for name in alerts()}
    assert set(re.findall(r"\]\(#(\w+)\)", RUNBOOKS)) <= anchors


def test_whatever_is_asked_for_is_a_metric_of_ours() -> None:
    asked = [rule["expr"] for rule in rules()]
    for path in BOARDS:
        for panel in board(path)["panels"]:
            asked += [target["expr"] for target in panel.get("targets", ())]
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for expression in asked:
        for name in re.findall(r"\bcamfleet[\w:]*", re.sub(r'"[^"]*"', "", expression)):
            if ":" in name:
                assert name in recorded, expression
            else:
                assert f"`{SUFFIXES.sub('', name)}`" in METRICS, expression


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())
    uids = {one["uid"] for one in source["datasources"]}
    for path in BOARDS:
        for panel in board(path)["panels"]:
            assert panel.get("datasource", {"uid": "prometheus"})["uid"] in uids
    provider = yaml.safe_load((GRAFANA / "provisioning/dashboards/camfleet.yml").read_text())
    folder = provider["providers"][0]["options"]["path"]
    mounts = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    assert f"./deploy/grafana/dashboards:{folder}:ro" in mounts["volumes"]


def test_the_renderer_changes_places_and_durations_and_no_bound(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "prometheus" / "render.py"
    options = ["--hub", "h:1", "--grafana", "https://g", "--alertmanager", "a:2", "--hurry", "20"]
    subprocess.run([sys.executable, str(script), str(tmp_path), *options], check=True)
    for source in (RULES.parent / "prometheus.yml", *RULES.glob("*.yml")):
        text = (tmp_path / source.relative_to(RULES.parent)).read_text()
        assert not re.search(r"127\.0\.0\.1:3000|hub:9101|alertmanager:9093", text)
        assert not re.search(r"(for|interval): \d+[smhd]\b|\[\d+[smhd]\]", text)
    alerts_now = (tmp_path / "rules" / "alerts.yml").read_text()
    assert "[30000ms])) > 4" not in alerts_now
    assert "[45000ms])) > 4" in alerts_now  # a quarter of an hour
    assert "for: 6000ms" in alerts_now  # two minutes


def test_as_it_is_the_renderer_changes_nothing(tmp_path: Path) -> None:
    script = ROOT / "deploy" / "prometheus" / "render.py"
    subprocess.run([sys.executable, str(script), str(tmp_path)], check=True)
    for source in (RULES.parent / "prometheus.yml", *RULES.glob("*.yml")):
        assert (tmp_path / source.relative_to(RULES.parent)).read_text() == source.read_text()
