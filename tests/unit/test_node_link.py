from __future__ import annotations

from typing import Any

import pytest

from camfleet import wire
from camfleet.backlog import BURST, MAX_WAITING
from camfleet.backoff import Backoff
from camfleet.detection import DetectionDraft
from camfleet.draft import Draft, check_draft
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import FrameHeader, Stages
from camfleet.machine_health import KNOWS_NOTHING
from camfleet.node_link import LinkState, NodeLink
from camfleet.testing import FakeClock

FRONT = "front/main"
S = 1_000_000_000


class Node:
    """A node's link with its clock; what it says comes back decoded."""

    def __init__(self, *streams: str) -> None:
        self.clock = FakeClock()
        self.link = NodeLink("pi-1", 7, Backoff(1.0, 4.0, lambda: 1.0))
        for stream in streams:
            self.link.declare(stream)

    def poll(self, after_s: float = 0.0) -> list[wire.Message]:
        self.clock.advance(after_s)
        now_ns = self.clock.unix_ns(), self.clock.monotonic_ns()
        return [wire.decode(header) for header in self.link.poll(*now_ns)]

    def receive(self, message: wire.Message) -> None:
        now_ns = self.clock.unix_ns(), self.clock.monotonic_ns()
        self.link.receive(wire.encode(message), *now_ns)

    def welcome(self, *grants: wire.Grant, heartbeat_ms: int = 1000) -> None:
        self.receive(wire.Welcome(1, heartbeat_ms, grants))

    def detect(self, state: str = "moving", captured_ns: int = 0) -> None:
        found = DetectionDraft("motion", state, "drive", captured_ns, (1.0, 2.0, 3.0, 4.0))
        self.link.detect(FRONT, found, self.clock.unix_ns(), self.clock.monotonic_ns())

    def detections(self) -> list[wire.Detection]:
        now_ns = self.clock.unix_ns(), self.clock.monotonic_ns()
        found = [wire.decode(header) for header, _ in self.link.detections(*now_ns)]
        assert all(isinstance(one, wire.Detection) for one in found)
        return found  # type: ignore[return-value]  # just asserted

    def know_the_clock(self, ahead_s: int = 0) -> None:
        """Come online, and hear from a hub whose clock is ahead."""
        self.welcome(wire.Grant(FRONT, 0))
        self.poll()
        now_ns = self.clock.unix_ns()
        hub_ns = now_ns + ahead_s * S
        self.receive(wire.HeartbeatReply(now_ns, hub_ns, hub_ns, ()))

    def send(self, **fields: object) -> FrameHeader:
        now_ns = self.clock.unix_ns()
        header = self.link.send(FRONT, draft(**({"ready_ns": now_ns} | fields)), now_ns)
        message = wire.decode(header)
        assert isinstance(message, FrameHeader)
        return message


def draft(**fields: object) -> Draft:
    given: dict[str, Any] = {
        "sequence": 0,
        "captured_ns": 1,
        "ready_ns": 1,
        "payload": bytes(6),
        "codec": "raw",
        "shape": (2, 3),
    }
    return Draft(**(given | fields))


@pytest.fixture
def node() -> Node:
    return Node(FRONT)


@pytest.fixture
def online(node: Node) -> Node:
    node.poll()
    node.welcome(wire.Grant(FRONT, 3))
    return node


def test_a_hello_is_said_at_once(node: Node) -> None:
    hello = wire.Hello("pi-1", 7, (wire.Counters(FRONT, 0, 0, {}),))
    assert node.poll() == [hello]


def test_a_hello_is_repeated_with_growing_delays(node: Node) -> None:
    node.poll()
    said = [bool(node.poll(0.5)) for _ in range(16)]
    assert [(n + 1) / 2 for n, is_said in enumerate(said) if is_said] == [1, 3, 7]


def test_a_welcome_brings_credit_and_asks_for_a_heartbeat(online: Node) -> None:
    assert online.link.state is LinkState.ONLINE
    assert online.link.credit(FRONT) == 3
    assert isinstance(online.poll()[0], wire.Heartbeat)


def test_heartbeats_keep_the_interval_that_the_hub_asked_for(node: Node) -> None:
    node.poll()
    node.welcome(wire.Grant(FRONT, 3), heartbeat_ms=500)
    said = [bool(node.poll(0.25)) for _ in range(9)]
    assert [n for n, is_said in enumerate(said) if is_said] == [0, 2, 4, 6, 8]


def test_there_is_no_credit_before_a_welcome(node: Node) -> None:
    node.receive(wire.Credit((wire.Grant(FRONT, 5),)))
    assert node.link.credit(FRONT) == 0
    with pytest.raises(LocalProtocolError, match="no credit for 'front/main'"):
        node.send()


