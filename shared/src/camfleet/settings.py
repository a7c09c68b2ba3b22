"""A service's settings out of its environment; wrong ones are refused clearly, all at once.

The transport never imports this; only a service's `__main__` calls it.
"""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsError

from camfleet.setting_place import find_place, is_group

S = TypeVar("S", bound=BaseSettings)

EXIT_SETTING: Final = 2  # as for a wrong command line
_SHOWN: Final = 80  # characters of a wrong value
# What pydantic says before it says what it wants.
_PREAMBLE: Final = re.compile(r"^(Value error, |Input should (be )?|value is not )")
_AFTERTHOUGHT: Final = re.compile(r", unable to .*$")
_REFERENCE: Final = "one of the reference"


@dataclass(frozen=True)
class Unit:
    """What a number counts, for the reference: `Annotated[float, Unit("s")]`."""

    name: str


def load_settings(model: type[S]) -> S:
    """Read a service's settings from the environment, whole.

    A wrong one ends the program with exit code 2 and a line for each on stderr: its name,
    what was found and what was wanted. Of a group only what is wrong is shown, because beside
    it may stand a camera's password.
    """
    prefix = str(model.model_config.get("env_prefix", ""))
    misspelt = _misspelt(prefix, model)
    try:
        settings = model()
    except ValidationError as error:
        refuse([*_describe_all(prefix, model, error), *misspelt])
    except SettingsError as error:
        field = next((name for name in model.model_fields if f'"{name}"' in str(error)), "*")
        variable, size = _broken_json(prefix + field.upper())
        text = f"found {size} characters that are no JSON, want JSON, or one variable per field"
        refuse([f"{variable}: {text}"])
    if misspelt:
        refuse(misspelt)
    return settings


class Refusal(SystemExit):
    """The end of a program whose settings are wrong.

    Attributes:
        problems: each in one line.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(EXIT_SETTING)
        self.problems = problems


def refuse(problems: Iterable[str]) -> NoReturn:
    """End the program with exit code 2, telling each problem."""
    told = tuple(problems)
    with contextlib.suppress(OSError):  # the exit code tells it too
        sys.stderr.writelines(f"setting {problem}\n" for problem in told)
        sys.stderr.flush()
    raise Refusal(told)


def _describe_all(prefix: str, model: type[BaseModel], error: ValidationError) -> list[str]:
    """Put pydantic's errors in our words; what is wrong in several ways is told once."""
    wanted: dict[str, list[str]] = {}
    for problem in error.errors():
        for found, want in _describe(prefix, model, problem):
            wanted.setdefault(found, [])
            if want not in wanted[found]:
                wanted[found].append(want)
    return [
        f"{found}, want{' or'.join(wants).replace(' or:', ' or')}"
        for found, wants in wanted.items()
    ]


def _describe(prefix: str, model: type[BaseModel], problem: ErrorDetails) -> list[tuple[str, str]]:
    """What was found, with its variable, and what was wanted."""
    place = find_place(prefix, model, problem["loc"])
    match problem["type"]:
        case "extra_forbidden" if str(problem["loc"][-1]) in place.others:
            variable = _own(place.variable)
            return [(f"{variable}: found a value", f" none where the source is {place.kind}")]
        case "extra_forbidden":
            return [
                _unknown(written, place.variable, place.siblings)
                for written in _as_written(place.variable)
            ]
        case "union_tag_not_found" | "union_tag_invalid":
            return [_describe_tag(place.variable, problem.get("ctx", {}))]
    variable = _own(place.variable)
    found, wanted = _describe_value(problem, place.parts)
    return [(f"{variable}: found {found}", wanted)]


def _describe_tag(variable: str, context: dict[str, Any]) -> tuple[str, str]:
    tag = str(context["discriminator"]).strip("'").upper()
    variable = _own(f"{variable}__{tag}")
    if "tag" not in context:
        return f"{variable}: found nothing", " a value"
    return f"{variable}: found {context['tag']!r}", f" one of {context['expected_tags']}"


def _describe_value(problem: ErrorDetails, parts: int) -> tuple[str, str]:
    match problem["type"]:
        case "missing" if parts:
            return "fewer values", f" {parts}, separated by commas"
        case "too_long" if parts:
            return "more values", f" {parts}, separated by commas"
        case "missing":
            return "nothing", " a value"
        case "model_type" | "dict_type" | "model_attributes_type":
            wanted = " a group: a variable for each field, or JSON"
        case _:
            wanted = f": {_AFTERTHOUGHT.sub('', _PREAMBLE.sub('', problem['msg']))}"
    return _shown(problem["input"]), wanted


def _as_written(variable: str) -> list[str]:
    """The variables in the environment that are meant, or begin so; else the name itself."""
    below = f"{variable.upper()}__"
    written = _own(variable)
    if written in os.environ:
        return [written]
    found = [found for found in sorted(os.environ) if found.upper().startswith(below)]
    return found or [variable]


def _own(variable: str) -> str:
    """A variable with the capitals that it has in the environment."""
    name = variable.upper()
    return next((found for found in os.environ if found.upper() == name), variable)


def _broken_json(variable: str) -> tuple[str, int]:
    """Which variable of a group holds JSON that is none, and how many characters."""
    for found in _as_written(variable):
        value = os.environ.get(found, "")
        try:
            if value.startswith(("{", "[")) or found.upper() == variable:
                json.loads(value)
        except ValueError:
            return found, len(value)
    return variable, len(os.environ.get(variable, ""))


def _shown(value: object) -> str:
    """What was found, in short; of a group not its values."""
    if isinstance(value, dict | list):
        return f"a group of {len(value)}"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _misspelt(prefix: str, model: type[BaseModel]) -> list[str]:
    """Variables with our prefix that no setting has: most likely a typing error."""
    fields = {
        prefix + name.upper(): is_group(f.annotation) for name, f in model.model_fields.items()
    }
    misspelt = []
    for variable in sorted(os.environ):
        first, between, _ = variable.upper().partition("__")
        if first.startswith(prefix) and not (first in fields and (fields[first] or not between)):
            near = [name for name, has_more in fields.items() if has_more and name in first]
            if between and near and first.startswith(f"{near[0]}_"):  # one _ where two belong
                rest = variable[len(near[0]) :].lstrip("_")
                found, want = _unknown(variable, variable, [f"{near[0]}__{rest}"])
            else:
                found, want = _unknown(variable, first, sorted(fields))
            misspelt.append(f"{found}, want{want}")
    return misspelt


def _unknown(written: str, wrong: str, known: list[str]) -> tuple[str, str]:
    """Say which setting a variable means, of which so much is wrong; the rest of it stays."""
    names = {name.upper(): name for name in known}
    close = difflib.get_close_matches(wrong.upper(), names, 1)
    rest = written[len(wrong) :]
    meant = names[close[0]] if close else ""
    if rest and meant == wrong.upper():
        rest = ""  # what is no group has nothing below it
    return f"{written}: there is no such setting", f" {meant + rest if meant else _REFERENCE}?"
