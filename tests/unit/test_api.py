"""The API in one event loop: what it tells, what it changes, what it refuses, and to whom."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse
from tests.unit.asgi import Client

from camfleet.keyring import Keyring
from camfleet.keys import Role as KeyRole
from camfleet_hub.demand import Demand
from camfleet_hub.detections import Detections
from camfleet_hub.enrolment import RESERVED, Enrolment
from camfleet_hub.permission import Role
from camfleet_hub.tokens import Tokens, add_token, list_tokens
from camfleet_hub.users import Users, list_users
from camfleet_hub.web.api import pictures as snapshots
from camfleet_hub.web.api.document import operations
from camfleet_hub.web.api.page import curl
from camfleet_hub.web.app import Hub, create_app
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.body import MOST_BODY_BYTES
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.host import HostCheck
from camfleet_hub.web.login import Login
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.problems import Problems

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.unit.asgi import Answer
    from tests.unit.conftest import Feed

pytestmark = pytest.mark.anyio
PROBLEM: Final = "application/problem+json"
JSON: Final = {"Content-Type": "application/json"}
PAGE: Final = {"Accept": "text/html,*/*"}
TIMEOUT_S: Final = 30.0
SECOND_NS: Final = 1_000_000_000
# Served beside the API: pages for people, and what they are made of.
PAGES: Final = {
    "/",
    "/api",
    "/login",
    "/logout",
    "/node/{node}",
    "/openapi.json",
    "/password",
    "/static",
    "/ws/wall",
}


class Desk:
    """A hub's web application, and those who ask it."""

    def __init__(self, feed: Feed, state: Path) -> None:
        loop = asyncio.get_running_loop()
        self.feed = feed
        self.state = state
        self.demand = Demand()
        self.wanted: list[tuple[str, str]] = []
        self.is_wanted = asyncio.Event()
        self.demand.on_want = self._want
        bell = Bell(loop)
        feed.fleet.listeners = (bell.ring,)
        self.keyring = Keyring(state, reserved=RESERVED)
        self.administrator = self._let_in("rules", role=Role.ADMINISTRATOR)
        self.viewer = self._let_in("looks", cameras=["garden/*"])
        self.login = Login(Users(state), Tokens(state))
        self.pictures = Pictures(80)
        self.problems: list[str] = []
        self.hub = Hub(
            bulletin=Bulletin("hub", {}, bell),
            fleet=feed.fleet,
            detections=Detections(),
            bell=bell,
            demand=self.demand,
            pictures=self.pictures,
            registry=CollectorRegistry(),
            viewers_rejected=Counter(),
            problems=lambda: self.problems,
            login=self.login,
            enrolment=Enrolment(self.keyring, 5556, 5557),
            state=state,
        )
        self.app = create_app(self.hub)
        self._client = Client(Problems(HostCheck(self.app)))

    def _want(self, node: str, stream: str) -> None:
        self.wanted.append((node, stream))
        self.is_wanted.set()

    def _let_in(self, name: str, **rights: Any) -> dict[str, str]:  # noqa: ANN401 - as add_token's
        token = add_token(self.state, name, **rights)
        return {"Authorization": f"Bearer {token}"}

    async def ask(
        self,
        path: str,
        headers: dict[str, str] | None = None,
        *,
        method: str = "GET",
        body: object = None,
    ) -> Answer:
        """Ask as the administrator, unless others are said."""
        content = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        fields = self.administrator if headers is None else headers
        if body is not None and "Content-Type" not in fields:
            fields = fields | JSON
        return await self._client.ask(path, fields, method=method, body=content)


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