def test_a_frame_spends_a_credit_and_is_numbered(online: Node) -> None:
    sequences = [online.link.capture(FRONT) for _ in range(5)]
    sent = [online.send(sequence=sequence) for sequence in sequences[::2]]
    assert [(header.sequence, header.sent) for header in sent] == [(0, 0), (2, 1), (4, 2)]
    assert online.link.credit(FRONT) == 0


def test_a_repeated_or_late_credit_does_no_harm(online: Node) -> None:
    for limit in (5, 5, 4):
        online.receive(wire.Credit((wire.Grant(FRONT, limit), wire.Grant("unheard/of", 9))))
    assert online.link.credit(FRONT) == 5


def test_a_welcome_to_an_older_hello_is_not_taken_for_all_streams(node: Node) -> None:
    node.poll()
    node.link.declare("back/main")
    node.welcome(wire.Grant(FRONT, 3))  # answers the hello without the second stream
    hello = node.poll()[0]
    assert isinstance(hello, wire.Hello)
    assert [counters.stream for counters in hello.counters] == [FRONT, "back/main"]
    node.welcome(wire.Grant(FRONT, 3), wire.Grant("back/main", 3))
    assert node.link.credit("back/main") == 3


def test_a_stream_declared_later_is_announced(online: Node) -> None:
    online.link.declare("back/main")
    assert isinstance(online.poll()[0], wire.Hello)


def test_a_stream_declared_twice_is_one(online: Node) -> None:
    online.link.declare(FRONT)
    assert online.link.state is LinkState.ONLINE


def test_a_hub_with_a_smaller_window_is_obeyed(online: Node) -> None:
    online.receive(wire.Credit((wire.Grant(FRONT, 10),)))
    online.receive(wire.Refuse(Reason.UNKNOWN_PEER, "who?"))
    online.welcome(wire.Grant(FRONT, 2))
    assert online.link.credit(FRONT) == 2


def test_an_unknown_peer_says_hello_at_once(online: Node) -> None:
    online.send()
    online.receive(wire.Refuse(Reason.UNKNOWN_PEER, "who?"))
    hello = online.poll()[0]
    assert isinstance(hello, wire.Hello)
    assert (hello.session, hello.counters[0].sent) == (7, 1)


def test_a_second_unknown_peer_does_not_hurry_the_hello(online: Node) -> None:
    online.receive(wire.Refuse(Reason.UNKNOWN_PEER, "who?"))
    online.poll()
    online.receive(wire.Refuse(Reason.UNKNOWN_PEER, "who?"))
    assert online.poll() == []


def test_a_refused_node_asks_again_with_growing_delays(node: Node) -> None:
    asked = []
    for n in range(15):
        if node.poll(0.5 * (n > 0)):
            asked.append(n / 2)
            node.receive(wire.Refuse(Reason.NAME_TAKEN, "taken"))
    assert asked == [0, 1, 3, 7]
    assert (node.link.state, node.link.refusal) == (LinkState.REFUSED, "taken")


def test_a_refused_node_can_be_welcomed_later(node: Node) -> None:
    node.poll()
    node.receive(wire.Refuse(Reason.NAME_TAKEN, "taken"))
    assert node.link.credit(FRONT) == 0
    node.welcome(wire.Grant(FRONT, 3))
    assert node.link.state is LinkState.ONLINE


def test_a_hub_of_another_version_is_understood_when_it_refuses(node: Node) -> None:
    header = bytearray(wire.encode(wire.Refuse(Reason.VERSION, "version is 1, want 2")))
    header[2] = 2
    node.link.receive(bytes(header), 0, 0)
    assert node.link.refusal == "version is 1, want 2"


def test_silence_begins_anew(online: Node) -> None:
    online.clock.advance(2.9)
    online.link.notice_silence(online.clock.monotonic_ns())
    assert online.link.state is LinkState.ONLINE
    online.clock.advance(0.1)
    online.link.notice_silence(online.clock.monotonic_ns())
    assert isinstance(online.poll()[0], wire.Hello)


def test_a_stepped_unix_clock_is_no_silence(online: Node) -> None:
    online.clock.step(3600)
    online.link.notice_silence(online.clock.monotonic_ns())
    assert online.link.state is LinkState.ONLINE


def test_a_frame_carries_the_hubs_clock(online: Node) -> None:
    beat_ns = online.clock.unix_ns()
    online.clock.advance(0.02)
    hub_ns = beat_ns + 10_000_000 + S
    online.receive(wire.HeartbeatReply(beat_ns, hub_ns, hub_ns, ()))
    header = online.send()
    assert (header.clock_offset_ns, header.clock_uncertainty_ns) == (S, 10_000_001)


def test_a_frame_before_the_first_reply_knows_no_clock(online: Node) -> None:
    assert online.send().clock_uncertainty_ns == -1


