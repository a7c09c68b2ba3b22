"""The hub's command line: it runs, changes who may come in, or tells how a running one is.

A running hub notices by itself what was changed.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Final

from camfleet.errors import CamfleetError, LocalProtocolError
from camfleet.keyring import Entry, Keyring
from camfleet.keys import Bundle, Role
from camfleet.names import check_name
from camfleet.settings import load_settings
from camfleet_hub import inviting, watching
from camfleet_hub.fleet import IMAGEZMQ_NODE
from camfleet_hub.health import check_health
from camfleet_hub.inviting import obey_inviting, table
from camfleet_hub.settings import HubSettings
from camfleet_hub.signals import hear_signals
from camfleet_hub.watching import obey_watching

RESERVED: Final = frozenset({IMAGEZMQ_NODE})
_EXIT_FAILED: Final = 1
_EXIT_INTERRUPTED: Final = 130  # as shells have it: 128 and the signal's number
_STDOUT: Final = "-"
_SHOWN: Final = 8  # characters of a public key, to tell two by


def obey(software: str) -> None:
    """Return when the hub is to run; end the program when another command was given.

    A wrong command line ends it with exit code 2, a command that failed with 1 and one line,
    Ctrl-C with 130 and none.
    """
    options = _parser(software).parse_args()
    if options.command is None:
        return
    hear_signals()
    settings = load_settings(HubSettings)
    try:
        match options.command:
            case "health":
                check_health(settings)
            case "enrol" | "permit" | "revoke" | "nodes":
                _change(settings, options)
            case "status" | "await":
                obey_watching(settings, options)
            case _:
                obey_inviting(settings, options)
    except CamfleetError as error:
        sys.stderr.write(f"camfleet-hub {options.command}: {error}\n")
        raise SystemExit(_EXIT_FAILED) from error
    except KeyboardInterrupt as error:
        raise SystemExit(_EXIT_INTERRUPTED) from error
    raise SystemExit(0)


def _change(settings: HubSettings, options: argparse.Namespace) -> None:
    """Do what concerns keys; only who enrols may begin a hub's."""
    path = settings.state / "hub.key"
    try:
        is_new = not path.exists()
    except OSError as error:
        raise LocalProtocolError(f"cannot read {path}: {error.strerror}") from error
    if is_new and options.command != "enrol":
        raise LocalProtocolError(
            f"found no hub's keys in {settings.state}, want the folder of one that has run "
            "(CAMFLEET_HUB_STATE); for one in a container run this command there"
        )
    keyring = Keyring(settings.state, reserved=RESERVED)
    if is_new:
        sys.stderr.write(f"made the keys of a new hub in {settings.state}\n")
    match options.command:
        case "enrol":
            _enrol(keyring, settings, options)
        case "permit":
            keyring.permit(options.name, options.cameras.split(","))
            _say(f"{options.name} may read {options.cameras}")
        case "revoke":
            keyring.revoke(options.name)
            _say(f"{options.name} is revoked")
        case "nodes":
            _say(_json(keyring) if options.json else _table(keyring))


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
        "--cameras",
        type=inviting.cameras,
        default="*",
        metavar="PATTERNS",
        help="which a subscriber may read, for example 'garden/*,*/pond' (default: all)",
    )
    enrol.add_argument(
        "--address",
        type=_host,
        metavar="HOST",
        help=f"under which it finds this hub (default: {socket.gethostname()})",
    )
    enrol.add_argument(
        "--out", metavar="FILE", help="where its bundle goes, - for stdout (default: NAME.json)"
    )
    enrol.add_argument(
        "--replace",
        action="store_true",
        help="new keys for a name that is enrolled, and a bundle over the old one",
    )
    permit = commands.add_parser("permit", help="let a subscriber read other cameras than before")
    permit.add_argument("name", help="of the subscriber")
    permit.add_argument("cameras", type=inviting.cameras, help="for example 'garden/*,*/pond'")
    revoke = commands.add_parser("revoke", help="let a node in no more, and cut it off")
    revoke.add_argument("name", help="of the node or subscriber")
    nodes = commands.add_parser("nodes", help="list who is enrolled")
    nodes.add_argument("--json", action="store_true", help="for programs, with whole keys")
    inviting.add_commands(commands, _name)
    commands.add_parser("health", help="ask the hub of this machine whether frames flow")
    watching.add_commands(commands, _name)
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
    address = f"tcp://{options.address or socket.gethostname()}:{port}"
    cameras = options.cameras.split(",")
    keyring.enrol(
        options.name, role, address, cameras=cameras, replace=options.replace, deliver=deliver
    )
    if options.address is None:
        sys.stderr.write(f"{options.name} is to find this hub at {address}; else give --address\n")
    if not to_stdout:
        _say(f"{options.name} is enrolled; its bundle, which nobody else may see: {path}")


def _print(bundle: Bundle) -> None:
    _say(bundle.json().decode().rstrip())


def _json(keyring: Keyring) -> str:
    return json.dumps(
        [
            {
                "name": entry.name,
                "role": entry.role.value,
                "key": entry.key,
                "cameras": _reads(entry),
            }
            for entry in keyring.entries()
        ]
    )


def _table(keyring: Keyring) -> str:
    rows = [("name", "role", "enrolled at", "key", "reads")]
    rows += [
        (
            entry.name,
            entry.role.value,
            f"{entry.enrolled_at:%Y-%m-%d %H:%M:%S}Z",
            entry.key[:_SHOWN],
            ",".join(_reads(entry)) or "-",
        )
        for entry in keyring.entries()
    ]
    return table(rows)


def _reads(entry: Entry) -> tuple[str, ...]:
    """The cameras that it may read; a node reads none."""
    return entry.cameras if entry.role is Role.SUBSCRIBER else ()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
