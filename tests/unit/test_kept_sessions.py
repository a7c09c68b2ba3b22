"""Sessions from one run of a hub to the next, in time that a test controls."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from structlog.testing import capture_logs

from camfleet.private_file import write_private
from camfleet.testing import FakeClock
from camfleet_hub.permission import Role
from camfleet_hub.users import Users, remove_user, set_user
from camfleet_hub.web.kept_sessions import KeptSessions
from camfleet_hub.web.sessions import Session, Sessions

HOUR_S: Final = 3600.0
PASSWORD: Final = "a horse, a battery"  # noqa: S105 - of a table that lives for a test
KEY: Final = bytes(range(32))


class Run:
    """One run of a hub."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self.users = Users(folder)
        start_ns = clock.monotonic_ns()

        def monotonic_ns() -> int:  # which begins anew with each boot
            return clock.monotonic_ns() - start_ns

        self.sessions = Sessions(
            idle_s=10 * HOUR_S, absolute_s=30 * HOUR_S, monotonic_ns=monotonic_ns
        )
        self.kept = KeptSessions(
            self.sessions, self.users, monotonic_ns=monotonic_ns, unix_ns=clock.unix_ns
        )

    def open(self, key: bytes = KEY, name: str = "hall") -> Session:
        user = self.users.find(name)
        assert user is not None
        return self.sessions.open(key, user.identity)

    def save(self) -> None:
        asyncio.run(self.kept.save())