def test_a_heartbeats_reply_may_bring_credit(online: Node) -> None:
    online.receive(wire.HeartbeatReply(0, 1, 1, (wire.Grant(FRONT, 9),)))
    assert online.link.credit(FRONT) == 9


def test_queue_time_is_measured_when_the_frame_leaves(online: Node) -> None:
    ready_ns = online.clock.unix_ns()
    online.clock.advance(0.003)
    stages = Stages(capture_ns=1, process_ns=2, encode_ns=3)
    assert online.send(ready_ns=ready_ns, stages=stages).stages == Stages(1, 2, 3, 3_000_000)


def test_a_clock_that_was_set_back_makes_no_negative_stage(online: Node) -> None:
    stages = Stages(capture_ns=-1, process_ns=-2, encode_ns=-3)
    ready_ns = online.clock.unix_ns() + S
    assert online.send(ready_ns=ready_ns, stages=stages).stages == Stages()


def test_drops_are_counted_by_reason(online: Node) -> None:
    for reason in ("newer", "newer", "no_credit"):
        online.link.drop(FRONT, reason)
    assert online.link.counters() == (wire.Counters(FRONT, 0, 0, {"newer": 2, "no_credit": 1}),)


def test_what_nobody_wants_is_dropped_for_that_reason(online: Node) -> None:
    online.receive(wire.Credit((wire.Grant(FRONT, 3, is_wanted=False),)))
    for reason in ("newer", "no_credit", "unfit"):
        online.link.drop(FRONT, reason)
    assert online.link.counters()[0].dropped == {"unwanted": 2, "unfit": 1}


@pytest.mark.parametrize("reason", ["", "Newer", "no credit", "x" * 13, "newer\n"])
def test_a_reason_that_is_no_label_is_our_bug(online: Node, reason: str) -> None:
    with pytest.raises(LocalProtocolError, match="reason is"):
        online.link.drop(FRONT, reason)


def test_a_ninth_reason_is_our_bug(online: Node) -> None:
    for reason in "abcdefgh":
        online.link.drop(FRONT, reason)
    with pytest.raises(LocalProtocolError, match="want at most 8"):
        online.link.drop(FRONT, "i")


@pytest.mark.parametrize("name", ["", "../x", "a\nb", "x" * 200])
def test_a_bad_node_name_is_our_bug(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="node "):
        NodeLink(name, 1, Backoff(1, 1, float))


@pytest.mark.parametrize("software", ["x" * 65, "naïve", "a\nb"])
def test_a_bad_software_text_is_our_bug(software: str) -> None:
    with pytest.raises(LocalProtocolError, match="software is"):
        NodeLink("pi-1", 1, Backoff(1, 1, float), software)


@pytest.mark.parametrize("stream", ["", "front", "front/", "/main", "a/b/c", "../main"])
def test_a_bad_stream_name_is_our_bug(node: Node, stream: str) -> None:
    with pytest.raises(LocalProtocolError, match="want"):
        node.link.declare(stream)


def test_a_seventeenth_stream_is_our_bug(node: Node) -> None:
    for n in range(15):
        node.link.declare(f"{n}/main")
    with pytest.raises(LocalProtocolError, match="17 streams"):
        node.link.declare("one/more")


@pytest.mark.parametrize(
    "message", [wire.Bye(), wire.Heartbeat(0, ()), wire.Hello("a", 1, ())], ids=repr
)
def test_a_nodes_message_from_a_hub_is_rejected(node: Node, message: wire.Message) -> None:
    with pytest.raises(RemoteProtocolError, match="want its own kinds"):
        node.receive(message)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"label": "x" * 3072}, "label and metadata are 3077 bytes, want at most 3072"),
        ({"label": 5}, "label or metadata"),
        ({"label": "\ud800"}, "label or metadata"),
        ({"metadata": {"a": [1]}}, "label or metadata"),
        ({"metadata": {1: "a"}}, "label or metadata"),
        ({"metadata": {"a": 2**64}}, "label or metadata"),
        ({"metadata": {"a": object()}}, "label or metadata"),
        ({"captured_ns": -1}, "captured_ns is -1, want 0 "),
        ({"shape": (2, 4)}, "payload is 6 bytes, want 8"),
        ({"shape": (-2, -3)}, "shape is"),
        ({"dtype": "object"}, "dtype is 'object'"),
        ({"codec": "jpeg"}, "is not a JPEG"),
        ({"codec": "h264"}, "codec is 'h264'"),
    ],
)
def test_a_draft_that_the_hub_would_reject_is_our_bug(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=problem):
        check_draft(draft(**fields))


def test_a_draft_with_every_kind_of_metadata_is_taken() -> None:
    metadata = {"text": "ok", "count": -1, "ratio": 0.5, "lit": True, "none": None}
    check_draft(draft(label="naïve", metadata=metadata))


