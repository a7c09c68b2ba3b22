from __future__ import annotations

import threading

import pytest

from camfleet import wire
from camfleet.backoff import Backoff
from camfleet.draft import Draft
from camfleet.errors import LocalProtocolError
from camfleet.frame import FrameHeader
from camfleet.node_link import LinkState, NodeLink
from camfleet.outbox import Outbox, Outlet

FRONT = "front/main"
UNIX_NS = 1_800_000_000_000_000_000


class Node:
    """An outbox whose hub is the test."""

    def __init__(self) -> None:
        self.woken = 0
        link = NodeLink("pi-1", 7, Backoff(1.0, 4.0, lambda: 1.0))
        self.outbox = Outbox(link, self._wake)
        self.front: Outlet = self.outbox.declare(FRONT)

    def receive(self, message: wire.Message) -> None:
        self.outbox.receive(wire.encode(message), b"", UNIX_NS, 0)

    def welcome(self, limit: int) -> None:
        self.receive(wire.Welcome(1, 1000, (wire.Grant(FRONT, limit),)))

    def take(self) -> list[wire.Message]:
        return [wire.decode(header) for header, _ in self.outbox.take(UNIX_NS, 0)]

    def offer(self, label: str = "") -> None:
        self.front.send(draft(self.front.capture(), label))

    def _wake(self) -> None:
        self.woken += 1


def draft(sequence: int, label: str = "") -> Draft:
    return Draft(sequence, UNIX_NS, UNIX_NS, bytes(6), "raw", (2, 3), label=label)


def frames(messages: list[wire.Message]) -> list[FrameHeader]:
    return [message for message in messages if isinstance(message, FrameHeader)]


@pytest.fixture
def node() -> Node:
    return Node()


def test_a_frame_waits_for_its_credit(node: Node) -> None:
    node.offer()
    assert frames(node.take()) == []
    node.welcome(1)
    assert [header.sequence for header in frames(node.take())] == [0]


def test_a_newer_frame_replaces_the_one_that_waits(node: Node) -> None:
    node.offer()
    node.offer("newer")
    node.welcome(2)
    assert [header.label for header in frames(node.take())] == ["newer"]
    assert node.outbox.counters() == (wire.Counters(FRONT, 2, 1, {"newer": 1}),)


def test_control_goes_out_before_frames(node: Node) -> None:
    node.welcome(1)
    node.offer()
    assert [type(message) for message in node.take()] == [wire.Heartbeat, FrameHeader]


def test_a_frame_goes_out_with_its_payload(node: Node) -> None:
    node.welcome(1)
    node.offer()
    assert [payload for _, payload in node.outbox.take(UNIX_NS, 0)] == [b"", bytes(6)]


def test_what_there_is_to_do_wakes_the_sender(node: Node) -> None:
    woken = node.woken
    node.offer()
    assert node.woken == woken + 1


def test_credit_is_free_until_a_frame_waits_for_it(node: Node) -> None:
    assert not node.front.wait_credit(0)
    node.welcome(2)
    assert node.front.wait_credit(0)
    node.offer()
    assert not node.front.wait_credit(0)
    node.take()
    assert node.front.wait_credit(0)


def test_a_credit_wakes_whoever_waits(node: Node) -> None:
    got: list[bool] = []
    waiter = threading.Thread(target=lambda: got.append(node.front.wait_credit(30)))
    waiter.start()
    node.welcome(1)
    waiter.join(30)
    assert got == [True]


def test_a_frame_that_leaves_wakes_whoever_waits(node: Node) -> None:
    node.welcome(2)
    node.offer()
    got: list[bool] = []
    waiter = threading.Thread(target=lambda: got.append(node.front.wait_credit(30)))
    waiter.start()
    node.take()
    waiter.join(30)
    assert got == [True]


def test_closing_wakes_whoever_waits_for_a_credit(node: Node) -> None:
    got: list[bool] = []
    waiter = threading.Thread(target=lambda: got.append(node.front.wait_credit(30)))
    waiter.start()
    node.outbox.close()
    waiter.join(30)
    assert got == [False]


def test_closing_wakes_whoever_waits_for_the_hub(node: Node) -> None:
    got: list[bool] = []
    waiter = threading.Thread(target=lambda: got.append(node.outbox.wait_online(30)))
    waiter.start()
    node.outbox.close()
    waiter.join(30)
    assert got == [False]


def test_a_closed_outbox_has_no_credit(node: Node) -> None:
    node.welcome(1)
    node.outbox.close()
    assert not node.front.wait_credit(30)


def test_a_bad_message_does_not_keep_the_next_from_being_taken(node: Node) -> None:
    node.receive(wire.Bye())
    node.welcome(1)
    assert node.outbox.rejected == 1
    assert node.outbox.state is LinkState.ONLINE


def test_a_draft_that_cannot_be_sent_fails_where_it_is_offered(node: Node) -> None:
    with pytest.raises(LocalProtocolError, match="label and metadata are"):
        node.offer("x" * 4000)
    node.welcome(1)
    assert frames(node.take()) == []


def test_drops_are_counted(node: Node) -> None:
    node.front.capture()
    node.front.drop("unchanged")
    assert node.outbox.counters() == (wire.Counters(FRONT, 1, 0, {"unchanged": 1}),)


def detections(messages: list[wire.Message]) -> list[wire.Detection]:
    return [message for message in messages if isinstance(message, wire.Detection)]


def know_the_clock(node: Node) -> None:
    node.receive(wire.HeartbeatReply(UNIX_NS, UNIX_NS, UNIX_NS, ()))


def test_a_detection_goes_out_before_the_frames_and_wakes_the_sender(node: Node) -> None:
    node.welcome(1)
    node.take()
    know_the_clock(node)
    node.offer()
    before = node.woken
    node.front.detect("motion", "moving", "drive", 0, (1, 2, 3, 4), b"")
    assert node.woken == before + 1
    assert [type(one) for one in node.take()] == [wire.Heartbeat, wire.Detection, FrameHeader]


def test_detections_are_kept_while_the_hub_is_away(node: Node) -> None:
    for _ in range(70):
        node.front.detect("motion", "moving", "", UNIX_NS)
    node.welcome(0)
    node.take()
    know_the_clock(node)
    assert len(detections(node.take())) == 16
    assert node.outbox.detection_counters() == wire.DetectionCounters(16, 6)


def test_a_detection_that_the_hub_would_reject_is_refused_here(node: Node) -> None:
    with pytest.raises(LocalProtocolError, match="state is 'Moving'"):
        node.front.detect("motion", "Moving", "", 0)
    assert node.outbox.detection_counters() == wire.DetectionCounters(0, 0)


def test_an_outlet_tells_whether_somebody_wants_its_frames(node: Node) -> None:
    told = [node.front.is_wanted]
    node.welcome(1)
    told.append(node.front.is_wanted)
    node.receive(wire.Credit((wire.Grant(FRONT, 1, is_wanted=False),)))
    told.append(node.front.is_wanted)
    assert told == [False, True, False]
