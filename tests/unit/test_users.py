from __future__ import annotations

import io
import json
import stat
import threading
from pathlib import Path
from typing import NamedTuple

import pytest

from camfleet.errors import LocalProtocolError
from camfleet_hub.commands import obey
from camfleet_hub.passwords import hash_password, is_password, make_password
from camfleet_hub.permission import Role
from camfleet_hub.tokens import digest_of, list_tokens
from camfleet_hub.users import ADMIN, Users, list_users, remove_user, set_password, set_user

GOOD = "a horse, a battery"


def hash_of(users: Users) -> str | None:
    found = users.find(ADMIN)
    return found.hash if found else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_the_first_password_opens_and_is_told_once(folder: Path) -> None:
    users = Users(folder)
    hashed = hash_of(users)
    assert users.first_password is not None
    assert hashed is not None
    assert is_password(users.first_password, hashed)
    assert Users(folder).first_password is None


def test_only_an_argon2id_hash_is_kept_and_for_the_owner_alone(folder: Path) -> None:
    users = Users(folder)
    path = folder / "users.json"
    text = path.read_text()
    assert "$argon2id$" in text
    assert users.first_password is not None
    assert users.first_password not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_made_password_is_of_five_groups_that_are_hard_to_misread() -> None:
    passwords = {make_password() for _ in range(200)}
    assert len(passwords) == 200
    assert {len(group) for password in passwords for group in password.split("-")} == {4}
    assert not set("".join(passwords)) & set("l1o0")
    assert len(set("".join(passwords)) - {"-"}) == 32  # so 20 letters have 100 bits


def test_a_password_is_right_or_wrong() -> None:
    hashed = hash_password(GOOD)
    assert is_password(GOOD, hashed)
    for wrong in ("", GOOD + " ", GOOD.upper(), GOOD[:-1], "\0", "\ud800"):
        assert not is_password(wrong, hashed)


def test_a_hash_that_somebody_spoiled_is_nobodys() -> None:
    assert not is_password(GOOD, "$argon2id$\u00e9")


def test_two_ways_to_type_a_letter_are_one_password() -> None:
    assert is_password("ku\u0308che ku\u0308che", hash_password("k\u00fcche k\u00fcche"))


def test_another_password_is_seen_by_who_looks_again(folder: Path) -> None:
    users = Users(folder)
    assert not users.refresh()
    set_password(folder, GOOD)
    assert users.refresh()
    hashed = hash_of(users)
    assert hashed is not None
    assert is_password(GOOD, hashed)
    assert not users.refresh()


def test_a_password_may_be_set_before_the_first_start(folder: Path) -> None:
    set_password(folder, GOOD)
    assert Users(folder).first_password is None


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("", "0 characters, want 12 or more"),
        ("eleven char", "11 characters"),
        ("x" * 257, "257 bytes, want at most 256"),
        ("\u00fc" * 129, "258 bytes"),
        ("tab\tand some more", "cannot be printed"),
        ("half \ud800 a character", "cannot be printed"),
    ],
)
def test_a_bad_password_is_refused_and_changes_nothing(
    folder: Path, password: str, says: str
) -> None:
    users = Users(folder)
    with pytest.raises(LocalProtocolError, match=says):
        set_password(folder, password)
    assert not users.refresh()


