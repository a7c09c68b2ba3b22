"""`camfleet view`: a table of the streams that are there. No camera works for it."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any, Final

from camfleet.cli.hub import add_hub, add_patterns, name, streams, subscribe
from camfleet.wire import StreamState

_HEAD: Final = ("STREAM", "STATE", "FPS", "LATENCY", "SIZE")
_WATCH_S: Final = 1.0
_HOME: Final = "\x1b[H\x1b[J"  # to the top, and clear what is below (ECMA-48)
_NS_PER_MS: Final = 1e6


def add_to(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command."""
    parser = commands.add_parser("view", help="list streams", description=__doc__)
    add_patterns(parser)
    parser.add_argument("--watch", action="store_true", help="again every second, until Ctrl-C")
    add_hub(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Print the table, once or until it is interrupted."""
    with subscribe(options, *options.patterns) as subscriber:
        while True:
            shown = table(streams(subscriber, options.timeout))
            sys.stdout.write((_HOME if options.watch else "") + shown)
            sys.stdout.flush()
            if not options.watch:
                return
            time.sleep(_WATCH_S)


def table(states: tuple[StreamState, ...]) -> str:
    """Lay the streams out in columns, one line each."""
    rows = [_HEAD, *map(_row, states)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines) + "\n"


def _row(state: StreamState) -> tuple[str, ...]:
    return (
        printable(name(state)),
        printable(state.liveness),
        f"{state.fps:.1f}",
        _latency(state),
        "x".join(map(str, reversed(state.shape[:2]))),
    )


def _latency(state: StreamState) -> str:
    if state.uncertainty_ns < 0:
        return ""
    return f"{state.latency_ns / _NS_PER_MS:.1f} ± {state.uncertainty_ns / _NS_PER_MS:.1f} ms"


def printable(text: str) -> str:
    """Let nothing through that a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)
