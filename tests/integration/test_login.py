"""The log-in as strangers, programs and browsers meet it, against a hub as a process."""

from __future__ import annotations

import asyncio
import base64
import http.server
import json
import os
import re
import secrets
import socket
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

import imagezmq
import numpy as np
import pytest
import zmq
from prometheus_client import CollectorRegistry
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from camfleet_hub.demand import Demand
from camfleet_hub.detections import Detections
from camfleet_hub.fleet import Fleet
from camfleet_hub.users import Users
from camfleet_hub.web.access import LOGIN, LOGOUT, OPEN_PATHS
from camfleet_hub.web.app import Hub, create_app
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.cookie import COOKIE
from camfleet_hub.web.login import Login
from camfleet_hub.web.pictures import Pictures

if TYPE_CHECKING:
    from tests.integration.conftest import House, Service, Until

TIMEOUT_S: Final = 30.0
PASSWORD: Final = "a horse, a battery"  # noqa: S105 - of hubs that live for a test
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
PAGE: Final = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FORBIDDEN: Final = 403
# Of the hub: tries of an address at once, when one comes back, and when failed ones are told again.
BURST: Final = 5
AGAIN_S: Final = 10.0
TOLD_S: Final = 10.0


class Answer(NamedTuple):
    """What the hub answered."""

    status: int
    headers: dict[str, str]  # names in small letters
    body: bytes

    @property
    def cookie(self) -> str:
        """What it set the session's cookie to, as a browser sends it back."""
        return self.headers["set-cookie"].partition(";")[0]


class Visitor:
    """Asks a hub over HTTP, with nothing but what a test gives along."""

    def __init__(self, house: House) -> None:
        self.house = house

    @contextmanager
    def asking(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> Iterator[HTTPResponse]:
        port = self.house.ports["WEB"]
        with closing(HTTPConnection(self.house.host, port, timeout=TIMEOUT_S)) as connection:
            connection.request(method, path, body, headers)
            yield connection.getresponse()

    def ask(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Answer:
        with self.asking(method, path, headers or {}, body) as answer:
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())

    def submit(
        self, password: str, *, user: str = "admin", target: str = "/", **headers: str
    ) -> Answer:
        """Send the form, as a browser does."""
        form = urlencode({"user": user, "password": password, "next": target})
        return self.ask(LOGIN, FORM | headers, method="POST", body=form.encode())

    def log_in(self) -> dict[str, str]:
        """The headers of a browser that is logged in."""
        answer = self.submit(PASSWORD)
        assert answer.status == 303, answer
        return {"Cookie": answer.cookie}

    def wall(self, headers: dict[str, str]) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.house.ports['WEB']}/ws/wall"
        return connect(url, additional_headers=headers)

    def refusal(self, headers: dict[str, str]) -> int:
        """The status that the wall's WebSocket is refused with."""
        with pytest.raises(InvalidStatus) as caught, self.wall(headers):
            pass
        return caught.value.response.status_code


def closing_code(link: ClientConnection) -> int:
    """Wait until the hub hangs up."""
    deadline_s = time.monotonic() + TIMEOUT_S
    try:
        while time.monotonic() < deadline_s:
            link.recv(TIMEOUT_S)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006
    raise TimeoutError


def basic(password: str, user: str = "admin") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def address_of(house: House) -> str:
    return f"tcp://127.0.0.1:{house.ports['IMAGEZMQ']}"


