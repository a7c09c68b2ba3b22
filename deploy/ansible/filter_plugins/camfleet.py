"""What the playbooks reckon on the control machine: which settings are wrong, what is asked."""

from __future__ import annotations

import difflib
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError
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
_TYPING = {"type", "elements"}
_UNREACHABLE = "host unreachable"
_NO_NODE = "no node"


class FilterModule:
    """Filters, as Ansible looks for them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {
            "camfleet_archive": read_archive,
            "camfleet_asked": asked,
            "camfleet_quiet": quiet,
            "camfleet_reason": reason,
            "camfleet_rows": rows,
            "camfleet_run_pid": run_pid,
            "camfleet_camera_problems": camera_problems,
            "camfleet_cameras": as_told,
            "camfleet_dotenv": dotenv,
            "camfleet_faults": faults,
            "camfleet_hub_problems": hub_problems,
            "camfleet_problems": problems,
            "camfleet_is_alive": is_alive,
            "camfleet_setting_problems": setting_problems,
            "camfleet_table": table,
            "camfleet_unknown": unknown,
            "camfleet_wrong": wrong,
        }


def problems(variables: Mapping[str, Any]) -> list[str]:
    """Say all that is wrong with a host's variables."""
    found = unknown(variables) + wrong(variables)
    for name, find in _CONTENTS.items():
        if name in variables and not any(problem.startswith(f"{name}:") for problem in found):
            found += find(variables[name])
    return found


def wrong(variables: Mapping[str, Any]) -> list[str]:
    """Say which variables of any role have another type than its argument_specs want."""
    sentences = []
    for options in _specs().values():
        for name in options.keys() & variables.keys():
            option = {word: options[name][word] for word in _TYPING & options[name].keys()}
            given = {name: variables[name]}
            if ArgumentSpecValidator({name: option}).validate(given).error_messages:
                found = "what it has" if options[name].get("no_log") else repr(variables[name])
                sentences.append(f"{name}: found {found}, want {_TYPES[option['type']]}")
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
            return is_number and value == int(value)  # type: ignore[call-overload]
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


def as_told(cameras: dict[str, Any]) -> dict[str, Any]:
    """Cameras as the node reads them: a number where it wants a text becomes one."""
    return {
        name: {
            option: _as_told(camera["source"], option, value) for option, value in camera.items()
        }
        for name, camera in cameras.items()
    }


def _as_told(source: str, option: str, value: object) -> object:
    is_text = _settings()["cameras"][source][option]["kind"] == "string"
    return str(value) if is_text and isinstance(value, int | float) else value


def asked(cameras: dict[str, Any], share: float) -> list[str]:
    """Words for `camfleet-hub await`: the rate that each camera must reach."""
    words = []
    for name, camera in cameras.items():
        default = _settings()["cameras"][camera["source"]]["fps"].get("default")
        fps = camera.get("fps") or default or 0
        words += ["--camera", f"{name}={float(fps) * float(share):.2f}"]
    return words


def quiet(cameras: dict[str, Any]) -> list[str]:
    """Words for `camfleet-hub await`: the cameras that need not send all the time."""
    named = [name for name, camera in cameras.items() if camera.get("send", "always") != "always"]
    return [word for name in named for word in ("--quiet", name)]


def read_archive(path: str) -> dict[str, str]:
    """Tell what an image's archive holds: its tag, its digest and its architecture."""
    try:
        with tarfile.open(path, "r:") as archive:
            manifest = json.load(_member(archive, "manifest.json"))
            if len(manifest) != 1 or not manifest[0].get("RepoTags"):
                raise AnsibleFilterError(f"{path}: found {len(manifest)} images, want one, tagged")
            config = manifest[0]["Config"]
            architecture = json.load(_member(archive, config))["architecture"]
    except FileNotFoundError as error:
        raise AnsibleFilterError(f"there is no image {path}: `make images` makes it") from error
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"{path} is no archive of an image: {error}") from error
    digest = Path(config).name.removesuffix(".json")
    return {"tag": manifest[0]["RepoTags"][0], "digest": digest, "architecture": architecture}


def _member(archive: tarfile.TarFile, name: str) -> Any:  # noqa: ANN401 - a file's object
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file


