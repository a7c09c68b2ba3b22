from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from camfleet.errors import LocalProtocolError
from camfleet_hub.commands import obey
from camfleet_hub.users import (
    ADMIN,
    Users,
    hash_password,
    is_password,
    make_password,
    set_password,
)

GOOD = "a horse, a battery"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_the_first_password_opens_and_is_told_once(folder: Path) -> None:
    users = Users(folder)
    hashed = users.hash_of(ADMIN)
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


def test_two_ways_to_type_a_letter_are_one_password() -> None:
    assert is_password("ku\u0308che ku\u0308che", hash_password("k\u00fcche k\u00fcche"))


def test_another_password_is_seen_by_who_looks_again(folder: Path) -> None:
    users = Users(folder)
    assert not users.refresh()
    set_password(folder, GOOD)
    assert users.refresh()
    hashed = users.hash_of(ADMIN)
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
    before = users.hash_of(ADMIN)
    (folder / "users.json").write_bytes(content)
    with pytest.raises(LocalProtocolError, match=r"users\.json is damaged"):
        users.refresh()
    assert users.hash_of(ADMIN) == before
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
        monkeypatch.setattr("camfleet_hub.commands.getpass", _end_of_file)
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
    monkeypatch.setattr("camfleet_hub.commands.getpass", interrupt)
    with pytest.raises(SystemExit) as caught:
        obey("camfleet-hub 0")
    assert caught.value.code == 130
    assert capsys.readouterr() == ("", "")
    assert not folder.exists()
