"""Writes docs/configuration.md out of the settings models: `make docs`."""

from __future__ import annotations

from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from camfleet.settings import Unit
from camfleet_hub.settings import HubSettings
from camfleet_node.settings import NodeSettings
from camfleet_node.settings.camera import Camera, LightSettings, MotionSettings
from camfleet_node.settings.sources import CameraSettings

PAGE = Path(__file__).parent / "configuration.md"
INTRODUCTION = """\
# Configuration

Both services are configured by environment variables alone, read once at the start. A wrong
value, or a variable that begins like ours and is none, ends the program with exit code 2 and a
line that names the variable, what was found and what was wanted. This page is made from the
settings models by `make docs`; a test fails when it is stale.
"""
COMPUTED = {
    "state": "`$XDG_STATE_HOME/camfleet`, or `~/.local/state/camfleet`",
    "io_threads": "as many as cores, at most 4",
}
CAMERAS = """\
## Cameras of a node

A camera is a group of variables. Its name is part of theirs, in small letters; so the camera
`front` has `CAMFLEET_NODE_CAMERAS__front__SOURCE`, and what its source needs beside it:

    CAMFLEET_NODE_CAMERAS__front__SOURCE=picamera2
    CAMFLEET_NODE_CAMERAS__front__FLIP=both
    CAMFLEET_NODE_CAMERAS__street__SOURCE=v4l2
    CAMFLEET_NODE_CAMERAS__street__DEVICE=/dev/video0
    CAMFLEET_NODE_CAMERAS__street__SEND=motion
    CAMFLEET_NODE_CAMERAS__street__MOTION__gate__REGION=10,40,50,60

The same as JSON, which keeps capitals and spaces in names:

    CAMFLEET_NODE_CAMERAS={"front": {"source": "picamera2", "flip": "both"}}
"""
EVERY_CAMERA = """\
### Every camera

What any camera can be told beside its source. A picture is flipped, turned, cropped, scaled,
blurred, made gray and written on in this order.
"""
DETECTORS = """\
A detector has the name of its area, and one variable makes it:
`CAMFLEET_NODE_CAMERAS__front__MOTION__door__REGION=0,0,50,100` looks at the left half and calls it
`door`; `CAMFLEET_NODE_CAMERAS__front__MOTION__all__FPS=5` looks at the whole picture.
"""


def page() -> str:
    """The whole page as it should be."""
    parts = [INTRODUCTION, "## Hub\n", _table(HubSettings, "CAMFLEET_HUB_")]
    parts += ["## Node\n", _table(NodeSettings, "CAMFLEET_NODE_"), CAMERAS]
    for model in get_args(get_args(CameraSettings)[0]):
        source = get_args(model.model_fields["source"].annotation)[0]
        parts += [f"### `{source}`\n\n{model.__doc__}\n"]
        parts += [_table(model, "CAMFLEET_NODE_CAMERAS__NAME__", beside=Camera)]
    parts += [EVERY_CAMERA, _table(Camera, "CAMFLEET_NODE_CAMERAS__NAME__"), DETECTORS]
    for kind, detector in (("motion", MotionSettings), ("light", LightSettings)):
        parts += [f"### Detectors of {kind}\n\n{detector.__doc__}\n"]
        parts += [_table(detector, f"CAMFLEET_NODE_CAMERAS__NAME__{kind.upper()}__AREA__")]
    return "\n".join(parts)


def _table(model: type[BaseModel], prefix: str, beside: type[BaseModel] = BaseModel) -> str:
    """A line per field that `beside` does not have with the same meaning."""
    lines = ["| variable | value | unit | default | example | what it is |", "|---|" + "---|" * 5]
    for name, field in model.model_fields.items():
        known = beside.model_fields.get(name) if beside is not BaseModel else None
        is_told_once = known and known.description == field.description
        if name in {"source", "motion", "light"} or is_told_once:
            continue
        cells = [_kind(field), _unit(field), _default(name, field), _example(name, field)]
        lines.append(" | ".join([f"| `{prefix}{name.upper()}`", *cells, f"{field.description} |"]))
    return "\n".join([*lines, ""])


def _kind(field: FieldInfo) -> str:
    kinds = [_word(kind) for kind in _members(field.annotation)]
    words = {"ge": "from", "gt": "above", "le": "to", "max_length": "at most"}
    bounds = [
        f"{word} {getattr(rule, attribute)}"
        for attribute, word in words.items()
        for rule in field.metadata
        if getattr(rule, attribute, None) is not None
    ]
    return f"{' or '.join(kinds)} {' '.join(bounds)}".strip()


def _unit(field: FieldInfo) -> str:
    rules = [*field.metadata]
    for kind in _members(field.annotation):
        rules += get_args(kind)[1:] if get_origin(kind) is Annotated else []
    return next((rule.name for rule in rules if isinstance(rule, Unit)), "")


def _example(name: str, field: FieldInfo) -> str:
    if not field.examples:
        raise LookupError(f"setting {name} has no example")
    return f"`{field.examples[0]}`"


def _members(annotation: Any) -> list[Any]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        return [kind for kind in get_args(annotation) if kind is not type(None)]
    return [annotation]


def _word(kind: Any) -> str:  # noqa: ANN401 - any annotation
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is Annotated:
        return _word(arguments[0])
    if origin is dict:
        return "JSON, values by name"
    if origin is tuple:
        is_list = arguments[-1] is ...
        return f"{'texts' if is_list else f'{len(arguments)} numbers'}, separated by commas"
    words = {
        "int": "whole number",
        "float": "number",
        "str": "text",
        "Path": "path",
        "bool": "`true` or `false`",
        "IPvAnyAddress": "IP address",
    }
    name: str = kind.__name__
    return words[name]


def _default(name: str, field: FieldInfo) -> str:
    value = field.default
    if field.default_factory is not None:
        return COMPUTED[name]
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple) and value:
        return f"`{','.join(part if isinstance(part, str) else f'{part:g}' for part in value)}`"
    return f"`{value}`" if value or value == 0 else "none"


if __name__ == "__main__":
    PAGE.write_text(page())
