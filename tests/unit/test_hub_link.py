from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from camfleet import wire
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.events import Detected, Event, Leaving, NodeJoined, NodeLeft, NodeReported
from camfleet.frame import Frame, FrameHeader
from camfleet.hub_link import HubLink
from camfleet.names import MAX_NAMES_BYTES, MAX_STREAMS
from camfleet.payload import Payload
from camfleet.testing import FakeClock

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wire-v1.json").read_text("utf-8"))
JPEG = bytes.fromhex(VECTORS["payloads"][0]["payload"])
FRONT = "front/main"
A, B = b"\0\0\0\0\1", b"\0\0\0\0\2"


FRAME = b"\x04"  # its kind, which alone has a payload


class Hub:
    """A hub's link with its clock; what it answers comes back decoded."""

    def __init__(
        self,
        window: int = 3,
        max_nodes: int = 8,
        reserved: frozenset[str] = frozenset(),
        *,
        wants_all: bool = True,
    ) -> None:
        self.clock = FakeClock()
        self.link = HubLink(99, window, max_nodes, reserved, wants_all=wants_all)

    def receive(
        self,
        message: wire.Message | bytes,
        identity: bytes = A,
        payload: Payload | None = None,
        caller: str | None = None,
    ) -> Event | None:
        header = message if isinstance(message, bytes) else wire.encode(message)
        if payload is None:
            payload = JPEG if header[3:4] == FRAME else b""
        now_ns = self.clock.unix_ns(), self.clock.monotonic_ns()
        return self.link.receive(identity, header, payload, *now_ns, caller=caller)

    def rejects(
        self,
        message: wire.Message | bytes,
        identity: bytes = A,
        payload: Payload | None = None,
        caller: str | None = None,
    ) -> RemoteProtocolError:
        with pytest.raises(RemoteProtocolError) as caught:
            self.receive(message, identity, payload, caller)
        return caught.value

    def answers(self, identity: bytes = A) -> list[wire.Message]:
        return [wire.decode(header) for to, header in self.link.drain() if to == identity]

    def expire(self, after_s: float) -> list[NodeLeft]:
        self.clock.advance(after_s)
        return list(self.link.expire(self.clock.monotonic_ns()))


def hello(node: str = "pi-1", session: int = 7, sent: int = 0) -> wire.Hello:
    return wire.Hello(node, session, (wire.Counters(FRONT, sent, sent, {}),), "test 1")


def frame(sent: int, stream: str = FRONT, session: int = 7, side: int = 2) -> FrameHeader:
    return FrameHeader(stream, session, sent, sent, 1, "jpeg", (side, 3))


def heartbeat(sent: int, stream: str = FRONT) -> wire.Heartbeat:
    return wire.Heartbeat(5, (wire.Counters(stream, sent, sent, {}),))


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def joined(hub: Hub) -> Hub:
    hub.receive(hello())
    hub.answers()
    return hub


def test_a_hello_is_welcomed_with_credit_for_each_stream(hub: Hub) -> None:
    said = hello(sent=5)
    assert hub.receive(said) == NodeJoined("pi-1", 7, said.counters, "test 1")
    assert hub.answers() == [wire.Welcome(99, 1000, (wire.Grant(FRONT, 7),))]


def test_a_frame_comes_out_with_its_node_and_arrival(joined: Hub) -> None:
    received = joined.receive(frame(0))
    assert received == Frame("pi-1", frame(0), JPEG, joined.clock.unix_ns())


def test_a_window_of_one_gives_its_credit_back_with_each_frame() -> None:
    hub = Hub(window=1)
    hub.receive(hello())
    hub.answers()
    for sent in range(3):
        hub.receive(frame(sent))
        assert hub.answers() == [wire.Credit((wire.Grant(FRONT, sent + 2),))]


