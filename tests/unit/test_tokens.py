"""Tokens as they are kept, and as programs bring them."""

from __future__ import annotations

import stat
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from camfleet.errors import LocalProtocolError
from camfleet.testing import FakeClock
from camfleet_hub.permission import Role
from camfleet_hub.tokens import PREFIX, Tokens, add_token, digest_of, list_tokens, remove_token
from camfleet_hub.web.bearers import BadTokenError, Bearers
from camfleet_hub.web.limiter import TooManyTriesError

HOME: Final = "192.0.2.1"
DAY: Final = timedelta(days=1)


class Door:
    """Tokens in a time that a test controls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = datetime.now(UTC)
        self.clock = FakeClock()
        self.failed: Counter[str] = Counter()
        self.bearers = Bearers(
            Tokens(folder),
            failed=self.failed,
            monotonic_ns=self.clock.monotonic_ns,
            now=lambda: self.now,
        )

    def refusal(self, token: str) -> str:
        """Why it opens nothing."""
        with pytest.raises(BadTokenError) as caught:
            self.bearers.find(token, HOME)
        return caught.value.reason


@pytest.fixture
def door(tmp_path: Path) -> Door:
    return Door(tmp_path / "state")


def test_a_token_has_256_bits_and_says_whose_it_is(door: Door) -> None:
    tokens = {add_token(door.folder, f"frigate{n}") for n in range(20)}
    assert len(tokens) == 20
    for token in tokens:
        assert token.startswith(PREFIX)
        assert len(token) == len(PREFIX) + 43


def test_only_a_hash_is_kept_and_for_the_owner_alone(door: Door) -> None:
    token = add_token(door.folder, "frigate", cameras=["garden/*"])
    path = door.folder / "tokens.json"
    text = path.read_text()
    assert digest_of(token).hex() in text
    assert token.removeprefix(PREFIX) not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_token_that_is_made_while_the_hub_runs_opens(door: Door) -> None:
    token = add_token(door.folder, "frigate", cameras=["garden/*"])
    assert door.refusal(token) == "unknown"
    assert door.bearers.follow() == {"frigate"}
    session = door.bearers.find(token, HOME)
    assert session.identity.may_see("garden", "pond")
    assert not session.identity.may_see("house", "door")
    assert session.identity.role is Role.VIEWER
    assert door.bearers.find(token, HOME) is session


def test_a_revoked_token_opens_nothing_and_what_it_has_open_is_cut(door: Door) -> None:
    token, other = (add_token(door.folder, name) for name in ("frigate", "other"))
    door.bearers.follow()
    session, stays = door.bearers.find(token, HOME), door.bearers.find(other, HOME)
    cut: list[str] = []
    with session.holding(lambda: cut.append("mjpeg")), stays.holding(lambda: cut.append("other")):
        remove_token(door.folder, "frigate")
        door.bearers.follow()
    assert cut == ["mjpeg"]
    assert door.refusal(token) == "revoked"
    assert door.bearers.find(other, HOME) is stays
    assert door.failed == {"revoked_token": 1}


def test_a_token_of_the_same_name_is_another_one(door: Door) -> None:
    old = add_token(door.folder, "frigate")
    door.bearers.follow()
    session = door.bearers.find(old, HOME)
    remove_token(door.folder, "frigate")
    new = add_token(door.folder, "frigate")
    door.bearers.follow()
    assert session.is_over
    assert door.refusal(old) == "revoked"
    assert door.bearers.find(new, HOME) is not session


def test_a_token_expires_and_what_it_has_open_is_cut(door: Door) -> None:
    token = add_token(door.folder, "frigate", expires_at=door.now + DAY)
    door.bearers.follow()
    session = door.bearers.find(token, HOME)
    cut: list[str] = []
    with session.holding(lambda: cut.append("mjpeg")):
        door.now += DAY - timedelta(seconds=1)
        door.bearers.follow()
        assert cut == []
        door.now += timedelta(seconds=2)
        assert door.refusal(token) == "expired"
        door.bearers.follow()
    assert cut == ["mjpeg"]
    assert door.failed == {"expired_token": 1}


def test_another_token_ends_nothing(door: Door) -> None:
    token = add_token(door.folder, "frigate")
    door.bearers.follow()
    session = door.bearers.find(token, HOME)
    add_token(door.folder, "other")
    door.bearers.follow()
    assert not session.is_over


@pytest.mark.parametrize(
    "text", ["", PREFIX, "x" * 5000, "\ud800", "../users.json", f"{PREFIX}{'a' * 43}"]
)
def test_what_is_no_token_is_unknown(door: Door, text: str) -> None:
    assert door.refusal(text) == "unknown"


def test_a_token_with_more_behind_it_is_unknown(door: Door) -> None:
    token = add_token(door.folder, "frigate")
    door.bearers.follow()
    for wrong in (token + "a", token + " ", token[:-1], token.upper()):
        assert door.refusal(wrong) == "unknown"


def test_who_brings_many_bad_ones_has_to_wait_and_a_good_one_never_does(door: Door) -> None:
    token = add_token(door.folder, "frigate")
    door.bearers.follow()
    for number in range(20):
        assert door.refusal(f"guess {number}") == "unknown"
    with pytest.raises(TooManyTriesError):
        door.bearers.find("guess 20", HOME)
    assert door.bearers.find(token, HOME)
    assert door.failed == {"unknown_token": 20, "too_many_tokens": 1}
    door.clock.advance(1)
    assert door.refusal("guess 21") == "unknown"


def test_a_name_is_one_tokens(door: Door) -> None:
    add_token(door.folder, "frigate")
    with pytest.raises(LocalProtocolError, match="already, want it revoked first"):
        add_token(door.folder, "frigate")
    with pytest.raises(LocalProtocolError, match="there is no token 'pond'"):
        remove_token(door.folder, "pond")


@pytest.mark.parametrize("name", ["", "a/b", "..", " x", "x" * 200, "a\nb"])
def test_a_bad_name_is_refused(door: Door, name: str) -> None:
    with pytest.raises(LocalProtocolError, match="want"):
        add_token(door.folder, name)
    assert list_tokens(door.folder) == []


def test_an_administrators_token_sees_everything_or_is_none(door: Door) -> None:
    with pytest.raises(LocalProtocolError, match="an administrator sees every camera"):
        add_token(door.folder, "deploy", cameras=["garden/*"], role=Role.ADMINISTRATOR)
    add_token(door.folder, "deploy", role=Role.ADMINISTRATOR)
    (token,) = list_tokens(door.folder)
    assert token.identity.is_administrator


def test_a_token_of_yesterday_is_not_made(door: Door) -> None:
    with pytest.raises(LocalProtocolError, match="want later"):
        add_token(door.folder, "frigate", expires_at=door.now - DAY)


ROW: Final = '"role": "viewer", "cameras": ["*"], "created_at": "2026-01-01T00:00:00Z"'
DAMAGED: Final = {
    "empty": "",
    "a list": "[]",
    "no hash": f'{{"a": {{"sha256": "", {ROW}}}}}',
    "no hex": f'{{"a": {{"sha256": "xy", {ROW}}}}}',
    "a bad name": f'{{"a/b": {{"sha256": "{"0" * 64}", {ROW}}}}}',
    "a bad pattern": f'{{"a": {{"sha256": "{"0" * 64}", {ROW.replace("*", "garden")}}}}}',
    "a role of its own": f'{{"a": {{"sha256": "{"0" * 64}", {ROW.replace("viewer", "root")}}}}}',
    "a time without a zone": f'{{"a": {{"sha256": "{"0" * 64}", {ROW.replace("Z", "")}}}}}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_table_is_an_error_and_the_old_one_holds(door: Door, content: str) -> None:
    token = add_token(door.folder, "frigate")
    door.bearers.follow()
    session = door.bearers.find(token, HOME)
    (door.folder / "tokens.json").write_text(content)
    with pytest.raises(LocalProtocolError, match=r"tokens\.json is damaged"):
        door.bearers.follow()
    assert door.bearers.find(token, HOME) is session
    with pytest.raises(LocalProtocolError, match=r"tokens\.json is damaged"):
        add_token(door.folder, "other")
