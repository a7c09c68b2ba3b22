from __future__ import annotations

import pytest

from camfleet import wire
from camfleet.backoff import Backoff
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import FrameHeader
from camfleet.inbox import Inbox
from camfleet.subscriber_link import SubscriberLink
from camfleet.testing import FakeClock, PairedSubscribers

CLOCK_AHEAD_S = 5.0


def subscriber(*patterns: str, delivery: wire.DeliveryMode = "newest") -> SubscriberLink:
    return SubscriberLink(patterns or ("*",), 1, Backoff(0.25, 5.0, lambda: 0.5), delivery)


class Pair:
    """One subscriber and its hub, and a program that takes what is there."""

    def __init__(self, delay_s: float = 0.0, delivery: wire.DeliveryMode = "newest") -> None:
        self.clock = FakeClock()
        self.subscriber = subscriber(delivery=delivery)
        self.link = PairedSubscribers(self.clock, self.subscriber, delay_s=delay_s)
        self.number = 0

    def ask(self) -> None:
        self.subscriber.ask(self.clock.monotonic_ns())

    def take(self) -> None:
        self.subscriber.take(self.clock.monotonic_ns())

    def state(self) -> str:
        return self.subscriber.state.value

    def refusal(self) -> str:
        return self.subscriber.refusal

    def arrive(self, count: int = 1, *, every_s: float = 0.0) -> None:
        for _ in range(count):
            self.number += 1
            self.link.arrive("pi/front", self.number)
            self.link.run(every_s)

    def numbers(self) -> list[int]:
        return [frame.header.sequence for frame in self.link.frames[self.subscriber]]


def header_of(message: wire.Message) -> bytes:
    return wire.encode(message)


def test_nothing_is_said_before_a_frame_is_asked_for() -> None:
    pair = Pair()
    pair.link.run(5)
    assert pair.subscriber.due_ns() is None
    assert len(pair.link.hub) == 0


def test_the_first_frame_that_is_asked_for_subscribes() -> None:
    pair = Pair()
    pair.ask()
    pair.link.run(0.1)
    assert pair.state() == "online"
    pair.arrive()
    pair.link.run(0.1)
    assert pair.numbers() == [1]


def test_a_program_that_does_not_ask_gets_no_second_frame() -> None:
    pair = Pair()
    pair.ask()
    pair.link.run(0.1)
    pair.arrive(30, every_s=0.03)
    assert pair.numbers() == [1]


def test_a_slow_program_gets_the_newest_frame_of_the_moment_when_it_asks() -> None:
    pair = Pair()
    pair.ask()
    pair.link.run(0.1)
    pair.arrive(10, every_s=0.03)
    pair.take()
    pair.ask()
    pair.link.run(0.01)
    assert pair.numbers() == [1, 10]
    assert pair.link.frames[pair.subscriber][1].skipped == 8


@pytest.mark.parametrize("work", [1, 3])  # in tenths of a frame's interval
def test_a_program_on_a_long_link_gets_every_frame_when_it_is_fast_enough(work: int) -> None:
    pair = Pair(delay_s=0.02)
    pair.ask()
    pair.link.run(0.5)
    taken = free = 0
    for tick in range(2400):
        pair.arrive(tick % 10 == 0, every_s=0)
        pair.link.run(1 / 600)
        if taken < len(pair.numbers()) and tick >= free:
            pair.take()
            taken += 1
            free = tick + work
        if tick == free:
            pair.ask()
    numbers = pair.numbers()
    assert numbers[-100:] == list(range(numbers[-100], numbers[-100] + 100))


def test_all_frames_come_in_their_order_as_they_are_taken() -> None:
    pair = Pair(delivery="all")
    pair.ask()
    pair.link.run(0.1)
    pair.arrive(20, every_s=0.01)
    for _ in range(20):
        pair.take()
        pair.ask()
        pair.link.run(0.01)
    assert pair.numbers() == list(range(1, 21))


