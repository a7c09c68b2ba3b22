from __future__ import annotations

import pytest

from camfleet import wire
from camfleet.errors import Reason, RemoteProtocolError
from camfleet.forward_link import (
    ForwardEvent,
    ForwardLink,
    FrameDelivered,
    Looked,
    Parcel,
    SubscriberJoined,
    SubscriberLeft,
)
from camfleet.frame import Frame, FrameHeader
from camfleet.pattern import parse_pattern
from camfleet.window import MAX_WINDOW

A, B = b"a", b"b"
NS = 1_000_000_000
UNIX_NS = 1_800_000_000 * NS


class Hub:
    """A link, and what a subscriber says to it."""

    def __init__(self, max_subscribers: int = 256) -> None:
        self.hidden: set[tuple[str | None, str, str]] = set()
        self.link = ForwardLink(7, max_subscribers, may_see=self._may_see)

    def _may_see(self, *what: str | None) -> bool:
        return what not in self.hidden

    def say(
        self,
        message: wire.Message,
        identity: bytes = A,
        *,
        caller: str | None = None,
        unix_ns: int = UNIX_NS,
        at_ns: int = 0,
    ) -> ForwardEvent | None:
        header = wire.encode(message)
        return self.link.receive(identity, header, b"", unix_ns, at_ns, caller=caller)

    def subscribe(
        self, *patterns: str, identity: bytes = A, delivery: wire.DeliveryMode = "newest"
    ) -> None:
        self.say(wire.Subscribe(1, patterns or ("*",), delivery), identity)

    def ask(self, limit: int, arrived: int = 0, identity: bytes = A) -> None:
        self.say(wire.Ask(limit, arrived), identity)

    def arrive(self, stream_id: str, number: int, size_bytes: int = 4, label: str = "") -> None:
        node, _, camera = stream_id.partition("/")
        header = FrameHeader(
            f"{camera}/main",
            1,
            number,
            number,
            UNIX_NS,
            "raw",
            (1, size_bytes),
            clock_offset_ns=-1000,
            clock_uncertainty_ns=5,
            label=label,
        )
        self.link.offer(stream_id, Frame(node, header, bytes(size_bytes), UNIX_NS), number)

    def deliver(self) -> list[Parcel]:
        return list(self.link.deliver(UNIX_NS))

    def numbers(self) -> list[tuple[str, int]]:
        return [(one.stream_id, delivery(one).header.sequence) for one in self.deliver()]

    def answers(self) -> list[wire.Message]:
        return [wire.decode(header) for _, header in self.link.drain()]


def delivery(parcel: Parcel) -> wire.Delivery:
    message = wire.decode(parcel.header)
    assert isinstance(message, wire.Delivery)
    return message


@pytest.fixture
def hub() -> Hub:
    return Hub()


def test_a_subscriber_is_welcomed_without_grants(hub: Hub) -> None:
    joined = hub.say(wire.Subscribe(1, ("pi/*",), "newest", "mine 1"), caller="desk")
    assert joined == SubscriberJoined(A, "desk", 1, ("pi/*",), "mine 1")
    assert hub.answers() == [wire.Welcome(7, 1000, ())]


def test_nothing_is_delivered_without_credit(hub: Hub) -> None:
    hub.subscribe()
    hub.arrive("pi/front", 1)
    assert hub.numbers() == []


def test_one_credit_is_for_the_whole_subscription(hub: Hub) -> None:
    hub.subscribe()
    hub.ask(2)
    for camera in ("front", "back", "side"):
        hub.arrive(f"pi/{camera}", 1)
    assert hub.numbers() == [("pi/front", 1), ("pi/back", 1)]
    hub.ask(3, 2)
    assert hub.numbers() == [("pi/side", 1)]


def test_a_busy_stream_does_not_starve_a_quiet_one(hub: Hub) -> None:
    hub.subscribe()
    hub.arrive("pi/busy", 1)
    hub.arrive("pi/quiet", 1)
    taken = []
    for turn in range(1, 4):
        hub.arrive("pi/busy", turn + 1)
        hub.ask(turn, turn - 1)
        taken += hub.numbers()
    assert taken == [("pi/busy", 2), ("pi/quiet", 1), ("pi/busy", 4)]


def test_what_was_passed_over_is_told_and_counted(hub: Hub) -> None:
    hub.subscribe()
    for number in (5, 6, 9):  # 7 and 8 were overtaken before they could be offered
        hub.arrive("pi/front", number)
    hub.ask(1)
    (parcel,) = hub.deliver()
    assert delivery(parcel).skipped == 4
    assert hub.link.dropped() == {("pi/front", "newer"): 4}
    assert not hub.link.dropped()


def test_a_frame_that_is_offered_twice_is_delivered_once(hub: Hub) -> None:
    hub.subscribe()
    hub.ask(5)
    hub.arrive("pi/front", 1)
    hub.arrive("pi/front", 1)
    assert hub.numbers() == [("pi/front", 1)]
    hub.arrive("pi/front", 1)
    assert hub.numbers() == []


