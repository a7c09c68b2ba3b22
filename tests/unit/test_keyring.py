"""Who is enrolled survives crashes and two commands at once; damage is never an empty list."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from camfleet import folder_lock
from camfleet import keyring as keyring_module
from camfleet.errors import LocalProtocolError
from camfleet.keyring import Keyring
from camfleet.keys import Bundle, KeyPair, Role

ADDRESS: Final = "tcp://hub:5556"
NODE, SUBSCRIBER = Role.NODE, Role.SUBSCRIBER
PROCESSES: Final = 4
EACH: Final = 10
# What each of the processes that enrol at once does.
ENROL: Final = """
import sys
from pathlib import Path
from camfleet.keyring import Keyring
from camfleet.keys import Role

keyring = Keyring(Path(sys.argv[1]))
for n in range(int(sys.argv[3])):
    keyring.enrol(f"{sys.argv[2]}-{n}", Role.NODE, "tcp://hub:5556")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def keyring(folder: Path) -> Keyring:
    return Keyring(folder)


def names(keyring: Keyring) -> list[str]:
    return [entry.name for entry in keyring.entries()]


# the hub's own keys


def test_a_hub_keeps_the_keys_of_its_first_start(folder: Path) -> None:
    assert Keyring(folder).hub_keys == Keyring(folder).hub_keys


def test_what_a_hub_keeps_is_its_own_alone(folder: Path, keyring: Keyring) -> None:
    keyring.enrol("pi", NODE, ADDRESS)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"hub.key": 0o600, "enrolled.json": 0o600, "lock": 0o600}