@pytest.mark.parametrize("window", [1, 2, 3, 4, 16])
def test_a_full_window_always_gives_credit_back(window: int) -> None:
    hub = Hub(window=window)
    hub.receive(hello())
    limit = min(window, 2)  # until the round trip is known
    for sent in range(limit):
        hub.receive(frame(sent))
    assert hub.answers()[-1].grants[0].limit > limit  # type: ignore[union-attr]  # a Credit


def test_the_credits_of_a_burst_go_out_as_one_message(joined: Hub) -> None:
    for sent in range(2):
        joined.receive(frame(sent))
    assert len(joined.answers()) == 1
    assert joined.answers() == []


def test_a_frame_without_credit_is_rejected(joined: Hub) -> None:
    error = joined.rejects(frame(3))
    assert error.reason is Reason.NO_CREDIT
    assert str(error) == "frame 3 came, want 0 up to 2"


def test_a_repeated_frame_is_rejected(joined: Hub) -> None:
    joined.receive(frame(0))
    assert joined.rejects(frame(0)).reason is Reason.NO_CREDIT


def test_a_gap_is_no_reason_to_reject(joined: Hub) -> None:
    assert isinstance(joined.receive(frame(1)), Frame)


def test_a_rejected_frame_tells_its_stream_and_number(joined: Hub) -> None:
    error = joined.rejects(frame(0), payload=b"no picture")
    assert (error.reason, error.stream, error.sent) == (Reason.NOT_JPEG, FRONT, 0)


def test_the_number_of_another_sessions_frame_means_nothing(joined: Hub) -> None:
    error = joined.rejects(frame(0, session=8))
    assert (error.reason, error.stream, error.sent) == (Reason.SESSION, FRONT, None)


def test_a_rejected_payload_uses_its_credit_up_and_the_next_frame_is_served(joined: Hub) -> None:
    joined.rejects(frame(0, side=3))
    assert isinstance(joined.receive(frame(1)), Frame)


def test_a_frame_of_an_unannounced_stream_is_rejected(joined: Hub) -> None:
    error = joined.rejects(frame(0, stream="back/main"))
    assert (error.reason, error.stream) == (Reason.STREAM, "")


def test_a_heartbeat_is_answered_with_the_hubs_time(joined: Hub) -> None:
    said = heartbeat(0)
    assert joined.receive(said) == NodeReported("pi-1", 7, said.counters)
    now_ns = joined.clock.unix_ns()
    assert joined.answers() == [wire.HeartbeatReply(5, now_ns, now_ns, (wire.Grant(FRONT, 2),))]


def test_a_heartbeat_gives_back_the_credit_of_lost_frames(joined: Hub) -> None:
    joined.receive(heartbeat(3))
    reply = joined.answers()[0]
    assert isinstance(reply, wire.HeartbeatReply)
    assert reply.grants == (wire.Grant(FRONT, 5),)


def test_a_heartbeat_that_counts_less_than_arrived_takes_nothing_away(joined: Hub) -> None:
    joined.receive(frame(0))
    joined.receive(heartbeat(0))
    assert isinstance(joined.receive(frame(1)), Frame)


def test_a_heartbeat_about_a_stream_of_no_hello_is_no_credit(joined: Hub) -> None:
    joined.receive(heartbeat(3, stream="back/main"))
    reply = joined.answers()[0]
    assert isinstance(reply, wire.HeartbeatReply)
    assert reply.grants == ()


@pytest.mark.parametrize("message", [frame(0), heartbeat(0)], ids=["frame", "heartbeat"])
def test_a_stranger_is_asked_for_a_hello(hub: Hub, message: wire.Message) -> None:
    assert hub.rejects(message).reason is Reason.UNKNOWN_PEER
    refusal = hub.answers()[0]
    assert isinstance(refusal, wire.Refuse)
    assert refusal.reason == Reason.UNKNOWN_PEER


def test_a_strangers_goodbye_is_nobodys_business(hub: Hub) -> None:
    assert hub.receive(wire.Bye()) is None


