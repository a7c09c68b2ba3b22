"""The hub and nodes as processes: what they serve, what they refuse, and how they end."""

from __future__ import annotations

import json
import signal
import socket
import struct
import time
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import imagezmq
import numpy as np
import pytest
import simplejpeg
import zmq
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from camfleet import timecode
from camfleet.keys import Bundle
from camfleet.sockets import open_dealer
from camfleet.wire import Bye, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.conftest import House, Quickest, Until

TIMEOUT_S = 30.0
LAYOUT = struct.Struct("<BBHIdd")
ONE, SEVERAL = 1, 2
GONE = [1001, 1012]  # going away, service restart: RFC 6455, 7.4.1 and its registry


class Shown(NamedTuple):
    """One picture as a viewer gets it."""

    tile: int
    number: int
    captured_ms: float
    uncertainty_ms: float
    jpeg: bytes


def shown(message: bytes) -> list[Shown]:
    """Take a message of one picture or of several apart."""
    if message[1] == SEVERAL:
        found, at = [], 4
        while at < len(message):
            size = int.from_bytes(message[at : at + 4], "little")
            found += shown(message[at + 4 : at + 4 + size])
            at += 4 + size
        assert len(found) == int.from_bytes(message[2:4], "little")
        return found
    _, kind, tile, number, captured_ms, uncertainty_ms = LAYOUT.unpack_from(message)
    assert kind == ONE
    return [Shown(tile, number, captured_ms, uncertainty_ms, message[LAYOUT.size :])]


class Screen:
    """A viewer at the wall's WebSocket."""

    def __init__(self, link: ClientConnection) -> None:
        self.link = link

    def show(self, *cameras: str) -> None:
        tiles = [{"tile": tile, "camera": camera} for tile, camera in enumerate(cameras)]
        self.say({"type": "show", "tiles": tiles})

    def painted(self, *pictures: Shown) -> None:
        self.say({"type": "painted", "frames": [[p.tile, p.number, None, None] for p in pictures]})

    def say(self, message: object) -> None:
        self.link.send(json.dumps(message))

    def pictures(self, count: int) -> list[Shown]:
        """Wait for so many pictures; what else is said meanwhile is passed over."""
        found: list[Shown] = []
        while len(found) < count:
            message = self.link.recv(TIMEOUT_S)
            if isinstance(message, bytes):
                found += shown(message)
        return found

    def told(self, kind: str) -> dict[str, Any]:
        """Wait for a message of this kind."""
        while True:
            message = self.link.recv(TIMEOUT_S)
            if isinstance(message, str) and json.loads(message)["type"] == kind:
                found: dict[str, Any] = json.loads(message)
                return found

    def pictures_before(self, kind: str, count: int = 1) -> list[Shown]:
        """All pictures that come before the next so many messages of this kind."""
        found = []
        while count:
            message = self.link.recv(TIMEOUT_S)
            if isinstance(message, bytes):
                found += shown(message)
            else:
                count -= json.loads(message)["type"] == kind
        return found

    def closing_code(self) -> int:
        """Wait until the hub hangs up."""
        deadline_s = time.monotonic() + TIMEOUT_S
        try:
            while time.monotonic() < deadline_s:
                self.link.recv(TIMEOUT_S)
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else 1006
        raise TimeoutError


@contextmanager
def screen(house: House, **options: Any) -> Iterator[Screen]:  # noqa: ANN401 - websockets' own
    url = f"ws://127.0.0.1:{house.ports['WEB']}/ws/wall"
    with connect(url, max_size=None, **options) as link:
        yield Screen(link)


@contextmanager
def mjpeg(house: House, path: str) -> Iterator[HTTPResponse]:
    """Request a stream, and hang up at the end."""
    with closing(HTTPConnection("127.0.0.1", house.ports["WEB"], timeout=TIMEOUT_S)) as connection:
        connection.request("GET", path)
        yield connection.getresponse()