DAMAGED = {
    "empty": b"",
    "no JSON": b"admin",
    "a list": b"[]",
    "nobody": b"{}",
    "somebody else": b'{"root": {"password": "$argon2id$x"}}',
    "a password that is no hash": b'{"admin": {"password": "secret"}}',
    "more than is known": b'{"admin": {"password": "$argon2id$x", "role": "all"}}',
    "not UTF-8": b'{"\xff": 1}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_table_is_an_error_and_the_old_one_holds(folder: Path, content: bytes) -> None:
    users = Users(folder)
    before = hash_of(users)
    (folder / "users.json").write_bytes(content)
    with pytest.raises(LocalProtocolError, match=r"users\.json is damaged"):
        users.refresh()
    assert hash_of(users) == before
    with pytest.raises(LocalProtocolError, match=r"users\.json is damaged"):
        Users(folder)


def test_a_table_that_is_gone_or_open_to_others_is_an_error(folder: Path) -> None:
    users = Users(folder)
    path = folder / "users.json"
    path.write_bytes(path.read_bytes() + b" ")
    path.chmod(0o644)
    with pytest.raises(LocalProtocolError, match="found mode 0644, want 0600"):
        users.refresh()
    path.unlink()
    with pytest.raises(LocalProtocolError, match="cannot read"):
        users.refresh()


def test_a_table_that_cannot_be_looked_for_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path
    while len(str(folder)) < 4088:  # of 4095 bytes that Linux lets a path have
        folder /= "x" * min(255, 4088 - len(str(folder)))
    with pytest.raises(LocalProtocolError, match=r"cannot read .*users\.json: File name too long"):
        Users(folder)


def test_a_damaged_hash_is_nobodys_password() -> None:
    assert not is_password(GOOD, "$argon2id$v=19$damaged")


@pytest.mark.parametrize("given", [b"\xff\xfe and eleven more\n", None], ids=["no text", "no line"])
def test_a_password_that_cannot_be_read_is_told(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: bytes | None,
) -> None:
    monkeypatch.setattr("sys.argv", ["camfleet-hub", "password"])
    monkeypatch.setenv("CAMFLEET_HUB_STATE", str(folder))
    stdin = io.TextIOWrapper(io.BytesIO(given or b""), encoding="utf-8")
    monkeypatch.setattr("sys.stdin", stdin)
    if given is None:  # a person at a terminal, who ends it
        monkeypatch.setattr(stdin, "isatty", lambda: True)
        monkeypatch.setattr("camfleet_hub.inviting.getpass", _end_of_file)
    with pytest.raises(SystemExit) as caught:
        obey("camfleet-hub 0")
    assert caught.value.code == 1
    said = capsys.readouterr().err
    assert said == "camfleet-hub password: found no line of text, want a password\n"
    assert not folder.exists()


def _end_of_file(_prompt: str) -> str:
    raise EOFError


def test_ctrl_c_in_place_of_a_password_ends_without_a_word(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["camfleet-hub", "password"])
    monkeypatch.setenv("CAMFLEET_HUB_STATE", str(folder))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("camfleet_hub.inviting.getpass", interrupt)
    with pytest.raises(SystemExit) as caught:
        obey("camfleet-hub 0")
    assert caught.value.code == 130
    assert capsys.readouterr() == ("", "")
    assert not folder.exists()


# several users


def test_an_old_table_has_an_administrator_who_sees_everything(folder: Path) -> None:
    folder.mkdir(0o700)
    path = folder / "users.json"
    path.touch(0o600)
    path.write_text(json.dumps({ADMIN: {"password": hash_password(GOOD)}}))
    found = Users(folder).find(ADMIN)
    assert found is not None
    assert found.identity.is_administrator
    assert found.identity.sees_everything


def test_who_is_added_is_a_viewer_of_what_was_said(folder: Path) -> None:
    users = Users(folder)
    set_user(folder, "gardener", cameras=["garden/*", "*/pond"], password=GOOD)
    assert users.refresh() == {"gardener"}
    found = users.find("gardener")
    assert found is not None
    assert found.identity.role is Role.VIEWER
    assert found.identity.may_see("house", "pond")
    assert not found.identity.may_see("house", "door")
    assert is_password(GOOD, found.hash)
    assert [user.name for user in list_users(folder)] == [ADMIN, "gardener"]


def test_rights_change_without_the_password_and_the_password_without_rights(folder: Path) -> None:
    users = Users(folder)
    set_user(folder, "gardener", cameras=["garden/*"], password=GOOD)
    before = set_user(folder, "gardener", cameras=["house/*"])
    assert is_password(GOOD, before.hash)
    set_password(folder, GOOD[::-1], "gardener")
    assert users.refresh() == {"gardener"}
    after = users.find("gardener")
    assert after is not None
    assert after.identity == before.identity
    assert is_password(GOOD[::-1], after.hash)


def test_a_user_needs_a_password_and_a_password_a_user(folder: Path) -> None:
    Users(folder)
    with pytest.raises(LocalProtocolError, match="want a password for one"):
        set_user(folder, "gardener")
    with pytest.raises(LocalProtocolError, match="there is no user 'gardener'"):
        set_password(folder, GOOD, "gardener")


def test_the_last_administrator_stays_one(folder: Path) -> None:
    Users(folder)
    with pytest.raises(LocalProtocolError, match="it is the last administrator"):
        remove_user(folder, ADMIN)
    with pytest.raises(LocalProtocolError, match="it is the last administrator"):
        set_user(folder, ADMIN, role=Role.VIEWER)
    set_user(folder, "root", role=Role.ADMINISTRATOR, password=GOOD)
    remove_user(folder, ADMIN)
    with pytest.raises(LocalProtocolError, match="it is the last administrator"):
        remove_user(folder, "root")
    assert [user.name for user in list_users(folder)] == ["root"]
    with pytest.raises(LocalProtocolError, match="there is no user 'admin'"):
        set_password(folder, GOOD)


def test_an_administrator_is_not_given_a_part_of_the_cameras(folder: Path) -> None:
    Users(folder)
    with pytest.raises(LocalProtocolError, match="an administrator sees every camera"):
        set_user(folder, ADMIN, cameras=["garden/*"])
    set_user(folder, "gardener", cameras=["garden/*"], password=GOOD)
    assert set_user(folder, "gardener", role=Role.ADMINISTRATOR).identity.sees_everything


@pytest.mark.parametrize("name", ["", "a:b", "token", "a/b", "x" * 65, " a", "a\n", "."])
def test_a_bad_name_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(LocalProtocolError, match="want"):
        set_user(folder, name, password=GOOD)


def test_two_who_write_at_once_lose_nothing(folder: Path) -> None:
    Users(folder)
    names = [f"user {number}" for number in range(6)]
    threads = [
        threading.Thread(target=set_user, args=(folder, name), kwargs={"password": GOOD})
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {user.name for user in list_users(folder)} == {ADMIN, *names}


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Command:
    """`camfleet-hub` with a command, in this process."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._patch, self._capsys = monkeypatch, capsys
        monkeypatch.setenv("CAMFLEET_HUB_STATE", str(folder))
        monkeypatch.setattr("camfleet_hub.commands.hear_signals", lambda: None)

    def __call__(self, *words: str, given: str = "") -> Said:
        self._patch.setattr("sys.argv", ["camfleet-hub", *words])
        self._patch.setattr("sys.stdin", io.StringIO(given))
        with pytest.raises(SystemExit) as caught:
            obey("camfleet-hub 0")
        return Said(int(caught.value.code or 0), *self._capsys.readouterr())


@pytest.fixture
def command(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    return Command(folder, monkeypatch, capsys)


def test_users_are_added_listed_and_removed_by_commands(folder: Path, command: Command) -> None:
    Users(folder)
    added = command("user", "gardener", "--cameras", "garden/*, */pond", given=f"{GOOD}\n")
    assert added == (0, "", "gardener may log in as viewer, and see garden/*, */pond\n")
    assert command("users").out == (
        "name      role           cameras\n"
        "admin     administrator  *\n"
        "gardener  viewer         garden/*,*/pond\n"
    )
    assert json.loads(command("users", "--json").out)[1] == {
        "name": "gardener",
        "role": "viewer",
        "cameras": ["garden/*", "*/pond"],
    }
    made = command("password", "gardener", "--generate")
    found = Users(folder).find("gardener")
    assert found is not None
    assert is_password(made.out.strip(), found.hash)
    assert command("remove-user", "gardener").out == "gardener is removed\n"
    assert command("remove-user", "admin") == (
        1,
        "",
        "camfleet-hub remove-user: it is the last administrator, want another one first\n",
    )


def test_a_user_of_no_hub_is_not_made(folder: Path, command: Command) -> None:
    said = command("user", "gardener", "--generate")
    assert said.code == 1
    assert "CAMFLEET_HUB_STATE" in said.err
    assert not folder.exists()


def test_tokens_are_made_listed_and_revoked_by_commands(folder: Path, command: Command) -> None:
    made = command("token", "frigate", "--cameras", "garden/*", "--expires", "90d")
    assert made.code == 0
    assert made.err.splitlines()[0] == "it is shown once, and kept nowhere"
    (token,) = list_tokens(folder)
    assert digest_of(made.out.strip()) == token.digest
    assert token.expires_at is not None
    assert (token.expires_at - token.created_at).days == 90
    listed = command("tokens")
    assert "garden/*" in listed.out
    assert made.out.strip() not in listed.out
    assert json.loads(command("tokens", "--json").out)[0]["name"] == "frigate"
    assert command("revoke-token", "frigate").out == "frigate is revoked\n"
    assert command("revoke-token", "frigate").code == 1


@pytest.mark.parametrize(
    "words",
    [
        ("token", "a", "--expires", "0d"),
        ("token", "a", "--expires", "90"),
        ("token", "a", "--expires", "999999w"),
        ("token", "a", "--cameras", "garden"),
        ("token", "a", "--cameras", ""),
        ("token", "a", "--role", "root"),
        ("token", "../a"),
    ],
)
def test_a_bad_word_of_a_command_is_told(folder: Path, command: Command, words: list[str]) -> None:
    said = command(*words)
    assert said.code == 2
    assert "want" in said.err or "invalid choice" in said.err
    assert not folder.exists()