def test_a_frames_latency_is_until_its_arrival_here_on_the_hubs_clock() -> None:
    pair = Pair(delay_s=0.02)
    pair.link.ahead_s = CLOCK_AHEAD_S
    pair.ask()
    pair.link.run(0.2)
    pair.arrive()
    pair.link.run(0.1)
    (frame,) = pair.link.frames[pair.subscriber]
    assert frame.latency_ns is not None
    assert frame.uncertainty_ns is not None
    assert abs(frame.latency_ns - 20_000_000) <= frame.uncertainty_ns <= 21_000_000


def test_a_subscriber_returns_by_itself_to_a_hub_that_was_restarted() -> None:
    pair = Pair()
    pair.ask()
    pair.link.run(0.5)
    pair.link.restart_hub()
    pair.link.run(2)
    assert pair.state() == "online"
    pair.arrive()
    pair.link.run(0.1)
    assert pair.numbers() == [1]


def test_silence_of_three_seconds_begins_anew() -> None:
    pair = Pair()
    pair.ask()
    pair.link.run(0.5)
    pair.link.cut()
    pair.link.run(4)
    assert pair.state() == "connecting"
    pair.link.mend()
    pair.link.run(6)
    assert pair.state() == "online"


def test_a_refusal_is_told_and_asked_again() -> None:
    clock = FakeClock()
    first, second = subscriber(), subscriber()
    link = PairedSubscribers(clock, first, second, max_subscribers=1)
    link.states = (state("front/main"),)
    first.ask(clock.monotonic_ns())
    link.run(0.1)
    second.ask(clock.monotonic_ns())
    link.run(0.1)
    assert str(second.state) == "refused"
    assert second.refusal == "subscribers here are 1, want no more than 1"
    link.cut(first)
    link.run(20)
    assert str(second.state) == "online"
    assert not second.refusal


def test_a_listing_is_asked_for_until_it_comes_and_needs_no_subscription() -> None:
    pair = Pair()
    pair.link.states = (wire.StreamState("pi", "front/main", "online", 20.0),)
    pair.link.cut()
    pair.subscriber.look()
    pair.link.run(1)
    pair.link.mend()
    pair.link.run(1.5)
    assert pair.link.listed[pair.subscriber] == pair.link.states
    assert pair.subscriber.due_ns() is None
    assert len(pair.link.hub) == 0


def state(stream: str, liveness: str = "online") -> wire.StreamState:
    return wire.StreamState("pi", stream, liveness, 0.0)


def test_who_asks_in_vain_finds_out_why_and_not_while_frames_come() -> None:
    pair = Pair()
    pair.ask()
    pair.link.run(2)
    assert not pair.refusal()
    pair.link.run(2)
    assert pair.refusal() == (
        "no camera that may be read here is chosen by *, want one of those that `camfleet view` "
        "lists"
    )
    assert pair.state() == "online"
    pair.arrive()
    pair.link.run(0.1)
    assert not pair.refusal()
    pair.link.run(30)  # the frame is not taken yet, so none is asked for
    assert not pair.refusal()
    pair.take()
    pair.ask()
    pair.link.run(4)
    assert pair.refusal()


def test_cameras_that_are_chosen_and_away_are_the_reason_and_those_that_may_send_are_none() -> None:
    pair = Pair()
    pair.link.states = tuple(state(f"{n}/main", "offline") for n in range(5))
    pair.ask()
    pair.link.run(4)
    assert pair.refusal() == (
        "no camera that is chosen sends pictures now: pi/0/main is offline, pi/1/main is offline, "
        "pi/2/main is offline and 2 more"
    )
    pair.link.states = (state("0/main", "offline"), state("1/main"))
    pair.link.run(11)
    assert not pair.refusal()


def test_what_a_hub_listed_is_no_reason_once_it_is_gone() -> None:
    pair = Pair()
    pair.ask()
    pair.link.run(5)
    assert pair.refusal().startswith("no camera that may be read here")
    pair.link.cut()
    pair.link.run(15)
    assert pair.state() == "connecting"
    assert not pair.refusal()