def read_part(stream: HTTPResponse) -> bytes:
    """Read one part of a multipart stream (RFC 2046, 5.1) and return its picture."""
    assert stream.readline() == b"--frame\r\n"
    assert stream.readline() == b"Content-Type: image/jpeg\r\n"
    name, _, size = stream.readline().partition(b":")
    assert name == b"Content-Length"
    assert stream.readline() == b"\r\n"
    jpeg = stream.read(int(size))
    assert stream.readline() == b"\r\n"
    return jpeg


def taken_ns(jpeg: bytes) -> int:
    """When a synthetic camera took a picture, read out of its pixels."""
    image = simplejpeg.decode_jpeg(jpeg, colorspace="GRAY")[..., 0]
    found = timecode.read(image, time.time_ns())
    assert found is not None
    return found


def size_of(jpeg: bytes) -> tuple[int, int]:
    height, width, _, _ = simplejpeg.decode_jpeg_header(jpeg)
    return width, height


# HTTP


def test_the_api_tells_every_node_and_camera(open_house: House, until: Until) -> None:
    def streaming() -> dict[str, Any] | None:
        found = open_house.cameras()["pi/front"]
        return found if found["fps"] and found["state"] == "online" else None

    camera = until(streaming)
    assert camera is not None
    assert (camera["node"], camera["camera"]) == ("pi", "front")
    assert (camera["width"], camera["height"]) == (160, 120)
    assert camera["lost"] == 0
    node = next(n for n in open_house.get("/api/nodes").json if n["name"] == "pi")
    assert node["software"].startswith("camfleet-node ")


def test_the_latency_is_known_with_its_uncertainty(open_house: House, until: Until) -> None:
    def latency() -> float | None:
        found: float | None = open_house.cameras()["pi/front"]["latency_ms"]
        return found

    until(lambda: latency() is not None)
    assert open_house.cameras()["pi/front"]["uncertainty_ms"] > 0


def test_a_snapshot_is_the_newest_picture(open_house: House) -> None:
    answer = open_house.get("/snapshot/pi/front.jpg")
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    assert size_of(answer.body) == (160, 120)
    assert abs(time.time_ns() - taken_ns(answer.body)) < TIMEOUT_S * 1e9


def test_a_later_snapshot_is_a_later_picture(open_house: House, until: Until) -> None:
    before = taken_ns(open_house.get("/snapshot/pi/front.jpg").body)
    until(lambda: taken_ns(open_house.get("/snapshot/pi/front.jpg").body) > before)


def test_mjpeg_is_one_new_picture_after_another(open_house: House) -> None:
    with mjpeg(open_house, "/mjpeg/pi/front") as stream:
        assert stream.getheader("content-type") == "multipart/x-mixed-replace; boundary=frame"
        times = [taken_ns(read_part(stream)) for _ in range(5)]
    assert times == sorted(set(times))


def test_the_hub_serves_on_when_mjpeg_readers_hang_up(open_house: House, until: Until) -> None:
    for _ in range(10):
        with mjpeg(open_house, "/mjpeg/pi/front") as stream:
            read_part(stream)
    open_house.await_frames("pi/front")
    until(lambda: open_house.get("/healthz").json == {"status": "ok", "problems": []})


def test_a_reader_that_does_not_read_slows_nobody(open_house: House) -> None:
    request = b"GET /mjpeg/pi/front HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(10):
            address = "127.0.0.1", open_house.ports["WEB"]
            stack.enter_context(socket.create_connection(address)).sendall(request)
        open_house.await_frames("pi/front", "pi/back", more=5)


def test_metrics_are_the_same_on_both_ports(open_house: House, until: Until) -> None:
    latency = 'camfleet_latency_seconds_bucket{camera="back",le="0.005",node="pi",stage="received"}'
    for port in ("WEB", "METRICS"):
        until(lambda port=port: latency in open_house.get("/metrics", port).body.decode())  # type: ignore[misc]
        answer = open_house.get("/metrics", port)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain")
        assert b'camfleet_frames_received_total{camera="front",node="pi"}' in answer.body


def test_the_port_for_metrics_serves_nothing_else(open_house: House) -> None:
    for path in ("/", "/api/nodes", "/snapshot/pi/front.jpg", "/ws/wall", "/openapi.json"):
        assert open_house.get(path, "METRICS").status == 404


