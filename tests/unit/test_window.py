from __future__ import annotations

import pytest

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.ledger import Ledger
from camfleet.window import DeliveryRate, RoundTrip, window

MS = 1_000_000
S = 1_000 * MS


@pytest.mark.parametrize(
    ("fps", "round_trip_ms", "wanted"),
    [
        (60, 40, 5),  # 2.64 are on the way
        (50, 40, 5),  # what a window of 2 delivers there: it must grow from that
        (30, 0.2, 2),  # a slow link: one under way, one behind it
        (5, 200, 3),
        (2000, 0.2, 14),  # a fast one: what the threads at both ends need to run
        (0, 40, 2),
        (60, 10_000, 32),
    ],
)
def test_the_window_is_half_as_much_again_as_the_path_holds_and_two(
    fps: float, round_trip_ms: float, wanted: int
) -> None:
    assert window(fps, int(round_trip_ms * MS), most=32) == wanted


def test_large_frames_do_not_wait_for_threads_in_memory() -> None:
    assert window(500, MS // 5, most=32) == 5
    assert window(500, MS // 5, most=32, size_bytes=6_000_000) == 2
    assert window(500, 40 * MS, most=64, size_bytes=6_000_000) == 32


def test_the_window_is_two_until_the_round_trip_is_known() -> None:
    assert window(1000.0, -1, most=32) == 2


@pytest.mark.parametrize("most", [1, 2, 3])
def test_the_window_has_a_bound(most: int) -> None:
    assert window(1000.0, 40 * MS, most) == most


def test_the_delivery_rate_is_that_of_the_last_grants() -> None:
    rate = DeliveryRate()
    assert rate.add(0, 0, MS) == 0
    for n in range(1, 20):
        fps = rate.add(n, n * 10 * MS, MS)
    assert fps == pytest.approx(100)
    for n in range(8):
        fps = rate.add(20 + 2 * n, (200 + 10 * n) * MS, MS)
    assert fps == pytest.approx(200)


def test_a_pause_is_no_slow_delivery() -> None:
    rate = DeliveryRate()
    rate.add(0, 0, MS)
    assert rate.add(1, 5 * S, MS) == 0
    assert rate.add(2, 5 * S + 20 * MS, MS) == pytest.approx(50)


def test_frames_that_come_all_at_once_are_no_fast_delivery() -> None:
    rate = DeliveryRate()
    for n in range(20):
        fps = rate.add(n, 5 * S + n * MS // 20, 100 * MS)
    assert fps == pytest.approx(19 / 0.104)


def test_the_least_round_trip_is_kept() -> None:
    trip = RoundTrip()
    for ms in (50, 20, 90):
        trip.add(ms * MS, S, is_clean=False)
    assert trip.least_ns == 20 * MS


def test_a_clean_sample_is_believed_also_when_it_is_longer() -> None:
    trip = RoundTrip()
    trip.add(20 * MS, S, is_clean=False)
    trip.add(45 * MS, 2 * S, is_clean=True)
    assert trip.least_ns == 45 * MS


@pytest.mark.parametrize(("ms", "is_doubtful"), [(20, False), (26, False), (27, True)])
def test_a_sample_near_the_least_confirms_it(ms: int, *, is_doubtful: bool) -> None:
    trip = RoundTrip()
    trip.add(20 * MS, S, is_clean=True)
    trip.add(ms * MS, 9 * S, is_clean=False)
    assert trip.is_doubtful(12 * S) is is_doubtful


def test_nothing_is_known_before_the_first_sample() -> None:
    assert RoundTrip().is_doubtful(0)
    assert RoundTrip().least_ns == -1


def test_what_was_granted_is_never_taken_back() -> None:
    ledger = Ledger(0, 32)
    for n in range(1, 30):  # fast, so that the window is large
        ledger.extend(n * MS, 20 * MS)
        ledger.take(n - 1)
    limit = ledger.limit
    assert limit > 40
    ledger.extend(60 * S, -1)  # and now slow
    assert ledger.limit == limit


def test_a_frame_beyond_its_credit_is_rejected() -> None:
    ledger = Ledger(5, 32)
    ledger.keep_alive()
    ledger.take(5)
    for number in (4, 5, 6):
        with pytest.raises(RemoteProtocolError, match=f"frame {number} came, want 6 up to 6") as it:
            ledger.take(number)
        assert it.value.reason is Reason.NO_CREDIT