def test_a_hubs_message_from_a_node_is_rejected(joined: Hub) -> None:
    for identity in (A, B):
        for message in (wire.Welcome(1, 1000, ()), wire.Credit(()), wire.Refuse("x", "y")):
            assert joined.rejects(message, identity).reason is Reason.KIND


def test_another_version_is_told_so(hub: Hub) -> None:
    header = bytearray(wire.encode(hello()))
    header[2] = 2
    assert hub.rejects(bytes(header)).reason is Reason.VERSION
    assert hub.answers() == [wire.Refuse("version", "version is 2, want 1")]


@pytest.mark.parametrize(
    ("streams", "reason"),
    [
        ([""], Reason.NAME),
        (["front"], Reason.NAME),
        (["../../x/main"], Reason.NAME),
        (["a\nb/main"], Reason.NAME),
        (["x" * 1000 + "/main"], Reason.NAME),
        ([FRONT, FRONT], Reason.STREAM),
        ([f"{n}/main" for n in range(MAX_STREAMS + 1)], Reason.TOO_MANY),
        ([f"{n}/{'x' * 120}" for n in range(8)], Reason.TOO_MANY),
    ],
)
def test_bad_streams_are_refused(hub: Hub, streams: list[str], reason: Reason) -> None:
    said = wire.Hello("pi-1", 7, tuple(wire.Counters(name, 0, 0, {}) for name in streams))
    assert hub.rejects(said).reason is reason
    refusal = hub.answers()[0]
    assert isinstance(refusal, wire.Refuse)
    assert refusal.reason == reason


@pytest.mark.parametrize("name", ["", "../../x", "a\nb", "x" * 3000, "\U000e0001" * 32])
def test_a_bad_node_name_is_refused(hub: Hub, name: str) -> None:
    assert hub.rejects(hello(name)).reason is Reason.NAME
    assert isinstance(hub.answers()[0], wire.Refuse)


def test_one_node_too_many_is_refused() -> None:
    hub = Hub(max_nodes=1)
    hub.receive(hello("pi-1"), A)
    assert hub.rejects(hello("pi-2"), B).reason is Reason.TOO_MANY
    assert isinstance(hub.receive(hello("pi-1", session=8), B), NodeJoined)


def test_answers_fit_a_header_whatever_a_node_counts(hub: Hub) -> None:
    # names and counts as large as they may be, and the credits of all streams at once
    side = MAX_NAMES_BYTES // MAX_STREAMS - 4
    streams = [f"{n:02}{'x' * side}/m" for n in range(MAX_STREAMS)]
    counted = tuple(wire.Counters(name, 2**32 - 1, 2**32 - 1, {}) for name in streams)
    hub.receive(wire.Hello("pi-1", 7, counted))
    most = [msgspec.structs.replace(counters, sent=2**61) for counters in counted]
    hub.receive(wire.Heartbeat(2**62, tuple(most)))
    for stream in streams:
        hub.receive(frame(2**61, stream))
    assert [type(answer) for answer in hub.answers()][:2] == [wire.Welcome, wire.HeartbeatReply]


def test_a_restarted_node_takes_its_name_over_at_once(joined: Hub) -> None:
    joined.receive(hello(session=8), B)
    assert joined.rejects(frame(0), A).reason is Reason.UNKNOWN_PEER
    assert isinstance(joined.receive(frame(0, session=8), B), Frame)


def test_a_node_that_reconnects_goes_on(joined: Hub) -> None:
    joined.receive(frame(0))
    joined.receive(hello(sent=2), B)
    assert isinstance(joined.receive(frame(2), B), Frame)


def test_of_two_nodes_with_one_name_the_later_keeps_it(joined: Hub) -> None:
    joined.receive(hello(session=8), B)
    assert joined.rejects(hello(session=7), A).reason is Reason.NAME_TAKEN
    assert isinstance(joined.receive(frame(0, session=8), B), Frame)


