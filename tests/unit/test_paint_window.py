"""What a viewer may have unpainted: enough to fill its link, and nothing that grows old."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.unit.paint_link import MS, PaintLink

from camfleet_hub.web.window import Window

MBIT = 125.0  # bytes per ms
KB = 1000


def test_one_frame_may_always_be_under_way() -> None:
    assert Window().has_room(0)


def test_a_viewer_that_never_acknowledges_gets_one_frame() -> None:
    window = Window()
    window.send(1, 100, 0)
    assert not any(window.has_room(second * 1000 * MS) for second in range(100))


def test_an_acknowledgement_of_what_was_never_sent_means_nothing() -> None:
    window = Window()
    window.send(1, 100, 0)
    for number in (0, 2, -1):
        window.acknowledge(number, MS)
        window.measure(MS)
    assert window.unpainted_bytes == 100
    assert not window.has_room(2 * MS)


def test_an_acknowledgement_counts_once() -> None:
    window = Window()
    window.send(1, 100, 0)
    window.send(2, 100, 0)
    for _ in range(3):
        window.acknowledge(1, MS)
    assert window.unpainted_bytes == 100


def test_at_2_mbit_a_frame_is_painted_within_a_quarter_of_a_second() -> None:
    link = PaintLink(rate=2 * MBIT, delay_ms=5, size_bytes=4 * KB)
    link.run(3000)
    link.run(60_000)
    assert max(link.ages_ms) <= 250
    assert link.painted_bytes >= 0.9 * 2 * MBIT * 60_000


def test_a_slow_browser_is_sent_what_it_paints_and_no_more() -> None:
    link = PaintLink(rate=8000 * MBIT, delay_ms=0, size_bytes=20 * KB, decode_ms=5)
    link.run(3000)
    link.run(30_000)
    assert max(link.ages_ms) <= 150
    assert len(link.ages_ms) >= 0.85 * 30_000 / 5


def test_a_browser_that_paints_now_and_then_is_sent_most_of_what_there_is() -> None:
    link = PaintLink(rate=8000 * MBIT, delay_ms=0, size_bytes=3 * KB, fps=500, pause_ms=200)
    link.run(5000)
    link.run(20_000)
    assert len(link.ages_ms) >= 0.7 * 500 * 20
    assert max(link.ages_ms) <= 500


def test_a_fast_link_carries_all_that_there_is() -> None:
    link = PaintLink(rate=1000 * MBIT, delay_ms=20, size_bytes=20 * KB, fps=900)
    link.run(3000)
    link.run(10_000)
    assert len(link.ages_ms) >= 0.97 * 900 * 10


def test_a_first_round_trip_that_was_long_is_forgotten_soon() -> None:
    link = PaintLink(rate=2 * MBIT, delay_ms=500, size_bytes=4 * KB)
    link.run(1500)
    link.delay_ms = 5
    link.run(6000)
    link.run(10_000)
    assert max(link.ages_ms) <= 250


def test_a_link_that_gets_slower_is_lagged_on_for_a_moment_only() -> None:
    link = PaintLink(rate=100 * MBIT, delay_ms=5, size_bytes=10 * KB)
    link.run(5000)
    link.rate = 2 * MBIT
    link.run(6000)
    link.run(20_000)
    assert max(link.ages_ms) <= 500


def test_a_link_that_gets_faster_is_filled_soon() -> None:
    link = PaintLink(rate=2 * MBIT, delay_ms=5, size_bytes=10 * KB)
    link.run(5000)
    link.rate = 100 * MBIT
    link.run(3000)
    link.run(5000)
    assert len(link.ages_ms) >= 0.97 * 1000 * 5  # all that there is


@pytest.mark.parametrize("size_bytes", [200 * KB, 1000 * KB])
def test_a_large_frame_waits_for_two_others_at_most(size_bytes: int) -> None:
    link = PaintLink(rate=20 * MBIT, delay_ms=5, size_bytes=size_bytes)
    link.run(20_000)
    assert link.most_bytes <= 3 * size_bytes
    assert len(link.ages_ms) >= 0.9 * 20_000 / (size_bytes / (20 * MBIT))


def test_acknowledgements_that_were_held_up_do_not_pass_for_a_fast_link() -> None:
    window = Window()
    for number in range(10):  # 250 bytes per ms
        window.send(number, 10 * KB, 40 * number * MS)
    acknowledge(window, range(5), 700)
    window.send(10, 10 * KB, 701 * MS)
    acknowledge(window, range(5, 10), 702)
    acknowledge(window, [10], 740)
    assert window.message_bytes(740 * MS) <= 17 * 250


def test_frames_of_one_message_do_not_lengthen_the_least_round_trip() -> None:
    window = Window()
    window.send(0, 10 * KB, 0)
    acknowledge(window, [0], 20)
    for number in (1, 3, 5):
        now_ms = 1000 * number
        window.send(number, 100 * KB, now_ms * MS)
        window.send(number + 1, 100 * KB, now_ms * MS)
        acknowledge(window, [number, number + 1], now_ms + 200)
    assert window.size_bytes(5200 * MS) <= 1.5 * 1000 * (20 + 34)


def test_a_browser_that_paused_once_has_no_longer_way() -> None:
    window = Window()
    window.send(0, 10 * KB, 0)
    acknowledge(window, [0], 20)
    window.send(1, 10 * KB, 100 * MS)
    acknowledge(window, [1], 900)
    assert window.size_bytes(900 * MS) <= 1.5 * 500 * (20 + 34)


def test_a_slow_link_gets_one_frame_a_message() -> None:
    link = PaintLink(rate=2 * MBIT, delay_ms=5, size_bytes=10 * KB).run(3000)
    assert 0 < link.window.message_bytes(link.now_ms * MS) < 10 * KB


def acknowledge(window: Window, numbers: Iterable[int], now_ms: int) -> None:
    for number in numbers:
        window.acknowledge(number, now_ms * MS)
    window.measure(now_ms * MS)