@pytest.mark.parametrize(
    "path", ["/snapshot/pi/side.jpg", "/snapshot/pj/front.jpg", "/mjpeg/pi/side", "/mjpeg/x/y"]
)
def test_an_unknown_camera_is_not_found(open_house: House, path: str) -> None:
    answer = open_house.get(path)
    assert answer.status == 404
    assert answer.json["detail"].startswith("there is no camera ")


PATHS = [
    "/snapshot/../../etc/passwd",
    "/snapshot/../../../../../../etc/passwd.jpg",
    "/snapshot/%2e%2e/%2e%2e/etc/passwd",
    "/snapshot/..%2f..%2fetc/passwd.jpg",
    "/snapshot/pi/..%2f..%2f..%2fetc%2fpasswd.jpg",
    "/snapshot/pi/%2fetc%2fpasswd.jpg",
    "/snapshot/pi/front%00.jpg",
    "/snapshot/pi/%ff%fe.jpg",
    "/mjpeg/%2e%2e/%2e%2e",
    "/mjpeg/../../etc/passwd",
    "/static/../app.py",
    "/static/../../__main__.py",
    "/static/%2e%2e/app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e%2fapp.py",
    "/static/..%5capp.py",
    "/static//etc/passwd",
    "/static/%2fetc%2fpasswd",
    "//etc/passwd",
    "/../../etc/passwd",
    "/static/index.html%00.js",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_tricky_path_is_not_found_and_never_a_file(open_house: House, path: str) -> None:
    answer = open_house.get(path)
    assert answer.status == 404
    assert set(answer.json) == {"detail"}
    assert b"root:" not in answer.body


def test_no_page_may_be_framed_or_guessed_to_be_another_type(open_house: House) -> None:
    for path in ("/", "/api/nodes", "/snapshot/pi/front.jpg", "/static/wall.js", "/nowhere"):
        headers = open_house.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


# the wall's WebSocket


def test_a_viewer_is_told_the_fleet(open_house: House) -> None:
    with screen(open_house) as viewer:
        cameras = {camera["id"] for camera in viewer.told("fleet")["cameras"]}
    assert {"pi/front", "pi/back"} <= cameras


def test_a_viewer_that_never_acknowledges_gets_one_picture(open_house: House) -> None:
    with screen(open_house) as viewer:
        viewer.show("pi/front", "pi/back", "pi/front")
        pictures = viewer.pictures(1)
        open_house.await_frames("pi/front", "pi/back", more=10)
        viewer.say({"type": "ping", "sent_ms": 1})
        pictures += viewer.pictures_before("clock")
    assert len(pictures) == 1


def test_acknowledging_brings_newer_pictures(open_house: House) -> None:
    with screen(open_house) as viewer:
        viewer.show("pi/front")
        pictures = viewer.pictures(1)
        for _ in range(8):
            viewer.painted(pictures[-1])
            pictures += viewer.pictures(1)
    numbers = [picture.number for picture in pictures]
    times = [taken_ns(picture.jpeg) for picture in pictures]
    assert numbers == sorted(set(numbers))
    assert times == sorted(set(times))


def test_after_a_pause_a_viewer_gets_a_fresh_picture(open_house: House) -> None:
    with screen(open_house) as viewer:
        viewer.show("pi/front")
        old = viewer.pictures(1)
        open_house.await_frames("pi/front", more=15)
        now_ns = taken_ns(open_house.get("/snapshot/pi/front.jpg").body)
        viewer.painted(*old)
        [fresh] = viewer.pictures(1)
    assert taken_ns(fresh.jpeg) >= now_ns


def test_the_capture_time_before_a_picture_is_the_one_in_it(
    open_house: House, until: Until
) -> None:
    until(lambda: open_house.cameras()["pi/front"]["latency_ms"] is not None)
    with screen(open_house) as viewer:
        viewer.show("pi/front")
        picture = viewer.pictures(1)[0]
    # It is on the hub's clock, so it differs by what the node was unsure of.
    tolerance_ms = max(50.0, picture.uncertainty_ms)
    assert picture.captured_ms == pytest.approx(taken_ns(picture.jpeg) / 1e6, abs=tolerance_ms)


def test_a_camera_that_comes_later_is_shown_then(open_house: House) -> None:
    with screen(open_house) as viewer:
        viewer.show("imagezmq/later")
        send(open_house, "later", np.full((30, 40, 3), 9, np.uint8))
        assert size_of(viewer.pictures(1)[0].jpeg) == (40, 30)


@pytest.mark.parametrize(
    "ack",
    [
        [9, 1, None, None],
        [0, 4_000_000_000, None, None],
        [0, -1, 1.5, 0.5],
        [65535, 0, None, None],
    ],
)
def test_an_acknowledgement_of_nothing_is_passed_over(open_house: House, ack: list[Any]) -> None:
    with screen(open_house) as viewer:
        viewer.show("pi/front")
        pictures = viewer.pictures(1)
        viewer.say({"type": "painted", "frames": [ack]})
        viewer.painted(pictures[0])
        assert len(viewer.pictures(1)) == 1


WRONG: dict[str, str | bytes] = {
    "no JSON": "hello",
    "empty": "",
    "a list": "[]",
    "an unknown type": '{"type": "shut_down"}',
    "an unknown type of many characters": json.dumps({"type": "\u00fc" * 200}, ensure_ascii=False),
    "tiles of a wrong type": '{"type": "show", "tiles": 7}',
    "a camera of a wrong type": '{"type": "show", "tiles": [{"tile": 0, "camera": null}]}',
    "a tile beyond 16 bits": '{"type": "show", "tiles": [{"tile": 70000, "camera": "pi/front"}]}',
    "too many tiles": json.dumps(
        {"type": "show", "tiles": [{"tile": n, "camera": "a/b"} for n in range(257)]}
    ),
    "nested without end": '{"type": "show", "tiles": [], "x": ' + "[" * 50_000,
    "a time beyond numbers": '{"type": "ping", "sent_ms": 1e999}',
    "binary": b"\x01\x01\x00\x00",
    "binary JSON": b'{"type": "ping", "sent_ms": 1}',
}


@pytest.mark.parametrize("message", WRONG.values(), ids=WRONG)
def test_a_viewer_that_says_nonsense_is_told_and_others_go_on(
    open_house: House, message: str | bytes
) -> None:
    with screen(open_house) as other, screen(open_house) as viewer:
        other.show("pi/front")
        viewer.link.send(message)
        assert viewer.told("error")["message"]
        assert viewer.closing_code() == 1008
        other.painted(*other.pictures(1))
        other.pictures(1)


def test_an_oversized_message_ends_its_viewer_alone(open_house: House) -> None:
    with screen(open_house) as other, screen(open_house) as viewer:
        viewer.link.send(json.dumps({"type": "show", "tiles": [], "x": "x" * 1_000_000}))
        assert viewer.closing_code() == 1009
        other.show("pi/front")
        other.pictures(1)


def test_viewers_that_vanish_take_nothing_along(open_house: House) -> None:
    for _ in range(5):
        with screen(open_house) as viewer:
            viewer.show("pi/front")
            viewer.pictures(1)
            viewer.link.socket.shutdown(socket.SHUT_RDWR)
    with screen(open_house) as viewer:
        viewer.show("pi/front")
        viewer.pictures(1)


@pytest.mark.parametrize(
    "origin", ["http://elsewhere.example", "null", "", "http://[", "file://", "http://127.0.0.1:1"]
)
def test_a_page_from_elsewhere_cannot_connect(open_house: House, origin: str) -> None:
    with (
        pytest.raises(InvalidStatus) as caught,
        screen(open_house, additional_headers={"Origin": origin}),
    ):
        pass
    assert caught.value.response.status_code == 403


def test_a_page_of_the_hub_can_connect(open_house: House) -> None:
    origin = f"http://127.0.0.1:{open_house.ports['WEB']}"
    with screen(open_house, additional_headers={"Origin": origin}) as viewer:
        viewer.told("fleet")


# imagezmq senders


def send(house: House, name: str, image: np.ndarray[Any, Any]) -> bytes:
    address = f"tcp://127.0.0.1:{house.ports['IMAGEZMQ']}"
    with closing(imagezmq.ImageSender(connect_to=address)) as sender:
        sender.zmq_socket.setsockopt(zmq.LINGER, 0)
        sender.zmq_socket.setsockopt(zmq.RCVTIMEO, int(TIMEOUT_S * 1000))
        reply: bytes = sender.send_image(name, image)
        return reply


def test_a_raw_picture_is_shown_as_jpeg(open_house: House) -> None:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :, 2] = 200
    name = "k\u00fcche 1"
    assert send(open_house, name, image) == b"OK"
    answer = open_house.get(f"/snapshot/imagezmq/{quote(name)}.jpg")
    shown = simplejpeg.decode_jpeg(answer.body, colorspace="BGR")
    assert np.abs(shown.astype(int) - image).max() < 10
    with screen(open_house) as viewer:
        viewer.show(f"imagezmq/{name}")
        assert viewer.pictures(1)[0].jpeg == answer.body