def test_the_other_node_has_the_name_when_the_later_one_is_silent(joined: Hub) -> None:
    joined.receive(hello(session=8), B)
    joined.clock.advance(3)
    assert isinstance(joined.receive(hello(session=7), A), NodeJoined)


def test_the_other_node_has_the_name_when_the_later_one_says_goodbye(joined: Hub) -> None:
    joined.receive(hello(session=8), B)
    joined.receive(wire.Bye(), B)
    assert isinstance(joined.receive(hello(session=7), A), NodeJoined)


@pytest.mark.parametrize("identity", [A, B], ids=["same connection", "new connection"])
def test_a_node_that_got_its_name_back_is_not_refused_by_itself(
    joined: Hub, identity: bytes
) -> None:
    joined.receive(hello(session=8), B)
    joined.clock.advance(3)
    joined.receive(hello(session=7), A)
    assert isinstance(joined.receive(hello(session=7), identity), NodeJoined)


def test_a_connection_cannot_change_its_name(joined: Hub) -> None:
    assert joined.rejects(hello("pi-2")).reason is Reason.NAME
    assert isinstance(joined.receive(frame(0)), Frame)


def test_a_connection_may_become_another_node_after_a_goodbye(joined: Hub) -> None:
    joined.receive(wire.Bye())
    assert isinstance(joined.receive(hello("pi-2")), NodeJoined)


def test_a_key_stands_for_its_name_and_no_other(hub: Hub) -> None:
    error = hub.rejects(hello("pi-1"), caller="pi-2")
    assert error.reason is Reason.KEY
    assert str(error) == "this key is that of 'pi-2', want a key of its own for 'pi-1'"
    [refusal] = hub.answers()
    assert isinstance(refusal, wire.Refuse)
    assert refusal.reason == Reason.KEY
    assert isinstance(hub.receive(hello("pi-1"), caller="pi-1"), NodeJoined)


@pytest.mark.parametrize("message", [frame(0), heartbeat(0), wire.Bye()], ids=repr)
def test_another_key_on_a_nodes_connection_is_a_stranger(hub: Hub, message: wire.Message) -> None:
    hub.receive(hello("pi-1"), caller="pi-1")
    if isinstance(message, wire.Bye):
        assert hub.receive(message, caller="pi-2") is None
    else:
        assert hub.rejects(message, caller="pi-2").reason is Reason.UNKNOWN_PEER
    assert isinstance(hub.receive(frame(0), caller="pi-1"), Frame)


def test_a_connection_that_another_key_took_over_is_that_nodes(hub: Hub) -> None:
    hub.receive(hello("pi-1"), caller="pi-1")
    hub.receive(hello("pi-2"), caller="pi-2")
    assert isinstance(hub.receive(frame(0), caller="pi-2"), Frame)
    hub.clock.advance(9)
    hub.receive(heartbeat(1), caller="pi-2")
    assert hub.expire(2) == [NodeLeft("pi-1", "silent for 10 s", Leaving.SILENT)]
    assert isinstance(hub.receive(frame(1), caller="pi-2"), Frame)


def test_a_node_that_lost_its_key_is_cut_off(joined: Hub) -> None:
    assert joined.link.cut("pi-1") == NodeLeft("pi-1", "its key was revoked", Leaving.REVOKED)
    assert joined.link.cut("pi-1") is None
    assert joined.rejects(frame(0)).reason is Reason.UNKNOWN_PEER


@pytest.fixture
def idle() -> Hub:
    """A hub with one node, whose stream nobody wants."""
    hub = Hub(wants_all=False)
    hub.receive(hello())
    return hub


def test_a_stream_that_nobody_wants_may_send_a_frame_a_heartbeat(idle: Hub) -> None:
    assert idle.answers() == [wire.Welcome(99, 1000, (wire.Grant(FRONT, 1, is_wanted=False),))]
    for sent in range(3):
        idle.receive(frame(sent))
        assert idle.answers() == []
        idle.receive(heartbeat(sent + 1))
        [reply] = idle.answers()
        assert isinstance(reply, wire.HeartbeatReply)
        assert reply.grants == (wire.Grant(FRONT, sent + 2, is_wanted=False),)


