"""The command `camfleet`: looks at a running hub from a terminal, as any program could."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Final

from camfleet.cli import bench, fleet, grab, view
from camfleet.errors import CamfleetError

_EXIT_FAILED: Final = 1
_EXIT_INTERRUPTED: Final = 130  # 128 and the signal's number, as a shell has it

# Benchmarks that are more than `bench`'s own: a name behind it, and who takes the rest.
BENCHES: Final[dict[str, Callable[[Sequence[str]], int]]] = {"fleet": fleet.main}


def main(arguments: Sequence[str] | None = None) -> int:
    """Obey one command line; return the exit code."""
    logging.getLogger("camfleet").addHandler(logging.NullHandler())  # each command says it itself
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if words[:1] == ["bench"] and words[1:2] and words[1] in BENCHES:
            return BENCHES[words[1]](words[2:])
        options = _parser().parse_args(words)
        run: Callable[[argparse.Namespace], None] = options.run
        run(options)
    except (CamfleetError, OSError) as error:
        sys.stderr.write(f"camfleet: {error}\n")
        return _EXIT_FAILED
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="camfleet", description="Looks at a running hub, and takes pictures out of it."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    view.add_to(commands)
    grab.add_to(commands)
    bench.add_to(commands)
    return parser
