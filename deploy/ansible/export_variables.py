"""Writes docs/rollout-variables.md out of the roles' argument_specs: `make docs`.

A test fails when it is stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

ROLES: Final = Path(__file__).parent / "roles"
PAGE: Final = Path(__file__).parents[2] / "docs/rollout-variables.md"
_INTRODUCTION: Final = """\
# Variables of the roll-out

What an inventory may say, by role. A variable that begins like these and is none, or has another
type, is told before a host is asked. This page is made from the roles' argument_specs by `make
docs`; a test fails when it is stale. What a camera, a node and a hub can be told inside
`node_cameras`, `node_settings` and `hub_settings` is in [configuration](configuration.md).

Words for one run stand behind `-e`:

| word | does |
|---|---|
| `-e '{"waves": [1, 5, "50%"]}'` | so many hosts at a time, not one and then a quarter |
| `-e take_lock=true` | takes the lock from a roll-out elsewhere that has died |
| `-e all_of_them=true` | lets `revoke-nodes.yml` and `remove-nodes.yml` run without `--limit` |
| `-e remove_packages=true` | lets `remove-nodes.yml` remove the engine and chrony of the roll-out |
"""
_ORDER: Final = ("node", "hub", "preflight", "camera_host", "chrony", "docker", "podman")
# Between roles; nobody sets them in an inventory.
_INNER: Final = {
    "docker_for",
    "docker_image",
    "docker_name",
    "docker_kept",
    "docker_container",
    "docker_within_s",
    "podman_gone",
    "preflight_cameras",
    "preflight_hub_address",
    "preflight_hub_port",
}


def export() -> str:
    """The page's content."""
    return "\n".join([_INTRODUCTION, *(_section(role) for role in _ORDER)])


def _section(role: str) -> str:
    specs = yaml.safe_load((ROLES / role / "meta/argument_specs.yml").read_text("utf-8"))
    defaults = yaml.safe_load((ROLES / role / "defaults/main.yml").read_text("utf-8"))
    entries = specs["argument_specs"].values()
    options = {name: option for entry in entries for name, option in entry["options"].items()}
    lines = [
        f"| `{name}` | {_type(option)} | {_default(name, option, defaults)} "
        f"| {' '.join(option['description'].split())} |"
        for name, option in options.items()
        if name not in _INNER
    ]
    head = [f"## {role}", "", "| variable | type | default | what it is |", "|---|---|---|---|"]
    return "\n".join([*head, *lines, ""])


def _type(option: dict[str, Any]) -> str:
    if "choices" in option:
        return " or ".join(option["choices"])
    return f"list of {option['elements']}" if "elements" in option else str(option["type"])


def _default(name: str, option: dict[str, Any], defaults: dict[str, Any]) -> str:
    default = option.get("default", defaults.get(name))
    if default is None or (isinstance(default, str) and ("{{" in default or not default)):
        return "wanted" if option.get("required") and name not in defaults else "-"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(PAGE.read_text("utf-8") != export())
    PAGE.write_text(export(), "utf-8")
