"""What nodes and the hub are told: a node's environment, and what the hub is to wait for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError

_SETTINGS = Path(__file__).parent.parent / "roles/node/files/settings.json"


class FilterModule:
    """Filters, as Ansible looks for them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {
            "camfleet_asked": asked,
            "camfleet_cameras": as_told,
            "camfleet_dotenv": dotenv,
            "camfleet_quiet": quiet,
        }


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


def dotenv(value: object) -> str:
    """Quote a value for an environment file: taken as it is, to its last character."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    if isinstance(value, dict | list):
        text = text.replace("'", "\\u0027")
    if "'" in text or "\n" in text:
        raise AnsibleFilterError(f"found {text!r}, want a value without quotes and line ends")
    return f"'{text}'"


def _settings() -> dict[str, Any]:
    settings: dict[str, Any] = json.loads(_SETTINGS.read_text("utf-8"))
    return settings
