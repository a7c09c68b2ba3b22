"""The state of the fleet: the rows of its table, and what is wrong with a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_UNREACHABLE = "host unreachable"
_NO_NODE = "no node"


class FilterModule:
    """Filters, as Ansible looks for them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {
            "camfleet_faults": faults,
            "camfleet_rows": rows,
            "camfleet_table": table,
        }


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
    health = next((row["health"] for row in own), None)
    sentences = {
        "healthy": [],
        _UNREACHABLE: ["the host does not answer: see that it is switched on and in the network"],
        _NO_NODE: ["no node is there: run deploy-nodes.yml"],
    }.get(str(health), [f"it is {health}: see `docker logs camfleet-node` there"])
    if "not enrolled" in states:
        return [*sentences, "the hub does not know it: run deploy-nodes.yml, unless it was revoked"]
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
