from __future__ import annotations

import pytest

from camfleet.testing import FakeClock
from camfleet_hub.permission import ALL_CAMERAS, Identity, Role
from camfleet_hub.web.sessions import Sessions

ADMIN = Identity("admin", Role.ADMINISTRATOR, ALL_CAMERAS)
HOUR_S = 3600.0


class Door:
    """Sessions in time that a test controls."""

    def __init__(self, most: int = 8) -> None:
        self.clock = FakeClock()
        self.sessions = Sessions(
            most, idle_s=HOUR_S, absolute_s=10 * HOUR_S, monotonic_ns=self.clock.monotonic_ns
        )


@pytest.fixture
def door() -> Door:
    return Door()


def test_a_session_is_found_by_its_key_alone(door: Door) -> None:
    session = door.sessions.open(b"key", ADMIN)
    assert door.sessions.find(b"key") is session
    assert session.identity is ADMIN
    assert door.sessions.find(b"kez") is None


def test_a_session_that_is_used_lives_on(door: Door) -> None:
    door.sessions.open(b"key", ADMIN)
    for _ in range(8):
        door.clock.advance(0.9 * HOUR_S)
        assert door.sessions.find(b"key")


def test_a_session_that_is_idle_ends(door: Door) -> None:
    session = door.sessions.open(b"key", ADMIN)
    door.clock.advance(1.1 * HOUR_S)
    assert door.sessions.find(b"key") is None
    assert session.is_over
    assert len(door.sessions) == 0


def test_a_session_ends_in_the_end_however_much_it_is_used(door: Door) -> None:
    door.sessions.open(b"key", ADMIN)
    for _ in range(20):
        door.clock.advance(0.5 * HOUR_S)
        assert door.sessions.find(b"key")
    door.clock.advance(0.5 * HOUR_S)
    assert door.sessions.find(b"key") is None


def test_what_a_session_serves_keeps_it_from_being_idle(door: Door) -> None:
    session = door.sessions.open(b"key", ADMIN)
    with session.holding(lambda: None):
        door.clock.advance(2 * HOUR_S)
        door.sessions.sweep()
        assert not session.is_over
    door.clock.advance(0.9 * HOUR_S)  # from the last sweep on, not from its last request
    assert door.sessions.find(b"key")


def test_a_sweep_ends_what_is_over_and_cuts_off_what_it_serves(door: Door) -> None:
    session = door.sessions.open(b"key", ADMIN)
    cut: list[str] = []
    with session.holding(lambda: cut.append("wall")), session.holding(lambda: cut.append("mjpeg")):
        door.clock.advance(10.1 * HOUR_S)
        door.sessions.sweep()
    assert sorted(cut) == ["mjpeg", "wall"]
    assert session.is_over


def test_what_is_served_already_is_not_cut_off_by_the_end(door: Door) -> None:
    session = door.sessions.open(b"key", ADMIN)
    cut: list[str] = []
    with session.holding(lambda: cut.append("snapshot")):
        pass
    door.sessions.end(b"key")
    assert cut == []


def test_all_sessions_end_together(door: Door) -> None:
    sessions = [door.sessions.open(bytes([n]), ADMIN) for n in range(3)]
    door.sessions.end_of(frozenset({"admin"}))
    assert all(session.is_over for session in sessions)
    assert len(door.sessions) == 0


def test_there_is_a_bound_and_the_one_used_longest_ago_gives_way() -> None:
    door = Door(most=3)
    for key in (b"a", b"b", b"c"):
        door.sessions.open(key, ADMIN)
    door.sessions.find(b"a")
    door.sessions.open(b"d", ADMIN)
    assert len(door.sessions) == 3
    assert door.sessions.find(b"b") is None
    assert door.sessions.find(b"a")


def test_to_end_what_is_not_there_is_no_error(door: Door) -> None:
    door.sessions.end(b"nothing")
