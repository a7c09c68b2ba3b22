"""The hub's command line: it runs, or changes who may come in. A running hub notices by itself."""

from __future__ import annotations

import argparse
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Final

from camfleet.errors import CamfleetError
from camfleet.keyring import Keyring
from camfleet.keys import Bundle, Role
from camfleet.names import check_name
from camfleet.settings import load_settings
from camfleet_hub.fleet import IMAGEZMQ_NODE
from camfleet_hub.settings import HubSettings

RESERVED: Final = frozenset({IMAGEZMQ_NODE})
_EXIT_FAILED: Final = 1
_STDOUT: Final = "-"
_SHOWN: Final = 8  # characters of a public key, to tell two by


def obey(software: str) -> None:
    """Return when the hub is to run; end the program when another command was given.

    A wrong command line ends it with exit code 2, a command that failed with 1 and one line.
    """
    options = _parser(software).parse_args()
    if options.command is None:
        return
    settings = load_settings(HubSettings)
    try:
        keyring = Keyring(settings.state, reserved=RESERVED)
        match options.command:
            case "enrol":
                _enrol(keyring, settings, options)
            case "revoke":
                keyring.revoke(options.name)
                _say(f"{options.name} is revoked")
            case "nodes":
                _say(_table(keyring))
    except CamfleetError as error:
        sys.stderr.write(f"camfleet-hub {options.command}: {error}\n")
        raise SystemExit(_EXIT_FAILED) from error
    raise SystemExit(0)


def _parser(software: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="camfleet-hub",
        description="Receives the frames of many cameras and shows them.",
        epilog="Without a command it runs. It is configured by environment variables: see "
        "docs/configuration.md.",
    )
    parser.add_argument("--version", action="version", version=software)
    commands = parser.add_subparsers(dest="command", metavar="command")
    enrol = commands.add_parser("enrol", help="make the keys of a node, and let it in")
    enrol.add_argument("name", type=_name, help="of the node or subscriber; no two have the same")
    enrol.add_argument("--subscriber", action="store_true", help="it reads frames, and sends none")
    enrol.add_argument(
        "--address",
        type=_host,
        default=socket.gethostname(),
        metavar="HOST",
        help="under which it finds this hub (default: %(default)s)",
    )
    enrol.add_argument(
        "--out", metavar="FILE", help="where its bundle goes, - for stdout (default: NAME.json)"
    )
    enrol.add_argument(
        "--replace",
        action="store_true",
        help="new keys for a name that is enrolled, and a bundle over the old one",
    )
    revoke = commands.add_parser("revoke", help="let a node in no more, and cut it off")
    revoke.add_argument("name", help="of the node or subscriber")
    commands.add_parser("nodes", help="list who is enrolled")
    return parser


def _name(text: str) -> str:
    try:
        return check_name(text)
    except CamfleetError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _host(text: str) -> str:
    """Take a host's name or address; an IPv6 address may stand in brackets."""
    is_bad = not text or not text.isascii() or not text.isprintable() or set(text) & set(" /@")
    if is_bad or text.count(":") == 1:
        raise argparse.ArgumentTypeError(f"found {text!r}, want a host's name or address alone")
    return f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text


def _enrol(keyring: Keyring, settings: HubSettings, options: argparse.Namespace) -> None:
    role = Role.SUBSCRIBER if options.subscriber else Role.NODE
    port = settings.subscribers_port if options.subscriber else settings.nodes_port
    path = Path(options.out or f"{options.name}.json")
    to_stdout = options.out == _STDOUT
    deliver = _print if to_stdout else partial(Bundle.write, path=path, replace=options.replace)
    keyring.enrol(
        options.name,
        role,
        f"tcp://{options.address}:{port}",
        replace=options.replace,
        deliver=deliver,
    )
    if not to_stdout:
        _say(f"{options.name} is enrolled; its bundle, which nobody else may see: {path}")


def _print(bundle: Bundle) -> None:
    _say(bundle.json().decode().rstrip())


def _table(keyring: Keyring) -> str:
    rows = [("name", "role", "enrolled at", "key")]
    rows += [
        (
            entry.name,
            entry.role.value,
            f"{entry.enrolled_at:%Y-%m-%d %H:%M:%S}Z",
            entry.key[:_SHOWN],
        )
        for entry in keyring.entries()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
