"""Writes what node and hub can be told into roles/node/files/settings.json, from their models.

The playbooks check an inventory against it before they touch a host; a test fails when it is stale.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import TypeAdapter

from camfleet_hub.settings import HubSettings
from camfleet_node.settings import NodeSettings
from camfleet_node.settings.sources import CameraSettings

PAGE: Final = Path(__file__).parent / "roles/node/files/settings.json"
# The roles write these themselves.
_NODE: Final = {"bundle", "name", "hub", "plain", "cameras", "metrics_bind", "metrics_port"}
_BOUNDS: Final = {
    "least": "minimum",
    "most": "maximum",
    "above": "exclusiveMinimum",
    "below": "exclusiveMaximum",
}
_PORTS: Final = ("web", "nodes", "subscribers", "imagezmq", "republish", "metrics")
_HUB: Final = {"bind", "imagezmq_bind", "state", *(f"{port}_port" for port in _PORTS)}


def export() -> str:
    """The file's content."""
    models = get_args(get_args(CameraSettings)[0])
    sources = {get_args(model.model_fields["source"].annotation)[0]: model for model in models}
    node = _options(TypeAdapter(NodeSettings).json_schema())
    hub = _options(TypeAdapter(HubSettings).json_schema())
    content = {
        "hub": {name: option for name, option in hub.items() if name not in _HUB},
        "node": {name: option for name, option in node.items() if name not in _NODE},
        "cameras": {
            source: _options(TypeAdapter(model).json_schema()) for source, model in sources.items()
        },
    }
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def _options(schema: dict[str, Any], whole: dict[str, Any] | None = None) -> dict[str, Any]:
    """Describe the fields of one model."""
    whole = whole or schema
    required = schema.get("required", [])
    return {
        name: _option(field, whole) | ({"required": True} if name in required else {})
        for name, field in schema["properties"].items()
    }


def _option(field: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    kinds = [_resolve(kind, whole) for kind in field.get("anyOf", [field])]
    option: dict[str, Any] = {"optional": True} if {"type": "null"} in kinds else {}
    kind = next(kind for kind in kinds if kind != {"type": "null"})
    group = _resolve(kind.get("additionalProperties", {}), whole)
    if kind.get("type") == "array":
        return option | {"kind": "texts" if "items" in kind else "region"}
    if "properties" in group:
        return option | {"kind": "groups", "group": _options(group, whole)}
    choices = kind.get("enum") or ([kind["const"]] if "const" in kind else None)
    option["kind"] = kind.get("type", "string")
    found = {word: kind.get(bound) for word, bound in _BOUNDS.items()}
    found |= {"choices": choices, "default": field.get("default")}
    return option | {word: value for word, value in found.items() if value is not None}


def _resolve(kind: object, whole: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(kind, dict):
        return {}
    name = kind.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = whole["$defs"][name] if name else kind
    return found


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(PAGE.read_text("utf-8") != export())
    PAGE.write_text(export(), "utf-8")
