"""Who means ill to the web server is refused with a clear error, and no other viewer notices."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import socket
import struct
import threading
from collections import Counter
from contextlib import AsyncExitStack, ExitStack, closing, contextmanager
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import imagezmq
import numpy as np
import pytest
import zmq
from websockets.asyncio.client import connect as connect_soon
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from camfleet_hub.permission import Role
from camfleet_hub.tokens import add_token, remove_token
from camfleet_hub.web.access import MOST_OF_ONE
from camfleet_hub.web.wall import MOST_VIEWERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Answer, House, Until

TIMEOUT_S: Final = 30.0
LAYOUT: Final = struct.Struct("<BBHI")  # version, kind, tile, number; more follows
STRANGE: Final = ("50%", 'say "cheese"', "a b", "%2e%2e", "über&?#", "..x", "\u202egpj")
PROBLEM: Final = "application/problem+json"


class Other:
    """Another viewer, who looks on and counts what comes."""

    def __init__(self, url: str, headers: dict[str, str], camera: str) -> None:
        self.painted = 0
        self._stack = ExitStack()
        self._link = self._stack.enter_context(
            connect(url, additional_headers=headers, max_size=None)
        )
        tiles = [{"tile": 0, "camera": camera}]
        self._link.send(json.dumps({"type": "show", "tiles": tiles}))
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        try:
            for message in self._link:
                if isinstance(message, bytes):
                    _, _, tile, number = LAYOUT.unpack_from(message)
                    frames = [[tile, number, None, None]]
                    self._link.send(json.dumps({"type": "painted", "frames": frames}))
                    self.painted += 1
        except ConnectionClosed:
            return

    def close(self) -> None:
        self._stack.close()
        self._thread.join(TIMEOUT_S)


class Street:
    """A hub with a log-in and a node of two cameras, and those who pass by."""

    def __init__(self, house: House, until: Until) -> None:
        self.house = house
        self.until = until
        house.start_hub({"CAMFLEET_HUB_AUTH": "password"})
        self.administrator = bearer(add_token(house.state, "rules", role=Role.ADMINISTRATOR))
        self.viewer = bearer(add_token(house.state, "looks", cameras=["pi/front"]))
        until(lambda: self.ask("/api/session").status == 200)
        house.start_node("pi", "front", "back")
        until(lambda: self.ask("/snapshot/pi/back.jpg").status == 200, house.hub.said)
        until(lambda: self.ask("/snapshot/pi/front.jpg").status == 200, house.hub.said)

    @property
    def address(self) -> tuple[str, int]:
        return self.house.host, self.house.ports["WEB"]

    @property
    def wall(self) -> str:
        return f"ws://{self.address[0]}:{self.address[1]}/ws/wall"

    def ask(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Ask as the administrator, unless others are said; the path goes as it stands here."""
        from tests.integration.conftest import Answer

        with closing(HTTPConnection(*self.address, timeout=TIMEOUT_S)) as link:
            link.putrequest("GET", path)
            for name, value in (self.administrator if headers is None else headers).items():
                link.putheader(name, value)
            link.endheaders()
            answer = link.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, fields, answer.read())

    def rejected(self, reason: str, what: str = "viewers") -> float:
        """How many viewers, or requests, were sent away for it."""
        line = f'camfleet_{what}_rejected_total{{reason="{reason}"}} '
        text = self.house.get("/metrics", "METRICS").body.decode()
        rows = [row for row in text.splitlines() if row.startswith(line)]
        return float(rows[0].removeprefix(line)) if rows else 0.0

    @property
    def viewers(self) -> float:
        """How many walls are open."""
        text = self.house.get("/metrics", "METRICS").body.decode()
        return float(re.findall(r"^camfleet_viewers (\S+)$", text, re.MULTILINE)[0])

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """See that another viewer gets pictures before, while the block runs, and behind it."""
        other = Other(self.wall, self.administrator, "pi/back")
        try:
            self.until(lambda: other.painted > 0)
            before = other.painted
            yield
            self.until(lambda: other.painted > before + 3)
        finally:
            other.close()
        assert "Traceback" not in self.house.hub.said()

    @contextmanager
    def knocking(self, said: bytes) -> Iterator[socket.socket]:
        """Connect and say something."""
        with closing(socket.create_connection(self.address, timeout=TIMEOUT_S)) as link:
            link.sendall(said)
            yield link

    @contextmanager
    def looking(self) -> Iterator[ClientConnection]:
        """A viewer at the wall."""
        with connect(self.wall, additional_headers=self.administrator, max_size=None) as link:
            yield link


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def head(method: str, path: str, fields: dict[str, str]) -> bytes:
    """The head of a request, without the empty line behind it."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(lines).encode() + b"\r\n"


def hung_up(link: socket.socket) -> bytes:
    """Read until the hub hangs up."""
    found = b""
    try:
        while data := link.recv(65_536):
            found += data
    except ConnectionError:
        pass
    return found


@pytest.fixture(scope="module")
def street(build_house: Callable[[str], House], until: Until) -> Street:
    return Street(build_house("street"), until)


# WebSocket


UPGRADE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
MASK: Final = bytes(4)
# Against RFC 6455, 5; each is one frame as it stands on the wire.
FRAMES: Final = {
    "text without a mask": b"\x81\x02{}",
    "a continuation of nothing": b"\x80\x82" + MASK + b"{}",
    "an unknown kind": b"\x83\x82" + MASK + b"{}",
    "reserved bits": b"\xf1\x82" + MASK + b"{}",
    "text that is no UTF-8": b"\x81\x82" + MASK + b"\xff\xff",
    "a ping in pieces": b"\x09\x81" + MASK + b"x",
    "a length of 2^62": b"\x81\xff" + (2**62).to_bytes(8, "big") + MASK,
    "a close without a reason's code": b"\x88\x81" + MASK + b"x",
}


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_frame_against_the_protocol_ends_its_viewer_alone(street: Street, frame: bytes) -> None:
    fields, before = UPGRADE | street.administrator, street.rejected("message")
    with (
        street.undisturbed(),
        street.knocking(head("GET", "/ws/wall", fields) + b"\r\n") as link,
    ):
        assert b" 101 " in link.recv(4096)
        link.sendall(frame)
        hung_up(link)
        street.until(lambda: street.rejected("message") >= before + 1)


def test_a_message_that_never_ends_ends_its_viewer_alone(street: Street) -> None:
    fields = UPGRADE | street.administrator
    piece = b"\x00\xfe" + (60_000).to_bytes(2, "big") + MASK + b" " * 60_000
    with street.undisturbed(), street.knocking(head("GET", "/ws/wall", fields) + b"\r\n") as link:
        assert b" 101 " in link.recv(4096)
        try:
            link.sendall(b"\x01" + piece[1:])
            for _ in range(100):
                link.sendall(piece)
        except ConnectionError:
            return
        hung_up(link)


def test_nonsense_is_refused_with_its_reason_and_counted(street: Street) -> None:
    before = street.rejected("message")
    with (
        street.undisturbed(),
        street.looking() as link,
    ):
        link.send('{"type": "shut_down"}')
        said = [json.loads(message) for message in _until_closed(link) if isinstance(message, str)]
        (problem,) = [message["message"] for message in said if message["type"] == "error"]
        assert "shut_down" in problem
    assert street.rejected("message") >= before + 1


def _until_closed(link: ClientConnection) -> Iterator[str | bytes]:
    try:
        while True:
            yield link.recv(TIMEOUT_S)
    except ConnectionClosed:
        return


def test_a_flood_of_messages_holds_up_its_sender_alone(street: Street) -> None:
    with (
        street.undisturbed(),
        street.looking() as link,
    ):
        for number in range(3000):
            kind = number % 3
            if kind == 0:
                link.send(json.dumps({"type": "ping", "sent_ms": number}))
            elif kind == 1:
                frames = [[number, number, None, None]]
                link.send(json.dumps({"type": "painted", "frames": frames}))
            else:
                tiles = [{"tile": 0, "camera": f"nobody/{number}"}]
                link.send(json.dumps({"type": "show", "tiles": tiles}))


def test_viewers_that_never_read_or_never_acknowledge_hold_up_nobody(street: Street) -> None:
    fields = UPGRADE | street.administrator
    show = json.dumps({"type": "show", "tiles": [{"tile": 0, "camera": "pi/front"}]}).encode()
    frame = b"\x81" + bytes([0x80 | len(show)]) + MASK + show
    assert len(show) < 126
    with street.undisturbed(), ExitStack() as stack:
        for _ in range(20):
            link = stack.enter_context(street.knocking(head("GET", "/ws/wall", fields) + b"\r\n"))
            link.sendall(frame)
        for path in ("/mjpeg/pi/front", "/api/nodes", "/metrics"):
            said = head("GET", path, street.administrator) + b"\r\n"
            stack.enter_context(street.knocking(said))


async def _crowd(url: str, headers: list[dict[str, str]], count: int) -> tuple[int, list[str]]:
    """So many viewers at once; return how many are served, and what the others are told."""
    turns = asyncio.Semaphore(32)
    all_are_here = asyncio.Event()
    told: list[dict[str, Any]] = []

    async def come(own: dict[str, str]) -> None:
        coming = connect_soon(url, additional_headers=own, max_size=None, open_timeout=None)
        async with AsyncExitStack() as stack:
            async with turns:
                link = await stack.enter_async_context(coming)
                told.append(json.loads(await link.recv()))
            if len(told) == count:
                all_are_here.set()
            await all_are_here.wait()

    async with asyncio.timeout(4 * TIMEOUT_S), asyncio.TaskGroup() as tasks:
        for own in itertools.islice(itertools.cycle(headers), count):
            tasks.create_task(come(own))
    refusals = [message["message"] for message in told if message["type"] == "error"]
    return sum(message["type"] == "fleet" for message in told), refusals


@pytest.mark.timeout(240)
def test_five_hundred_viewers_at_once_leave_room_for_all_else(street: Street) -> None:
    before = street.rejected("too_many")
    crowd = [bearer(add_token(street.house.state, f"crowd{number}")) for number in range(3)]
    street.until(lambda: street.ask("/api/session", crowd[-1]).status == 200)
    street.until(lambda: street.viewers == 0)  # those of before may be about to leave
    with street.undisturbed():
        served, refusals = asyncio.run(_crowd(street.wall, crowd, 500))
        assert street.ask("/healthz").status == 200
    assert served + len(refusals) == 500
    assert served == MOST_VIEWERS - 1  # with the other viewer, who was there before
    assert all(f"{MOST_VIEWERS} walls" in text for text in refusals)
    assert street.rejected("too_many") == before + len(refusals)
    street.until(lambda: _is_served(street))


@pytest.mark.timeout(120)
def test_who_takes_all_that_one_may_have_leaves_the_rest_to_others(street: Street) -> None:
    said = head("GET", "/mjpeg/pi/front", street.viewer) + b"\r\n"
    before = street.rejected("share")
    with street.undisturbed(), ExitStack() as stack:
        links = [stack.enter_context(street.knocking(said)) for _ in range(MOST_OF_ONE)]
        assert all(b" 200 " in link.recv(16) for link in links)
        answer = street.ask("/api/session", street.viewer)
        assert answer.status == 503
        assert f"{MOST_OF_ONE} requests" in answer.json["detail"]
        assert street.rejected("share") >= before + 1
        assert street.ask("/api/session").status == 200
        assert street.ask("/healthz").status == 200
    street.until(lambda: street.ask("/api/session", street.viewer).status == 200)


def _is_served(street: Street) -> bool:
    with street.looking() as link:
        return bool(json.loads(link.recv(TIMEOUT_S))["type"] == "fleet")


# HTTP


def test_a_body_that_trickles_is_cut_off_with_a_reason(street: Street) -> None:
    before = street.rejected("slow", "requests")
    fields = street.administrator | {"Content-Type": "application/json", "Content-Length": "50"}
    with (
        street.undisturbed(),
        street.knocking(head("POST", "/api/keys", fields) + b"\r\n{") as link,
    ):
        answer = hung_up(link)
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert b"the body did not come within 10 s" in answer
    assert street.rejected("slow", "requests") >= before + 1


def test_heads_and_bodies_that_never_end_hold_up_nobody(street: Street) -> None:
    body = street.administrator | {"Content-Length": "1000000"}
    with street.undisturbed(), ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(street.knocking(head("GET", "/", {})))
            stack.enter_context(street.knocking(head("POST", "/api/users", body) + b"\r\n{"))
        assert street.ask("/healthz").status == 200


def test_what_is_no_http_is_told_so_and_counted(street: Street) -> None:
    before = street.rejected("malformed", "requests")
    for said in (b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n"):
        with street.knocking(said) as link:
            answer = hung_up(link)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert PROBLEM.encode() in answer
        assert b"want HTTP/1.1" in answer
    assert street.rejected("malformed", "requests") == before + 3


# paths


@pytest.fixture(scope="module")
def strange(street: Street) -> Street:
    """A street with cameras of strange names, which a stock sender may have."""
    address = f"tcp://127.0.0.1:{street.house.ports['IMAGEZMQ']}"
    with closing(imagezmq.ImageSender(connect_to=address)) as sender:
        sender.zmq_socket.setsockopt(zmq.RCVTIMEO, int(TIMEOUT_S * 1000))
        for name in STRANGE:
            sender.send_image(name, np.zeros((48, 64, 3), np.uint8))
    return street


def test_a_camera_of_a_strange_name_is_found_by_it_encoded_once(strange: Street) -> None:
    cameras = strange.ask("/api/cameras?match=imagezmq/*").json["cameras"]
    names = {camera["camera"] for camera in cameras}
    assert {"50%", 'say "cheese"', "a b", "%2e%2e", "über&?#", "..x"} <= names
    for name in names:
        path = quote(name, safe="")
        assert strange.ask(f"/snapshot/imagezmq/{path}.jpg").status == 200, name
        assert strange.ask(f"/api/cameras/imagezmq/{path}").json["camera"] == name
        twice = quote(path, safe="")
        if twice != path:
            assert strange.ask(f"/snapshot/imagezmq/{twice}.jpg").status == 404, name


TRICKS: Final = [
    "..",
    "%2e%2e",
    "%2E%2E/%2e%2e",
    "pi%2ffront",
    "%2fetc%2fpasswd",
    "..%2f..%2fetc%2fpasswd",
    "..%5c..%5cetc",
    "%252e%252e",
    "front%00",
    "%00",
    "%0d%0aSet-Cookie:%20a=b",
    "front%20",
    "front%2e",
    "Front",
    "fr\u043ent",  # a Cyrillic o
    "ｆｒｏｎｔ",  # noqa: RUF001 - fullwidth letters, meant to trick
    "front%cc%81",  # with an accent of its own
    "%c0%ae%c0%ae",  # overlong UTF-8
    "%ff%fe",
    "%ed%a0%80",  # half a character
    "x" * 129,
    "%41" * 5000,
    "*",
    "?",
    "[f]ront",
    "%",
    "%zz",
    "front'--",
    '"><script>alert(1)</script>',
    "${7*7}",
]
WAYS: Final = [
    "/snapshot/pi/{}.jpg",
    "/snapshot/{}/front.jpg",
    "/mjpeg/pi/{}",
    "/mjpeg/{}/front",
    "/api/cameras/pi/{}",
    "/api/cameras/{}/front",
    "/api/nodes/{}",
    "/static/{}",
]


@pytest.mark.parametrize("way", WAYS)
def test_a_path_that_tricks_finds_nothing_and_is_told_so(street: Street, way: str) -> None:
    reasons = {400: "malformed", 404: "not_found", 405: "method", 422: "malformed"}
    before = {reason: street.rejected(reason, "requests") for reason in reasons.values()}
    told: Counter[str] = Counter()
    for trick in TRICKS:
        said = way.format(quote(trick, safe="%/*[]'$?"))
        answer = street.ask(said)
        if answer.status == 200:  # `..` went up to another path that is served
            assert trick in {"..", "?", "%2e%2e"}, said
            continue
        assert answer.status in reasons, (said, answer)
        told[reasons[answer.status]] += 1
        assert answer.headers["content-type"] == PROBLEM, (said, answer)
        assert "set-cookie" not in answer.headers
        assert len(answer.body) < 8192
        assert b"passwd:" not in answer.body
        assert b"root:" not in answer.body
    assert "Traceback" not in street.house.hub.said()
    for reason, count in before.items():
        assert street.rejected(reason, "requests") == count + told[reason]


# what is not one's own


def test_a_camera_of_others_is_not_found_on_any_path(street: Street) -> None:
    document = street.ask("/openapi.json").json
    paths = [path for path in document["paths"] if "{camera}" in path or "{node}" in path]
    assert len(paths) >= 4
    for path in paths:
        theirs = path.replace("{node}", "pi").replace("{camera}", "back")
        own = path.replace("{node}", "pi").replace("{camera}", "front")
        if "{camera}" in path:
            assert street.ask(theirs, street.viewer).status == 404, theirs
            assert street.ask(theirs.replace("pi", "%70i"), street.viewer).status == 404, theirs
        if not path.startswith("/mjpeg"):
            answer = street.ask(own, street.viewer)
            assert answer.status == 200, own
            assert b"back" not in answer.body or b"JFIF" in answer.body
    for path in ("/api/nodes", "/api/cameras", "/api/detections", "/api/cameras?match=pi/back"):
        assert b"back" not in street.ask(path, street.viewer).body
    assert street.ask("/metrics", street.viewer).status == 403


def test_a_wall_shows_nothing_of_others(street: Street) -> None:
    with street.undisturbed(), connect(street.wall, additional_headers=street.viewer) as link:
        tiles = [{"tile": n, "camera": name} for n, name in enumerate(("pi/back", "pi/front"))]
        link.send(json.dumps({"type": "show", "tiles": tiles}))
        pictures = told = 0
        for message in itertools.islice(_until_closed(link), 100):
            if isinstance(message, bytes):
                _, _, tile, number = LAYOUT.unpack_from(message)
                assert tile == 1
                frames = [[tile, number, None, None]]
                link.send(json.dumps({"type": "painted", "frames": frames}))
                pictures += 1
            else:
                names = {one["id"] for one in json.loads(message).get("cameras", [])}
                assert names <= {"pi/front"}
                told += 1
            if pictures >= 5 and told >= 2:
                break
        assert pictures >= 5


def test_a_token_that_is_revoked_is_cut_off_and_refused_everywhere(street: Street) -> None:
    fields = bearer(add_token(street.house.state, "leaves", cameras=["pi/front"]))
    street.until(lambda: street.ask("/api/session", fields).status == 200)
    with (
        street.undisturbed(),
        connect(street.wall, additional_headers=fields) as link,
        street.knocking(head("GET", "/mjpeg/pi/front", fields) + b"\r\n") as stream,
    ):
        assert re.search(rb"image/jpeg", stream.recv(65_536) + stream.recv(65_536))
        remove_token(street.house.state, "leaves")
        for _ in _until_closed(link):
            pass
        hung_up(stream)
        for path in ("/api/session", "/snapshot/pi/front.jpg", "/mjpeg/pi/front", "/"):
            answer = street.ask(path, fields)
            assert (answer.status, answer.headers["content-type"]) == (401, PROBLEM)
            assert "revoked" in answer.json["detail"]


def test_a_request_for_another_host_or_from_another_page_is_counted(street: Street) -> None:
    hosts, origins = street.rejected("host", "requests"), street.rejected("origin", "requests")
    with street.knocking(
        b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    ) as link:
        assert hung_up(link).startswith(b"HTTP/1.1 421 ")
    fields = street.administrator | {"Origin": "http://evil.example", "Connection": "close"}
    with street.knocking(head("POST", "/logout", fields) + b"\r\n") as link:
        assert hung_up(link).startswith(b"HTTP/1.1 403 ")
    with street.knocking(head("GET", "/ws/wall", fields | UPGRADE) + b"\r\n") as link:
        assert hung_up(link).startswith(b"HTTP/1.1 403 ")
    assert street.rejected("host", "requests") >= hosts + 1
    assert street.rejected("origin", "requests") >= origins + 2


def test_a_forged_address_of_a_proxy_opens_nothing(street: Street) -> None:
    forged = {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "localhost",
        "X-Real-IP": "127.0.0.1",
        "Forwarded": "for=127.0.0.1;host=localhost",
        "X-Forwarded-User": "admin",
        "Remote-User": "admin",
    }
    assert street.ask("/api/nodes", forged).status == 401
    assert street.ask("/api/keys", street.viewer | forged).status == 403
    assert street.ask("/", street.administrator | {"X-Forwarded-Host": "x.example"}).status == 200
