from __future__ import annotations

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from camfleet.backoff import Backoff
from camfleet.draft import Draft
from camfleet.events import NodeJoined, NodeReported
from camfleet.frame import Frame, FrameHeader
from camfleet.node_link import NodeLink
from camfleet.stats import StreamStats
from camfleet.testing import FakeClock, LossyLink, cycled
from camfleet.wire import Counters, Credit, Heartbeat, HeartbeatReply, Hello, Message, Welcome

STREAMS = ("front/main", "back/main")
SETTLED_S = 6.0  # three seconds of silence, a hello's longest delay, and room

patterns = st.sampled_from(["x", "x.", "..x", "xx.", "...x."])
kinds = st.sampled_from([None, FrameHeader, Hello, Welcome, Credit, Heartbeat, HeartbeatReply])
counts = st.integers(1, 6)
streams = st.sampled_from(STREAMS)
delays = st.sampled_from([0.0, 0.02, 0.4])
seconds = st.sampled_from([0.0, 0.01, 0.05, 0.3, 1.0, 2.5, 4.0, 11.0])


class Account:
    """What a hub counts about one stream, and where its node stood when its session began."""

    def __init__(self) -> None:
        self.stats = StreamStats()
        self.session = 0
        self.start = Counters("", 0, 0, {})
        self.before: Counter[str] = Counter()

    def join(self, event: NodeJoined, counters: Counters) -> None:
        if event.session != self.session:
            self.session, self.start, self.before = event.session, counters, self.totals()
        self.stats.begin(event.session, counters)

    def totals(self) -> Counter[str]:
        stats = self.stats
        arrived = Counter(captured=stats.captured, sent=stats.received + stats.lost)
        return arrived + stats.dropped

    def in_session(self) -> Counter[str]:
        counted = self.totals()
        counted.subtract(self.before)
        return +counted