def test_a_text_that_is_half_a_character_does_not_silence_the_api(open_house: House) -> None:
    assert send(open_house, "odd|\ud800", np.zeros((4, 4), np.uint8)) == b"OK"
    assert open_house.cameras()["imagezmq/odd"]["label"] == "odd|?"


def test_a_picture_that_no_jpeg_can_show_has_no_snapshot(open_house: House) -> None:
    assert send(open_house, "wide", np.zeros((1, 65_501), np.uint8)) == b"OK"
    assert open_house.get("/snapshot/imagezmq/wide.jpg").status == 404
    assert open_house.get("/api/nodes").status == 200


def test_a_rejected_picture_is_counted(open_house: House) -> None:
    line = 'camfleet_messages_rejected_total{camera="",node="imagezmq",reason="name"}'
    before = open_house.metric(line)
    assert send(open_house, "../x", np.zeros((4, 4), np.uint8)).startswith(b"REJECTED: ")
    assert open_house.metric(line) == before + 1


# strangers at the port for nodes


def test_nonsense_at_the_nodes_port_is_counted_and_nodes_go_on(
    open_house: House, until: Until
) -> None:
    nested = encode(Bye("x"))[:4] + b"\x92\xa1x" + b"\x91" * 4000
    messages = [[b""], [b"x"], [b"x", b""], [nested, b""], [b"x" * 5000, b""], [b"a"] * 50]
    line = 'camfleet_messages_rejected_total{camera="",node="",reason="header"}'
    bundle = Bundle.read(open_house.enrol("nonsense"))
    context, dealer = open_dealer(bundle.address, 10, bundle)
    dealer.connect(bundle.address)
    with context, dealer:
        dealer.setsockopt(zmq.SNDTIMEO, int(TIMEOUT_S * 1000))
        for message in messages:
            dealer.send_multipart(message)
        until(lambda: open_house.metric(line))
    open_house.await_frames("pi/front", "pi/back")
    until(lambda: open_house.get("/healthz").status == 200)


