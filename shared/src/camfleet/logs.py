"""A service's log: one event a line. Only a service's `__main__` configures it."""

from __future__ import annotations

import io
import logging
import sys
from typing import TextIO, cast

import structlog

from camfleet.log_output import LogOutput


def configure_logs(level: str = "INFO") -> None:
    """Log one event a line to stdout: readable on a terminal, JSON elsewhere."""
    is_terminal = sys.stdout.isatty()
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
        logger_factory=structlog.PrintLoggerFactory(_output()),
    )


def _output() -> TextIO:
    try:
        return cast("TextIO", LogOutput(sys.stdout.fileno()))
    except (io.UnsupportedOperation, AttributeError, ValueError):
        return sys.stdout  # that of a test, or none at all
