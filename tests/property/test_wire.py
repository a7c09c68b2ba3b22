from __future__ import annotations

from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from camfleet import wire
from camfleet.backoff import Backoff
from camfleet.codec import decode as decode_picture
from camfleet.errors import RemoteProtocolError
from camfleet.forward_link import ForwardLink
from camfleet.frame import Frame, FrameHeader, Stages
from camfleet.hub_link import HubLink
from camfleet.node_link import NodeLink
from camfleet.payload import PLAIN_DTYPES, check_payload
from camfleet.subscriber_link import SubscriberLink

many = settings(max_examples=120, deadline=None)  # the first example imports and compiles

counts = st.integers(0, 2**62)
sessions = st.integers(0, 2**64 - 1)
texts = st.text(max_size=40)
names = st.sampled_from(["front/main", "front/preview", "back/main", "garden 2/main"])
reasons = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
counters = st.builds(
    wire.Counters, names, counts, counts, st.dictionaries(reasons, counts, max_size=8)
)
manifests = st.lists(counters, max_size=4).map(tuple)
detection_counters = st.builds(wire.DetectionCounters, counts, counts)
grants = st.lists(st.builds(wire.Grant, names, counts, st.booleans()), max_size=4).map(tuple)
patterns = st.lists(
    st.sampled_from(["*", "garden/*", "pi/front/preview", "garden"]), min_size=1, max_size=3
).map(tuple)
values = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
headers = st.builds(
    FrameHeader,
    stream=names,
    session=sessions,
    sequence=counts,
    sent=counts,
    captured_ns=counts,
    codec=st.sampled_from(["jpeg", "raw"]),
    shape=st.lists(st.integers(-(2**63), 2**64 - 1), max_size=4).map(tuple),
    dtype=texts,
    stages=st.builds(Stages, counts, counts, counts, counts),
    clock_offset_ns=st.integers(-(2**62), 2**62),
    clock_uncertainty_ns=st.integers(-(2**62), 2**62),
    label=texts,
    metadata=st.dictionaries(texts, values | texts, max_size=5),
)
percents = st.floats(0, 100)
detections = st.builds(
    wire.Detection,
    stream=names,
    session=sessions,
    number=counts,
    detector=reasons,
    state=reasons,
    captured_ns=counts,
    region=texts,
    clock_offset_ns=st.integers(-(2**62), 2**62),
    clock_uncertainty_ns=st.integers(-(2**62), 2**62),
    box=st.lists(percents, max_size=4).map(tuple),
)
messages: st.SearchStrategy[wire.Message] = st.one_of(
    st.builds(
        wire.Hello,
        st.sampled_from(["pi-1", "pi-2"]),
        sessions,
        manifests,
        st.from_regex(r"[ -~]{0,64}", fullmatch=True),
        detection_counters,
    ),
    st.builds(wire.Welcome, sessions, st.integers(100, 1000), grants),
    st.builds(wire.Refuse, texts, texts),
    headers,
    st.builds(wire.Credit, grants),
    st.builds(
        wire.Heartbeat,
        counts,
        manifests,
        st.integers(-1, 60_000_000_000),
        detection_counters,
        st.just(()),
        st.lists(st.integers(0, 2**32 - 1), max_size=16).map(tuple),
    ),
    st.builds(wire.HeartbeatReply, counts, counts, counts, grants),
    st.builds(wire.Bye, texts),
    detections,
    st.builds(
        wire.Subscribe, sessions, patterns, st.sampled_from(["newest", "all"]), st.just("mine 1")
    ),
    st.builds(wire.Delivery, counts, counts, names, counts, headers),
    st.builds(wire.Look, patterns),
    st.builds(wire.Listing, counts),
    st.builds(wire.Ask, counts, counts, counts),
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid message with some bytes changed, added or cut off."""
    header = bytearray(wire.encode(draw(messages)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(header) - 1))
        header[at] = draw(st.integers(0, 255))
    end = draw(st.just(len(header)) | st.integers(0, len(header)))
    return bytes(header[:end]) + draw(st.just(b"") | st.binary(max_size=8))


anything = mutated() | st.binary(max_size=64) | st.binary(max_size=64).map(b"CF\1\4".__add__)


@many
@given(messages)
def test_every_message_comes_back_as_it_went(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


@many
@given(anything)
@example(b"")
@example(b"CF\1")
@example(b"CF\1\4" + b"\x91" * 4092)
@example(b"CF\1\4" + b"\xdf\xff\xff\xff\xff" * 8)
def test_decoding_raises_only_remote_errors(header: bytes) -> None:
    with suppress(RemoteProtocolError):
        wire.decode(header)


@many
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([b"a", b"b"]), messages.map(wire.encode) | anything), max_size=12
    ),
    payload=st.binary(max_size=16),
)
def test_a_hub_raises_only_remote_errors_and_can_always_answer(
    steps: list[tuple[bytes, bytes]], payload: bytes
) -> None:
    hub = HubLink(1)
    for at_ns, (identity, header) in enumerate(steps):
        with suppress(RemoteProtocolError):
            hub.receive(identity, header, payload, at_ns, at_ns)
        for _, answer in hub.drain():
            assert len(answer) <= wire.MAX_HEADER_BYTES
    assert not list(hub.expire(10**9))


@many
@given(st.lists(messages.map(wire.encode) | anything, max_size=12))
def test_a_node_raises_only_remote_errors_and_can_always_go_on(headers: list[bytes]) -> None:
    node = NodeLink("pi-1", 1, Backoff(0.25, 5.0, lambda: 0.5))
    node.declare("front/main")
    for at_ns, header in enumerate(headers):
        with suppress(RemoteProtocolError):
            node.receive(header, at_ns, at_ns)
        for answer in node.poll(at_ns, at_ns):
            wire.decode(answer)
        assert node.credit("front/main") >= 0


@many
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([b"a", b"b"]), messages.map(wire.encode) | anything), max_size=12
    )
)
def test_the_port_for_subscribers_raises_only_remote_errors_and_can_always_go_on(
    steps: list[tuple[bytes, bytes]],
) -> None:
    hub = ForwardLink(1)
    header = FrameHeader("front/main", 1, 0, 0, 0, "raw", (1, 2))
    for at_ns, (identity, message) in enumerate(steps):
        with suppress(RemoteProtocolError):
            hub.receive(identity, message, b"", at_ns, at_ns)
        hub.offer("pi/front", Frame("pi", header, b"ab", at_ns), at_ns)
        for _, answer in (*hub.drain(), *((p.identity, p.header) for p in hub.deliver(at_ns))):
            wire.decode(answer)


@many
@given(st.lists(messages.map(wire.encode) | anything, max_size=12))
def test_a_subscriber_raises_only_remote_errors_and_can_always_go_on(headers: list[bytes]) -> None:
    subscriber = SubscriberLink(("*",), 1, Backoff(0.25, 5.0, lambda: 0.5))
    for at_ns, header in enumerate(headers):
        subscriber.ask(at_ns)
        with suppress(RemoteProtocolError):
            subscriber.receive(header, b"", at_ns, at_ns)
        for answer in subscriber.poll(at_ns, at_ns):
            wire.decode(answer)


@many
@given(
    codec=st.sampled_from(["jpeg", "raw"]),
    shape=st.lists(st.integers(-2, 5) | st.integers(), max_size=4).map(tuple),
    dtype=st.sampled_from([*PLAIN_DTYPES, "object", ""]) | texts,
    payload=st.binary(max_size=64),
)
def test_a_payload_is_taken_and_shown_or_rejected(
    codec: str, shape: tuple[int, ...], dtype: str, payload: bytes
) -> None:
    try:
        check_payload(codec, shape, dtype, payload)  # type: ignore[arg-type]  # either codec
    except RemoteProtocolError:
        return
    assert decode_picture(codec, shape, dtype, payload).shape[:2] == shape[:2]