def test_a_stream_that_was_forgotten_may_count_anew(hub: Hub) -> None:
    hub.subscribe()
    hub.ask(5)
    hub.arrive("pi/front", 9)
    hub.deliver()
    hub.arrive("pi/front", 1)
    assert hub.numbers() == []
    hub.link.keep(frozenset())
    hub.arrive("pi/front", 2)
    assert hub.numbers() == [("pi/front", 2)]


def test_all_frames_wait_in_their_order(hub: Hub) -> None:
    hub.subscribe(delivery="all")
    for number in (1, 2, 3):
        hub.arrive("pi/front", number)
    hub.ask(2)
    assert hub.numbers() == [("pi/front", 1), ("pi/front", 2)]
    hub.ask(9, 2)
    assert hub.numbers() == [("pi/front", 3)]


def test_a_queue_is_bounded_in_frames_and_its_oldest_make_room(hub: Hub) -> None:
    hub.subscribe(delivery="all")
    for number in range(300):
        hub.arrive("pi/front", number)
    hub.ask(1)
    (parcel,) = hub.deliver()
    assert delivery(parcel).header.sequence == 44
    assert delivery(parcel).skipped == 44
    assert hub.link.dropped() == {("pi/front", "overflow"): 44}


def test_a_queue_is_bounded_in_bytes(hub: Hub) -> None:
    hub.subscribe(delivery="all")
    for number in range(5):
        hub.arrive("pi/front", number, 16 * 1024 * 1024)
    hub.ask(9)
    assert [number for _, number in hub.numbers()] == [1, 2, 3, 4]


def test_one_subscriber_holds_up_no_other(hub: Hub) -> None:
    hub.subscribe(identity=A)
    hub.subscribe("pi/*", identity=B)
    hub.ask(1, identity=B)
    hub.arrive("pi/front", 1)
    assert [parcel.identity for parcel in hub.deliver()] == [B]


def test_only_streams_that_somebody_wants_are_wanted(hub: Hub) -> None:
    hub.subscribe("garden/*")
    hub.subscribe("pi/front", identity=B, delivery="all")
    ids = ("garden/pond", "garden/pond/preview", "pi/front", "pi/back")
    assert [i for i in ids if hub.link.wants(i)] == ["garden/pond", "pi/front"]
    assert [i for i in ids if hub.link.wants_all(i)] == ["pi/front"]
    hub.say(wire.Bye())
    assert not hub.link.wants("garden/pond")


def test_credit_beyond_the_widest_window_is_not_believed(hub: Hub) -> None:
    hub.subscribe(delivery="all")
    hub.ask(2**62, 2**62)
    for number in range(MAX_WINDOW + 9):
        hub.arrive("pi/front", number)
    assert len(hub.deliver()) == MAX_WINDOW


def test_the_newest_arrival_tells_the_latency_to_it(hub: Hub) -> None:
    hub.subscribe()
    hub.ask(2)
    hub.arrive("pi/front", 1)
    hub.arrive("pi/back", 1)
    hub.deliver()
    ask = wire.Ask(2, 2, UNIX_NS + 7000)
    told = hub.say(ask, unix_ns=UNIX_NS + 10_000)
    assert told == FrameDelivered("pi/back", 8000)
    assert hub.say(ask) is None


@pytest.mark.parametrize(("arrived_ns", "latency_ns"), [(1, 1000), (2**62, 11_000)])
def test_an_arrival_is_after_its_sending_and_not_in_the_future(
    hub: Hub, arrived_ns: int, latency_ns: int
) -> None:
    hub.subscribe()
    hub.ask(1)
    hub.arrive("pi/front", 1)
    hub.deliver()
    told = hub.say(wire.Ask(1, 1, arrived_ns), unix_ns=UNIX_NS + 10_000)
    assert told == FrameDelivered("pi/front", latency_ns)


def test_an_arrival_on_an_unknown_clock_tells_no_latency(hub: Hub) -> None:
    hub.subscribe()
    hub.ask(1)
    hub.arrive("pi/front", 1)
    hub.deliver()
    assert hub.say(wire.Ask(1, 1, 0)) is None


def test_a_header_without_room_for_a_deliverys_own_is_dropped_and_the_next_one_comes(
    hub: Hub,
) -> None:
    hub.subscribe()
    hub.ask(1)
    hub.arrive("pi/front", 1, label="x" * 4070)
    assert hub.numbers() == []
    hub.arrive("pi/front", 2)
    (parcel,) = hub.deliver()
    assert (delivery(parcel).number, delivery(parcel).skipped) == (0, 1)
    assert hub.link.dropped() == {("pi/front", "unfit"): 1}


def test_a_heartbeats_answer_says_how_many_were_sent(hub: Hub) -> None:
    hub.subscribe()
    hub.ask(1)
    hub.arrive("pi/front", 1)
    hub.deliver()
    hub.link.drain()
    hub.say(wire.Heartbeat(5, ()))
    assert hub.answers() == [wire.HeartbeatReply(5, UNIX_NS, UNIX_NS, (wire.Grant("", 1),))]


