"""docs/configuration.md is made from the settings models; a stale one is a wrong one."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from camfleet.settings import load_settings
from camfleet_hub.settings import HubSettings
from camfleet_node.settings import NodeSettings

DOCS = Path(__file__).parents[2] / "docs"
FRONT = "CAMFLEET_NODE_CAMERAS__front__"
SOURCE = {  # what a camera of each kind needs beside what is tried
    "picamera2": {},
    "v4l2": {},
    "http": {"URL": "http://10.0.0.7/"},
    "opencv": {"DEVICE": "0"},
    "file": {"PATH": "/media"},
    "synthetic": {},
}


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(page: str) -> list[tuple[str, str, str]]:
    """Each variable with the section that it stands in and its example."""
    found, section = [], ""
    for line in page.splitlines():
        if line.startswith("#"):
            section = line.strip("# `")
        elif line.startswith("| `CAMFLEET_"):
            cells = line.split(" | ")
            found.append((section, cells[0].strip("| `"), cells[4].strip("`")))
    return found


PAGE = (DOCS / "configuration.md").read_text()


def test_the_configuration_page_is_what_the_settings_say(generator: ModuleType) -> None:
    assert generator.page() == PAGE, "docs/configuration.md is stale: run `make docs`"


def test_every_setting_has_a_line_with_its_variable() -> None:
    variables = [variable for _, variable, _ in rows(PAGE)]
    for model, prefix in ((HubSettings, "CAMFLEET_HUB_"), (NodeSettings, "CAMFLEET_NODE_")):
        for name in model.model_fields:
            assert prefix + name.upper() in variables
    assert "CAMFLEET_NODE_CAMERAS__NAME__DEVICE" in variables
    assert "CAMFLEET_NODE_CAMERAS__NAME__MOTION__AREA__REGION" in variables


@pytest.mark.parametrize(("section", "variable", "example"), rows(PAGE))
def test_every_example_is_a_value_that_is_taken(
    section: str, variable: str, example: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = section if section in SOURCE else "synthetic"
    needed = {FRONT + "SOURCE": source} | {
        FRONT + name: value for name, value in SOURCE[source].items()
    }
    is_node = variable.startswith("CAMFLEET_NODE_")
    if is_node and variable != "CAMFLEET_NODE_CAMERAS":
        for name, value in needed.items():
            monkeypatch.setenv(name, value)
    tried = variable.replace("CAMERAS__NAME__", "CAMERAS__front__").replace("__AREA__", "__door__")
    monkeypatch.setenv(tried, example)
    assert load_settings(NodeSettings if is_node else HubSettings)
