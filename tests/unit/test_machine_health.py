"""What a machine reports of itself: to the wire, back, and what a hub makes of nonsense."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import pytest

from camfleet import wire
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.machine_health import MachineHealth, from_facts, to_facts
from camfleet.wire import Counters

if TYPE_CHECKING:
    from tests.unit.conftest import Feed

HOT = MachineHealth(
    0.25, 412_000_000, 947_000_000, 61.5, is_under_voltage=False, is_throttled=True, uptime_s=5.0
)


def test_health_comes_back_as_it_went() -> None:
    assert from_facts(to_facts(HOT)) == HOT


def test_a_machine_that_tells_nothing_sends_nothing() -> None:
    assert to_facts(MachineHealth()) == ()
    assert from_facts(()) is None


def test_fields_of_a_newer_node_are_passed_over_and_those_of_an_older_one_are_unknown() -> None:
    assert from_facts((*to_facts(HOT), 7, True, None)) == HOT
    assert from_facts((0.25, 1)) == MachineHealth(0.25, 1)


NONSENSE = {
    "more than all of a processor": (1.5,),
    "less than nothing": (None, -1),
    "half a byte": (None, 0.5),
    "as hot as the sun": (None, None, None, 5800.0),
    "no number": (math.nan,),
    "without end": (None, None, None, -math.inf),
    "a number for a claim": (None, None, None, None, 1),
    "a claim for a number": (True,),
    "too old": (*(None,) * 10, 1e11),
}


@pytest.mark.parametrize("facts", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_rejected(facts: wire.Facts) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        from_facts(facts)
    assert caught.value.reason == Reason.HEALTH


@pytest.mark.parametrize("facts", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_costs_no_heartbeat(feed: Feed, facts: wire.Facts) -> None:
    sent = wire.encode(wire.Heartbeat(5, (), health=facts))
    beat = wire.decode(sent)
    assert isinstance(beat, wire.Heartbeat)
    feed.hello("pi", "front/main")
    feed.heartbeat("pi", health=to_facts(HOT))
    feed.heartbeat("pi", Counters("front/main", 30, 0, {}), health=beat.health)
    assert feed.stream().stats.captured == 30
    assert feed.stream().node.health is None
    assert feed.fleet.rejected["pi", "", Reason.HEALTH] == 1


def test_a_sender_is_told_of_its_own_nonsense() -> None:
    with pytest.raises(LocalProtocolError, match="health"):
        to_facts(MachineHealth(cpu_share=2))


def test_health_is_that_of_the_last_heartbeat_and_forgotten_with_the_session(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.heartbeat("pi", health=to_facts(HOT))
    assert feed.stream().node.health == HOT
    feed.hello("pi", "front/main", session=8)
    assert feed.stream().node.health is None


def test_an_older_hub_reads_a_heartbeat_with_health() -> None:
    class OlderHeartbeat(msgspec.Struct, array_like=True, frozen=True):
        """As it was before there was health."""

        node_ns: int
        counters: tuple[Counters, ...]
        round_trip_ns: int = -1
        detections: wire.DetectionCounters = wire.NO_DETECTIONS

    sent = wire.encode(wire.Heartbeat(5, (), 7, health=to_facts(HOT)))
    assert msgspec.msgpack.decode(sent[4:], type=OlderHeartbeat) == OlderHeartbeat(5, (), 7)


def test_a_hub_reads_an_older_nodes_heartbeat() -> None:
    prefix = wire.encode(wire.Heartbeat(5, ()))[:4]
    beat = wire.decode(prefix + msgspec.msgpack.encode([5, [], 7]))
    assert beat == wire.Heartbeat(5, (), 7)


def test_the_shares_of_memory_need_both_numbers() -> None:
    assert MachineHealth(memory_used_bytes=1, memory_total_bytes=4).memory_share == 0.25
    assert MachineHealth(memory_used_bytes=1).memory_share is None