def dotenv(value: object) -> str:
    """Quote a value for an environment file: taken as it is, to its last character."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    if isinstance(value, dict | list):
        text = text.replace("'", "\\u0027")
    if "'" in text or "\n" in text:
        raise AnsibleFilterError(f"found {text!r}, want a value without quotes and line ends")
    return f"'{text}'"


def is_alive(pid: object) -> bool:
    """Whether a playbook of this machine still runs; where that is not to be known it does not."""
    try:
        command = Path("/proc", str(pid), "cmdline").read_bytes()
    except OSError:
        return False
    words = command.split(b"\0")[:2]
    return any(word.rpartition(b"/")[2].startswith(b"ansible") for word in words)


def run_pid(_: object) -> int:
    """This run's process: the uppermost one above a worker that is Ansible's."""
    pid = os.getpid()
    while True:
        try:
            status = Path("/proc", str(pid), "status").read_text("utf-8")
        except OSError:
            return os.getppid()
        parent = int(status.partition("PPid:")[2].split()[0])
        if not is_alive(parent):
            return pid
        pid = parent


def reason(result: dict[str, Any]) -> str:
    """Say in one line why a task failed."""
    failed = [one for one in result.get("results", []) if one.get("failed")] or [result]
    return "; ".join(" ".join(_why(one).split()) for one in failed)


def _why(result: dict[str, Any]) -> str:
    said = str(result.get("msg") or "a task failed")
    lines = str(result.get("stderr") or "").strip().splitlines()
    return f"{said}: {lines[-1].strip()}" if lines else said


def rows(
    hosts: dict[str, Any],
    names: list[str],
    cameras: list[dict[str, Any]],
    enrolled: list[dict[str, str]],
) -> list[dict[str, Any]]:
    """Rows of the fleet's table: what hosts said of their nodes, and the hub of them.

    Args:
        hosts: variables of all hosts, by name.
        names: of those that are asked for.
        cameras: what the hub measured.
        enrolled: whom the hub lets in.
    """
    found = []
    keys = {entry["key"]: entry["name"] for entry in enrolled}
    for name in names:
        node = str(hosts[name].get("node_name", name))
        seen = _about(hosts[name].get("node_seen") or {})
        key = seen.pop("key", None)
        about = {"node": node} | seen
        if node not in keys.values() or (key and keys.get(key) != node):
            # What it did before says nothing of what it does now.
            state = "revoked" if key else "not enrolled"
            found.append(about | {"state": state, "health": None if key else about["health"]})
            continue
        own = [camera for camera in cameras if camera["node"] == node]
        found += [about | _camera(camera) for camera in own] or [
            about | {"state": "unknown at the hub"}
        ]
    return found


def faults(found: list[dict[str, Any]], node: str) -> list[str]:
    """Say what is wrong with one node, by its rows of the table, and what to do."""
    own = [row for row in found if row["node"] == node]
    states = {row["state"] for row in own}
    if "revoked" in states:
        return ["its keys were revoked, or are another hub's: enrol-nodes.yml gives it new ones"]
    if "not enrolled" in states:
        return ["it is not enrolled: run deploy-nodes.yml"]
    health = next((row["health"] for row in own), None)
    sentences = {
        "healthy": [],
        _UNREACHABLE: ["the host does not answer: see that it is switched on and in the network"],
        _NO_NODE: ["no node is there: run deploy-nodes.yml"],
    }.get(str(health), [f"it is {health}: see `docker logs camfleet-node` there"])
    silent = [row.get("camera") or "every camera" for row in own if row["state"] != "online"]
    return sentences + [f"{camera} is not online at the hub" for camera in silent]


def _about(seen: dict[str, Any]) -> dict[str, Any]:
    """What a host said of its node."""
    lines = (seen.get("stdout") or "").splitlines()
    if len(lines) < 2:
        return {"health": _UNREACHABLE}
    health, restarts, image = lines[0].split("|")
    version, _, reference = image.partition(" ")
    digest = reference.rpartition("sha256")[2].lstrip("-:")[:12]
    throttled = lines[1].rpartition("=")[2]
    return {
        "health": health,
        "restarts": restarts,
        "version": version,
        "image": digest,
        "throttling": {"0x0": "none", "0": "none", "-": None}.get(throttled, throttled),
        "key": next((line.removeprefix("key=") for line in lines[2:]), None),
    }


def _camera(camera: dict[str, Any]) -> dict[str, Any]:
    """What the hub measured."""
    latency_ms, last_s = camera["latency_ms"], camera["last_frame_s"]
    return {
        "camera": camera["camera"],
        "state": "online" if camera["online"] else "offline",
        "fps": camera["captured_fps"],
        "latency": None if latency_ms is None else f"{latency_ms:.0f} ms",
        "last frame": None if last_s is None else f"{last_s:.0f} s ago",
    }


def table(found: list[dict[str, Any]], columns: list[str]) -> str:
    """Lines with aligned columns; one text, for Ansible would fold each line of a list."""
    cells = [columns] + [[_cell(row.get(column)) for column in columns] for row in found]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )


def _cell(value: object) -> str:
    return "-" if value is None or value == "" else str(value)


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