@pytest.mark.parametrize("mode", [0o720, 0o777])
def test_a_folder_that_others_may_write_is_refused(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(LocalProtocolError, match=f"{folder}: found mode {mode:04o}, want 0700"):
        Keyring(folder)


def test_a_folder_that_is_a_file_is_told(folder: Path) -> None:
    folder.touch()
    with pytest.raises(LocalProtocolError, match=f"cannot make {folder}: File exists"):
        Keyring(folder)


@pytest.mark.parametrize("content", ["", "abc\n", "~" * 40, "ü" * 40])
def test_a_damaged_key_is_never_replaced(folder: Path, keyring: Keyring, content: str) -> None:
    (folder / "hub.key").write_text(content)
    with pytest.raises(LocalProtocolError, match=r"hub\.key is damaged: "):
        Keyring(folder)
    assert (folder / "hub.key").read_text() == content
    assert keyring.hub_keys.public


# enrolling


def test_an_enrolled_key_stands_for_its_name_in_its_role(keyring: Keyring) -> None:
    bundle = keyring.enrol("pi", NODE, ADDRESS)
    assert keyring.find(bundle.keys.public, NODE) == "pi"
    assert keyring.find(bundle.keys.public, SUBSCRIBER) is None
    assert keyring.find(KeyPair.make().public, NODE) is None
    assert (bundle.name, bundle.role, bundle.address) == ("pi", NODE, ADDRESS)
    assert bundle.hub_key == keyring.hub_keys.public


def test_the_hub_keeps_no_secret_of_a_peer(folder: Path, keyring: Keyring) -> None:
    secret = keyring.enrol("pi", NODE, ADDRESS).keys.secret
    assert not [path for path in folder.iterdir() if secret in path.read_text()]


@pytest.mark.parametrize("role", [NODE, SUBSCRIBER])
def test_a_name_is_enrolled_once_whatever_the_role(keyring: Keyring, role: Role) -> None:
    first = keyring.enrol("pi", NODE, ADDRESS)
    with pytest.raises(LocalProtocolError, match="'pi' is enrolled already, as node"):
        keyring.enrol("pi", role, ADDRESS)
    assert keyring.find(first.keys.public, NODE) == "pi"


def test_replacing_gives_a_name_another_key(keyring: Keyring) -> None:
    old = keyring.enrol("pi", NODE, ADDRESS)
    new = keyring.enrol("pi", SUBSCRIBER, ADDRESS, replace=True)
    assert keyring.find(old.keys.public, NODE) is None
    assert keyring.find(new.keys.public, SUBSCRIBER) == "pi"
    assert names(keyring) == ["pi"]


@pytest.mark.parametrize("name", ["", "../x", "a\nb", " pi", "x" * 129])
def test_a_bad_name_is_not_enrolled(keyring: Keyring, name: str) -> None:
    with pytest.raises(LocalProtocolError, match=", want "):
        keyring.enrol(name, NODE, ADDRESS)
    assert names(keyring) == []


def test_a_name_of_the_hubs_own_is_not_enrolled(folder: Path) -> None:
    keyring = Keyring(folder, reserved=frozenset({"imagezmq"}))
    with pytest.raises(LocalProtocolError, match="'imagezmq' is the hub's own, want another"):
        keyring.enrol("imagezmq", NODE, ADDRESS)


def test_a_bundle_that_could_not_be_delivered_changes_nothing(keyring: Keyring) -> None:
    old = keyring.enrol("pi", NODE, ADDRESS)

    def fail(_bundle: Bundle) -> None:
        raise LocalProtocolError("no room")

    with pytest.raises(LocalProtocolError, match="no room"):
        keyring.enrol("pi", NODE, ADDRESS, replace=True, deliver=fail)
    with pytest.raises(LocalProtocolError, match="no room"):
        keyring.enrol("pj", NODE, ADDRESS, deliver=fail)
    assert keyring.find(old.keys.public, NODE) == "pi"
    assert names(keyring) == ["pi"]


# revoking


def test_a_revoked_key_stands_for_nobody(keyring: Keyring) -> None:
    bundle = keyring.enrol("pi", NODE, ADDRESS)
    keyring.revoke("pi")
    assert keyring.find(bundle.keys.public, NODE) is None
    assert names(keyring) == []


def test_who_is_not_enrolled_cannot_be_revoked(keyring: Keyring) -> None:
    with pytest.raises(LocalProtocolError, match="'pi' is not enrolled"):
        keyring.revoke("pi")


# several at once


def test_a_change_of_another_process_is_noticed(folder: Path, keyring: Keyring) -> None:
    other = Keyring(folder)
    bundles = {name: other.enrol(name, NODE, ADDRESS) for name in ("pi", "pj", "pk")}
    assert keyring.refresh() == frozenset()
    assert names(keyring) == ["pi", "pj", "pk"]
    other.revoke("pi")
    other.enrol("pj", NODE, ADDRESS, replace=True)
    assert keyring.refresh() == {"pi", "pj"}
    assert keyring.refresh() == frozenset()
    assert keyring.find(bundles["pi"].keys.public, NODE) is None
    assert keyring.find(bundles["pk"].keys.public, NODE) == "pk"


def test_who_comes_in_is_looked_up_as_of_this_moment(folder: Path, keyring: Keyring) -> None:
    other = Keyring(folder)
    key = other.enrol("pi", NODE, ADDRESS).keys.public
    assert keyring.admit(key, NODE) == "pi"
    other.revoke("pi")
    assert keyring.find(key, NODE) == "pi"
    assert keyring.admit(key, NODE) is None
    assert keyring.refresh() == {"pi"}


def test_a_damaged_list_lets_in_whom_the_last_good_one_did(folder: Path, keyring: Keyring) -> None:
    key = keyring.enrol("pi", NODE, ADDRESS).keys.public
    (folder / "enrolled.json").write_text("{")
    assert keyring.admit(key, NODE) == "pi"
    assert keyring.admit(KeyPair.make().public, NODE) is None


def test_a_change_of_our_own_is_told_by_the_next_refresh(keyring: Keyring) -> None:
    keyring.enrol("pi", NODE, ADDRESS)
    keyring.revoke("pi")
    assert keyring.refresh() == {"pi"}


def test_processes_that_enrol_at_once_lose_nothing(folder: Path) -> None:
    command = [sys.executable, "-c", ENROL, str(folder)]
    started = [
        subprocess.Popen([*command, f"node{n}", str(EACH)], stderr=subprocess.PIPE)
        for n in range(PROCESSES)
    ]
    for process in started:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said.decode()
    keyring = Keyring(folder)
    wanted = {f"node{n}-{m}" for n in range(PROCESSES) for m in range(EACH)}
    assert set(names(keyring)) == wanted


def test_a_lock_that_is_never_let_go_is_told(
    folder: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "_LOCK_S", 0.0)
    descriptor = os.open(folder / "lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(LocalProtocolError, match="lock was locked for 0 s by another process"):
            keyring.enrol("pi", NODE, ADDRESS)
    finally:
        os.close(descriptor)


# damage

ENTRY: Final = {"role": "node", "key": KeyPair.make().public, "enrolled_at": "2026-01-01T00:00:00Z"}
DAMAGE: Final[dict[str, bytes]] = {
    "nothing": b"",
    "half": json.dumps({"pi": ENTRY}).encode()[:-9],
    "a list": b"[]",
    "an unknown field": json.dumps({"pi": ENTRY | {"colour": "red"}}).encode(),
    "an unknown role": json.dumps({"pi": ENTRY | {"role": "king"}}).encode(),
    "no key": json.dumps({"pi": ENTRY | {"key": "abc"}}).encode(),
    "a bad name": json.dumps({"../pi": ENTRY}).encode(),
    "one key twice": json.dumps({"pi": ENTRY, "pj": ENTRY}).encode(),
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_list_is_an_error_and_never_an_empty_list(folder: Path, content: bytes) -> None:
    keyring = Keyring(folder)
    bundle = keyring.enrol("pk", NODE, ADDRESS)
    (folder / "enrolled.json").write_bytes(content)
    for use in (
        keyring.refresh,
        lambda: Keyring(folder),
        lambda: keyring.enrol("pl", NODE, ADDRESS),
        lambda: keyring.revoke("pk"),
    ):
        with pytest.raises(LocalProtocolError, match=r"enrolled\.json is damaged: "):
            use()
    assert (folder / "enrolled.json").read_bytes() == content
    assert keyring.find(bundle.keys.public, NODE) == "pk"  # as of the last good look


def test_a_list_that_vanishes_is_an_error(folder: Path, keyring: Keyring) -> None:
    bundle = keyring.enrol("pi", NODE, ADDRESS)
    (folder / "enrolled.json").unlink()
    with pytest.raises(LocalProtocolError, match=r"there is no .*enrolled\.json any more"):
        keyring.refresh()
    assert keyring.find(bundle.keys.public, NODE) == "pi"


def test_a_list_that_others_may_read_is_refused(folder: Path, keyring: Keyring) -> None:
    keyring.enrol("pi", NODE, ADDRESS)
    (folder / "enrolled.json").chmod(0o644)
    with pytest.raises(LocalProtocolError, match="found mode 0644, want 0600"):
        Keyring(folder)


def test_a_list_that_was_lost_is_no_empty_list(folder: Path, keyring: Keyring) -> None:
    keyring.enrol("pi", Role.NODE, "tcp://hub:5556")
    (folder / "enrolled.json").unlink()
    with pytest.raises(LocalProtocolError, match=r"there is no .*enrolled\.json any more"):
        Keyring(folder)


def test_a_draft_that_could_not_be_written_is_not_left_behind(
    folder: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(folder.iterdir())

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("camfleet.private_file.os.fsync", fails)
    with pytest.raises(LocalProtocolError, match="No space left"):
        keyring.enrol("pi", Role.NODE, "tcp://hub:5556")
    assert sorted(folder.iterdir()) == before


# which cameras a subscriber may read


def test_a_subscriber_reads_everything_where_nothing_else_is_said(keyring: Keyring) -> None:
    keyring.enrol("desk", Role.SUBSCRIBER, ADDRESS)
    entry = keyring.entry("desk")
    assert entry is not None
    assert entry.cameras == ("*",)
    assert b"cameras" not in (keyring.folder / "enrolled.json").read_bytes()  # as of old


def test_cameras_are_kept_and_changed_without_new_keys(folder: Path, keyring: Keyring) -> None:
    keyring.enrol("desk", Role.SUBSCRIBER, ADDRESS, cameras=["garden/*", "*/pond"])
    before = keyring.entry("desk")
    assert before is not None
    assert before.cameras == ("garden/*", "*/pond")
    Keyring(folder).permit("desk", ["house/door"])
    assert keyring.refresh() == {"desk"}
    after = keyring.entry("desk")
    assert after is not None
    assert (after.cameras, after.key) == (("house/door",), before.key)


@pytest.mark.parametrize("cameras", [[], ["garden"], ["a/b/main"], ["a/b"] * 33, [""]])
def test_cameras_that_cannot_be_read_are_refused(keyring: Keyring, cameras: list[str]) -> None:
    with pytest.raises(LocalProtocolError, match="want"):
        keyring.enrol("desk", Role.SUBSCRIBER, ADDRESS, cameras=cameras)
    assert keyring.entry("desk") is None


def test_a_node_is_given_no_cameras(keyring: Keyring) -> None:
    keyring.enrol("pi", NODE, ADDRESS)
    with pytest.raises(LocalProtocolError, match="want them for a subscriber alone"):
        keyring.permit("pi", ["garden/*"])
    with pytest.raises(LocalProtocolError, match="'desk' is not enrolled"):
        keyring.permit("desk", ["garden/*"])


def test_a_bad_pattern_in_the_table_is_damage(folder: Path, keyring: Keyring) -> None:
    keyring.enrol("desk", Role.SUBSCRIBER, ADDRESS, cameras=["garden/*"])
    path = folder / "enrolled.json"
    path.write_bytes(path.read_bytes().replace(b"garden/*", b"garden"))
    with pytest.raises(LocalProtocolError, match=r"enrolled\.json is damaged"):
        keyring.refresh()
    entry = keyring.entry("desk")
    assert entry is not None
    assert entry.cameras == ("garden/*",)


def test_a_list_that_is_too_large_to_be_read_is_not_written(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring.enrol("pi", NODE, ADDRESS)
    monkeypatch.setattr(keyring_module, "_MOST_TABLE_BYTES", 300)
    with pytest.raises(LocalProtocolError, match="bytes, want at most 300: revoke somebody"):
        keyring.enrol("desk", SUBSCRIBER, ADDRESS, cameras=["garden/*"] * 32)
    assert keyring.holds("pi")
    assert names(keyring) == ["pi"]