def test_demand_brings_credit_at_once(idle: Hub) -> None:
    idle.answers()
    idle.link.want("pi-1", FRONT, idle.clock.monotonic_ns())
    assert idle.answers() == [wire.Credit((wire.Grant(FRONT, 2),))]


def test_a_stream_that_is_wanted_before_it_appears_has_credit_with_its_hello() -> None:
    hub = Hub(wants_all=False)
    hub.link.want("pi-1", FRONT, hub.clock.monotonic_ns())
    hub.receive(hello())
    assert hub.answers() == [wire.Welcome(99, 1000, (wire.Grant(FRONT, 2),))]


def test_a_stream_that_is_released_is_told_so_and_gets_no_more(idle: Hub) -> None:
    now_ns = idle.clock.monotonic_ns()
    idle.link.want("pi-1", FRONT, now_ns)
    idle.answers()
    idle.link.release("pi-1", FRONT, now_ns)
    assert idle.answers() == [wire.Credit((wire.Grant(FRONT, 2, is_wanted=False),))]
    idle.receive(frame(0))
    idle.receive(frame(1))
    assert idle.answers() == []


def test_a_receiver_that_wants_all_releases_nothing(joined: Hub) -> None:
    joined.link.release("pi-1", FRONT, joined.clock.monotonic_ns())
    assert joined.answers() == []


def test_a_goodbye_ends_a_node(joined: Hub) -> None:
    assert joined.receive(wire.Bye("stopped")) == NodeLeft("pi-1", "stopped", Leaving.GOODBYE)
    assert joined.rejects(frame(0)).reason is Reason.UNKNOWN_PEER


def test_nothing_is_owed_to_a_node_that_left(joined: Hub) -> None:
    for sent in range(2):
        joined.receive(frame(sent))
    joined.receive(wire.Bye())
    assert joined.answers() == []


def test_a_silent_node_is_let_go(joined: Hub) -> None:
    assert joined.expire(10) == []
    assert joined.expire(0.1) == [NodeLeft("pi-1", "silent for 10 s", Leaving.SILENT)]
    assert joined.expire(10) == []


def test_a_stepped_unix_clock_is_no_silence(joined: Hub) -> None:
    joined.clock.step(3600)
    assert joined.expire(1) == []


def test_a_rejected_message_counts_for_its_node(joined: Hub) -> None:
    assert joined.link.rejecting(A) == "pi-1"
    assert joined.link.rejecting(B) == ""


def test_a_peer_that_only_talks_nonsense_is_silent(joined: Hub) -> None:
    joined.clock.advance(10)
    joined.rejects(b"nonsense")
    assert [left.node for left in joined.expire(0.1)] == ["pi-1"]


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_that_lets_nothing_through_is_our_bug(window: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"window is {window}, want"):
        HubLink(1, window)


def test_a_name_that_the_hub_uses_itself_is_refused() -> None:
    hub = Hub(reserved=frozenset({"imagezmq"}))
    assert hub.rejects(hello("imagezmq")).reason is Reason.NAME_TAKEN
    [refuse] = hub.answers()
    assert isinstance(refuse, wire.Refuse)
    assert refuse.reason == Reason.NAME_TAKEN
    assert hub.rejects(frame(0)).reason is Reason.UNKNOWN_PEER
    assert isinstance(hub.receive(hello("imagezmq 2")), NodeJoined)


def test_only_a_frame_has_a_payload(joined: Hub) -> None:
    error = joined.rejects(wire.Heartbeat(1, ()), payload=b"x")
    assert error.reason is Reason.PAYLOAD_SIZE
    assert str(error) == "payload of Heartbeat is 1 bytes, want none"


