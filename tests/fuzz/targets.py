"""What a stranger's bytes get to: each target takes any bytes and may only reject them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

import zmq

from camfleet import wire
from camfleet.backoff import Backoff
from camfleet.codec import decode
from camfleet.errors import RemoteProtocolError
from camfleet.events import Detected
from camfleet.forward_link import ForwardLink
from camfleet.frame import Frame, FrameHeader
from camfleet.hub_link import HubLink
from camfleet.imagezmq.message import parse as parse_imagezmq
from camfleet.node_link import NodeLink
from camfleet.pattern import parse_pattern
from camfleet.payload import PayloadCheck, check_jpeg, check_payload
from camfleet.stats import DetectionStats, StreamStats
from camfleet.subscriber_link import SubscriberLink
from camfleet.wire import Counters, Detection, Grant, Hello, Subscribe, Welcome, encode
from camfleet_hub.detections import Detections
from camfleet_hub.imagezmq_frame import read_frame
from camfleet_hub.web import messages
from camfleet_hub.web.detections import view

Target = Callable[[bytes], None]

VECTORS: Final = json.loads((Path(__file__).parents[1] / "vectors/wire-v1.json").read_text())
STREAM: Final = "front/main"
JPEG: Final = bytes.fromhex(VECTORS["payloads"][0]["payload"])
MOST_PIXELS: Final = 2**16  # decoded here; more would only be slow
_NS: Final = 1_000_000_000
_CUT: Final = b"\xff\xfe\xfd"  # between the parts of a message


def header(data: bytes) -> None:
    """A header part: what can be read can be written, and reads the same."""
    message = wire.decode(data)
    if not isinstance(message, wire.Refuse) or data[2] == wire.VERSION:
        assert wire.decode(wire.encode(message)) == message


def hub(data: bytes) -> None:
    """Messages of a node that said hello: what it counts can be counted, and answers be read."""
    link, stats, ticks = HubLink(1, window=4), StreamStats(), count(_NS, _NS // 100)
    found, kept = DetectionStats(), Detections(most=4)
    hello = Hello("pi", 7, (Counters(STREAM, 0, 0, {}),))
    link.receive(b"a", encode(hello), b"", _NS, _NS)
    stats.begin(7, hello.counters[0])
    for part in data.split(_CUT):
        head, _, payload = part.partition(b"\xff\xff")
        now_ns = next(ticks)
        with contextlib.suppress(RemoteProtocolError):
            event = link.receive(b"a", head, payload, now_ns, now_ns)
            if isinstance(event, Frame):
                stats.account(event)
            elif isinstance(event, Detected):
                found.account(event.header.number)
                kept.take(event)
                view(kept.newest(1)[0]).model_dump_json()
        link.expire(now_ns)
        for _, answer in link.drain():
            wire.decode(answer)


def node(data: bytes) -> None:
    """Messages of a hub to a node: it sends no more than it was granted."""
    link = NodeLink("pi", 7, Backoff(0.1, 1.0, lambda: 0.5))
    link.declare(STREAM)
    link.receive(encode(Welcome(1, 1000, (Grant(STREAM, 2),))), _NS, _NS)
    for at, part in enumerate(data.split(_CUT)):
        now_ns = _NS + at * _NS // 10
        with contextlib.suppress(RemoteProtocolError):
            link.receive(part, now_ns, now_ns)
        link.notice_silence(now_ns)
        for said in link.poll(now_ns, now_ns):
            wire.decode(said)
        assert link.credit(STREAM) >= 0


def forward(data: bytes) -> None:
    """Messages of a subscriber to the hub."""
    link = ForwardLink(1)
    link.receive(b"a", encode(Subscribe(7, ("*",))), b"", _NS, _NS)
    frame = Frame("pi", FrameHeader(STREAM, 7, 0, 0, 1, "jpeg", (2, 3)), JPEG, _NS)
    for at, part in enumerate(data.split(_CUT)):
        now_ns = _NS + at * _NS // 10
        with contextlib.suppress(RemoteProtocolError):
            link.receive(b"a", part, b"", now_ns, now_ns)
        link.offer("pi/front", frame, at)
        for parcel in link.deliver(now_ns):
            assert isinstance(wire.decode(parcel.header), wire.Delivery)
        link.expire(now_ns)
        for _, answer in link.drain():
            wire.decode(answer)


def subscriber(data: bytes) -> None:
    """Messages of a hub to a subscriber."""
    link = SubscriberLink(("*",), 7, Backoff(0.1, 1.0, lambda: 0.5))
    link.receive(encode(Welcome(1, 1000, ())), b"", _NS, _NS)
    link.ask(_NS)
    for at, part in enumerate(data.split(_CUT)):
        head, _, payload = part.partition(b"\xff\xff")
        now_ns = _NS + at * _NS // 10
        with contextlib.suppress(RemoteProtocolError):
            link.receive(head, payload, now_ns, now_ns)
        link.notice_silence(now_ns)
        for said in link.poll(now_ns, now_ns):
            wire.decode(said)


def payload(data: bytes) -> None:
    """A payload: the check that remembers and the one that does not agree."""
    remembering = PayloadCheck()
    remembering.check("jpeg", (2, 3), "uint8", JPEG)
    assert _verdict(lambda: remembering.check("jpeg", (2, 3), "uint8", data)) == _verdict(
        lambda: check_payload("jpeg", (2, 3), "uint8", data)
    )


def picture(data: bytes) -> None:
    """A JPEG, decoded, where it is not too large to be decoded often."""
    height, width = check_jpeg(data)
    if height * width <= MOST_PIXELS:
        assert decode("jpeg", (height, width, 3), "uint8", data).shape == (height, width, 3)


def imagezmq(data: bytes) -> None:
    """The two parts of a stock sender, as the drop-in reads them."""
    head, _, body = data.partition(_CUT)
    parse_imagezmq(head, body)


def imagezmq_hub(data: bytes) -> None:
    """The parts of a stock sender's message, as the hub reads them."""
    frame = read_frame([zmq.Frame(part) for part in data.split(_CUT)])
    assert frame.camera