class Command:
    """`camfleet-hub` with a command."""

    def __init__(self, house: House) -> None:
        self._house = house

    def __call__(
        self, *arguments: str, given: str = "", settings: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run it; return its exit code, what it said, and what it complained of."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
        done = subprocess.run(
            [sys.executable, "-m", "camfleet_hub", *arguments],
            env=inherited | self._house.settings | (settings or {}),
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr


def start(house: House) -> Service:
    """Start a hub whose password is known."""
    assert Command(house)("password", given=PASSWORD)[0] == 0
    return house.start_hub({"CAMFLEET_HUB_AUTH": "password"})


@pytest.fixture(scope="module")
def open_visitor(build_house: Callable[[str], House]) -> Visitor:
    """Before a hub with a camera, for tests that leave it as it is, and try few passwords."""
    house = build_house("login")
    start(house)
    address = f"tcp://127.0.0.1:{house.ports['IMAGEZMQ']}"
    with closing(imagezmq.ImageSender(connect_to=address)) as sender:
        sender.zmq_socket.setsockopt(zmq.RCVTIMEO, int(TIMEOUT_S * 1000))
        assert sender.send_image("front", np.zeros((48, 64, 3), np.uint8)) == b"OK"
    return Visitor(house)


@pytest.fixture
def visitor(house: House) -> Visitor:
    """Before a hub of its own."""
    start(house)
    return Visitor(house)


# what is closed


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    """Every method and path that the hub's application has, with a camera in it."""
    loop = asyncio.new_event_loop()
    fleet, bell, pictures = Fleet(1), Bell(loop), Pictures(80)
    login = Login(Users(tmp_path_factory.mktemp("state")))
    hub = Hub(
        bulletin=Bulletin("hub", {}, bell),
        fleet=fleet,
        detections=Detections(),
        bell=bell,
        demand=Demand(),
        pictures=pictures,
        registry=CollectorRegistry(),
        viewers_rejected=Counter(),
        problems=list,
        login=login,
    )
    routes: list[Any] = list(create_app(hub).routes)
    pictures.close()
    login.close()
    loop.close()
    found = []
    for route in routes:
        path = route.path.replace("{node}", "imagezmq").replace("{camera}", "front")
        path = re.sub(r"\{\w+(:\w+)?\}", "1", path)
        methods = getattr(route, "methods", None) or {"GET"}
        found += [(method, path) for method in sorted(methods)]
    return found


def test_every_route_but_the_open_ones_is_closed(
    open_visitor: Visitor, routes: list[tuple[str, str]]
) -> None:
    closed = [(method, path) for method, path in routes if path not in OPEN_PATHS]
    paths = {path for _, path in closed}
    assert {"/", "/api/nodes", "/metrics", "/openapi.json", "/static", "/ws/wall"} <= paths
    assert {"/mjpeg/imagezmq/front", "/snapshot/imagezmq/front.jpg"} <= paths
    for method, path in closed:
        answer = open_visitor.ask(path, method=method)
        assert (method, path, answer.status) == (method, path, 401)
        assert answer.headers["www-authenticate"].startswith('Basic realm="camfleet"')
        assert answer.headers["cache-control"] == "no-store"
        assert b"camera" not in answer.body


CLOSED: Final = [
    "/static/wall.js",
    "/static/index.html",
    "/static/login.html",
    "/static/../static/wall.js",
    "/static/wall.css/../wall.js",
    "/static/wall.css%2f..%2fwall.js",
    "/login/../api/nodes",
    "/login/",
    "/login%2f",
    "//login",
    "/healthz/../metrics",
    "/healthz/",
    "/nowhere",
    "/docs",
]


@pytest.mark.parametrize("path", CLOSED)
def test_what_looks_like_an_open_path_is_closed(open_visitor: Visitor, path: str) -> None:
    assert open_visitor.ask(path).status == 401


@pytest.mark.parametrize("path", sorted(OPEN_PATHS - {LOGOUT}))
def test_an_open_path_tells_nothing_of_the_fleet(open_visitor: Visitor, path: str) -> None:
    answer = open_visitor.ask(path)
    assert answer.status == 200
    assert b"front" not in re.findall(rb"\w+", answer.body)


def test_a_person_is_sent_to_the_log_in_and_back(open_visitor: Visitor) -> None:
    answer = open_visitor.ask("/mjpeg/imagezmq/front?x=1&y=%2F", PAGE)
    assert answer.status == 303
    location = answer.headers["location"]
    assert location == "/login?next=/mjpeg/imagezmq/front%3Fx%3D1%26y%3D%252F"
    page = open_visitor.ask(location).body.decode()
    assert 'name="next" value="/mjpeg/imagezmq/front?x=1&amp;y=%2F"' in page
    answer = open_visitor.submit(PASSWORD, target="/mjpeg/imagezmq/front?x=1&y=%2F")
    assert answer.headers["location"] == "/mjpeg/imagezmq/front?x=1&y=%2F"


def test_the_metrics_port_needs_no_log_in(open_visitor: Visitor) -> None:
    answer = open_visitor.house.get("/metrics", "METRICS")
    assert answer.status == 200
    assert b'camfleet_logins_failed_total{reason="wrong"}' in answer.body


def test_the_page_for_the_log_in_runs_one_script_and_takes_nothing_from_elsewhere(
    open_visitor: Visitor,
) -> None:
    answer = open_visitor.ask(LOGIN)
    scripts = re.findall(rb"<script[^>]*>", answer.body)
    assert scripts == [b'<script type="module" src="/static/login.js">']
    assert b"http" not in answer.body
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy


# cookies


def test_a_browser_that_logged_in_gets_everything(open_visitor: Visitor) -> None:
    headers = open_visitor.log_in()
    for path in ("/", "/api/nodes", "/snapshot/imagezmq/front.jpg", "/static/wall.js", "/metrics"):
        assert open_visitor.ask(path, headers).status == 200
    with open_visitor.wall(headers) as link:
        assert json.loads(link.recv(TIMEOUT_S))["type"] == "fleet"
    assert open_visitor.ask(LOGIN, headers).headers["location"] == "/"


def test_the_cookie_is_for_the_hub_alone_and_hidden_from_scripts(open_visitor: Visitor) -> None:
    cookie = open_visitor.submit(PASSWORD).headers["set-cookie"]
    name, *attributes = cookie.lower().split("; ")
    assert len(name) == len(COOKIE) + 1 + 43  # 256 bits in base64
    assert {"httponly", "samesite=lax", "path=/"} <= set(attributes)
    assert "secure" not in attributes
    assert "domain" not in cookie.lower()


def test_behind_a_proxy_for_tls_the_cookie_stays_within_tls(open_visitor: Visitor) -> None:
    headers = {"X-Forwarded-Proto": "https"}
    form = urlencode({"user": "admin", "password": PASSWORD}).encode()
    answer = open_visitor.ask(LOGIN, FORM | headers, method="POST", body=form)
    assert "secure" in answer.headers["set-cookie"].lower().split("; ")


def test_no_two_sessions_have_the_same_cookie(open_visitor: Visitor) -> None:
    assert len({open_visitor.submit(PASSWORD).cookie for _ in range(5)}) == 5


FORGED: Final = {
    "empty": "",
    "nonsense": "x",
    "as long as ours": secrets.token_urlsafe(32),
    "very long": "x" * 5000,
    "quoted": '"\\"',
    "a path": "../../state/users.json",
    "not ASCII": "\u00fc",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_a_forged_cookie_opens_nothing(open_visitor: Visitor, token: str) -> None:
    headers = {"Cookie": f"{COOKIE}={token}"}
    assert open_visitor.ask("/api/nodes", headers).status == 401
    assert open_visitor.ask("/", headers | PAGE).status == 303
    if token.isascii():
        assert open_visitor.refusal(headers) == FORBIDDEN


def test_a_cookie_of_another_case_or_length_opens_nothing(open_visitor: Visitor) -> None:
    cookie = open_visitor.log_in()["Cookie"]
    name, _, token = cookie.partition("=")
    for forged in (token.swapcase(), token[:-1], token + "A", token + "="):
        assert open_visitor.ask("/api/nodes", {"Cookie": f"{name}={forged}"}).status == 401


def test_after_the_log_out_the_cookie_opens_nothing(open_visitor: Visitor) -> None:
    headers, other = open_visitor.log_in(), open_visitor.log_in()
    answer = open_visitor.ask(LOGOUT, headers, method="POST")
    assert (answer.status, answer.headers["location"]) == (303, LOGIN)
    assert "max-age=0" in answer.headers["set-cookie"].lower()
    assert open_visitor.ask("/api/nodes", headers).status == 401
    assert open_visitor.refusal(headers) == FORBIDDEN
    assert open_visitor.ask("/api/nodes", other).status == 200


def test_who_is_logged_in_stays_so_when_the_hub_is_restarted(visitor: Visitor) -> None:
    headers, gone = visitor.log_in(), visitor.log_in()
    house = visitor.house
    assert visitor.ask(LOGOUT, gone, method="POST").status == 303
    house.hub.kill()  # a log-out holds whatever ends the hub
    hub = house.start_hub({"CAMFLEET_HUB_AUTH": "password"})
    assert visitor.ask("/api/nodes", headers).status == 200
    assert visitor.ask("/api/nodes", gone).status == 401
    kept = house.state / "sessions.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    for cookie in (headers, gone):
        assert cookie["Cookie"].partition("=")[2] not in kept.read_text()
    hub.stop()
    assert Command(house)("password", given="another horse, another battery")[0] == 0
    house.start_hub({"CAMFLEET_HUB_AUTH": "password"})
    assert visitor.ask("/api/nodes", headers).status == 401


def test_sessions_that_are_damaged_cost_a_log_in_and_one_warning(visitor: Visitor) -> None:
    headers = visitor.log_in()
    house = visitor.house
    house.hub.stop()
    (house.state / "sessions.json").write_bytes(b"{")
    hub = house.start_hub({"CAMFLEET_HUB_AUTH": "password"})
    assert visitor.ask("/api/nodes", headers).status == 401
    assert hub.said().count("sessions are lost, browsers must log in again") == 1
    assert visitor.ask("/api/nodes", visitor.log_in()).status == 200


def test_the_log_out_ends_what_is_open(open_visitor: Visitor) -> None:
    headers = open_visitor.log_in()
    with (
        open_visitor.wall(headers) as link,
        open_visitor.asking("GET", "/mjpeg/imagezmq/front", headers) as stream,
    ):
        assert stream.readline() == b"--frame\r\n"
        open_visitor.ask(LOGOUT, headers, method="POST")
        stream.read()  # it ends as it should: a stream that is torn raises here
        assert closing_code(link) == 1008
    assert open_visitor.ask(LOGOUT, headers, method="POST").status == 303  # and nothing more


def test_a_log_out_takes_a_post(open_visitor: Visitor) -> None:
    headers = open_visitor.log_in()
    assert open_visitor.ask(LOGOUT, headers).status == 405
    assert open_visitor.ask("/api/nodes", headers).status == 200


# programs


def test_a_program_sends_name_and_password(open_visitor: Visitor) -> None:
    for path in ("/api/nodes", "/snapshot/imagezmq/front.jpg", "/"):
        answer = open_visitor.ask(path, basic(PASSWORD))
        assert answer.status == 200
        assert "set-cookie" not in answer.headers
    with open_visitor.asking("GET", "/mjpeg/imagezmq/front", basic(PASSWORD)) as stream:
        assert stream.readline() == b"--frame\r\n"
    with open_visitor.wall(basic(PASSWORD)) as link:
        assert json.loads(link.recv(TIMEOUT_S))["type"] == "fleet"


NO_CREDENTIALS: Final = {
    "another scheme": "Bearer abc",
    "nothing": "Basic",
    "no base64": "Basic \u00fc\u00fc",
    "not UTF-8": "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
    "no colon": "Basic " + base64.b64encode(b"admin").decode(),
    "too long": "Basic " + base64.b64encode(b"admin:" + b"x" * 5000).decode(),
    "a password too long": "Basic " + base64.b64encode(b"admin:" + b"x" * 500).decode(),
}


@pytest.mark.parametrize("header", NO_CREDENTIALS.values(), ids=NO_CREDENTIALS)
def test_what_is_no_name_and_password_costs_no_try(open_visitor: Visitor, header: str) -> None:
    for _ in range(10):
        headers = {"Authorization": header.encode().decode("latin-1")}
        assert open_visitor.ask("/api/nodes", headers).status == 401


def test_a_name_that_is_nobodys_opens_nothing(visitor: Visitor) -> None:
    begun_s, tries = time.monotonic(), 0
    for user in ("", "root", "ADMIN", "admin\0", "admin "):
        assert visitor.ask("/api/nodes", basic(PASSWORD, user)).status == 401
        tries += 1
    while visitor.submit(PASSWORD, user=f"toor{tries}").status != 429:
        tries += 1
        assert tries <= most_tries(begun_s)  # those were tries, too


def test_many_programs_that_come_at_once_are_one_try(visitor: Visitor) -> None:
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(visitor.ask("/api/nodes", basic(PASSWORD)).status)

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert statuses == [200] * 30


def test_a_program_with_an_old_password_takes_no_tries_from_people(visitor: Visitor) -> None:
    for _ in range(50):
        assert visitor.ask("/api/nodes", basic("the old password")).status == 401
    assert visitor.submit(PASSWORD).status == 303


def test_a_token_opens_its_camera_until_it_is_revoked(visitor: Visitor, until: Until) -> None:
    command = Command(visitor.house)
    code, said, _ = command("token", "frigate", "--cameras", "imagezmq/front")
    assert code == 0
    token = said.strip()
    headers = {"Authorization": f"Bearer {token}"}
    until(lambda: visitor.ask("/api/nodes", headers).status == 200)
    assert visitor.ask("/metrics", headers).status == FORBIDDEN
    with closing(imagezmq.ImageSender(connect_to=address_of(visitor.house))) as sender:
        sender.zmq_socket.setsockopt(zmq.RCVTIMEO, int(TIMEOUT_S * 1000))
        for name in ("front", "back"):
            assert sender.send_image(name, np.zeros((48, 64, 3), np.uint8)) == b"OK"
    assert visitor.ask("/snapshot/imagezmq/back.jpg", headers).status == 404
    with visitor.asking("GET", "/mjpeg/imagezmq/front", basic(token, "token")) as stream:
        assert stream.readline() == b"--frame\r\n"
        assert command("revoke-token", "frigate")[0] == 0
        stream.read()  # it ends as it should: a stream that is torn raises here
    assert visitor.ask("/api/nodes", headers).status == 401
    told = visitor.house.get("/metrics", "METRICS").body
    assert b'camfleet_logins_failed_total{reason="revoked_token"} 1.0' in told
    assert token not in visitor.house.hub.said()


# pages from elsewhere


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://[", "http://127.0.0.1:1"]
)
def test_a_page_from_elsewhere_can_neither_log_in_nor_out(
    open_visitor: Visitor, origin: str
) -> None:
    headers = open_visitor.log_in()
    assert open_visitor.submit(PASSWORD, Origin=origin).status == FORBIDDEN
    answer = open_visitor.ask(LOGOUT, headers | {"Origin": origin}, method="POST")
    assert answer.status == FORBIDDEN
    assert open_visitor.ask("/api/nodes", headers).status == 200


def test_a_page_of_the_hub_can_log_in(open_visitor: Visitor) -> None:
    origin = f"http://127.0.0.1:{open_visitor.house.ports['WEB']}"
    assert open_visitor.submit(PASSWORD, Origin=origin).status == 303


ELSEWHERE: Final = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    "https://evil.example/",
    "evil.example",
    "javascript:alert(1)",
    "/\u2044/evil.example",
    "",
    "/" + "x" * 5000,
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_a_log_in_never_leads_elsewhere(open_visitor: Visitor, target: str) -> None:
    if len(target) < 4000:
        answer = open_visitor.submit(PASSWORD, target=target)
        assert (answer.status, answer.headers["location"]) == (303, "/")
    page = open_visitor.ask(f"{LOGIN}?{urlencode({'next': target})}").body.decode()
    assert 'name="next" value="/"' in page


def test_markup_in_the_form_is_shown_as_text(open_visitor: Visitor) -> None:
    markup = '"><script>alert(1)</script>'
    for body in (
        open_visitor.ask(f"{LOGIN}?{urlencode({'next': '/' + markup})}").body,
        open_visitor.submit("", user=markup).body,
    ):
        assert markup.encode() not in body
        assert b"<script>" not in body


# forms that are none


BAD_FORMS: Final = {
    "JSON": ({"Content-Type": "application/json"}, b"{}", 415),
    "no type": ({}, b"user=admin", 415),
    "too large": (FORM, b"user=" + b"x" * 5000, 413),
    "too many fields": (FORM, b"a=1&" * 50, 400),
    "not UTF-8": (FORM, b"user=\xff", 400),
}


@pytest.mark.parametrize(("headers", "body", "status"), BAD_FORMS.values(), ids=BAD_FORMS)
def test_a_form_that_is_none_is_refused(
    open_visitor: Visitor, headers: dict[str, str], body: bytes, status: int
) -> None:
    assert open_visitor.ask(LOGIN, headers, method="POST", body=body).status == status


# guessing


def most_tries(begun_s: float) -> float:
    """How many there may have been since then, on a machine that takes its time for each."""
    return BURST + (time.monotonic() - begun_s) / AGAIN_S


def test_who_guesses_is_told_to_wait_and_others_are_served(visitor: Visitor) -> None:
    headers = visitor.log_in()
    begun_s, tries = time.monotonic(), 0
    while (last := visitor.submit(f"guess number {tries}")).status == FORBIDDEN:
        tries += 1
        assert tries <= most_tries(begun_s)
    assert tries >= BURST
    assert last.status == 429
    assert 1 <= int(last.headers["retry-after"]) <= AGAIN_S
    assert b"Too many tries" in last.body
    while (program := visitor.ask("/api/nodes", basic(f"guess {tries}"))).status == 401:
        tries += 1
        assert tries <= most_tries(begun_s)
    assert program.status == 429
    assert int(program.headers["retry-after"]) >= 1
    assert visitor.ask("/api/nodes", headers).status == 200
    with visitor.wall(headers) as link:
        assert json.loads(link.recv(TIMEOUT_S))["type"] == "fleet"


def test_guesses_are_counted_and_told_in_few_lines(visitor: Visitor, until: Until) -> None:
    house, begun_s = visitor.house, time.monotonic()
    for n in range(40):
        visitor.submit(f"guess number {n}")
    text = house.get("/metrics", "METRICS").body.decode()
    counts = dict(re.findall(r'camfleet_logins_failed_total\{reason="(\w+)"\} ([\d.]+)', text))
    assert float(counts["wrong"]) >= BURST
    assert float(counts["wrong"]) + float(counts["too_many"]) == 40
    until(lambda: "log-ins failed" in house.hub.said(), house.hub.said)
    lines = [line for line in house.hub.said().splitlines() if "log-ins failed" in line]
    assert len(lines) <= 1 + (time.monotonic() - begun_s) / TOLD_S
    assert json.loads(lines[0])["last_from"] == "127.0.0.1"
    assert "guess number" not in house.hub.said()


# the password


def first_password(service: Service) -> list[str]:
    lines = [line for line in service.said().splitlines() if "first password" in line]
    return [json.loads(line)["password"] for line in lines]


@pytest.mark.parametrize("level", ["INFO", "ERROR"])
def test_the_first_password_is_in_the_log_once_and_opens(
    house: House, until: Until, level: str
) -> None:
    settings = {"CAMFLEET_HUB_AUTH": "password", "CAMFLEET_HUB_LOG_LEVEL": level}
    hub = house.start_hub(settings)
    (password,) = first_password(hub)
    assert Visitor(house).ask("/api/nodes", basic(password)).status == 200
    assert stat.S_IMODE((house.state / "users.json").stat().st_mode) == 0o600
    hub.stop()
    house.start_hub(settings)
    assert first_password(house.hub) == []
    until(lambda: Visitor(house).ask("/api/nodes", basic(password)).status == 200)


def test_a_hub_without_log_in_makes_no_password_and_warns(house: House) -> None:
    house.start_hub()
    assert not (house.state / "users.json").exists()
    assert "no log-in: whoever reaches the wall may watch" in house.hub.said()
    assert Visitor(house).ask(LOGIN).status == 404
    assert b'<form id="logout" hidden' in Visitor(house).ask("/").body


def test_another_password_ends_every_session(visitor: Visitor, until: Until) -> None:
    headers = visitor.log_in()
    command = Command(visitor.house)
    with visitor.wall(headers) as browser, visitor.wall(basic(PASSWORD)) as program:
        code, said, complained = command("password", "--generate")
        assert code == 0
        assert complained == "admin has another password; who was logged in must log in again\n"
        for link in (browser, program):
            assert closing_code(link) == 1008
    assert visitor.ask("/api/nodes", headers).status == 401
    assert visitor.ask("/api/nodes", basic(PASSWORD)).status == 401
    password = said.strip()
    until(lambda: visitor.ask("/api/nodes", basic(password)).status == 200)
    assert password not in visitor.house.hub.said()


@pytest.mark.parametrize("words", [("password", "--generate"), ("token", "bell"), ("tokens",)])
def test_a_command_for_a_hub_that_never_ran_says_so(house: House, words: tuple[str, ...]) -> None:
    code, _, complained = Command(house)(*words)
    assert code == 0
    assert f"found no hub's state in {house.state}" in complained
    assert Command(house)("password", given=PASSWORD)[0] == 0
    _, _, complained = Command(house)("tokens")
    assert complained == ""


def test_a_password_that_was_wrong_before_may_be_the_right_one_later(
    visitor: Visitor, until: Until
) -> None:
    assert visitor.ask("/api/nodes", basic("the next password")).status == 401
    Command(visitor.house)("password", given="the next password\n")
    until(lambda: visitor.ask("/api/nodes", basic("the next password")).status == 200)


def test_a_bad_password_is_told_and_changes_nothing(visitor: Visitor) -> None:
    for given, says in (("short\n", "5 characters, want 12 or more"), ("", "0 characters")):
        code, said, complained = Command(visitor.house)("password", given=given)
        assert (code, said) == (1, "")
        assert complained.startswith("camfleet-hub password: password has ")
        assert says in complained
    assert visitor.submit(PASSWORD).status == 303


def test_users_that_are_damaged_while_it_runs_change_nothing(
    visitor: Visitor, until: Until
) -> None:
    path = visitor.house.state / "users.json"
    whole = path.read_bytes()
    headers = visitor.log_in()
    path.write_bytes(whole[:20])
    until(lambda: "users cannot be read, the old ones hold" in visitor.house.hub.said())
    assert visitor.ask("/api/nodes", headers).status == 200
    assert visitor.submit(PASSWORD).status == 303


def test_users_that_are_damaged_at_the_start_end_it_and_name_the_setting(house: House) -> None:
    Command(house)("password", given=PASSWORD)
    (house.state / "users.json").write_bytes(b"{")
    (house.state / "users.json").chmod(0o600)
    hub = house.run(
        ["-m", "camfleet_hub"], house.settings | {"CAMFLEET_HUB_AUTH": "password"}, "hub"
    )
    assert hub.process.wait(TIMEOUT_S) == 2
    assert hub.said().splitlines()[-1].startswith("setting CAMFLEET_HUB_STATE: ")
    assert "users.json is damaged" in hub.said()


# health


class Fixed(http.server.BaseHTTPRequestHandler):
    """Answers as a hub with a problem."""

    def do_GET(self) -> None:
        body = b'{"status": "failing", "problems": ["one thing", "another"]}'
        self.send_response(503)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_hub_that_is_healthy_is_found_so_whatever_the_log_in(
    visitor: Visitor, until: Until
) -> None:
    command = Command(visitor.house)
    for bind in ("127.0.0.1", "0.0.0.0"):
        settings = {"CAMFLEET_HUB_BIND": bind}  # it waits for 3 s only
        until(lambda: command("health", settings=settings) == (0, "", ""))  # noqa: B023 - used at once


def test_a_hub_that_is_not_there_is_not_healthy(house: House) -> None:
    code, said, complained = Command(house)("health")
    assert (code, said) == (1, "")
    port = house.ports["WEB"]
    assert complained == (
        f"camfleet-hub health: 127.0.0.1 port {port}: Connection refused, want a hub's answer\n"
    )
    assert not house.state.exists()


def test_the_problems_of_a_hub_are_told(house: House, until: Until) -> None:
    address = "127.0.0.1", house.ports["WEB"]
    with http.server.ThreadingHTTPServer(address, Fixed) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        told = 1, "", "camfleet-hub health: one thing; another\n"
        try:
            until(lambda: Command(house)("health") == told)  # it waits for 3 s only
        finally:
            server.shutdown()
            thread.join()


def test_a_hub_that_does_not_answer_is_not_healthy(house: House) -> None:
    with ExitStack() as stack:
        stack.enter_context(socket.create_server(("127.0.0.1", house.ports["WEB"])))
        code, _, complained = Command(house)("health")
    assert code == 1
    assert complained.count("\n") == 1
    assert "want a hub's answer" in complained


# a run


def test_a_run_that_is_open_to_the_network_tells_the_first_password(
    house: House, until: Until, tmp_path: Path
) -> None:
    script = str(Path(__file__).parents[2] / "deploy" / "local" / "run.py")
    logs = tmp_path / "logs"
    settings = house.settings | {"CAMFLEET_RUN_LOGS": str(logs), "CAMFLEET_HUB_AUTH": "password"}
    service = house.run([script, "--cameras", "1"], settings, "run")
    until(lambda: "1 of 1 cameras online" in service.said(), service.said)
    (password,) = re.findall(r"log-in +admin, first password (\S+)\n", service.said())
    assert Visitor(house).ask("/api/nodes", basic(password)).status == 200
    assert stat.S_IMODE((logs / "hub.log").stat().st_mode) == 0o600
    service.stop(2)
    again = house.run([script, "--cameras", "0"], settings, "again")
    until(lambda: "Ctrl-C stops everything" in again.said(), again.said)
    assert "admin, with the password that you know" in again.said()
    assert password not in again.said()
