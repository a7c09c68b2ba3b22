"""docs/metrics.md is made from the collectors; a stale one is a wrong one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "metrics.md").read_text()


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_metrics", DOCS / "generate_metrics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_metrics_is_what_the_collectors_say(generator: ModuleType) -> None:
    assert generator.page() == PAGE, "docs/metrics.md is stale: run `make docs`"


def test_labels_are_few_and_no_metric_is_told_twice(generator: ModuleType) -> None:
    known = {"node", "camera", "place", "reason", "stage", "port", "role", "queue", "profile"}
    known |= {"detector", "state", "software", "version"}
    for metrics in (generator.hub(), generator.node()):
        names = [metric.name for metric in metrics]
        assert len(names) == len(set(names))
        for metric in metrics:
            assert set(getattr(metric, "_labelnames", ())) <= known, metric.name
            assert metric.name.startswith("camfleet_")
            assert metric.documentation.endswith(".")
