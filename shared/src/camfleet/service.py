"""What both services share at their start: settings refused clearly, logs configured once.

The transport never imports this; only a service's `__main__` calls it.
"""

from __future__ import annotations

import difflib
import logging
import os
import sys
from collections.abc import Iterable
from typing import NoReturn, TypeVar

import structlog
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

S = TypeVar("S", bound=BaseSettings)

EXIT_SETTING = 2  # as for a wrong command line


def load_settings(model: type[S]) -> S:
    """Read a service's settings from the environment, whole.

    A wrong one ends the program with exit code 2 and a line for each: its name, what was
    found and what was wanted.
    """
    prefix = str(model.model_config.get("env_prefix", ""))
    try:
        settings = model()
    except ValidationError as error:
        refuse(_describe(prefix, error))
    except SettingsError as error:
        refuse([f"{prefix}*: {error} (want JSON there, or one variable per field)"])
    refuse(_misspelt(prefix, set(model.model_fields)))
    return settings


def refuse(problems: Iterable[str]) -> None:
    """End the program with exit code 2 if there is any problem, telling all of them."""
    problems = list(problems)
    if problems:
        _exit(problems)


def configure_logs(level: str = "INFO") -> None:
    """Log one event a line to stderr: readable on a terminal, JSON elsewhere."""
    is_terminal = sys.stderr.isatty()
    render = structlog.dev.ConsoleRenderer() if is_terminal else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if is_terminal else [structlog.processors.format_exc_info]),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _exit(problems: list[str]) -> NoReturn:
    for problem in problems:
        sys.stderr.write(f"setting {problem}\n")
    raise SystemExit(EXIT_SETTING)


def _describe(prefix: str, error: ValidationError) -> list[str]:
    return [
        f"{_variable(prefix, problem['loc'])}: found {problem['input']!r}, want: {problem['msg']}"
        for problem in error.errors()
    ]


def _variable(prefix: str, location: tuple[int | str, ...]) -> str:
    first, *rest = (str(part) for part in location) if location else ("",)
    return "__".join([prefix + first.upper(), *(rest[:1]), *(part.upper() for part in rest[1:])])


def _misspelt(prefix: str, fields: set[str]) -> list[str]:
    """Variables with our prefix that no setting has: most likely a typing error."""
    known = [prefix + field.upper() for field in sorted(fields)]
    problems = []
    for variable in sorted(os.environ):
        if not variable.upper().startswith(prefix):
            continue
        if variable.upper().partition("__")[0] not in known:
            close = difflib.get_close_matches(variable.upper(), known, 1) or [
                "one of the reference"
            ]
            problems.append(f"{variable}: there is no such setting, want {close[0]}?")
    return problems
