from __future__ import annotations

from threading import Thread

from camfleet_node.sources.lending import Lending


def test_what_was_lent_comes_back_when_the_last_holder_forgets_it() -> None:
    lending: Lending[str] = Lending(2)
    lease = lending.lend("a")
    holders = [lease, lease]
    del lease
    holders.pop()
    assert lending.take_back() == []
    holders.pop()
    assert lending.take_back() == ["a"]
    assert lending.take_back() == []


def test_no_more_is_lent_than_was_agreed() -> None:
    lending: Lending[str] = Lending(2)
    first, second = lending.lend("a"), lending.lend("b")
    assert lending.lend("c") is None
    del first
    assert lending.take_back() == ["a"]
    third = lending.lend("c")
    assert third is not None
    assert second is not None
    assert (second.lent, third.lent) == ("b", "c")


def test_a_lease_may_be_forgotten_on_any_thread() -> None:
    lending: Lending[str] = Lending(1)
    holders = [lending.lend("a")]
    thread = Thread(target=holders.clear)
    thread.start()
    thread.join()
    assert lending.take_back() == ["a"]


def test_a_lease_that_outlives_its_lender_harms_nobody() -> None:
    lease = Lending[str](1).lend("a")
    assert lease is not None
    assert lease.lent == "a"
    del lease
