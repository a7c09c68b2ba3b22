"""Sender and Receiver over real sockets; garbage from a peer that we do not control."""

from __future__ import annotations

import itertools
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import pytest
import zmq

from camfleet import wire
from camfleet.codec import encode_jpeg
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.events import Event, NodeJoined, NodeLeft
from camfleet.frame import Frame, FrameHeader
from camfleet.node_link import LinkState
from camfleet.receiver import Receiver
from camfleet.sender import Sender
from camfleet.testing import LinkEmulator

if TYPE_CHECKING:
    from tests.integration.conftest import Quickest, Until

T = TypeVar("T")
DEADLINE_S: Final = 30.0
STOP_S: Final = 1.0  # a program that stops waits for no network
IMAGE: Final = np.full((6, 8, 3), 99, np.uint8)
JPEG: Final = encode_jpeg(IMAGE)
PEERS: Final = itertools.count()  # each with a name of its own
FRONT: Final = "front/main"


class Hub:
    """A receiver that keeps all that it says."""

    def __init__(self, address: str = "tcp://127.0.0.1:0", window: int = 4) -> None:
        self.frames: queue.Queue[Frame] = queue.Queue()
        self.events: queue.Queue[Event] = queue.Queue()
        self.rejected: queue.Queue[tuple[str, RemoteProtocolError]] = queue.Queue()
        self.receiver = Receiver(
            address,
            on_event=self._keep,
            on_reject=lambda node, error: self.rejected.put((node, error)),
            window=window,
            plain=True,
        )
        self.address = self.receiver.address

    def await_event(self, wanted: Callable[[Event], bool]) -> Event:
        return awaited(self.events, wanted)

    def close(self) -> None:
        self.receiver.close()

    def _keep(self, event: Event) -> None:
        if isinstance(event, Frame):
            self.frames.put(event)
        else:
            self.events.put(event)


class Peer:
    """A DEALER that sends whatever it is told."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, node: str) -> None:
        self.node = node
        self.dealer = context.socket(zmq.DEALER)
        self.dealer.setsockopt(zmq.LINGER, 0)
        self.dealer.setsockopt(zmq.RCVTIMEO, int(DEADLINE_S * 1000))
        self.dealer.connect(address)

    def say(self, message: wire.Message) -> None:
        self.dealer.send_multipart([wire.encode(message), b""])

    def hear(self) -> wire.Message:
        return wire.decode(self.dealer.recv_multipart()[0])

    def join(self) -> None:
        self.say(wire.Hello(self.node, 7, (wire.Counters(FRONT, 0, 0, {}),)))
        assert isinstance(self.hear(), wire.Welcome)

    def send(self, sent: int) -> None:
        self.dealer.send_multipart([wire.encode(header(sent)), JPEG])


def header(sent: int = 0, **fields: object) -> FrameHeader:
    given = {"stream": FRONT, "session": 7, "sequence": sent, "sent": sent, "captured_ns": 1}
    return FrameHeader(**(given | {"codec": "jpeg", "shape": (6, 8, 3)} | fields))  # type: ignore[arg-type]  # some are wrong on purpose


def awaited(items: queue.Queue[T], wanted: Callable[[T], bool]) -> T:
    """The first item that is wanted; the others are thrown away."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not wanted(item := items.get(timeout=max(0, deadline_s - time.monotonic()))):
        pass
    return item


def any_frame(_frame: Frame) -> bool:
    return True


def sent_by(node: str) -> Callable[[Frame], bool]:
    return lambda frame: frame.node == node


def labelled(label: str) -> Callable[[Frame], bool]:
    return lambda frame: frame.header.label == label


def stream_until(
    sender: Sender, hub: Hub, wanted: Callable[[Frame], bool], label: str = ""
) -> Frame:
    """Send until a frame arrives that is wanted."""
    outlet = sender.stream("front")
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        outlet.wait_credit(0.1)
        sender.send("front", IMAGE, label=label, metadata={"n": 1})
        try:
            if wanted(frame := hub.frames.get(timeout=0.1)):
                return frame
        except queue.Empty:
            pass
    raise AssertionError(f"no such frame came; the sender is {sender.state}: {sender.refusal}")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def hub(stack: ExitStack) -> Hub:
    hub = Hub()
    stack.callback(hub.close)
    return hub