def test_nothing_of_all_this_left_a_traceback(open_house: House) -> None:
    assert "Traceback" not in open_house.hub.said()


# names


def test_a_node_may_not_take_the_name_of_the_stock_senders(house: House, until: Until) -> None:
    house.start_hub()
    node = house.start_node("imagezmq", "front")
    until(lambda: "'imagezmq'" in node.said() and '"refused"' in node.said(), node.said)
    assert house.cameras() == {}
    until(lambda: '"name_taken"' in house.hub.said(), house.hub.said)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8080"])
def test_a_foreign_name_of_the_hub_is_not_answered(house: House, host: str) -> None:
    """As a page of a stranger sends it after its name was pointed at the hub's address."""
    house.start_hub()
    for path in ("/", "/api/nodes", "/snapshot/pi/front.jpg"):
        connection = HTTPConnection("127.0.0.1", house.ports["WEB"], timeout=TIMEOUT_S)
        with closing(connection):
            connection.request("GET", path, headers={"Host": host})
            assert connection.getresponse().status == 421


# starting and ending


def running(house: House, *cameras: str) -> Any:  # noqa: ANN401 - a Service
    house.start_hub()
    node = house.start_node("pi", *(cameras or ("front",)))
    house.await_frames(*(f"pi/{camera}" for camera in cameras or ("front",)))
    return node


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_hub_ends_within_a_second_whoever_watches(
    house: House, quickest: Quickest, number: int
) -> None:
    def end() -> float:
        running(house)
        request = b"GET /mjpeg/pi/front HTTP/1.1\r\nHost: localhost\r\n\r\n"
        with (
            screen(house) as idle,
            screen(house) as watching,
            screen(house) as mute,
            mjpeg(house, "/mjpeg/pi/front") as stream,
            socket.create_connection(("127.0.0.1", house.ports["WEB"])) as reads_nothing,
            socket.create_connection(("127.0.0.1", house.ports["WEB"])),
            socket.create_connection(("127.0.0.1", house.ports["METRICS"])),
        ):
            watching.show("pi/front")
            mute.show("pi/front")
            watching.pictures(1)
            read_part(stream)
            reads_nothing.sendall(request)
            code, seconds = house.hub.stop(number)
            assert idle.closing_code() in GONE
            assert watching.closing_code() in GONE
        assert code == 0
        assert "Traceback" not in house.hub.said()
        assert json.loads(house.hub.said().splitlines()[-1])["event"] == "stopped"
        return seconds

    assert quickest(end) < 1