@pytest.mark.parametrize("message", [wire.Ask(1, 0), wire.Heartbeat(5, ())])
def test_a_stranger_is_told_to_subscribe(hub: Hub, message: wire.Message) -> None:
    with pytest.raises(RemoteProtocolError, match="it has not subscribed"):
        hub.say(message)
    (refusal,) = hub.answers()
    assert isinstance(refusal, wire.Refuse)
    assert refusal.reason == Reason.UNKNOWN_PEER


def test_a_bad_pattern_is_refused_with_its_reason(hub: Hub) -> None:
    with pytest.raises(RemoteProtocolError, match="pattern is 'garden'"):
        hub.subscribe("garden")
    (refusal,) = hub.answers()
    assert isinstance(refusal, wire.Refuse)
    assert (refusal.reason, len(hub.link)) == (Reason.PATTERN, 0)


def test_subscribers_are_bounded_and_may_subscribe_anew() -> None:
    hub = Hub(max_subscribers=1)
    hub.subscribe()
    hub.subscribe("pi/*")
    with pytest.raises(RemoteProtocolError, match="subscribers here are 1, want no more than 1"):
        hub.subscribe(identity=B)


def test_who_is_silent_for_ten_seconds_is_forgotten(hub: Hub) -> None:
    hub.subscribe()
    assert not hub.link.expire(10 * NS)
    assert hub.link.expire(10 * NS + 1) == [SubscriberLeft(A, None, "silent for 10 s")]
    assert len(hub.link) == 0


def test_whose_key_was_revoked_is_let_go_on_every_connection(hub: Hub) -> None:
    for identity, caller in ((A, "desk"), (B, "desk"), (b"c", "shelf")):
        hub.say(wire.Subscribe(1, ("*",)), identity, caller=caller)
    assert [left.identity for left in hub.link.cut("desk")] == [A, B]
    assert len(hub.link) == 1


def test_anybody_may_look_without_a_subscription(hub: Hub) -> None:
    assert hub.say(wire.Look(("pi/*",))) == Looked(A, None, (parse_pattern("pi/*"),))
    assert len(hub.link) == 0


@pytest.mark.parametrize("message", [wire.Credit(()), wire.Welcome(1, 1000, ())])
def test_what_a_subscriber_does_not_send_is_rejected(hub: Hub, message: wire.Message) -> None:
    with pytest.raises(RemoteProtocolError, match="want a subscriber's kinds"):
        hub.say(message)
    hub.subscribe()
    with pytest.raises(RemoteProtocolError, match="want a subscriber's kinds"):
        hub.say(message)


def test_a_payload_behind_a_subscribers_message_is_rejected(hub: Hub) -> None:
    with pytest.raises(RemoteProtocolError, match="payload of Bye is 1 bytes, want none"):
        hub.link.receive(A, wire.encode(wire.Bye()), b"x", 1, 1)


def test_one_key_cannot_take_all_places(hub: Hub) -> None:
    said = wire.Subscribe(1, ("*",))
    for n in range(16):
        hub.say(said, bytes([n]), caller="me")
    with pytest.raises(RemoteProtocolError, match="subscribers with this key are 16") as caught:
        hub.say(said, b"one more", caller="me")
    assert caught.value.reason is Reason.TOO_MANY
    hub.say(said, bytes([0]), caller="me")  # again is not one more
    hub.say(said, b"another", caller="you")
    assert len(hub.link) == 17


# what may not be seen


def join(hub: Hub, caller: str, identity: bytes = A, delivery: wire.DeliveryMode = "all") -> None:
    hub.say(wire.Subscribe(1, ("*",), delivery), identity, caller=caller)
    hub.ask(60, identity=identity)


def test_a_frame_that_a_caller_may_not_see_is_neither_wanted_nor_delivered(hub: Hub) -> None:
    hub.hidden.add(("desk", "pi", "door"))
    join(hub, "desk")
    for stream in ("pi/pond", "pi/door", "pi/door/preview"):
        hub.arrive(stream, 1)
    assert [parcel.stream_id for parcel in hub.deliver()] == ["pi/pond"]
    assert not hub.link.wants("pi/door")
    assert not hub.link.wants_all("pi/door/preview")
    assert not hub.link.dropped()


def test_what_one_caller_may_not_see_another_gets(hub: Hub) -> None:
    hub.hidden.add(("desk", "pi", "door"))
    join(hub, "desk")
    join(hub, "shelf", b"b" * 5)
    hub.arrive("pi/door", 1)
    assert [parcel.identity for parcel in hub.deliver()] == [b"b" * 5]


@pytest.mark.parametrize("delivery", ["newest", "all"])
def test_what_waits_is_not_delivered_once_it_may_not_be_seen(
    hub: Hub, delivery: wire.DeliveryMode
) -> None:
    hub.say(wire.Subscribe(1, ("*",), delivery), caller="desk")
    hub.arrive("pi/door", 1)
    hub.arrive("pi/pond", 1)
    hub.hidden.add(("desk", "pi", "door"))
    hub.link.judge()
    hub.ask(60)
    assert [parcel.stream_id for parcel in hub.deliver()] == ["pi/pond"]
    hub.hidden.clear()
    hub.link.judge()
    hub.arrive("pi/door", 2)
    assert hub.numbers() == [("pi/door", 2)]
