"""Detections through losses, cuts and restarts: whatever happens, the numbers account for all."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from camfleet.backlog import MAX_WAITING
from camfleet.backoff import Backoff
from camfleet.detection import DetectionDraft
from camfleet.errors import Reason
from camfleet.events import Detected, NodeJoined, NodeReported
from camfleet.node_link import NodeLink
from camfleet.stats import DetectionStats
from camfleet.testing import FakeClock, LossyLink, cycled
from camfleet.wire import Detection, DetectionCounters, Heartbeat, HeartbeatReply, Hello, Message

FRONT = "front/main"
SETTLED_S = 20.0  # 64 that wait at ten a second, three seconds of silence, and a late hello

patterns = st.sampled_from(["x", "x.", "..x", "...x."])
kinds = st.sampled_from([None, Detection, Hello, Heartbeat, HeartbeatReply])
counts = st.integers(1, 90)
seconds = st.sampled_from([0.0, 0.01, 0.3, 1.0, 4.0, 11.0])


class Detections(RuleBasedStateMachine):
    """A node that detects, its hub, and everything that may happen between them."""

    @initialize(delay_s=st.sampled_from([0.0, 0.02, 0.4]))
    def start(self, delay_s: float) -> None:
        self.session = 0
        self.clock = FakeClock()
        self.node = self._new_node()
        self.link = LossyLink(self.clock, self.node, loses=_nothing, delay_s=delay_s)
        self._new_account()

    @rule(count=counts, after_s=seconds)
    def detect(self, count: int, after_s: float) -> None:
        for _ in range(count):
            draft = DetectionDraft("motion", "moving")
            self.node.detect(FRONT, draft, self.link.node_ns(), self.clock.monotonic_ns())
        self.detected += count
        self.wait(after_s)

    @rule(count=counts, after_s=seconds, pattern=patterns, kind=kinds)
    def lose_for_a_while(
        self, count: int, after_s: float, pattern: str, kind: type[Message] | None
    ) -> None:
        self.link.loses = cycled(pattern, kind)
        self.detect(count, after_s)
        self.link.loses = _nothing

    @rule(count=counts, after_s=seconds)
    def cut_for_a_while(self, count: int, after_s: float) -> None:
        self.link.cut()
        self.detect(count, after_s)
        self.link.mend()

    @rule()
    def reconnect(self) -> None:
        self.link.connect(self.node)

    @rule()
    def restart_hub(self) -> None:
        self.link.restart_hub()
        self._new_account()

    @rule()
    def restart_node(self) -> None:
        self.link.kill(self.node)
        self.node = self._new_node()
        self.link.connect(self.node)

    @rule(by_s=st.sampled_from([-3600.0, 3600.0]))
    def step_the_nodes_clock(self, by_s: float) -> None:
        self.link.node_ahead_s += by_s

    @rule()
    def settle(self) -> None:
        """Mended, all have gone out, and the hub knows of each what became of it."""
        self.wait(SETTLED_S)
        counters = self.node.detection_counters()
        assert self.detected == counters.sent + counters.dropped
        arrived = self.stats.received + self.stats.lost - self.before
        assert arrived == counters.sent - self.begun.sent
        assert self.stats.dropped - self.dropped_before == counters.dropped - self.begun.dropped
        floods = [error for _, error in self.link.rejected if error.reason is Reason.RATE]
        assert not floods

    @precondition(lambda self: hasattr(self, "link"))
    @invariant()
    def what_is_detected_is_sent_or_dropped_or_waits(self) -> None:
        counters = self.node.detection_counters()
        assert 0 <= self.detected - counters.sent - counters.dropped <= MAX_WAITING

    def wait(self, after_s: float) -> None:
        self.link.run(after_s)
        self._read()

    def teardown(self) -> None:
        if hasattr(self, "link"):
            self.settle()

    def _new_node(self) -> NodeLink:
        self.session += 1
        self.detected = 0
        node = NodeLink("pi-1", self.session, Backoff(0.25, 2.0, lambda: 0.5))
        node.declare(FRONT)
        return node

    def _new_account(self) -> None:
        """What a hub counts, and where it stood when the node's session began there."""
        self.link.events.clear()
        self.stats = DetectionStats()
        self.known = 0
        self.begun = DetectionCounters()
        self.before = self.dropped_before = 0

    def _read(self) -> None:
        """Count the events, as the hub's fleet does."""
        for event in self.link.events:
            match event:
                case NodeJoined(_, session, _, _, counters):
                    if session != self.known:
                        self.known, self.begun = session, counters
                        self.before = self.stats.received + self.stats.lost
                        self.dropped_before = self.stats.dropped
                    self.stats.begin(session, counters)
                case NodeReported():
                    self.stats.report(event.detections)
                case Detected():
                    self.stats.account(event.header.number)
        self.link.events.clear()


def _nothing(_message: Message) -> bool:
    return False


TestDetections = Detections.TestCase
TestDetections.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