class House:
    """A state folder, and the runs of a hub over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = FakeClock()
        self.file = folder / "sessions.json"
        self._runs: list[Run] = []
        Users(folder)
        set_user(folder, "hall", password=PASSWORD)
        self.run = self.start()

    def start(self) -> Run:
        """Start a hub; the one before may have been killed."""
        self.run = Run(self.folder, self.clock)
        self._runs.append(self.run)
        return self.run

    def restart(self) -> Run:
        self.run.kept.close()
        return self.start()

    def close(self) -> None:
        for run in self._runs:
            run.kept.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "state")
    yield house
    house.close()


def test_a_session_goes_on_after_a_restart(house: House) -> None:
    house.run.open()
    run = house.restart()
    session = run.sessions.find(KEY)
    assert session is not None
    assert (session.identity.name, session.identity.role) == ("hall", Role.VIEWER)


def test_what_is_saved_outlasts_a_hub_that_is_killed(house: House) -> None:
    house.run.open()
    house.run.save()
    assert house.start().sessions.find(KEY)


def test_the_file_is_for_the_hub_alone_and_has_digests_only(house: House) -> None:
    house.run.open()
    house.run.save()
    assert stat.S_IMODE(house.file.stat().st_mode) == 0o600
    (row,) = json.loads(house.file.read_bytes())["sessions"]
    assert row.keys() == {"key", "user", "as_of", "opened_ns", "used_ns"}
    assert row["key"] == KEY.hex()


def test_a_session_that_was_ended_stays_so_though_the_hub_is_killed(house: House) -> None:
    house.run.open()
    house.run.save()
    house.run.sessions.end(KEY)
    house.run.save()
    assert house.start().sessions.find(KEY) is None


ENDS: Final[dict[str, Callable[[Path], object]]] = {
    "another password": lambda state: set_user(state, "hall", password="another " + PASSWORD),
    "the same password anew": lambda state: set_user(state, "hall", password=PASSWORD),
    "other cameras": lambda state: set_user(state, "hall", cameras=["garden/*"]),
    "another role": lambda state: set_user(state, "hall", role=Role.ADMINISTRATOR),
    "removed": lambda state: remove_user(state, "hall"),
}


@pytest.mark.parametrize("change", ENDS.values(), ids=ENDS)
def test_who_was_changed_while_no_hub_ran_must_log_in_again(
    house: House, change: Callable[[Path], object]
) -> None:
    house.run.open()
    house.run.open(b"a" * 32, "admin")
    house.run.kept.close()
    change(house.folder)
    run = house.start()
    assert run.sessions.find(KEY) is None
    assert run.sessions.find(b"a" * 32)


def test_what_a_change_ended_stays_so_when_the_change_is_taken_back(house: House) -> None:
    house.run.open()
    house.run.kept.close()
    set_user(house.folder, "hall", cameras=["garden/*"])
    house.start().save()
    set_user(house.folder, "hall", cameras=["*/*"])
    assert house.start().sessions.find(KEY) is None


def test_the_time_without_a_hub_counts(house: House) -> None:
    house.run.open()
    house.run.kept.close()
    house.clock.advance(9.9 * HOUR_S)
    run = house.start()
    house.clock.advance(0.2 * HOUR_S)
    assert run.sessions.find(KEY) is None


def test_a_session_ends_in_the_end_however_often_the_hub_is_restarted(house: House) -> None:
    house.run.open()
    for _ in range(4):
        house.clock.advance(7 * HOUR_S)
        assert house.run.sessions.find(KEY)
        house.restart()
    house.clock.advance(2.1 * HOUR_S)
    assert house.run.sessions.find(KEY) is None


def test_a_clock_that_starts_behind_gives_no_session_more_time(house: House) -> None:
    house.run.open()
    for _ in range(4):
        house.clock.advance(7 * HOUR_S)
        assert house.run.sessions.find(KEY)
        house.run.kept.close()
        house.clock.step(-100 * HOUR_S)
        house.start()
    house.clock.advance(2.1 * HOUR_S)
    assert house.run.sessions.find(KEY) is None


def test_a_clock_that_is_set_while_it_runs_changes_nothing(house: House) -> None:
    house.run.open()
    house.clock.step(1000 * HOUR_S)
    assert house.restart().sessions.find(KEY)


def test_requests_alone_are_written_once_an_hour_and_at_the_end(house: House) -> None:
    house.run.open()
    house.run.save()
    before = house.file.read_bytes()
    house.clock.advance(0.9 * HOUR_S)
    house.run.sessions.find(KEY)
    house.run.save()
    assert house.file.read_bytes() == before
    house.clock.advance(0.2 * HOUR_S)
    house.run.sessions.find(KEY)
    house.run.save()
    hourly = house.file.read_bytes()
    assert hourly != before
    house.clock.advance(1)
    house.run.sessions.find(KEY)
    house.run.kept.close()
    assert house.file.read_bytes() != hourly


def test_a_hub_to_which_nothing_happened_writes_nothing(house: House) -> None:
    house.run.open()
    house.restart()
    mark = house.file.stat().st_ino
    house.clock.advance(5)
    house.restart()
    assert house.file.stat().st_ino == mark


def test_many_who_ask_together_share_few_writes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write(path: Path, content: bytes, *, replace: bool) -> None:
        written.append(path)
        write_private(path, content, replace=replace)

    monkeypatch.setattr("camfleet_hub.web.kept_sessions.write_private", write)

    async def open_and_save(number: int) -> None:
        house.run.open(number.to_bytes(32))
        await house.run.kept.save()

    async def main() -> None:
        await asyncio.gather(*(open_and_save(number) for number in range(50)))

    asyncio.run(main())
    assert len(written) <= 2
    assert len(house.start().sessions) == 50


ROW: Final = {"key": "0" * 64, "user": "hall", "as_of": "0" * 64, "opened_ns": 1, "used_ns": 2}
DAMAGED: Final = {
    "nothing": b"",
    "half": b'{"written_ns": 1, "sess',
    "no text": b"\xff\xfe\x00",
    "a list": b"[]",
    "a short key": json.dumps({"written_ns": 3, "sessions": [ROW | {"key": "00"}]}).encode(),
    "from the future": json.dumps({"written_ns": 1, "sessions": [ROW]}).encode(),
    "too many": json.dumps({"written_ns": 3, "sessions": [ROW] * 1025}).encode(),
    "too long": b" " * (2**20 + 1),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_costs_the_sessions_and_not_the_hub(house: House, content: bytes) -> None:
    house.run.open()
    house.run.kept.close()
    house.file.write_bytes(content)
    with capture_logs() as logs:
        run = house.start()
    assert [line["log_level"] for line in logs] == ["warning"]
    assert "sessions.json" in logs[0]["problem"]
    assert len(run.sessions) == 0
    run.open()
    assert house.restart().sessions.find(KEY)


def test_a_file_that_others_may_read_is_not_believed(house: House) -> None:
    house.run.open()
    house.run.kept.close()
    house.file.chmod(0o644)
    with capture_logs() as logs:
        assert len(house.start().sessions) == 0
    assert "found mode 0644" in logs[0]["problem"]


def test_what_cannot_be_written_leaves_nothing_that_has_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.run.open()
    house.run.save()
    house.run.sessions.end(KEY)
    draft = house.folder / ".sessions.json.00"
    draft.touch()
    monkeypatch.setattr("camfleet.private_file.secrets.token_hex", lambda _: "00")
    with capture_logs() as logs:
        house.run.save()
        house.run.open()
        draft.touch()
        house.run.save()
    assert [line["log_level"] for line in logs] == ["error"]  # once
    assert not house.file.exists()
    assert len(house.run.sessions) == 1
