"""Subscribers and a hub, and everything that may happen between them, in any order."""

from __future__ import annotations

from collections import Counter
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from camfleet.backoff import Backoff
from camfleet.delivered_frame import DeliveredFrame
from camfleet.node_link import LinkState
from camfleet.subscriber_link import SubscriberLink
from camfleet.testing import FakeClock, PairedSubscribers
from camfleet.window import MAX_WINDOW
from camfleet.wire import DeliveryMode

STREAMS: Final = ("pi/front", "pi/back", "garden/pond")
SETTLED_S: Final = 12.0  # longer than any backoff, silence and delay together
streams = st.sampled_from(STREAMS)
seconds = st.sampled_from([0.0, 0.01, 0.1, 0.7, 3.5])
delays = st.sampled_from([0.0, 0.02, 0.3])


class Program:
    """A subscriber's program: what waits for it, and what it took."""

    def __init__(self, delivery: DeliveryMode) -> None:
        backoff = Backoff(0.25, 2.0, lambda: 0.5)
        self.link = SubscriberLink(("*",), 1, backoff, delivery)
        self.is_newest = delivery == "newest"
        self.waiting: dict[object, DeliveredFrame] = {}
        self.read = 0

    def collect(self, frames: list[DeliveredFrame]) -> None:
        for frame in frames[self.read :]:
            key: object = frame.header.stream if self.is_newest else id(frame)
            if key in self.waiting:
                self.link.replace()
            self.waiting[key] = frame
        self.read = len(frames)

    def take(self, monotonic_ns: int) -> None:
        if self.waiting:
            self.waiting.pop(next(iter(self.waiting)))
            self.link.take(monotonic_ns)


class Subscriptions(RuleBasedStateMachine):
    @initialize(delay_s=delays)
    def start(self, delay_s: float) -> None:
        self.clock = FakeClock()
        self.programs = [Program("newest"), Program("all")]
        links = [program.link for program in self.programs]
        self.link = PairedSubscribers(self.clock, *links, delay_s=delay_s)
        self.arrived: Counter[str] = Counter()

    @rule(after_s=seconds)
    def ask(self, after_s: float) -> None:
        for program in self.programs:
            program.take(self.clock.monotonic_ns())
            program.link.ask(self.clock.monotonic_ns())
        self.wait(after_s)

    @rule(stream=streams, count=st.integers(1, 400), after_s=seconds)
    def arrive(self, stream: str, count: int, after_s: float) -> None:
        for _ in range(count):
            self.arrived[stream] += 1
            self.link.arrive(stream, self.arrived[stream])
        self.wait(after_s)

    @rule(after_s=seconds)
    def cut_for_a_while(self, after_s: float) -> None:
        self.link.cut()
        self.wait(after_s)
        self.link.mend()

    @rule()
    def restart_hub(self) -> None:
        self.link.restart_hub()

    @rule(delay_s=delays)
    def change_the_delay(self, delay_s: float) -> None:
        self.link.delay_s = delay_s

    @rule(by_s=st.sampled_from([-3600.0, 0.01, 3600.0]))
    def step_the_subscribers_clock(self, by_s: float) -> None:
        self.link.ahead_s += by_s

    @rule()
    def settle(self) -> None:
        """However it went so far: mended, who asks gets what arrives."""
        self.ask(SETTLED_S)
        self.ask(SETTLED_S)
        for program in self.programs:
            assert program.link.state is LinkState.ONLINE
            while program.waiting:
                program.take(self.clock.monotonic_ns())
            program.link.ask(self.clock.monotonic_ns())
        self.wait(SETTLED_S)
        before = [program.read for program in self.programs]
        self.arrive(STREAMS[0], 1, SETTLED_S)
        for program, read in zip(self.programs, before, strict=True):
            assert program.read > read or program.waiting

    @precondition(lambda self: hasattr(self, "link"))
    @invariant()
    def what_is_under_way_is_bounded(self) -> None:
        for program in self.programs:
            assert self.link.under_way(program.link) <= MAX_WINDOW
            assert len(program.waiting) <= MAX_WINDOW
        assert not [error for error in self.link.rejected if error.reason == "no_credit"]

    @precondition(lambda self: hasattr(self, "link"))
    @invariant()
    def frames_of_a_stream_come_in_order_and_none_twice(self) -> None:
        for program in self.programs:
            frames = self.link.frames[program.link]
            for stream in STREAMS:
                numbers = [f.header.sequence for f in frames if _id(f) == stream]
                assert numbers == sorted(set(numbers))

    def wait(self, after_s: float) -> None:
        self.link.run(after_s)
        for program in self.programs:
            program.collect(self.link.frames[program.link])

    def teardown(self) -> None:
        if hasattr(self, "link"):
            self.settle()


def _id(frame: DeliveredFrame) -> str:
    return f"{frame.node}/{frame.camera}"


class Counts(RuleBasedStateMachine):
    """On a link that holds, every frame is delivered, dropped and counted, or waits."""

    @initialize(delivery=st.sampled_from(["newest", "all"]), delay_s=delays)
    def start(self, delivery: DeliveryMode, delay_s: float) -> None:
        self.clock = FakeClock()
        self.program = Program(delivery)
        self.link = PairedSubscribers(self.clock, self.program.link, delay_s=delay_s)
        self.arrived: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.ask()
        self.wait(2)
        assert self.program.link.state is LinkState.ONLINE

    @rule()
    def ask(self) -> None:
        self.program.take(self.clock.monotonic_ns())
        self.program.link.ask(self.clock.monotonic_ns())

    @rule(after_s=seconds)
    def wait(self, after_s: float) -> None:
        self.link.run(after_s)
        self.program.collect(self.link.frames[self.program.link])

    @rule(stream=streams, count=st.integers(1, 300), missed=st.integers(0, 2))
    def arrive(self, stream: str, count: int, missed: int) -> None:
        """Let frames arrive; some before the last one are overtaken before they are offered."""
        self.arrived[stream] += missed if self.arrived[stream] else 0
        for _ in range(count):
            self.arrived[stream] += 1
            self.link.arrive(stream, self.arrived[stream])

    @rule()
    def drain(self) -> None:
        """Ask until nothing waits any more: then all counts add up."""
        while True:
            self.wait(2)
            before = self.program.read
            while self.program.waiting:
                self.program.take(self.clock.monotonic_ns())
            self.ask()
            self.wait(2)
            if self.program.read == before:
                break
        for (stream, _), count in self.link.hub.dropped().items():
            self.dropped[stream] += count
        frames = self.link.frames[self.program.link]
        for stream in STREAMS:
            own = [frame for frame in frames if _id(frame) == stream]
            assert len(own) + self.dropped[stream] == self.arrived[stream]
            if own:  # what was skipped is told with the next delivery of its stream
                told = len(own) + sum(frame.skipped for frame in own)
                assert told == own[-1].header.sequence

    def teardown(self) -> None:
        if hasattr(self, "link"):
            self.drain()


TestSubscriptions = Subscriptions.TestCase
TestSubscriptions.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestCounts = Counts.TestCase
TestCounts.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