def test_a_frame_far_beyond_its_credit_loses_nothing(joined: Hub) -> None:
    error = joined.rejects(frame(2**61))
    assert (error.reason, error.sent) == (Reason.NO_CREDIT, None)


def detection(number: int, stream: str = FRONT, session: int = 7) -> wire.Detection:
    return wire.Detection(stream, session, number, "motion", "moving", 1, "drive")


def test_a_detection_comes_out_with_its_node_picture_and_arrival(joined: Hub) -> None:
    received = joined.receive(detection(0), payload=JPEG)
    assert received == Detected("pi-1", detection(0), JPEG, joined.clock.unix_ns())
    assert joined.answers() == []  # it costs no credit and gives none


def test_a_detection_needs_no_picture(joined: Hub) -> None:
    received = joined.receive(detection(0), payload=b"")
    assert isinstance(received, Detected)
    assert received.picture == b""


@pytest.mark.parametrize(
    ("message", "reason", "number"),
    [
        (detection(0, stream="back/main"), Reason.STREAM, None),
        (detection(0, session=8), Reason.SESSION, None),
        (wire.Detection(FRONT, 7, 3, "motion", "moving", 1, "a/b"), Reason.NAME, 3),
    ],
)
def test_a_detection_that_is_rejected_tells_what_is_known_of_it(
    joined: Hub, message: wire.Detection, reason: Reason, number: int | None
) -> None:
    error = joined.rejects(message, payload=b"")
    assert error.reason is reason
    assert error.detection == number
    assert error.stream == (FRONT if message.stream == FRONT else "")


def test_a_detection_of_a_stranger_is_answered_by_the_wish_for_a_hello(hub: Hub) -> None:
    assert hub.rejects(detection(0), payload=JPEG).reason is Reason.UNKNOWN_PEER
    assert [type(answer) for answer in hub.answers()] == [wire.Refuse]


def test_a_flood_of_detections_is_rejected_and_coming_anew_does_not_help(joined: Hub) -> None:
    number, reasons = 0, []
    for _ in range(4):
        for number in range(100):
            try:
                joined.receive(detection(number), payload=b"")
            except RemoteProtocolError as error:
                reasons.append(error.reason)
        joined.receive(wire.Bye())
        joined.receive(hello())
    assert reasons == [Reason.RATE] * (400 - 128)
    joined.clock.advance(60)
    joined.receive(detection(number + 1), payload=b"")


def test_heartbeats_and_hellos_tell_how_many_detections_there_were(joined: Hub) -> None:
    counted = wire.DetectionCounters(5, 2)
    reported = joined.receive(wire.Heartbeat(5, (), -1, counted))
    assert isinstance(reported, NodeReported)
    assert reported.detections == counted
    assert joined.rejects(detection(4), payload=b"").reason is Reason.NO_CREDIT
    again = wire.Hello("pi-1", 7, (wire.Counters(FRONT, 0, 0, {}),), "", counted)
    rejoined = joined.receive(again, B)
    assert isinstance(rejoined, NodeJoined)
    assert rejoined.detections == counted


def test_a_preview_that_nobody_wants_sends_nothing_until_it_is_wanted() -> None:
    hub = Hub(wants_all=False)
    preview = "front/preview"
    hub.receive(wire.Hello("pi-1", 7, (wire.Counters(preview, 9, 3, {}),)))
    assert hub.answers() == [wire.Welcome(99, 1000, (wire.Grant(preview, 3, is_wanted=False),))]
    hub.receive(heartbeat(3, preview))
    (reply,) = hub.answers()
    assert isinstance(reply, wire.HeartbeatReply)
    assert reply.grants == (wire.Grant(preview, 3, is_wanted=False),)
    hub.link.want("pi-1", preview, hub.clock.monotonic_ns())
    assert hub.answers() == [wire.Credit((wire.Grant(preview, 5),))]