def test_a_hub_ends_when_viewers_are_stuck(house: House) -> None:
    """What they are sent is larger than all buffers on the way, and they read nothing."""
    house.start_hub()
    noise = np.random.default_rng(1).integers(0, 255, (3000, 4000, 3), np.uint8)
    send(house, "noise", noise)
    request = b"GET /mjpeg/imagezmq/noise HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with (
        screen(house) as stuck,
        socket.create_connection(("127.0.0.1", house.ports["WEB"])) as reads_nothing,
    ):
        stuck.show("imagezmq/noise")
        reads_nothing.sendall(request)
        assert reads_nothing.recv(1000).startswith(b"HTTP/1.1 200 OK")
        for _ in range(3):
            send(house, "noise", noise)
            assert house.get("/snapshot/imagezmq/noise.jpg").status == 200
        code, _ = house.hub.stop()
    assert code == 0
    assert "Traceback" not in house.hub.said()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_ends_within_a_second(
    house: House, until: Until, quickest: Quickest, number: int
) -> None:
    house.start_hub()

    def end() -> float:
        node = house.start_node("pi", "a", "b", "c")
        until(lambda: house.cameras().get("pi/a", {}).get("state") == "online")
        code, seconds = node.stop(number)
        assert code == 0
        until(lambda: house.cameras()["pi/a"]["state"] == "offline")
        return seconds

    assert quickest(end) < 1


def test_a_node_without_a_hub_ends_within_a_second(
    house: House, until: Until, quickest: Quickest
) -> None:
    def end() -> float:
        node = house.start_node("pi", "a", "b", "c", "d", "e", "f")
        until(lambda: '"link"' in node.said(), node.said)
        code, seconds = node.stop()
        assert code == 0
        return seconds

    assert quickest(end) < 1


def test_nodes_stream_again_by_themselves_when_their_hub_was_killed(
    house: House, until: Until
) -> None:
    running(house)
    house.start_node("pj", "front")
    house.await_frames("pj/front")
    house.hub.kill()
    house.start_hub()
    house.await_frames("pi/front", "pj/front", more=10)
    until(lambda: {camera["state"] for camera in house.cameras().values()} == {"online"})


def test_a_node_that_was_killed_and_started_again_is_the_same_camera(house: House) -> None:
    running(house).kill()
    received = house.cameras()["pi/front"]["received"]
    house.start_node("pi", "front")
    house.await_frames("pi/front", more=5)
    assert house.cameras().keys() == {"pi/front"}
    assert house.cameras()["pi/front"]["received"] > received