def browser(data: bytes) -> None:
    """A message of a browser on the wall's WebSocket."""
    messages.parse(data.decode("utf-8", "replace"))


def pattern(data: bytes) -> None:
    """What a subscriber asks for."""
    parse_pattern(data.decode("utf-8", "replace")).matches("pi", STREAM)


def _verdict(check: Callable[[], object]) -> str:
    try:
        check()
    except RemoteProtocolError as error:
        return f"{error.reason}: {error}"
    return "good"


TARGETS: Final[dict[str, Target]] = {
    target.__name__: target
    for target in (
        header, hub, node, forward, subscriber, payload, picture, imagezmq, imagezmq_hub,
        browser, pattern,
    )
}  # fmt: skip


def attempt(target: Target, data: bytes) -> None:
    """Try an input: it may be rejected, and nothing else."""
    with contextlib.suppress(RemoteProtocolError):
        target(data)


def seeds(name: str) -> Iterator[bytes]:
    """Inputs to begin with: every golden message, good and bad, and what else fits."""
    golden = [bytes.fromhex(v["header"]) for v in VECTORS["messages"] + VECTORS["rejected"]]
    pictures = [bytes.fromhex(v["payload"]) for v in VECTORS["payloads"]]
    if name in {"payload", "picture"}:
        yield from pictures
    elif name in {"imagezmq", "imagezmq_hub"}:
        delimiter = _CUT if name == "imagezmq_hub" else b""
        yield delimiter + b'{"msg": "pi", "dtype": "uint8", "shape": [2, 2]}' + _CUT + b"abcd"
        yield delimiter + b'{"msg": ["pi", 1]}' + _CUT + JPEG
    elif name == "browser":
        yield b'{"type": "show", "tiles": [{"tile": 0, "camera": "pi/front"}]}'
        yield b'{"type": "painted", "frames": [[0, 1, 1.5, 0.5], [1, 2, null, null]]}'
        yield b'{"type": "ping", "sent_ms": 1}'
    elif name == "pattern":
        yield from (b"*", b"garden/*", b"pi/front/main", b"?i/[x]", b"a/b/c/d", b"")
    else:
        yield from golden
        yield _CUT.join(golden)
        frame = FrameHeader(STREAM, 7, 0, 0, 1, "jpeg", (2, 3))
        yield encode(frame) + b"\xff\xff" + JPEG
        detection = Detection(STREAM, 7, 0, "motion", "moving", 1, "drive", box=(1, 2, 3, 4))
        yield encode(detection) + b"\xff\xff" + JPEG