def test_a_program_that_only_looks_is_told_no_reason() -> None:
    pair = Pair()
    pair.subscriber.look()
    pair.link.run(20)
    assert pair.link.listed[pair.subscriber] == ()
    assert not pair.refusal()


def test_a_program_that_waits_in_vain_is_warned_once_for_each_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    inbox = Inbox(subscriber(), "newest", lambda: None)
    for text in ("this hub is full", "this hub is full", "another version"):
        inbox.receive(header_of(wire.Refuse("too_many", text)), b"", 1, 1)
    inbox.tell("the key is not enrolled")
    inbox.tell("the key is not enrolled")
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "no frames: this hub is full",
        "no frames: another version",
        "no frames: the key is not enrolled",
    ]


def test_a_frame_that_was_lost_gives_its_credit_back_with_the_next_heartbeat() -> None:
    pair = Pair()
    pair.ask()
    pair.link.run(0.5)
    pair.arrive()
    assert list(pair.link.hub.deliver(pair.clock.unix_ns())) == []  # it was sent in that turn
    pair.link.run(0.1)
    pair.take()
    pair.ask()
    pair.link.run(0.1)
    pair.number += 1
    pair.link.arrive("pi/front", pair.number)
    assert len(list(pair.link.hub.deliver(pair.clock.unix_ns()))) == 1  # and goes nowhere
    pair.link.run(1.5)
    assert pair.subscriber.counters.lost == 1
    pair.ask()
    pair.link.run(0.1)
    pair.arrive()
    pair.link.run(0.1)
    assert pair.numbers() == [1, 3]


@pytest.mark.parametrize(
    ("patterns", "delivery", "problem"),
    [
        ((), "newest", "patterns are 0, want 1 to 16"),
        (("a/b",) * 17, "newest", "patterns are 17, want 1 to 16"),
        (("garden",), "newest", "pattern is 'garden', want NODE/CAMERA"),
        (("a/b",), "some", "delivery is 'some', want 'newest' or 'all'"),
    ],
)
def test_a_mistake_of_ours_is_told_at_once(
    patterns: tuple[str, ...], delivery: wire.DeliveryMode, problem: str
) -> None:
    with pytest.raises(LocalProtocolError, match=problem):
        SubscriberLink(patterns, 1, Backoff(0.25, 5.0, lambda: 0.5), delivery)


def test_a_delivery_without_credit_is_rejected() -> None:
    link = subscriber()
    header = FrameHeader("front/main", 1, 0, 0, 0, "raw", (1, 2))
    with pytest.raises(RemoteProtocolError, match="delivery 0 came, want 0 up to 0") as caught:
        link.receive(header_of(wire.Delivery(0, 0, "pi", 1, header)), b"ab", 1, 1)
    assert caught.value.reason is Reason.NO_CREDIT


def test_a_delivery_with_a_bad_payload_has_spent_its_credit() -> None:
    pair = Pair()
    pair.ask()
    pair.link.run(0.1)
    header = FrameHeader("front/main", 1, 0, 0, 0, "raw", (1, 2))
    delivery = header_of(wire.Delivery(0, 0, "pi", 1, header))
    with pytest.raises(RemoteProtocolError, match="payload is 3 bytes, want 2"):
        pair.subscriber.receive(delivery, b"abc", 1, 1)
    assert pair.subscriber.ask(pair.clock.monotonic_ns())


def test_what_a_hub_does_not_send_is_rejected() -> None:
    with pytest.raises(RemoteProtocolError, match="a hub sent Bye, want its own kinds"):
        subscriber().receive(header_of(wire.Bye()), b"", 1, 1)


def test_who_waits_for_an_inbox_that_was_closed_is_called_at_once() -> None:
    link = SubscriberLink(("*",), 1, Backoff(0.25, 2.0, lambda: 0.5))
    inbox = Inbox(link, "newest", lambda: None)
    inbox.close()
    called: list[bool] = []
    assert inbox.next_or_call(lambda: called.append(True)) is None
    assert called == [True]