def test_a_node_with_a_broken_camera_streams_its_others(house: House, until: Until) -> None:
    house.start_hub()
    cameras = {
        "front": {"source": "synthetic", "width": 160, "height": 120},
        "broken": {"source": "opencv", "device": "/dev/video-none"},
    }
    node = house.start_node("pi", settings={"CAMFLEET_NODE_CAMERAS": json.dumps(cameras)})
    house.await_frames("pi/front", more=5)
    until(lambda: house.cameras()["pi/broken"]["state"] == "stale")
    until(lambda: "there is no /dev/video-none" in node.said(), node.said)


def test_mjpeg_ends_when_its_camera_is_forgotten(house: House, until: Until) -> None:
    house.start_hub({"CAMFLEET_HUB_MAX_CAMERAS": "1"})
    node = house.start_node("pi", "front")
    house.await_frames("pi/front")
    with mjpeg(house, "/mjpeg/pi/front") as stream:
        read_part(stream)
        node.stop()
        until(lambda: house.cameras()["pi/front"]["state"] == "offline")
        until(lambda: send(house, "new", np.zeros((4, 4), np.uint8)) == b"OK")
        stream.read()
    assert house.cameras().keys() == {"imagezmq/new"}


def test_a_hub_can_live_on_another_address(house: House, until: Until) -> None:
    hub = house.run(["-m", "camfleet_hub"], house.settings | {"CAMFLEET_HUB_BIND": "::1"}, "hub")
    until(lambda: '"ready"' in hub.said(), hub.said)
    address = f"tcp://[::1]:{house.ports['NODES']}"
    node = house.start_node("pi", "front", settings={"CAMFLEET_NODE_HUB": address})
    until(lambda: '"online"' in node.said(), node.said)
    assert f"http://[::1]:{house.ports['WEB']}/" in hub.said()


PORTS = ["WEB", "NODES", "SUBSCRIBERS", "IMAGEZMQ", "METRICS"]


@pytest.mark.parametrize("name", PORTS)
def test_a_port_in_use_ends_the_hub_and_names_the_setting(house: House, name: str) -> None:
    with socket.create_server(("127.0.0.1", house.ports[name])):
        hub = house.run(["-m", "camfleet_hub"], house.settings, "hub")
        assert hub.process.wait(TIMEOUT_S) == 2
    last = hub.said().splitlines()[-1]
    assert last.startswith(f"setting CAMFLEET_HUB_{name}_PORT: ")
    assert str(house.ports[name]) in last
    assert "Address already in use" in last
    assert "want a free" in last
    assert "Traceback" not in hub.said()


NODE_ENDS = {
    "no file": (
        {"CAMFLEET_NODE_CAMERAS": '{"front": {"source": "file", "path": "/nowhere.mp4"}}'},
        "setting CAMFLEET_NODE_CAMERAS__front: no such file: /nowhere.mp4",
    ),
    "no address": (
        {"CAMFLEET_NODE_HUB": "localhost"},
        "setting CAMFLEET_NODE_HUB: address is 'localhost', want tcp://HOST:PORT",
    ),
    "no name": (
        {"CAMFLEET_NODE_NAME": "a/b"},
        "setting CAMFLEET_NODE_NAME: found 'a/b', want: ",
    ),
    "another name than its bundle's": (
        {"CAMFLEET_NODE_NAME": "pj"},
        "setting CAMFLEET_NODE_NAME: found 'pj', want the bundle's 'pi', or nothing",
    ),
    "no bundle": (
        {"CAMFLEET_NODE_BUNDLE": "/nowhere.json"},
        "setting CAMFLEET_NODE_BUNDLE: there is no /nowhere.json; want a bundle, made on the hub's",
    ),
    "a bundle that is none": (
        {"CAMFLEET_NODE_BUNDLE": "/dev/null"},
        "setting CAMFLEET_NODE_BUNDLE: /dev/null: found mode 0666, want 0600",
    ),
}


@pytest.mark.parametrize(("settings", "says"), NODE_ENDS.values(), ids=NODE_ENDS)
def test_a_wrong_setting_ends_a_node(house: House, settings: dict[str, str], says: str) -> None:
    node = house.start_node("pi", "front", settings=settings)
    assert node.process.wait(TIMEOUT_S) == 2
    assert node.said().splitlines()[-1].startswith(says)
    assert "Traceback" not in node.said()
