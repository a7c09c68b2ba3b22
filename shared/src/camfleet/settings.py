"""A service's settings out of its environment; wrong ones are refused clearly, all at once.

The transport never imports this; only a service's `__main__` calls it.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Iterable
from typing import Any, Final, NoReturn, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsError

S = TypeVar("S", bound=BaseSettings)

EXIT_SETTING: Final = 2  # as for a wrong command line
_SHOWN: Final = 80  # characters of a wrong value
# What pydantic says before it says what it wants.
_PREAMBLE: Final = re.compile(r"^(Value error, |Input should (be )?|value is not )")


def load_settings(model: type[S]) -> S:
    """Read a service's settings from the environment, whole.

    A wrong one ends the program with exit code 2 and a line for each on stderr: its name,
    what was found and what was wanted. Of a group only what is wrong is shown, because beside
    it may stand a camera's password.
    """
    prefix = str(model.model_config.get("env_prefix", ""))
    misspelt = _misspelt(prefix, set(model.model_fields))
    try:
        settings = model()
    except ValidationError as error:
        refuse([_describe(prefix, model, problem) for problem in error.errors()] + misspelt)
    except SettingsError as error:
        field = next((name for name in model.model_fields if f'"{name}"' in str(error)), "*")
        size = len(os.environ.get(prefix + field.upper(), ""))
        text = f"found {size} characters that are no JSON, want JSON, or one variable per field"
        refuse([f"{prefix}{field.upper()}: {text}"])
    if misspelt:
        refuse(misspelt)
    return settings


def read_command_line(description: str, software: str) -> None:
    """Answer `--help` and `--version`; a service is configured by its environment alone.

    Another argument ends the program with exit code 2.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog="It is configured by environment variables: see docs/configuration.md.",
    )
    parser.add_argument("--version", action="version", version=software)
    parser.parse_args()


def refuse(problems: Iterable[str]) -> NoReturn:
    """End the program with exit code 2, telling each problem."""
    for problem in problems:
        sys.stderr.write(f"setting {problem}\n")
    raise SystemExit(EXIT_SETTING)


def _describe(prefix: str, model: type[BaseModel], problem: ErrorDetails) -> str:
    """Put one of pydantic's errors in our words."""
    context = problem.get("ctx", {})
    variable = _variable(prefix, problem["loc"])
    wanted = _PREAMBLE.sub("", problem["msg"])
    found = _shown(problem["input"])
    match problem["type"]:
        case "missing":
            return f"{variable}: found nothing, want a value"
        case "union_tag_not_found":
            return f"{variable}__{_tag(context)}: found nothing, want a value"
        case "union_tag_invalid":
            wanted = f"one of {context['expected_tags']}"
            return f"{variable}__{_tag(context)}: found {context['tag']!r}, want {wanted}"
        case "extra_forbidden":
            group = variable.rpartition("__")[0]
            known = [f"{group}__{name.upper()}" for name in _nested_fields(model)]
            if variable in known:
                kind = problem["loc"][2]
                return f"{variable}: found a value, want none where the source is {kind}"
            return _unknown(variable, known)
    return f"{variable}: found {found}, want: {wanted}"


def _variable(prefix: str, location: tuple[int | str, ...]) -> str:
    """Name the variable behind pydantic's location.

    In a group, that is (field, key, kind of the model that the discriminator chose, its field);
    for a key itself, (field, key, "[key]"). The third part stands in no variable.
    """
    first, *rest = (str(part) for part in location) if location else ("",)
    return "__".join([prefix + first.upper(), *rest[:1], *(part.upper() for part in rest[2:])])


def _tag(context: dict[str, Any]) -> str:
    return str(context["discriminator"]).strip("'").upper()


def _shown(value: object) -> str:
    """What was found, in short; of a group not its values."""
    if isinstance(value, dict | list):
        return f"a group of {len(value)}"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _nested_fields(annotation: Any) -> set[str]:  # noqa: ANN401 - any annotation
    """Names of all fields of the models that stand in groups."""
    if isinstance(annotation, type) and issubclass(annotation, BaseSettings):
        return set().union(
            *(_nested_fields(f.annotation) for f in annotation.model_fields.values())
        )
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return set(annotation.model_fields)
    return set().union(*(_nested_fields(part) for part in get_args(annotation)))


def _misspelt(prefix: str, fields: set[str]) -> list[str]:
    """Variables with our prefix that no setting has: most likely a typing error."""
    known = [prefix + field.upper() for field in sorted(fields)]
    return [
        _unknown(variable, known)
        for variable in sorted(os.environ)
        if variable.upper().startswith(prefix) and variable.upper().partition("__")[0] not in known
    ]


def _unknown(variable: str, known: list[str]) -> str:
    names = {name.upper(): name for name in known}
    close = difflib.get_close_matches(variable.upper(), names, 1)
    wanted = names[close[0]] if close else "one of the reference"
    return f"{variable}: there is no such setting, want {wanted}?"
