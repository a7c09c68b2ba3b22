from __future__ import annotations

import pytest

from camfleet.testing import FakeClock
from camfleet_hub.web.limiter import Limiter


class Tries:
    """A limiter in time that a test controls: 3 tries an address, 6 of all."""

    def __init__(self, all_burst: int = 6) -> None:
        self.clock = FakeClock()
        self.limiter = Limiter(
            burst=3,
            every_s=10,
            all_burst=all_burst,
            all_every_s=2,
            monotonic_ns=self.clock.monotonic_ns,
        )

    def count(self, address: str, tries: int = 100, user: str = "ann") -> int:
        """How many of so many tries are let through."""
        return sum(self.limiter.take(address, user) == 0 for _ in range(tries))

    def log_in(self, address: str, user: str = "ann") -> None:
        """Bring the right password."""
        assert self.limiter.take(address, user) == 0
        self.limiter.give_back(address, user)

    def use_up(self) -> None:
        """Guess from many addresses until all together have no try left."""
        while sum(self.count(f"198.51.100.{n}", user="bob") for n in range(100)):
            pass


@pytest.fixture
def tries() -> Tries:
    return Tries()


def test_an_address_has_a_few_tries_and_then_one_now_and_then(tries: Tries) -> None:
    assert tries.count("192.0.2.1") == 3
    assert tries.limiter.take("192.0.2.1") == pytest.approx(10)
    tries.clock.advance(10)
    assert tries.count("192.0.2.1") == 1
    tries.clock.advance(1000)
    assert tries.count("192.0.2.1") == 3


def test_the_wait_that_is_told_is_enough(tries: Tries) -> None:
    tries.count("192.0.2.1")
    tries.clock.advance(tries.limiter.take("192.0.2.1"))
    assert tries.limiter.take("192.0.2.1") == 0


def test_an_address_without_tries_takes_none_from_others(tries: Tries) -> None:
    tries.count("192.0.2.1", 1000)
    assert tries.count("192.0.2.2") == 3


def test_all_together_have_a_bound(tries: Tries) -> None:
    assert sum(tries.count(f"192.0.2.{n}") for n in range(100)) == 6
    tries.clock.advance(2)
    assert sum(tries.count(f"198.51.100.{n}") for n in range(100)) == 1


def test_who_was_right_gets_the_try_back(tries: Tries) -> None:
    for _ in range(50):
        tries.log_in("192.0.2.1")
    assert tries.count("192.0.2.1") == 3


def test_tries_that_are_given_back_are_never_more_than_at_first(tries: Tries) -> None:
    for _ in range(50):
        tries.limiter.give_back("192.0.2.1", "ann")
    assert tries.count("192.0.2.1") == 3


def test_addresses_of_one_ipv6_network_count_as_one(tries: Tries) -> None:
    assert sum(tries.count(f"2001:db8::{n:x}") for n in range(1, 20)) == 3
    assert tries.count("2001:db8:0:1::1") == 3


def test_who_has_many_addresses_does_not_keep_out_who_was_right_before(tries: Tries) -> None:
    tries.log_in("192.0.2.1")
    tries.use_up()
    assert tries.limiter.take("192.0.2.2", "ann") > 0
    assert tries.count("192.0.2.1") == 3
    assert tries.limiter.take("192.0.2.1", "ann") == pytest.approx(10)


def test_a_known_address_takes_nothing_from_the_others(tries: Tries) -> None:
    tries.log_in("192.0.2.1")
    tries.count("192.0.2.1")
    assert sum(tries.count(f"198.51.100.{n}") for n in range(100)) == 6


def test_an_address_is_known_for_the_name_alone_that_logged_in_there(tries: Tries) -> None:
    tries.log_in("192.0.2.1")
    tries.use_up()
    assert tries.count("192.0.2.1", user="admin") == 0


def test_many_known_addresses_of_viewers_give_no_more_guesses_at_another_name(tries: Tries) -> None:
    for n in range(100):
        tries.log_in(f"192.0.2.{n}", f"viewer {n}")
    assert sum(tries.count(f"192.0.2.{n}", user="admin") for n in range(100)) == 6


def test_who_logs_in_between_guesses_at_another_name_has_no_more_of_them(tries: Tries) -> None:
    assert tries.count("192.0.2.1", 2, user="admin") == 2
    tries.log_in("192.0.2.1")
    assert tries.count("192.0.2.1", user="admin") == 1


def test_four_addresses_of_a_user_are_known_and_those_of_late_are(tries: Tries) -> None:
    for n in range(10):
        tries.clock.advance(2)
        tries.log_in(f"192.0.2.{n}")
    tries.use_up()
    served = [n for n in range(10) if tries.limiter.take(f"192.0.2.{n}", "ann") == 0]
    assert served == [6, 7, 8, 9]


def test_one_user_with_many_addresses_pushes_out_none_of_another(tries: Tries) -> None:
    tries.log_in("192.0.2.1", "admin")
    for n in range(1000):
        tries.log_in(f"203.0.{n >> 8}.{n & 255}")
    tries.use_up()
    assert tries.count("192.0.2.1", user="admin") == 3


def test_users_that_are_known_have_a_bound(tries: Tries) -> None:
    for n in range(257):
        tries.log_in("192.0.2.1", f"user {n}")
    tries.use_up()
    assert [tries.count("192.0.2.1", 1, f"user {n}") for n in (0, 1, 256)] == [0, 1, 1]


@pytest.mark.parametrize("address", ["", "unix:", "x" * 10_000])
def test_what_is_no_address_has_tries_too(tries: Tries, address: str) -> None:
    assert tries.count(address) == 3


def test_a_million_addresses_are_not_remembered() -> None:
    tries = Tries(all_burst=10_000)
    for n in range(5000):
        tries.limiter.take(f"198.{n >> 8}.{n & 255}.1")
    assert len(tries.limiter) <= 1024