@pytest.fixture
async def desk(feed: Feed, tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(feed, tmp_path / "state")
    for node in ("attic", "garden", "hall"):
        feed.hello(node, "pond/main", "gate/main")
        feed.send("pond/main", node=node, latency_ms=20)
    yield made
    made.login.close()
    made.pictures.close()


def is_problem(answer: Answer, status: int) -> dict[str, Any]:
    """See that it is one, and return it."""
    assert (answer.status, answer.header("content-type")) == (status, PROBLEM), answer
    found: dict[str, Any] = answer.json
    assert (found["type"], found["status"]) == ("about:blank", status)
    assert found["title"]
    assert found["detail"]
    return found


# the fleet


async def test_nodes_come_in_pages_by_name(desk: Desk) -> None:
    first = (await desk.ask("/api/nodes?limit=2")).json
    assert [node["name"] for node in first["nodes"]] == ["attic", "garden"]
    assert first["after"] == "garden"
    last = (await desk.ask("/api/nodes?limit=2&after=garden")).json
    assert [node["name"] for node in last["nodes"]] == ["hall"]
    assert last["after"] is None


async def test_a_page_goes_on_where_its_last_name_is_gone(desk: Desk) -> None:
    page = (await desk.ask("/api/nodes?after=barn")).json
    assert [node["name"] for node in page["nodes"]] == ["garden", "hall"]
    assert (await desk.ask("/api/nodes?after=zoo")).json == {"nodes": [], "after": None}


async def test_cameras_are_found_by_pattern_and_state(desk: Desk) -> None:
    async def ids(query: str) -> list[str]:
        found = (await desk.ask(f"/api/cameras?{query}")).json["cameras"]
        return [camera["id"] for camera in found]

    assert await ids("match=*/pond") == ["attic/pond", "garden/pond", "hall/pond"]
    assert await ids("match=g*/g?te") == ["garden/gate"]
    assert await ids("state=online") == ["attic/pond", "garden/pond", "hall/pond"]
    assert await ids("match=*&limit=1&after=garden/gate") == ["garden/pond"]


async def test_one_node_and_one_camera_have_a_path_of_their_own(desk: Desk) -> None:
    node = (await desk.ask("/api/nodes/garden")).json
    assert [camera["camera"] for camera in node["cameras"]] == ["gate", "pond"]
    camera = (await desk.ask("/api/cameras/garden/pond")).json
    assert (camera["id"], camera["received"]) == ("garden/pond", 1)


async def test_a_viewer_is_told_of_its_own_cameras_alone(desk: Desk) -> None:
    nodes = (await desk.ask("/api/nodes", desk.viewer)).json["nodes"]
    assert [node["name"] for node in nodes] == ["garden"]
    cameras = (await desk.ask("/api/cameras", desk.viewer)).json["cameras"]
    assert {camera["node"] for camera in cameras} == {"garden"}
    for path in ("/api/nodes/hall", "/api/cameras/hall/pond", "/snapshot/hall/pond.jpg"):
        theirs = is_problem(await desk.ask(path, desk.viewer), 404)
        nobodys = is_problem(await desk.ask(path.replace("hall", "nope"), desk.viewer), 404)
        assert theirs["detail"].replace("hall", "nope") == nobodys["detail"]
    is_problem(await desk.ask("/mjpeg/hall/pond", desk.viewer), 404)


async def test_a_session_says_who_asks_and_what_they_see(desk: Desk) -> None:
    assert (await desk.ask("/api/session")).json == {
        "name": "rules",
        "role": "administrator",
        "cameras": ["*"],
        "sees_everything": True,
        "has_login": True,
    }
    session = (await desk.ask("/api/session", desk.viewer)).json
    assert (session["role"], session["cameras"]) == ("viewer", ["garden/*"])


# snapshots


async def test_a_snapshot_says_when_it_was_captured(desk: Desk) -> None:
    desk.feed.clock.advance(0.25)
    answer = await desk.ask("/snapshot/garden/pond.jpg")
    assert (answer.status, answer.header("content-type")) == (200, "image/jpeg")
    assert answer.header("camfleet-age-ms") == "270"
    assert answer.header("camfleet-uncertainty-ms") == "1.00"
    assert answer.header("camfleet-captured-at").endswith("Z")
    assert answer.header("last-modified").endswith(" GMT")
    assert answer.header("cache-control") == "no-store"


async def test_a_snapshot_waits_for_the_picture_that_it_asks_the_node_for(desk: Desk) -> None:
    desk.feed.clock.advance(5)
    desk.feed.heartbeat("garden")
    asking = asyncio.create_task(desk.ask("/snapshot/garden/pond.jpg"))
    async with asyncio.timeout(TIMEOUT_S):
        await desk.is_wanted.wait()
    assert desk.wanted == [("garden", "pond/main")]
    assert not asking.done()
    desk.feed.send("pond/main", node="garden", latency_ms=20)
    answer = await asking
    assert answer.header("camfleet-age-ms") == "20"


async def test_a_snapshot_that_may_be_old_asks_nobody(desk: Desk) -> None:
    desk.feed.clock.advance(5)
    desk.feed.heartbeat("garden")
    answer = await desk.ask("/snapshot/garden/pond.jpg?max_age_ms=60000")
    assert answer.header("camfleet-age-ms") == "5020"


async def test_a_snapshot_of_who_does_not_answer_is_the_last_picture(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "WAIT_S", 0.05)
    desk.feed.clock.advance(5)
    desk.feed.heartbeat("garden")
    answer = await desk.ask("/snapshot/garden/pond.jpg")
    assert answer.status == 200
    assert answer.header("camfleet-age-ms") == "5020"
    is_problem(await desk.ask("/snapshot/garden/gate.jpg"), 404)


async def test_a_snapshot_of_who_is_gone_is_not_waited_for(desk: Desk) -> None:
    desk.feed.clock.advance(600)
    async with asyncio.timeout(snapshots.WAIT_S):
        answer = await desk.ask("/snapshot/garden/pond.jpg")
    assert answer.header("camfleet-age-ms") == "600020"


# keys


async def test_who_is_enrolled_gets_a_bundle_once(desk: Desk) -> None:
    body = {"name": "shed", "address": "display.local"}
    answer = await desk.ask("/api/keys", method="POST", body=body)
    assert (answer.status, answer.header("cache-control")) == (201, "no-store")
    bundle = answer.json
    assert bundle["address"] == "tcp://display.local:5556"
    assert bundle["hub_key"] == desk.keyring.hub_keys.public
    (listed,) = (await desk.ask("/api/keys")).json["keys"]
    assert (listed["name"], listed["role"]) == ("shed", "node")
    assert listed["key"] == bundle["public_key"]
    assert bundle["secret_key"] not in json.dumps(listed)
    assert desk.keyring.find(bundle["public_key"], KeyRole.NODE) == "shed"


async def test_a_subscriber_finds_its_own_port_and_reads_its_own_cameras(desk: Desk) -> None:
    body = {"name": "reader", "role": "subscriber", "address": "::1", "cameras": ["garden/*"]}
    answer = await desk.ask("/api/keys", method="POST", body=body)
    assert answer.json["address"] == "tcp://[::1]:5557"
    entry = desk.keyring.entry("reader")
    assert entry is not None
    assert entry.cameras == ("garden/*",)


async def test_a_name_that_is_taken_gets_new_keys_only_with_replace(desk: Desk) -> None:
    body = {"name": "shed", "address": "hub"}
    first = (await desk.ask("/api/keys", method="POST", body=body)).json
    is_problem(await desk.ask("/api/keys", method="POST", body=body), 409)
    again = await desk.ask("/api/keys", method="POST", body=body | {"replace": True})
    assert again.status == 201
    assert again.json["public_key"] != first["public_key"]
    own = {"name": "imagezmq", "address": "hub", "replace": True}
    is_problem(await desk.ask("/api/keys", method="POST", body=own), 409)


async def test_who_is_revoked_is_enrolled_no_more(desk: Desk) -> None:
    is_problem(await desk.ask("/api/keys/shed", method="DELETE"), 404)
    await desk.ask("/api/keys", method="POST", body={"name": "shed", "address": "hub"})
    assert (await desk.ask("/api/keys/shed", method="DELETE")).status == 204
    assert desk.keyring.entries() == []
    assert "shed" in desk.keyring.refresh()  # so that a connection of it is cut


async def test_a_damaged_keyring_is_told_and_changes_nothing(desk: Desk) -> None:
    (desk.state / "enrolled.json").write_text("{")
    body = {"name": "shed", "address": "hub"}
    problem = is_problem(await desk.ask("/api/keys", method="POST", body=body), 503)
    assert "damaged" in problem["detail"]
    is_problem(await desk.ask("/api/keys/shed", method="DELETE"), 503)


async def test_a_plain_hub_has_no_keys(desk: Desk) -> None:
    plain = Client(create_app(replace(desk.hub, enrolment=None)))
    is_problem(await plain.ask("/api/keys", desk.administrator), 409)


# users and tokens


async def test_a_user_gets_a_password_that_is_told_once(desk: Desk) -> None:
    body = {"name": "guest", "cameras": ["garden/*"]}
    answer = await desk.ask("/api/users", method="POST", body=body)
    assert (answer.status, answer.header("cache-control")) == (201, "no-store")
    password = answer.json["password"]
    users = {user.name: user for user in list_users(desk.state)}
    assert users["guest"].cameras == ("garden/*",)
    listed = (await desk.ask("/api/users")).json
    assert [user["name"] for user in listed["users"]] == ["admin", "guest"]
    assert password not in json.dumps(listed)


async def test_a_user_who_is_there_is_changed_only_with_replace(desk: Desk) -> None:
    body = {"name": "guest", "password": "correct horse battery"}
    assert (await desk.ask("/api/users", method="POST", body=body)).json["password"] is None
    is_problem(await desk.ask("/api/users", method="POST", body=body), 409)
    change = {"name": "guest", "cameras": ["hall/*"], "replace": True}
    changed = (await desk.ask("/api/users", method="POST", body=change)).json
    assert (changed["cameras"], changed["role"]) == (["hall/*"], "viewer")
    assert changed["password"] is None


async def test_the_last_administrator_stays(desk: Desk) -> None:
    problem = is_problem(await desk.ask("/api/users/admin", method="DELETE"), 409)
    assert "last administrator" in problem["detail"]
    is_problem(await desk.ask("/api/users/nobody", method="DELETE"), 404)
    await desk.ask("/api/users", method="POST", body={"name": "guest"})
    assert (await desk.ask("/api/users/guest", method="DELETE")).status == 204
    assert [user.name for user in list_users(desk.state)] == ["admin"]


async def test_a_token_is_shown_once_and_opens_what_it_is_for(desk: Desk) -> None:
    body = {"name": "bell", "cameras": ["hall/*"], "expires_at": "2999-01-01T00:00:00Z"}
    answer = await desk.ask("/api/tokens", method="POST", body=body)
    assert (answer.status, answer.header("cache-control")) == (201, "no-store")
    names = {token.name: token for token in list_tokens(desk.state)}
    assert names["bell"].cameras == ("hall/*",)
    is_problem(await desk.ask("/api/tokens", method="POST", body=body), 409)
    listed = (await desk.ask("/api/tokens")).json
    assert answer.json["token"] not in json.dumps(listed)
    assert (await desk.ask("/api/tokens/bell", method="DELETE")).status == 204
    is_problem(await desk.ask("/api/tokens/bell", method="DELETE"), 404)


async def test_a_token_that_would_be_over_already_is_refused(desk: Desk) -> None:
    body = {"name": "bell", "expires_at": "2001-01-01T00:00:00Z"}
    is_problem(await desk.ask("/api/tokens", method="POST", body=body), 409)
    body["expires_at"] = "2999-01-01T00:00:00"
    is_problem(await desk.ask("/api/tokens", method="POST", body=body), 422)


CHANGES: Final = [
    ("GET", "/api/keys"),
    ("POST", "/api/keys"),
    ("DELETE", "/api/keys/shed"),
    ("GET", "/api/users"),
    ("POST", "/api/users"),
    ("DELETE", "/api/users/admin"),
    ("GET", "/api/tokens"),
    ("POST", "/api/tokens"),
    ("DELETE", "/api/tokens/rules"),
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_only_an_administrator_changes_who_comes_in(
    desk: Desk, method: str, path: str
) -> None:
    body = {"name": "shed", "address": "hub"} if method == "POST" else None
    is_problem(await desk.ask(path, desk.viewer, method=method, body=body), 403)
    is_problem(await desk.ask(path, {}, method=method, body=body), 401)
    open_app = create_app(replace(desk.hub, login=None, state=None))
    content = _json(body) if body else b""
    answer = await Client(open_app).ask(path, dict(JSON), method=method, body=content)
    is_problem(answer, 403)
    assert [user.name for user in list_users(desk.state)] == ["admin"]
    assert {token.name for token in list_tokens(desk.state)} == {"looks", "rules"}


# problems


BAD_BODIES: Final = {
    "no JSON": (b"name=shed", "the body is no JSON"),
    "cut off": (b'{"name": "shed"', "the body is no JSON"),
    "a list": (b"[]", "the body is [], want"),
    "nothing": (b"{}", "name is missing; address is missing"),
    "a name of another type": (b'{"name": 7, "address": "hub"}', "name is 7, want a valid string"),
    "a path for a name": (b'{"name": "../x", "address": "hub"}', "looks like a path"),
    "half a character": (rb'{"name": "\ud800", "address": "hub"}', "name is '\\ud800', want"),
    "a port": (b'{"name": "shed", "address": "hub:1"}', "found 'hub:1', want a host's name"),
    "a field too many": (b'{"name": "shed", "address": "hub", "x": 1}', "x is not known here"),
    "a role": (b'{"name": "shed", "address": "hub", "role": "king"}', "role is 'king', want"),
    "cameras of a node": (
        b'{"name": "shed", "address": "hub", "cameras": ["*"]}',
        "cameras are for a subscriber alone",
    ),
    "a pattern that is none": (
        b'{"name": "me", "role": "subscriber", "address": "display", "cameras": ["garden"]}',
        "cameras[0] is 'garden', want NODE/CAMERA, for example garden/*",
    ),
}


@pytest.mark.parametrize(("body", "said"), BAD_BODIES.values(), ids=BAD_BODIES)
async def test_a_bad_body_is_told_what_was_found_and_wanted(
    desk: Desk, body: bytes, said: str
) -> None:
    problem = is_problem(await desk.ask("/api/keys", method="POST", body=body), 422)
    assert said in problem["detail"]
    assert all(one["place"] == "body" for one in problem["errors"])
    assert desk.keyring.entries() == []


@pytest.mark.parametrize("body", [b"\xff\xfe", b"[" * 10_000])
async def test_a_body_that_cannot_be_read_is_refused(desk: Desk, body: bytes) -> None:
    answer = await desk.ask("/api/keys", method="POST", body=body)
    is_problem(answer, answer.status)
    assert answer.status in {400, 422}


async def test_a_password_that_is_refused_is_not_repeated(desk: Desk) -> None:
    for password in ("secret pw", "x" * 300, "secret\u0007secret", 712345678901234):
        body = {"name": "guest", "password": password}
        answer = await desk.ask("/api/users", method="POST", body=body)
        is_problem(answer, 422)
        assert str(password)[:8].encode() not in answer.body


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"]
)
async def test_what_a_form_of_another_page_can_send_is_refused(desk: Desk, kind: str) -> None:
    body = _json({"name": "shed", "address": "hub"})
    fields = desk.administrator | {"Content-Type": kind}
    for path in ("/api/keys", "/api/users", "/api/tokens"):
        answer = await desk.ask(path, fields, method="POST", body=body)
        assert "want application/json" in is_problem(answer, 415)["detail"]


async def test_a_page_from_elsewhere_changes_nothing(desk: Desk) -> None:
    fields = desk.administrator | {"Origin": "http://elsewhere.example"}
    for method, path in CHANGES:
        if method != "GET":
            is_problem(await desk.ask(path, fields, method=method, body={"name": "x"}), 403)


async def test_a_body_that_is_too_large_is_refused(desk: Desk) -> None:
    body = b" " * (MOST_BODY_BYTES + 1)
    is_problem(await desk.ask("/api/keys", method="POST", body=body), 413)


async def test_parameters_are_told_what_was_found_and_wanted(desk: Desk) -> None:
    problem = is_problem(await desk.ask("/api/nodes?limit=0"), 422)
    (error,) = problem["errors"]
    assert (error["place"], error["name"]) == ("query", "limit")
    assert error["detail"] == "limit is '0', want greater than or equal to 1"
    for path in ("/api/cameras?match=a/b/c", "/api/nodes?limit=x", "/api/cameras?state=on"):
        is_problem(await desk.ask(path), 422)


async def test_every_other_refusal_is_a_problem_too(desk: Desk) -> None:
    assert "nothing at '/nowhere'" in is_problem(await desk.ask("/nowhere"), 404)["detail"]
    is_problem(await desk.ask("/static/nothing.js"), 404)
    answer = await desk.ask("/api/nodes", method="PUT")
    assert is_problem(answer, 405)["detail"] == "method is PUT, want GET"
    assert answer.header("allow") == "GET"
    answer = await desk.ask("/api/nodes", {})
    is_problem(answer, 401)
    assert answer.header("www-authenticate").startswith("Basic ")
    is_problem(await desk.ask("/api/nodes", {"host": "elsewhere.example"}), 421)


async def test_too_many_tries_are_a_problem_that_says_how_long_to_wait(desk: Desk) -> None:
    answers = [
        await desk.ask("/api/nodes", {"Authorization": f"Bearer camfleet_{n}"}) for n in range(40)
    ]
    is_problem(answers[0], 401)
    is_problem(answers[-1], 429)
    assert int(answers[-1].header("retry-after")) >= 1


async def test_a_fault_of_the_hub_tells_nothing_of_its_inside(desk: Desk) -> None:
    app = create_app(replace(desk.hub, problems=lambda: _fail("secret inside")))
    exchange = Client(Problems(app)).open("/healthz")
    answer = await exchange.answer()
    problem = is_problem(answer, 500)
    assert "secret" not in json.dumps(problem)
    with pytest.raises(RuntimeError, match="secret inside"):  # for the log
        await exchange.task


def _fail(text: str) -> list[str]:
    raise RuntimeError(text)


async def test_a_person_gets_a_page_and_never_markup_of_a_stranger(desk: Desk) -> None:
    answer = await desk.ask("/<script>", desk.administrator | PAGE)
    assert answer.status == 404
    assert answer.header("content-type").startswith("text/html")
    assert b"404 Not Found" in answer.body
    assert b"<script" not in answer.body
    answer = await desk.ask("/", PAGE | {"host": "<script>.example"})
    assert answer.status == 421
    assert b"<script" not in answer.body


async def test_an_error_in_plain_text_of_any_application_becomes_a_problem() -> None:
    app = Problems(PlainTextResponse("x" * 10_000, 503, headers={"Retry-After": "3"}))
    answer = await Client(app).ask("/")
    assert len(is_problem(answer, 503)["detail"]) < 5000
    assert answer.header("retry-after") == "3"
    fine = await Client(Problems(PlainTextResponse("fine"))).ask("/")
    assert (fine.status, fine.body) == (200, b"fine")


async def test_health_says_what_is_wrong_in_its_own_words(desk: Desk) -> None:
    assert (await desk.ask("/healthz", {})).json == {"status": "ok", "problems": []}
    desk.problems = ["the nodes port's thread is stuck or dead"]
    answer = await desk.ask("/healthz", {})
    assert (answer.status, answer.json["status"]) == (503, "failing")


# the document


def served(app: FastAPI) -> set[tuple[str, str]]:
    """Every path and method of the application but its pages."""
    found = set()
    for route in app.routes:
        path = getattr(route, "path", "")
        if path in PAGES:
            continue
        assert path, f"{route} has no path: want it among the documented or in PAGES"
        methods = getattr(route, "methods", None) or {"GET"}
        found |= {(path, method.lower()) for method in methods - {"HEAD"}}
    return found


async def test_the_document_has_what_is_served_and_nothing_else(desk: Desk) -> None:
    document = desk.app.openapi()
    documented = {(path, method) for path, method, _ in operations(document)}
    assert documented == served(desk.app)


async def test_the_short_form_in_the_docs_has_every_route(desk: Desk) -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
    told = set(re.findall(r"^\| `(\w+) (/\S+)` \|", text, re.MULTILINE))
    wanted = {(method.upper(), path) for path, method, _ in operations(desk.app.openapi())}
    assert told == wanted


async def test_every_operation_says_what_it_needs_and_answers(desk: Desk) -> None:
    document = desk.app.openapi()
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    tags = {tag["name"] for tag in document["tags"]}
    assert {name for one in document["security"] for name in one} == {"token", "password", "cookie"}
    for path, method, operation in operations(document):
        assert set(operation["tags"]) <= tags, path
        assert operation["description"], path
        answers = operation["responses"]
        assert {"500", "503"} <= answers.keys()
        assert ("401" in answers) == (path != "/healthz")
        for status, answer in answers.items():
            if status >= "400" and (path, status) != ("/healthz", "503"):
                assert list(answer["content"]) == [PROBLEM], (path, status)
        if method == "post":
            assert {"403", "409", "413", "415", "422"} <= answers.keys()
    references = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert references <= document["components"]["schemas"].keys()
    assert "HTTPValidationError" not in references


async def test_without_a_log_in_the_document_wants_none(desk: Desk) -> None:
    document = create_app(replace(desk.hub, login=None)).openapi()
    assert "security" not in document
    assert all("401" not in one["responses"] for _, _, one in operations(document))


async def test_the_page_tells_every_operation_and_runs_no_script(desk: Desk) -> None:
    answer = await desk.ask("/api")
    text = answer.body.decode()
    assert answer.header("content-type").startswith("text/html")
    assert "<script" not in text
    assert " style=" not in text
    assert "http" not in re.sub(
        r"http://localhost", "", re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL)
    )
    for path, _, operation in operations(desk.app.openapi()):
        assert f'id="{operation["operationId"]}"' in text
        assert path in text


async def test_the_page_shows_no_markup_of_a_host(desk: Desk) -> None:
    answer = await Client(desk.app).ask("/api", desk.administrator | {"host": '"><script>'})
    assert b"<script" not in answer.body


async def test_a_line_for_curl_has_the_path_the_body_and_the_token(desk: Desk) -> None:
    document = desk.app.openapi()
    operation = document["paths"]["/api/keys"]["post"]
    line = curl(document, "http://hub", "/api/keys", "post", operation)
    assert line.startswith('curl -H "Authorization: Bearer $TOKEN" -X POST')
    body = json.loads(re.findall(r"-d '(.*?)'", line)[0])
    assert body == {"name": "garden", "address": "display.local"}
    health = curl(document, "http://hub", "/healthz", "get", document["paths"]["/healthz"]["get"])
    assert health == "curl http://hub/healthz"
