"""The commands that say who may log in, with what, and to see which cameras.

A running hub notices by itself what was changed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from getpass import getpass
from pathlib import Path
from typing import Any, Final

from camfleet.errors import CamfleetError, LocalProtocolError
from camfleet_hub.passwords import make_password
from camfleet_hub.permission import Role, parse_cameras
from camfleet_hub.settings import HubSettings
from camfleet_hub.table import is_there
from camfleet_hub.tokens import Token, add_token, list_tokens, remove_token
from camfleet_hub.users import ADMIN, User, list_users, remove_user, set_password, set_user

_Commands = Any  # argparse has no public name for it
_SECONDS: Final = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
_MOST_EXPIRES_S: Final = 10 * 365 * 86_400
_ROLES: Final = [role.value for role in Role]


def add_commands(commands: _Commands, name: Callable[[str], str]) -> None:
    """Add the commands; `name` reads one that may be a token's."""
    user = commands.add_parser("user", help="let somebody log in, or change who may")
    user.add_argument("name", help="typed at the log-in")
    user.add_argument("--role", choices=_ROLES, help="what they may do (default: viewer)")
    _add_cameras(user, None)
    user.add_argument("--generate", action="store_true", help="make a password, and print it")
    users = commands.add_parser("users", help="list who may log in")
    users.add_argument("--json", action="store_true", help="for programs")
    remove = commands.add_parser("remove-user", help="let somebody log in no more, and cut off")
    remove.add_argument("name", help="typed at the log-in")
    password = commands.add_parser(
        "password", help="give somebody another password, which is read from stdin"
    )
    password.add_argument("name", nargs="?", default=ADMIN, help=f"whose (default: {ADMIN})")
    password.add_argument("--generate", action="store_true", help="make one, and print it")
    token = commands.add_parser("token", help="make a token for a program, and print it")
    token.add_argument("name", type=name, help="by which to know it; no two have the same")
    _add_cameras(token, "*")
    token.add_argument("--role", choices=_ROLES, default=Role.VIEWER.value, help="what it may do")
    token.add_argument(
        "--expires",
        type=_duration,
        metavar="TIME",
        help="after which it opens nothing, as 12h, 90d or 8w (default: never)",
    )
    tokens = commands.add_parser("tokens", help="list the tokens that were made")
    tokens.add_argument("--json", action="store_true", help="for programs")
    revoke = commands.add_parser("revoke-token", help="let a token in no more, and cut it off")
    revoke.add_argument("name", help="of the token")


def obey_inviting(settings: HubSettings, options: argparse.Namespace) -> None:
    """Do what one of these commands says."""
    folder = settings.state
    is_new = not has_run(folder)
    match options.command:
        case "user":
            _set_user(settings, options)
        case "users":
            users = list_users(folder)
            _say(json.dumps(list(map(_user_json, users))) if options.json else _users(users))
        case "remove-user":
            remove_user(folder, options.name)
            _say(f"{options.name} is removed")
        case "password":
            _set_password(settings, options)
        case "token":
            expires = options.expires
            text = add_token(
                folder,
                options.name,
                cameras=options.cameras.split(","),
                role=Role(options.role),
                expires_at=datetime.now(UTC).replace(microsecond=0) + expires if expires else None,
            )
            _say(text)
            sys.stderr.write("it is shown once, and kept nowhere\n")
        case "tokens":
            tokens = list_tokens(folder)
            _say(json.dumps(list(map(_token_json, tokens))) if options.json else _tokens(tokens))
        case "revoke-token":
            remove_token(folder, options.name)
            _say(f"{options.name} is revoked")
    if is_new:  # the other commands want something that is there
        sys.stderr.write(
            f"found no hub's state in {folder}, so this is for one that is started with it later; "
            "CAMFLEET_HUB_STATE names another folder; for a hub in a container run it there\n"
        )


def has_run(folder: Path) -> bool:
    """Whether a hub has used this folder for its state, or somebody has made it ready for one."""
    return any(is_there(folder / name) for name in ("hub.key", "users.json"))


