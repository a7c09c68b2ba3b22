"""Makes one script of a module and all that it imports: a page asks for one file, not for forty.

A module becomes a function that is called once and returns what it exports, so that its other
names stay its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_IMPORT: Final = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.js)";$', re.MULTILINE)
_EXPORT: Final = re.compile(
    r"^export (?=(?:(?:async )?function\*?|class|const) (\w+))", re.MULTILINE
)
_OTHER: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def bundle(name: str, read: Callable[[str], str]) -> str:
    """Put a module behind all that it imports.

    Args:
        name: of its file.
        read: the text of a file.

    Raises:
        ValueError: a module imports itself, or imports or exports in another way than ours do.
    """
    parts: list[str] = []
    _put(name, read, [], set(), parts)
    return "".join(parts)


def imports(text: str) -> list[str]:
    """Names of the files that a module imports."""
    return [found[2] for found in _IMPORT.finditer(text)]


def _put(
    name: str,
    read: Callable[[str], str],
    importers: list[str],
    done: set[str],
    parts: list[str],
) -> None:
    if name in importers:
        raise ValueError(f"modules import each other: {' → '.join([*importers, name])}")
    if name in done:
        return
    text = read(name)
    for one in imports(text):
        _put(one, read, [*importers, name], done, parts)
    done.add(name)
    parts.append(_wrapped(name, text))


def _wrapped(name: str, text: str) -> str:
    exported = _EXPORT.findall(text)
    body = _EXPORT.sub("", _IMPORT.sub(_taken, text))
    if other := _OTHER.search(body):
        raise ValueError(
            f"{name} has {other[0]!r}, want imports by name, and exports of "
            "functions, classes and constants"
        )
    return (
        f"const {_variable(name)} = (() => {{\n{body}\n"
        f"return {{ {', '.join(exported)} }};\n}})();\n"
    )


def _taken(found: re.Match[str]) -> str:
    names = re.sub(r"\s+as\s+", ": ", found[1])
    return f"const {{{names}}} = {_variable(found[2])};"


def _variable(name: str) -> str:
    return "$" + name.removesuffix(".js").replace("-", "_")
