"""docs/configuration.md is made from the settings models; a stale one is a wrong one."""

from __future__ import annotations

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def generated() -> str:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.page()
    assert isinstance(page, str)
    return page


def test_the_configuration_page_is_what_the_settings_say() -> None:
    page = (DOCS / "configuration.md").read_text()
    assert page == generated(), "docs/configuration.md is stale: run `make docs`"


def test_every_setting_has_a_line_with_its_variable() -> None:
    lines = [line for line in generated().splitlines() if line.startswith("| `CAMFLEET_")]
    variables = [line.split("`")[1] for line in lines]
    assert "CAMFLEET_HUB_WEB_PORT" in variables
    assert "CAMFLEET_NODE_CAMERAS__NAME__DEVICE" in variables
    assert not [line for line in lines if "None" in line]
