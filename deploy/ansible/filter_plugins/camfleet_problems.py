"""What is wrong with an inventory, a sentence for each variable and setting; no host is asked."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

_ROLES = Path(__file__).parent.parent / "roles"
_SETTINGS = Path(__file__).parent.parent / "roles/node/files/settings.json"
_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "region": "four numbers: left,top,width,height in percent",
    "object": "values by name",
    "texts": "a list, or texts separated by commas",
}
_CLASSES = {"object": dict, "texts": str | list}
_TYPES = {
    "bool": "true or false",
    "dict": "values by name",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "path": "a path",
    "str": "a text",
}
_TYPING = {"type", "elements", "choices"}


class FilterModule:
    """Filters, as Ansible looks for them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {
            "camfleet_camera_problems": camera_problems,
            "camfleet_hub_problems": hub_problems,
            "camfleet_problems": problems,
            "camfleet_setting_problems": setting_problems,
        }


def problems(variables: Mapping[str, Any]) -> list[str]:
    """Say all that is wrong with a host's variables."""
    found = unknown(variables) + wrong(variables)
    for name, find in _CONTENTS.items():
        if name in variables and not any(problem.startswith(f"{name}:") for problem in found):
            found += find(variables[name])
    return found


def wrong(variables: Mapping[str, Any]) -> list[str]:
    """Say which variables of any role are not of the type or the choice that it wants."""
    sentences = []
    for options in _specs().values():
        for name in options.keys() & variables.keys():
            option = {word: options[name][word] for word in _TYPING & options[name].keys()}
            given = {name: variables[name]}
            if ArgumentSpecValidator({name: option}).validate(given).error_messages:
                found = "what it has" if options[name].get("no_log") else repr(variables[name])
                wanted = " or ".join(option.get("choices", [_TYPES[option["type"]]]))
                sentences.append(f"{name}: found {found}, want {wanted}")
    return sorted(sentences)


def unknown(names: Iterable[str]) -> list[str]:
    """Say which variables begin like a role's and are none, and which ones were meant."""
    known = {name: None for spec in _specs().values() for name in spec}
    prefixes = tuple(f"{role}_" for role in _specs())
    return [
        f"there is no variable {name}" + _meant(name, known)
        for name in sorted(names)
        if name.startswith(prefixes) and name not in known
    ]


def camera_problems(cameras: dict[str, Any]) -> list[str]:
    """Say what is wrong with a node's cameras, a sentence each."""
    if not isinstance(cameras, dict) or not cameras:
        return [f"node_cameras: found {cameras!r}, want at least one camera by name"]
    sources = _settings()["cameras"]
    found: list[str] = []
    for name, camera in cameras.items():
        where = f"node_cameras.{name}"
        if not isinstance(camera, dict):
            found.append(f"{where}: found {camera!r}, want settings by name")
        elif "source" not in camera and difflib.get_close_matches("source", camera, 1):
            misspelt = difflib.get_close_matches("source", camera, 1)[0]
            found.append(f"{where}.{misspelt}: there is none, source was meant")
        elif camera.get("source") not in sources:
            source, wanted = camera.get("source"), ", ".join(sources)
            found.append(f"{where}.source: found {source!r}, want one of {wanted}")
        else:
            found += _problems(where, camera, sources[camera["source"]])
    return found


def setting_problems(settings: dict[str, Any]) -> list[str]:
    """Say what is wrong with a node's settings beside its cameras."""
    return _problems("node_settings", settings, _settings()["node"])


def hub_problems(settings: dict[str, Any]) -> list[str]:
    """Say what is wrong with the hub's settings."""
    return _problems("hub_settings", settings, _settings()["hub"])


_CONTENTS: dict[str, Callable[[Any], list[str]]] = {
    "node_cameras": camera_problems,
    "node_settings": setting_problems,
    "hub_settings": hub_problems,
}


def _problems(where: str, given: dict[str, Any], known: dict[str, Any]) -> list[str]:
    found = [
        f"{where}.{name}: want it, for there is no default"
        for name, wanted in known.items()
        if wanted.get("required") and name not in given
    ]
    for name, value in given.items():
        if name not in known:
            meant = _meant(str(name), known) or ", docs/configuration.md lists what there is"
            found.append(f"{where}.{name}: there is none{meant}")
        elif problem := _problem(value, known[name]):
            found.append(f"{where}.{name}: found {value!r}, want {problem}")
        elif known[name]["kind"] == "groups":
            for group, inner in value.items():
                found += _problems(f"{where}.{name}.{group}", inner, known[name]["group"])
    return found


def _problem(value: object, wanted: dict[str, Any]) -> str:
    """What is wanted in place of a value; nothing where it will do."""
    kind, choices = wanted["kind"], wanted.get("choices")
    if value is None and wanted.get("optional"):
        return ""
    if choices is not None:
        return "" if value in choices else f"one of {', '.join(map(str, choices))}"
    if kind == "groups":
        good = isinstance(value, dict) and all(isinstance(group, dict) for group in value.values())
        return "" if good else "groups of settings by name"
    return _range_problem(value, wanted) if _fits(value, kind) else _KINDS[kind]


def _range_problem(value: object, wanted: dict[str, Any]) -> str:
    least, most = wanted.get("least"), wanted.get("most")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    above, below = wanted.get("above"), wanted.get("below")
    if above is not None and value <= above:
        return f"more than {above:g}"
    if below is not None and value >= below:
        return f"less than {below:g}"
    if least is not None and value < least:
        return f"at least {least:g}"
    return f"at most {most:g}" if most is not None and value > most else ""


def _fits(value: object, kind: str) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "integer":
            return is_number and float(value).is_integer()  # type: ignore[arg-type]
        case "number":
            return is_number
        case "boolean":
            return isinstance(value, bool)
        case "region":
            sides = value.split(",") if isinstance(value, str) else value
            return isinstance(sides, list) and len(sides) == 4 and all(map(_is_number, sides))
        case _:
            return isinstance(value, _CLASSES.get(kind, str)) or (kind == "string" and is_number)


def _is_number(text: object) -> bool:
    try:
        float(str(text))
    except ValueError:
        return False
    return True


def _meant(name: str, known: Iterable[str]) -> str:
    closest = difflib.get_close_matches(name.lower(), known, 1)
    return f", {closest[0]} was meant" if closest else ""


def _specs() -> dict[str, dict[str, Any]]:
    """Options of every role, of all its entry points."""
    specs = {}
    for path in sorted(_ROLES.glob("*/meta/argument_specs.yml")):
        entries = yaml.safe_load(path.read_text("utf-8"))["argument_specs"]
        options = {name: o for entry in entries.values() for name, o in entry["options"].items()}
        specs[path.parts[-3]] = options
    return specs


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(_SETTINGS.read_text("utf-8"))
    return settings
