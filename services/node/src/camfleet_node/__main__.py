"""The node's commands: it runs, which needs no word, or tells of its `health`, or is a `doctor`.

What a command needs is imported when it is known which: OpenCV alone takes a second on a Pi, in
which a signal would be lost, and a health check is made every few seconds.
"""

from __future__ import annotations

from camfleet_node.stopping import Stopping, hear_as_usual

# isort: split
import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from importlib.metadata import version
from typing import Final, NoReturn

# How threads are called that wait in a driver's library: of cameras, of OpenCV's and HTTP's
# sources, and of the doctor.
_IN_DRIVERS: Final = ("capture-", "capture ", "close-", "open-", "doctor")


def main() -> None:
    """Obey the command line; a wrong one ends the program with exit code 2."""
    if not sys.argv[1:]:
        stopping = Stopping()
        _obey(lambda: _run(stopping))
    hear_as_usual()
    options = _parser().parse_args()
    if options.version:
        sys.stdout.write(f"{_software()}\n")
    elif options.command == "health":
        from camfleet_node.health_command import tell  # noqa: PLC0415 - see the top

        raise SystemExit(tell())
    elif options.command == "doctor":
        from camfleet_node.doctor.command import examine  # noqa: PLC0415 - the same

        _obey(lambda: examine(as_json=options.json))


def _run(stopping: Stopping) -> None:
    from camfleet_node.service import run  # noqa: PLC0415 - see the top

    run(stopping, _software())


def _obey(command: Callable[[], int | None]) -> NoReturn:
    """End the program with what a command returns or raises, whatever it has left behind."""
    code: str | int | None
    try:
        code = command()
    except SystemExit as end:
        code = end.code
    except (Exception, KeyboardInterrupt):  # noqa: BLE001 - a boundary: who hangs must not stay
        sys.excepthook(*sys.exc_info())
        code = 1
    _leave(code)


def _leave(code: str | int | None) -> NoReturn:
    """End the program; at once where a thread was left behind in a driver, or libcamera is there.

    Python's own end would wait for them in the driver's library, with every other thread stopped
    already, so that nobody could end it.
    """
    is_left = any(thread.name.startswith(_IN_DRIVERS) for thread in threading.enumerate())
    if is_left or "libcamera" in sys.modules:
        with contextlib.suppress(OSError):  # nobody reads any more, and the code tells it too
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(1 if isinstance(code, str) else code or 0)
    raise SystemExit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="camfleet-node",
        description="Sends the pictures of this machine's cameras to a hub.",
        epilog="Without a command it runs. It is configured by environment variables: see "
        "docs/configuration.md.",
    )
    parser.add_argument("--version", action="store_true", help="show the version")
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("health", help="ask the node that runs here; exit code 0 where all is well")
    doctor = commands.add_parser("doctor", help="say what is found, what is missing and the remedy")
    doctor.add_argument("--json", action="store_true", help="for programs")
    return parser


def _software() -> str:
    return f"camfleet-node {version('camfleet-node')}"


if __name__ == "__main__":
    main()