def table(rows: Iterable[Sequence[str]]) -> str:
    """Lay out rows of text in columns."""
    found = list(rows)
    widths = [max(map(len, column)) for column in zip(*found, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in found
    )


def cameras(text: str) -> str:
    """Take patterns of cameras, separated by commas."""
    try:
        parse_cameras(text)
    except CamfleetError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return ",".join(item.strip() for item in text.split(",") if item.strip())


def _add_cameras(parser: argparse.ArgumentParser, default: str | None) -> None:
    parser.add_argument(
        "--cameras",
        type=cameras,
        default=default,
        metavar="PATTERNS",
        help="which it may see, for example 'garden/*,*/pond' (default: all)",
    )


def _set_user(settings: HubSettings, options: argparse.Namespace) -> None:
    """Add a user with a password, or change one's rights, and the password if a new one is made."""
    try:
        is_there = options.name in {user.name for user in list_users(settings.state)}
    except LocalProtocolError as error:
        raise LocalProtocolError(
            f"{error}; want the folder of a hub that has run (CAMFLEET_HUB_STATE)"
        ) from error
    password = None
    if options.generate:
        password = make_password()
    elif not is_there:
        password = _read_password(options.name)
    user = set_user(
        settings.state,
        options.name,
        role=Role(options.role) if options.role else None,
        cameras=options.cameras.split(",") if options.cameras else None,
        password=password,
    )
    if options.generate:
        _say(password or "")
    seen = ", ".join(user.cameras)
    sys.stderr.write(f"{user.name} may log in as {user.identity.role.value}, and see {seen}\n")


def _set_password(settings: HubSettings, options: argparse.Namespace) -> None:
    """Change the password, and tell nobody but who asked for a new one."""
    password = make_password() if options.generate else _read_password(options.name)
    set_password(settings.state, password, options.name)
    if options.generate:
        _say(password)
    sys.stderr.write(f"{options.name} has another password; who was logged in must log in again\n")


def _read_password(name: str) -> str:
    """Ask a person twice; of a pipe take the first line."""
    try:
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\r\n")
        password = getpass(f"new password of {name}: ")
        again = getpass("once more: ")
    except (EOFError, UnicodeDecodeError) as error:
        raise LocalProtocolError("found no line of text, want a password") from error
    if password != again:
        raise LocalProtocolError("the two passwords differ, want the same twice")
    return password


def _duration(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,5})([hdw])", text)
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not 0 < seconds <= _MOST_EXPIRES_S:
        raise argparse.ArgumentTypeError(
            f"found {text!r}, want hours, days or weeks such as 90d, and ten years at most"
        )
    return timedelta(seconds=seconds)


def _users(users: Iterable[User]) -> str:
    rows = [(user.name, user.identity.role.value, ",".join(user.cameras)) for user in users]
    return table([("name", "role", "cameras"), *rows])


def _user_json(user: User) -> dict[str, object]:
    return {"name": user.name, "role": user.identity.role.value, "cameras": user.cameras}


def _tokens(tokens: Iterable[Token]) -> str:
    now = datetime.now(UTC)
    rows = [
        (
            token.name,
            token.identity.role.value,
            ",".join(token.cameras),
            f"{token.created_at:%Y-%m-%d %H:%M:%S}Z",
            _expiry(token, now),
        )
        for token in tokens
    ]
    return table([("name", "role", "cameras", "made at", "expires at"), *rows])


def _expiry(token: Token, now: datetime) -> str:
    if token.expires_at is None:
        return "never"
    return f"{token.expires_at:%Y-%m-%d %H:%M:%S}Z" + (", is expired" * token.is_expired(now))


def _token_json(token: Token) -> dict[str, object]:
    return {
        "name": token.name,
        "role": token.identity.role.value,
        "cameras": token.cameras,
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at and token.expires_at.isoformat(),
    }


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
