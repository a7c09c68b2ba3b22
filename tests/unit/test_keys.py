"""A bundle is read whole or refused clearly; no word shows its secret key."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any, Final

import pytest

from camfleet.errors import LocalProtocolError
from camfleet.keys import Bundle, KeyPair, Role

HUB: Final = KeyPair.make()
BUNDLE: Final = Bundle("pi", Role.NODE, "tcp://hub:5556", HUB.public, KeyPair.make())
OTHER: Final = KeyPair.make()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "pi.json"
    BUNDLE.write(path)
    return path


def test_a_bundle_is_read_as_it_was_written(path: Path) -> None:
    assert Bundle.read(path) == BUNDLE
    assert Bundle.read(str(path)) == BUNDLE


def test_a_home_is_found(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(path.parent))
    assert Bundle.read("~/pi.json") == BUNDLE


def test_a_bundles_file_is_its_owners_alone(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in path.parent.iterdir()] == ["pi.json"]


def test_a_bundle_takes_no_other_files_place_unless_told(path: Path) -> None:
    before = path.read_bytes()
    other = Bundle("pj", Role.SUBSCRIBER, "tcp://hub:5557", HUB.public, OTHER)
    with pytest.raises(LocalProtocolError, match=f"{path} is there already"):
        other.write(path)
    assert path.read_bytes() == before
    other.write(path, replace=True)
    assert Bundle.read(path) == other


def test_a_bundle_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match=r"cannot write .*/nowhere/pi.json: No such file"):
        BUNDLE.write(tmp_path / "nowhere" / "pi.json")
    assert list(tmp_path.iterdir()) == []


def test_no_word_shows_a_secret() -> None:
    for shown in (repr(BUNDLE), str(BUNDLE), repr(BUNDLE.keys), f"{BUNDLE.keys}"):
        assert BUNDLE.keys.secret not in shown
        assert BUNDLE.keys.public in shown


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o620])
def test_a_bundle_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(LocalProtocolError, match=f"{path}: found mode {mode:04o}, want 0600"):
        Bundle.read(path)


def test_a_bundle_that_its_owner_may_only_read_is_good(path: Path) -> None:
    path.chmod(0o400)
    assert Bundle.read(path) == BUNDLE


WRONG: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "a field missing": ({"hub_key": ...}, "missing required field `hub_key`"),
    "a field too many": ({"colour": "red"}, "unknown field `colour`"),
    "a name that is a path": ({"name": "../x"}, "looks like a path"),
    "no name": ({"name": ""}, "is empty"),
    "an unknown role": ({"role": "king"}, "Invalid enum value 'king'"),
    "a key too short": ({"secret_key": "abc"}, "a key has 3 characters, want 40 characters"),
    "a key of other characters": ({"hub_key": "~" * 40}, "not of Z85"),
    "a key beyond ASCII": ({"hub_key": "ü" * 40}, "want 40 characters of Z85"),
    "another's public key": ({"public_key": OTHER.public}, "does not belong to the secret one"),
    "a number for an address": ({"address": 5556}, "Expected `str`, got `int`"),
}


@pytest.mark.parametrize(("changes", "says"), WRONG.values(), ids=WRONG)
def test_a_wrong_bundle_names_its_file_and_what_was_found(
    path: Path, changes: dict[str, Any], says: str
) -> None:
    fields = json.loads(path.read_bytes()) | changes
    path.write_text(json.dumps({k: v for k, v in fields.items() if v is not ...}))
    with pytest.raises(LocalProtocolError) as caught:
        Bundle.read(path)
    assert str(caught.value).startswith(f"{path} is not a bundle: ")
    assert says in str(caught.value)
    assert BUNDLE.keys.secret not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"hello"])
def test_a_file_that_is_no_bundle_says_so(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(LocalProtocolError, match=f"{path} is not a bundle: "):
        Bundle.read(path)


def test_an_endless_file_is_not_read(path: Path) -> None:
    path.write_bytes(bytes(100_000))
    with pytest.raises(LocalProtocolError, match="found more than 16384 bytes, want fewer"):
        Bundle.read(path)


def test_a_bundle_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(LocalProtocolError, match=f"there is no {tmp_path}/pi.json"):
        Bundle.read(tmp_path / "pi.json")


def test_a_folder_is_no_bundle(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(LocalProtocolError, match=f"cannot read {tmp_path}: Is a directory"):
        Bundle.read(tmp_path)
