from __future__ import annotations

import pytest

from camfleet_hub.demand import Demand

Told = list[tuple[str, str, str]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def demand(told: Told) -> Demand:
    demand = Demand()
    demand.on_want = lambda node, stream: told.append(("want", node, stream))
    demand.on_release = lambda node, stream: told.append(("release", node, stream))
    return demand


def test_the_first_who_comes_and_the_last_who_goes_are_told(demand: Demand, told: Told) -> None:
    demand.want("garden/pond")
    with demand.wanting("garden/pond"):
        demand.release("garden/pond")
        assert told == [("want", "garden", "pond/main")]
    assert told[1:] == [("release", "garden", "pond/main")]


def test_two_names_of_one_stream_are_one_stream(demand: Demand, told: Told) -> None:
    demand.want("garden/pond")
    demand.want("garden/pond/main")
    demand.release("garden/pond/main")
    assert told == [("want", "garden", "pond/main")]


def test_what_stays_wanted_is_not_touched(demand: Demand, told: Told) -> None:
    demand.change((), {"a/b", "a/c"})
    told.clear()
    demand.change({"a/b", "a/c"}, {"a/c", "a/d/preview"})
    assert sorted(told) == [("release", "a", "b/main"), ("want", "a", "d/preview")]


@pytest.mark.parametrize("stream_id", ["", "/", "a", "a/b/c/d", "../x"])
def test_a_name_of_no_stream_harms_nobody(demand: Demand, told: Told, stream_id: str) -> None:
    demand.change((), {stream_id})
    demand.change({stream_id}, ())
    assert [what for what, _, _ in told] == ["want", "release"]
