"""How fast a browser is read: a burst at once, then no more than one can use."""

from __future__ import annotations

from camfleet_hub.web.pace import Pace

_NS = 1_000_000_000
WALL = 256 * 60  # acknowledgements a second of the largest wall


def test_what_a_wall_says_is_never_held_up() -> None:
    pace = Pace()
    waits = [pace.take(WALL * 45 // 60, 1, second * _NS // 60) for second in range(600)]
    assert set(waits) == {0.0}


def test_empty_frames_are_held_up_though_they_have_no_bytes_to_speak_of() -> None:
    pace = Pace()
    read = 0
    while not pace.take(6 * 100, 100, 0):
        read += 100
    assert 1000 <= read <= 4096


def test_what_was_held_up_is_read_on_at_its_pace() -> None:
    pace, now_ns, read = Pace(), 0, 0
    while now_ns < 10 * _NS:
        now_ns += round(pace.take(4096, 0, now_ns) * _NS) or 1
        read += 4096
    assert 10 * 2**20 <= read <= 11 * 2**20


def test_who_paused_has_a_burst_again() -> None:
    pace = Pace()
    assert pace.take(2**20, 0, 0) > 0
    assert pace.take(1, 1, 2 * _NS) == 0.0
