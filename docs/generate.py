"""Writes docs/configuration.md out of the settings models: `make docs`."""

from __future__ import annotations

from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from camfleet_hub.settings import HubSettings
from camfleet_node.settings import FileCamera, NodeSettings, OpenCVCamera, SyntheticCamera

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

    CAMFLEET_NODE_CAMERAS__front__SOURCE=opencv
    CAMFLEET_NODE_CAMERAS__front__DEVICE=/dev/video0
    CAMFLEET_NODE_CAMERAS__street__SOURCE=file
    CAMFLEET_NODE_CAMERAS__street__PATH=/media/street.mp4

The same as JSON, which keeps capitals and spaces in names:

    CAMFLEET_NODE_CAMERAS={"front": {"source": "opencv", "device": "/dev/video0"}}
"""


def page() -> str:
    """The whole page as it should be."""
    parts = [INTRODUCTION, "## Hub\n", _table(HubSettings, "CAMFLEET_HUB_")]
    parts += ["## Node\n", _table(NodeSettings, "CAMFLEET_NODE_"), CAMERAS]
    for model in (SyntheticCamera, FileCamera, OpenCVCamera):
        source = get_args(model.model_fields["source"].annotation)[0]
        parts += [f"### `{source}`\n\n{model.__doc__}\n"]
        parts += [_table(model, "CAMFLEET_NODE_CAMERAS__NAME__")]
    return "\n".join(parts)


def _table(model: type[BaseModel], prefix: str) -> str:
    lines = ["| variable | value | default | what it is |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        if name != "source":
            lines.append(
                f"| `{prefix}{name.upper()}` | {_kind(field)} | {_default(name, field)} "
                f"| {field.description} |"
            )
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


def _members(annotation: Any) -> list[Any]:  # noqa: ANN401 - any annotation
    if isinstance(annotation, UnionType) or get_origin(annotation) is Union:
        return [kind for kind in get_args(annotation) if kind is not type(None)]
    return [annotation]


def _word(kind: Any) -> str:  # noqa: ANN401 - any annotation
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is Annotated:
        return _word(get_args(kind)[0])
    if get_origin(kind) is dict:
        return "cameras by name"
    if get_origin(kind) is tuple:
        return "names, separated by commas"
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
    if field.default_factory is not None:
        return COMPUTED[name]
    if field.default is PydanticUndefined:
        return "required"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`" if field.default or field.default == 0 else "none"


if __name__ == "__main__":
    PAGE.write_text(page())