@pytest.fixture(scope="module")
def shared_hub() -> Iterator[Hub]:
    """One hub for all bad peers, so that each finds what the others left behind."""
    hub = Hub()
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    with zmq.Context() as context:
        yield context


@pytest.fixture
def peer(shared_hub: Hub, context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[Peer]:
    peer = Peer(context, shared_hub.address, f"peer {next(PEERS)}")
    with peer.dealer:
        yield peer


def test_a_frame_arrives_as_it_was_sent(hub: Hub) -> None:
    with Sender(hub.address, "pi-1", plain=True) as sender:
        frame = stream_until(sender, hub, any_frame, label="naïve")
    assert frame.node == "pi-1"
    assert (frame.camera, frame.header.label) == ("front", "naïve")
    assert frame.header.metadata == {"n": 1}
    assert (frame.header.codec, frame.header.shape, frame.header.dtype) == (
        "jpeg",
        (6, 8, 3),
        "uint8",
    )
    assert bytes(frame.payload) == encode_jpeg(IMAGE, 80)
    assert frame.image().shape == (6, 8, 3)


def test_latency_is_known_once_the_clocks_are(hub: Hub) -> None:
    with Sender(hub.address, "pi-1", plain=True) as sender:
        frame = stream_until(sender, hub, lambda frame: frame.latency_ns is not None)
    assert frame.latency_ns is not None
    assert -frame.header.clock_uncertainty_ns <= frame.latency_ns < DEADLINE_S * 1e9


def test_two_nodes_send_under_the_same_cameras_name(hub: Hub) -> None:
    with (
        Sender(hub.address, "pi-1", plain=True) as one,
        Sender(hub.address, "pi-2", plain=True) as two,
    ):
        for sender, node in ((one, "pi-1"), (two, "pi-2"), (one, "pi-1")):
            stream_until(sender, hub, sent_by(node))


def test_iterating_gives_the_newest_frame(stack: ExitStack) -> None:
    receiver = stack.enter_context(Receiver("tcp://127.0.0.1:0", window=1, plain=True))
    sender = stack.enter_context(Sender(receiver.address, "pi-1", plain=True))
    outlet = sender.stream("front")
    for n in range(20):
        assert outlet.wait_credit(DEADLINE_S)
        assert sender.send("front", IMAGE, label=str(n))
    assert outlet.wait_credit(DEADLINE_S)  # so the last one was taken in
    assert next(iter(receiver)).header.label == "19"
    assert receiver.dropped == 19


def test_iterating_ends_with_the_receiver() -> None:
    receiver = Receiver("tcp://127.0.0.1:0", plain=True)
    frames = iter(receiver)
    receiver.close()
    assert list(frames) == []


def test_frames_flow_again_when_the_hub_is_back(
    stack: ExitStack, hold_port: Callable[[], int]
) -> None:
    first = Hub(f"tcp://127.0.0.1:{hold_port()}")
    sender = stack.enter_context(Sender(first.address, "pi-1", plain=True))
    stream_until(sender, first, any_frame)
    first.close()
    second = Hub(first.address)
    stack.callback(second.close)
    before = sender.counters()[0].sent
    frame = stream_until(sender, second, any_frame)
    assert frame.header.sent >= before  # the session goes on


def test_a_sender_may_be_there_before_its_hub(
    stack: ExitStack, hold_port: Callable[[], int]
) -> None:
    port = hold_port()
    sender = stack.enter_context(Sender(f"tcp://127.0.0.1:{port}", "pi-1", plain=True))
    assert not sender.send("front", IMAGE)
    hub = Hub(f"tcp://127.0.0.1:{port}")
    stack.callback(hub.close)
    stream_until(sender, hub, any_frame)


def test_a_closed_sender_says_goodbye(hub: Hub) -> None:
    with Sender(hub.address, "pi-1", plain=True) as sender:
        assert sender.wait_online(DEADLINE_S)
    hub.await_event(lambda event: isinstance(event, NodeLeft))


def test_what_was_taken_arrives_though_the_sender_is_closed_at_once(hub: Hub) -> None:
    for number in range(20):
        with Sender(hub.address, f"pi-{number}", plain=True) as sender:
            outlet = sender.stream("front")
            assert outlet.wait_credit(DEADLINE_S)
            assert sender.send("front", IMAGE)
        assert awaited(hub.frames, any_frame).node == f"pi-{number}"


def test_closing_takes_no_second_without_a_hub(
    quickest: Quickest, hold_port: Callable[[], int]
) -> None:
    def close() -> float:
        sender = Sender(f"tcp://127.0.0.1:{hold_port()}", "pi-1", plain=True)
        sender.send("front", IMAGE)
        return seconds_to_close(sender)

    assert quickest(close) < STOP_S


def test_closing_takes_no_second_when_the_hub_is_gone(quickest: Quickest) -> None:
    def close() -> float:
        hub = Hub()
        sender = Sender(hub.address, "pi-1", plain=True)
        stream_until(sender, hub, any_frame)
        hub.close()
        return seconds_to_close(sender)

    assert quickest(close) < STOP_S


def test_closing_twice_does_no_harm(quickest: Quickest) -> None:
    def close() -> float:
        hub = Hub()
        sender = Sender(hub.address, "pi-1", plain=True)
        return max(seconds_to_close(closed) for closed in (sender, sender, hub, hub))

    assert quickest(close) < STOP_S


def test_a_camera_that_outlives_its_sender_only_drops(hub: Hub) -> None:
    sender = Sender(hub.address, "pi-1", plain=True)
    sender.close()
    assert not sender.send("front", IMAGE)
    assert not sender.wait_online(DEADLINE_S)


def seconds_to_close(closed: Sender | Hub) -> float:
    begun_s = time.monotonic()
    closed.close()
    return time.monotonic() - begun_s


def test_of_two_nodes_with_one_name_the_later_keeps_it(
    stack: ExitStack, hub: Hub, until: Until
) -> None:
    first = stack.enter_context(Sender(hub.address, "pi-1", plain=True))
    stream_until(first, hub, any_frame)
    second = stack.enter_context(Sender(hub.address, "pi-1", plain=True))
    stream_until(second, hub, labelled("2"), label="2")
    _, error = awaited(hub.rejected, lambda it: it[1].reason is Reason.NAME_TAKEN)
    assert "another node calls itself 'pi-1'" in str(error)
    stream_until(second, hub, labelled("3"), label="3")
    until(lambda: (first.state, first.refusal) == (LinkState.REFUSED, str(error)))


@pytest.mark.parametrize(
    ("address", "node", "problem"),
    [
        ("tcp://127.0.0.1:5556", "", "node is empty, want 1 to 128 bytes"),
        ("tcp://127.0.0.1:5556", "../x", r"node '\.\./x' looks like a path, want"),
        ("127.0.0.1:5556", "pi-1", "address is '127.0.0.1:5556', want tcp://HOST:PORT"),
        ("tcp://127.0.0.1", "pi-1", "address is 'tcp://127.0.0.1', want tcp://HOST:PORT"),
        ("", "pi-1", "address is '', want tcp://HOST:PORT"),
    ],
)
def test_a_sender_with_a_bad_setting_says_so(address: str, node: str, problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=problem):
        Sender(address, node, plain=True)


@pytest.mark.parametrize("address", ["127.0.0.1:5556", "tcp://no such host:1", "tcp://127.0.0.1"])
def test_a_receiver_with_a_bad_address_says_so(address: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"cannot bind .* want a free tcp://ADDRESS:PORT"):
        Receiver(address, plain=True)


def test_a_receiver_on_a_taken_port_says_so(hub: Hub) -> None:
    with pytest.raises(LocalProtocolError, match=f"cannot bind '{hub.address}': Address already"):
        Receiver(hub.address, plain=True)


def encoded(**fields: object) -> bytes:
    return wire.encode(header(**fields))  # type: ignore[arg-type]  # `sent` is not among them


GOOD: Final = encoded()
BAD: Final[dict[str, tuple[list[bytes], Reason]]] = {
    "an empty message": ([b""], Reason.PARTS),
    "one part": ([GOOD], Reason.PARTS),
    "three parts": ([GOOD, JPEG, JPEG], Reason.PARTS),
    "an empty header": ([b"", JPEG], Reason.HEADER_SIZE),
    "an oversized header": ([GOOD + bytes(5000), JPEG], Reason.HEADER_SIZE),
    "a truncated header": ([GOOD[:20], JPEG], Reason.HEADER),
    "JSON": ([b'{"msg": "rpi1"}', JPEG], Reason.MAGIC),
    "an unknown version": ([GOOD[:2] + b"\2" + GOOD[3:], JPEG], Reason.VERSION),
    "an unknown kind": ([GOOD[:3] + b"\x63" + GOOD[4:], JPEG], Reason.KIND),
    "a hub's message": ([wire.encode(wire.Credit(())), b""], Reason.KIND),
    "a negative shape": ([encoded(shape=(-6, -8, 3)), JPEG], Reason.SHAPE),
    "a shape of zero": ([encoded(shape=(0, 8, 3)), JPEG], Reason.SHAPE),
    "a shape that overflows": ([encoded(shape=(2**62, 4), codec="raw"), b""], Reason.SHAPE),
    "too many sides": ([encoded(shape=(6, 8, 3, 1)), JPEG], Reason.SHAPE),
    "another size": ([encoded(shape=(60, 80, 3)), JPEG], Reason.SHAPE),
    "too short a picture": ([encoded(codec="raw"), bytes(143)], Reason.PAYLOAD_SIZE),
    "too long a picture": ([encoded(codec="raw"), bytes(145)], Reason.PAYLOAD_SIZE),
    "wider samples": ([encoded(codec="raw", dtype="uint16"), bytes(144)], Reason.PAYLOAD_SIZE),
    "objects": ([encoded(codec="raw", dtype="object"), bytes(144)], Reason.DTYPE),
    "no JPEG": ([GOOD, b"no picture"], Reason.NOT_JPEG),
    "an empty JPEG": ([GOOD, b""], Reason.NOT_JPEG),
    "another stream": ([encoded(stream="../../x/main"), JPEG], Reason.STREAM),
    "another session": ([encoded(session=8), JPEG], Reason.SESSION),
    "a frame beyond its credit": ([wire.encode(header(99)), JPEG], Reason.NO_CREDIT),
}


@pytest.mark.parametrize(("parts", "reason"), BAD.values(), ids=BAD)
def test_a_bad_message_is_rejected_and_the_next_one_served(
    shared_hub: Hub, peer: Peer, parts: list[bytes], reason: Reason
) -> None:
    peer.join()
    peer.dealer.send_multipart(parts)
    node, error = shared_hub.rejected.get(timeout=DEADLINE_S)
    assert (node, error.reason) == (peer.node, reason)
    peer.send(1)
    frame = shared_hub.frames.get(timeout=DEADLINE_S)
    assert (frame.node, frame.header.sent) == (peer.node, 1)


@pytest.mark.parametrize(
    "name", ["", "../../x", "a\nb", "\x1b[31m", "x" * 1000, "x" * 10_000], ids=ascii
)
def test_a_bad_name_is_refused_and_a_good_one_served(
    shared_hub: Hub, peer: Peer, name: str
) -> None:
    streams = (wire.Counters(f"{name}/main", 0, 0, {}),)
    for hello in (wire.Hello(name, 7, ()), wire.Hello(peer.node, 7, streams)):
        said = wire.MAGIC + b"\1\1" + wire._encoder.encode(hello)
        peer.dealer.send_multipart([said, b""])
        node, error = shared_hub.rejected.get(timeout=DEADLINE_S)
        assert (node, error.reason) == ("", Reason.NAME if len(said) < 4096 else Reason.HEADER_SIZE)
        assert len(str(error)) < 200
        if error.reason is Reason.NAME:
            assert peer.hear() == wire.Refuse("name", str(error))
    peer.join()
    peer.send(0)
    assert shared_hub.frames.get(timeout=DEADLINE_S).node == peer.node


def test_a_stranger_is_asked_for_a_hello(shared_hub: Hub, peer: Peer) -> None:
    peer.send(0)
    refusal = peer.hear()
    assert isinstance(refusal, wire.Refuse)
    assert refusal.reason == Reason.UNKNOWN_PEER
    assert shared_hub.rejected.get(timeout=DEADLINE_S)[1].reason is Reason.UNKNOWN_PEER


def test_a_peer_that_talks_nonsense_disturbs_nobody(
    hub: Hub, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    bad = Peer(context, hub.address, "bad")
    with bad.dealer, Sender(hub.address, "pi-1", plain=True) as sender:
        for n in range(10):
            for parts, _ in BAD.values():
                bad.dealer.send_multipart(parts)
            stream_until(sender, hub, labelled(str(n)), label=str(n))
    assert sender.counters()[0].sent >= 10


def test_a_node_joins_with_its_streams(hub: Hub) -> None:
    with Sender(hub.address, "pi-1", plain=True, software="test 1") as sender:
        sender.stream("front")
        joined = hub.await_event(lambda it: isinstance(it, NodeJoined) and bool(it.counters))
    assert isinstance(joined, NodeJoined)
    assert (joined.node, joined.software) == ("pi-1", "test 1")
    assert joined.counters[0].stream == FRONT


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_receiver_whose_thread_broke_says_so_instead_of_waiting() -> None:
    def breaks(_event: Event) -> None:
        raise RuntimeError("a bug")

    with Receiver("tcp://127.0.0.1:0", on_event=breaks, plain=True) as receiver:
        sender = Sender(receiver.address, "pi-1", plain=True)
        with sender, pytest.raises(LocalProtocolError, match="ended"):
            next(iter(receiver))
        assert not receiver.is_alive


def test_a_stock_sender_on_the_nodes_port_is_told_apart(
    hub: Hub, context: zmq.Context[zmq.Socket[bytes]]
) -> None:
    with context.socket(zmq.REQ) as stock:
        stock.setsockopt(zmq.LINGER, 0)
        stock.connect(hub.address)
        stock.send_multipart((b'{"msg": "pi"}', JPEG))
        _, error = hub.rejected.get(timeout=DEADLINE_S)
    assert error.reason is Reason.PARTS
    assert "belongs on the port for imagezmq" in str(error)


def test_a_receiver_closed_in_its_own_callback_says_so_and_goes_on(stack: ExitStack) -> None:
    told: queue.Queue[str] = queue.Queue()

    def closes(event: Event) -> None:
        if isinstance(event, Frame):
            with pytest.raises(LocalProtocolError, match="want another one"):
                receiver.close()
            told.put(event.node)

    receiver = stack.enter_context(Receiver("tcp://127.0.0.1:0", on_event=closes, plain=True))
    sender = stack.enter_context(Sender(receiver.address, "pi-1", plain=True))
    outlet = sender.stream("front")
    for _ in range(2):
        assert outlet.wait_credit(DEADLINE_S)
        sender.send("front", IMAGE)
        assert told.get(timeout=DEADLINE_S) == "pi-1"
    assert receiver.is_alive


def test_a_frame_that_takes_longer_than_a_silence_arrives(hub: Hub, stack: ExitStack) -> None:
    jpeg = JPEG + b"\0" * 16_000  # what follows a JPEG's end is nobody's business
    link = LinkEmulator(hub.address, rate_bytes_s=len(jpeg) / 4)  # four seconds a frame
    stack.enter_context(link)
    sender = stack.enter_context(Sender(link.address, "pi-1", plain=True))
    outlet = sender.stream("front")
    assert outlet.wait_credit(DEADLINE_S)
    for label in ("first", "second"):
        deadline_s = time.monotonic() + 4 * DEADLINE_S
        while not sender.send_jpeg("front", jpeg, label=label):
            assert time.monotonic() < deadline_s
            outlet.wait_credit(1.0)
    while hub.frames.get(timeout=4 * DEADLINE_S).header.label != "second":
        pass
