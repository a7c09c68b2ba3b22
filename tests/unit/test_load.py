from __future__ import annotations

import pytest
import simplejpeg

from camfleet.cli.fleet import report
from camfleet.errors import LocalProtocolError
from camfleet.load import Schedule, Tally, spread
from camfleet.load.picture import SHAPE, jpeg
from camfleet.payload import PayloadCheck, check_payload

MS = 1_000_000


def cameras(schedule: Schedule, now_ns: int) -> list[int]:
    return [tick.camera for tick in schedule.due(now_ns)]


def test_cameras_take_turns_evenly() -> None:
    schedule = Schedule(4, 10, 0)  # a tick every 25 ms
    assert cameras(schedule, 0) == [0]
    assert cameras(schedule, 24 * MS) == []
    assert cameras(schedule, 75 * MS) == [1, 2, 3]
    assert schedule.due_ns() == 100 * MS
    assert cameras(schedule, 100 * MS) == [0]


def test_a_schedule_does_not_drift() -> None:
    schedule = Schedule(7, 30, 0)
    assert sum(1 for _ in schedule.due(600_000 * MS)) == 7 * 30 * 600 + 1


def test_nothing_is_due_before_the_beginning() -> None:
    assert cameras(Schedule(1, 30, 5), 4) == []


def test_a_schedule_says_how_far_behind_its_user_is() -> None:
    on_time, late, missed = (
        next(Schedule(1, 10, 0).due(now_ns)) for now_ns in (5 * MS, 6 * MS, 101 * MS)
    )
    assert (on_time.is_late, on_time.is_missed) == (False, False)
    assert (late.is_late, late.is_missed) == (True, False)
    assert (missed.is_late, missed.is_missed) == (True, True)


@pytest.mark.parametrize("size", [30_000, 60_000, 65_537, 70_000, 131_080, 300_000])
def test_a_picture_is_as_large_as_it_is_to_be(size: int) -> None:
    assert len(jpeg(size)) == size


@pytest.mark.parametrize("more", range(8))
def test_a_picture_is_so_at_every_edge(more: int) -> None:
    least = len(jpeg(30_000)) - 30_000 + 66_000
    assert len(jpeg(least + 3 * 65_537 + more)) == least + 3 * 65_537 + more


def test_a_filled_picture_is_a_sound_jpeg() -> None:
    picture = jpeg(200_000)
    assert simplejpeg.decode_jpeg(picture, strict=True).shape == SHAPE
    check_payload("jpeg", SHAPE, "uint8", picture)


def test_what_fills_a_picture_does_not_make_it_dearer_to_check() -> None:
    check, picture = PayloadCheck(), jpeg(200_000)
    check.check("jpeg", SHAPE, "uint8", picture)
    assert 0 < len(check._head) < 1_000


def test_a_picture_cannot_be_smaller_than_one() -> None:
    with pytest.raises(LocalProtocolError, match=r"size is 100 bytes, want \d+ or more"):
        jpeg(100)


def test_cameras_are_spread_over_all_nodes() -> None:
    nodes = spread(7, ["a", "b", "c"], [None] * 3)
    assert [(node.name, node.cameras) for node in nodes] == [("a", 3), ("b", 2), ("c", 2)]


@pytest.mark.parametrize("cameras", [1, 33])
def test_no_node_has_none_or_too_many(cameras: int) -> None:
    with pytest.raises(LocalProtocolError, match="want 1 to 16 on each"):
        spread(cameras, ["a", "b"], [None] * 2)


def test_tallies_add_up() -> None:
    one = Tally([1, 2], {"newer": 3}, late=1, ticks=4, nodes=1, online=1, cpu_s=0.5)
    two = Tally([3], {"newer": 1, "missed": 2}, ticks=3, nodes=1, problem="no key")
    assert Tally.sum([one, two]) == Tally(
        [1, 2, 3], {"newer": 4, "missed": 2}, 1, 7, 2, 1, 0.5, "no key"
    )


def test_a_tally_survives_the_pipe() -> None:
    tally = Tally([1, 2], {"newer": 3}, late=1, ticks=4, nodes=1, online=1, cpu_s=0.5)
    assert Tally.decode(tally.encode()) == tally


def test_a_tally_since_another_counts_what_is_new() -> None:
    before = Tally([1, 1], {"no_credit": 5, "newer": 1}, ticks=7, nodes=1, cpu_s=1.0)
    after = Tally([3, 2], {"no_credit": 5, "newer": 2}, ticks=12, nodes=1, online=1, cpu_s=1.5)
    assert after.since(before) == Tally([2, 1], {"newer": 1}, 0, 5, 1, 1, 0.5)


def test_a_report_names_the_slowest_camera_and_every_reason() -> None:
    tally = Tally([60, 58], {"newer": 2}, late=3, ticks=120, cpu_s=0.5)
    assert report(tally, 2.0, 30) == (
        "sent 59.0 of 60.0 frames/s; slowest camera 29.00 fps\n"
        "dropped at the generator: 2 newer\n"
        "generator: 2.50 % of its ticks came late, 25 % of a core\n"
    )