class Link(RuleBasedStateMachine):
    """A node and a hub, and everything that may happen between them, in any order."""

    @initialize(window=st.integers(1, 5), delay_s=delays, after_s=seconds, on_demand=st.booleans())
    def start(self, window: int, delay_s: float, after_s: float, *, on_demand: bool) -> None:
        self.window = window
        self.session = 0
        self.clock = FakeClock()
        self.waiting: dict[str, Draft] = {}
        self.accounts: dict[str, Account] = {}
        self.node = self._new_node()
        self.link = LossyLink(
            self.clock,
            self.node,
            loses=_nothing,
            delay_s=delay_s,
            window=window,
            on_demand=on_demand,
        )
        self.declare(STREAMS[0])
        self.wait(after_s)

    @rule(stream=streams)
    def declare(self, stream: str) -> None:
        self.node.declare(stream)

    @rule(stream=streams, count=counts, after_s=seconds)
    def capture_and_wait(self, stream: str, count: int, after_s: float) -> None:
        self.capture(stream, count)
        self.wait(after_s)

    @rule(stream=streams, count=counts, after_s=seconds, pattern=patterns, kind=kinds)
    def lose_for_a_while(
        self, stream: str, count: int, after_s: float, pattern: str, kind: type[Message] | None
    ) -> None:
        self.link.loses = cycled(pattern, kind)
        self.capture_and_wait(stream, count, after_s)
        self.link.loses = _nothing

    @rule(stream=streams, count=counts, after_s=seconds)
    def cut_for_a_while(self, stream: str, count: int, after_s: float) -> None:
        self.link.cut()
        self.capture_and_wait(stream, count, after_s)
        self.link.mend()

    @rule(stream=streams, is_wanted=st.booleans())
    def change_the_demand(self, stream: str, *, is_wanted: bool) -> None:
        change = self.link.hub.want if is_wanted else self.link.hub.release
        change("pi-1", stream, self.clock.monotonic_ns())

    @rule(rate_bytes_s=st.sampled_from([None, 200.0, 5000.0]))
    def change_the_rate(self, rate_bytes_s: float | None) -> None:
        self.link.rate_bytes_s = rate_bytes_s

    @rule()
    def reconnect(self) -> None:
        self.link.connect(self.node)

    @rule()
    def restart_hub(self) -> None:
        self._read()
        self.link.restart_hub()
        self.accounts.clear()

    @rule()
    def restart_node(self) -> None:
        self.link.kill(self.node)
        self.waiting.clear()
        self.node = self._new_node()
        self.link.connect(self.node)
        self.declare(STREAMS[0])

    @rule(by_s=st.sampled_from([-3600.0, -0.01, 0.01, 3600.0]))
    def step_the_hubs_clock(self, by_s: float) -> None:
        self.clock.step(by_s)
        self.link.node_ahead_s -= by_s

    @rule(by_s=st.sampled_from([-3600.0, -0.01, 0.01, 3600.0]))
    def step_the_nodes_clock(self, by_s: float) -> None:
        self.link.node_ahead_s += by_s

    @rule(delay_s=delays)
    def change_the_delay(self, delay_s: float) -> None:
        self.link.delay_s = delay_s

    @rule()
    def settle(self) -> None:
        """However it went so far: mended, the link serves again, and the counts add up."""
        self.link.rate_bytes_s = None
        self.wait(SETTLED_S)
        self.wait(SETTLED_S)  # what had no credit just then, because the link was drained, has it
        self.link.run(SETTLED_S)
        arrived = len(self._frames())
        for counters in self.node.counters():
            self.capture(counters.stream, 1)
        self.wait(SETTLED_S)
        self.link.run(SETTLED_S)
        assert len(self._frames()) == arrived + len(self.node.counters())
        self._read()
        for counters in self.node.counters():
            self._check(counters, self.accounts[counters.stream])
        believed = self.node.clock(self.link.node_ns())
        assert believed is not None
        off_ns = believed.offset_ns + round(self.link.node_ahead_s * 1e9)
        assert abs(off_ns) <= believed.uncertainty_ns

    @precondition(lambda self: hasattr(self, "link"))
    @invariant()
    def the_window_is_never_exceeded(self) -> None:
        in_flight = Counter(header.stream for header in self.link.in_flight(self.node))
        for counters in self.node.counters():
            assert 0 <= self.node.credit(counters.stream) <= self.window
            assert in_flight[counters.stream] <= self.window

    @precondition(lambda self: hasattr(self, "link"))
    @invariant()
    def what_is_captured_is_sent_or_dropped_or_waits(self) -> None:
        for counters in self.node.counters():
            waiting = counters.stream in self.waiting
            gone = counters.sent + sum(counters.dropped.values())
            assert counters.captured == gone + waiting

    def capture(self, stream: str, count: int) -> None:
        """Capture some pictures; the newest one waits for its credit."""
        self.node.declare(stream)
        for _ in range(count):
            sequence = self.node.capture(stream)
            if stream in self.waiting:
                self.node.drop(stream, "newer")
            now_ns = self.link.node_ns()
            self.waiting[stream] = Draft(sequence, now_ns, now_ns, bytes(6), "raw", (2, 3))
            self._send(stream)

    def wait(self, after_s: float) -> None:
        self.link.run(after_s)
        for stream in tuple(self.waiting):
            self._send(stream)

    def teardown(self) -> None:
        if hasattr(self, "link"):
            self.settle()

    def _new_node(self) -> NodeLink:
        self.session += 1
        return NodeLink("pi-1", self.session, Backoff(0.25, 2.0, lambda: 0.5))

    def _send(self, stream: str) -> None:
        if stream in self.waiting and self.node.credit(stream):
            self.link.send(self.node, stream, self.waiting.pop(stream))

    def _frames(self) -> list[Frame]:
        return [event for event in self.link.events if isinstance(event, Frame)]

    def _read(self) -> None:
        """Count the events, as the hub's fleet does."""
        for event in self.link.events:
            match event:
                case NodeJoined(_, _, manifest):
                    for counters in manifest:
                        account = self.accounts.setdefault(counters.stream, Account())
                        account.join(event, counters)
                case NodeReported(_, _, manifest):
                    for counters in manifest:
                        self.accounts[counters.stream].stats.report(counters)
                case Frame():
                    self.accounts[event.header.stream].stats.account(event)
        self.link.events.clear()

    def _check(self, counters: Counters, account: Account) -> None:
        start = account.start
        assert account.session == self.session
        wanted = Counter(
            captured=counters.captured - start.captured, sent=counters.sent - start.sent
        )
        wanted += Counter(counters.dropped)
        wanted.subtract(start.dropped)
        assert account.in_session() == +wanted


def _nothing(_message: Message) -> bool:
    return False


TestLink = Link.TestCase
TestLink.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