def test_a_goodbye_ends_the_link(online: Node) -> None:
    assert wire.decode(online.link.bye("stopped")) == wire.Bye("stopped")


def test_who_leaves_sends_what_waits_though_the_link_is_being_measured(online: Node) -> None:
    online.poll()
    online.send()
    online.poll(after_s=1)  # the heartbeat that the link is drained behind
    assert online.link.credit(FRONT) == 0
    online.link.leave()
    assert online.link.credit(FRONT) > 0
    online.send()


def test_a_detection_waits_until_the_hub_and_its_clock_are_known() -> None:
    node = Node(FRONT)
    node.detect()
    assert node.detections() == []
    node.welcome(wire.Grant(FRONT, 0))
    assert node.detections() == []
    node.know_the_clock(ahead_s=5)
    (sent,) = node.detections()
    assert (sent.stream, sent.session, sent.number) == (FRONT, 7, 0)
    assert (sent.detector, sent.state, sent.region) == ("motion", "moving", "drive")
    assert sent.box == (1.0, 2.0, 3.0, 4.0)
    assert (sent.clock_offset_ns, sent.clock_uncertainty_ns) == (5 * S, 1)
    assert node.detections() == []


def test_a_detection_that_waited_is_as_old_as_it_is_though_the_clock_was_set() -> None:
    node = Node(FRONT)
    node.detect(captured_ns=node.clock.unix_ns() - S)
    node.clock.advance(3600)
    node.clock.step(86_400 * 365)  # its clock began in the past, as a Pi's does
    node.know_the_clock()
    (sent,) = node.detections()
    assert sent.captured_ns == node.clock.unix_ns() - 3601 * S


def test_a_detection_without_a_time_is_of_now() -> None:
    node = Node(FRONT)
    node.know_the_clock()
    node.detect()
    node.clock.advance(2)
    assert node.detections()[0].captured_ns == node.clock.unix_ns() - 2 * S


def test_detections_go_out_at_a_bounded_rate_and_the_link_says_when() -> None:
    node = Node(FRONT)
    for _ in range(MAX_WAITING + 1):
        node.detect()
    node.know_the_clock()
    assert [one.number for one in node.detections()] == list(range(BURST))
    node.poll()
    assert node.link.due_ns() == node.clock.monotonic_ns() + S // 10
    node.clock.advance(0.1)
    assert [one.number for one in node.detections()] == [BURST]
    assert node.link.detection_counters() == wire.DetectionCounters(BURST + 1, 1)


def test_what_cannot_be_sent_now_is_nothing_to_wake_up_for() -> None:
    node = Node(FRONT)
    node.poll()
    hello_ns = node.link.due_ns()
    node.detect()
    assert node.link.due_ns() == hello_ns


def test_heartbeats_and_hellos_count_the_detections() -> None:
    node = Node(FRONT)
    node.know_the_clock()
    node.detect()
    node.detections()
    counted = wire.DetectionCounters(1, 0)
    (beat,) = [one for one in node.poll(1.0) if isinstance(one, wire.Heartbeat)]
    assert beat.detections == counted
    node.link.begin()
    (hello,) = node.poll()
    assert isinstance(hello, wire.Hello)
    assert hello.detections == counted


def beat(node: Node) -> wire.Heartbeat:
    (found,) = [one for one in node.poll(1.0) if isinstance(one, wire.Heartbeat)]
    return found


def test_a_heartbeat_tells_the_restarts_of_each_streams_camera_where_they_are_counted() -> None:
    node = Node(FRONT, "front/preview", "back/main")
    node.welcome(*(wire.Grant(name, 0) for name in (FRONT, "front/preview", "back/main")))
    assert beat(node).restarts == ()
    node.link.report(KNOWS_NOTHING, {"front": 2, "back": 0})
    assert beat(node).restarts == (2, 2, 0)


@pytest.mark.parametrize("count", [-1, 2**32])
def test_restarts_that_a_hub_would_reject_are_our_bug(node: Node, count: int) -> None:
    with pytest.raises(LocalProtocolError, match="restarts is"):
        node.link.report(KNOWS_NOTHING, {"front": count})


def test_a_stream_is_wanted_only_where_the_hub_says_so_now() -> None:
    node = Node(FRONT)
    assert not node.link.is_wanted(FRONT)
    node.welcome(wire.Grant(FRONT, 1))
    assert node.link.is_wanted(FRONT)
    node.receive(wire.Credit((wire.Grant(FRONT, 1, is_wanted=False),)))
    assert not node.link.is_wanted(FRONT)
    node.receive(wire.Credit((wire.Grant(FRONT, 2),)))
    node.link.begin()
    assert not node.link.is_wanted(FRONT)
