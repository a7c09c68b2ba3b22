"""Who gets what on every path, asked of the whole application without a network."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import pytest
from prometheus_client import CollectorRegistry
from starlette.requests import HTTPConnection
from tests.unit.asgi import Answer, Client, Exchange

from camfleet.events import Detected
from camfleet.wire import Detection
from camfleet_hub.demand import Demand
from camfleet_hub.detections import Detections
from camfleet_hub.metrics import FleetCollector
from camfleet_hub.permission import Role
from camfleet_hub.tokens import Tokens, add_token, remove_token
from camfleet_hub.users import Users, list_users, remove_user, set_password, set_user
from camfleet_hub.web import access
from camfleet_hub.web.app import Hub, create_app
from camfleet_hub.web.asking import identity_of
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.host import HostCheck
from camfleet_hub.web.login import Login
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.rejected import CountRejected
from camfleet_hub.web.tls_only import TlsOnly

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.unit.conftest import Feed

pytestmark = pytest.mark.anyio

PASSWORD: Final = "a horse, a battery"  # noqa: S105 - of tables that live for a test
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
ROLES: Final = ("administrator", "viewer", "token")
OTHERS: Final = {  # what a camera that may not be seen is asked for by
    "/snapshot/pi/door.jpg": 404,
    "/snapshot/pi/door/preview.jpg": 404,
    "/mjpeg/pi/door": 404,
    "/mjpeg/pi/door/preview": 404,
    "/snapshot/pi/..%2fdoor.jpg": 404,
    "/snapshot/pi/pond/../door.jpg": 404,
    "/snapshot/pi/pond%2f..%2fdoor.jpg": 404,
    "/snapshot//pi/door.jpg": 404,
    "/snapshot/pi/door%00.jpg": 404,
    "/snapshot/PI/DOOR.jpg": 404,
    "/snapshot/*/*.jpg": 404,
    "/mjpeg/pi/pond?camera=pi/door&token=x": None,
    "/metrics": 403,
}


class House:
    """A hub's application with two cameras, and who may see them."""

    def __init__(self, feed: Feed, folder: Path) -> None:
        self.feed, self.folder = feed, folder
        self.token = (folder / "token").read_text()
        self.users, self.tokens = Users(folder), Tokens(folder)
        bell, self.pictures = Bell(asyncio.get_running_loop()), Pictures(80)
        feed.fleet.listeners, feed.fleet.on_camera = (bell.ring,), bell.announce
        self.bell, self.demand = bell, Demand()
        self.wanted: list[str] = []
        self.demand.on_want = lambda *stream: self.wanted.append("/".join(map(str, stream)))
        detections, registry = Detections(), CollectorRegistry()
        feed.fleet.watchers = (detections.take,)
        registry.register(FleetCollector(feed.fleet, Counter()))
        self.login = Login(self.users, self.tokens)
        self.app = create_app(
            Hub(
                bulletin=Bulletin("hub", {}, bell),
                fleet=feed.fleet,
                detections=detections,
                bell=bell,
                demand=self.demand,
                pictures=self.pictures,
                registry=registry,
                viewers_rejected=Counter(),
                problems=list,
                login=self.login,
            )
        )
        self.client = Client(HostCheck(self.app))
        for camera in ("pond", "door"):
            for profile in ("main", "preview"):
                feed.send(f"{camera}/{profile}")
            header = Detection(f"{camera}/main", 7, 0, "motion", "moving", 0, "")
            detected = Detected("pi", header, camera.encode(), feed.clock.unix_ns())
            detections.take(detected)

    def headers(self, role: str) -> dict[str, str]:
        """How somebody says who it is."""
        if role == "token":
            return bearer(self.token)
        return basic("admin" if role == "administrator" else "gardener")

    async def ask(self, path: str, role: str) -> Answer:
        return await self.client.ask(path, self.headers(role))

    async def log_in(self, user: str, client: Client | None = None) -> dict[str, str]:
        """A browser's headers."""
        answer = await self.submit(user, client)
        assert answer.status == 303, answer
        return {"Cookie": answer.header("set-cookie").partition(";")[0]}

    async def submit(
        self, user: str, client: Client | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        body = urlencode({"user": user, "password": PASSWORD}).encode()
        client = client or self.client
        return await client.ask("/login", FORM | (headers or {}), method="POST", body=body)

    async def change(self, headers: dict[str, str], **form: str) -> Answer:
        """Send the form for another password."""
        body = urlencode(form).encode()
        return await self.client.ask("/password", FORM | headers, method="POST", body=body)

    def follow(self) -> None:
        """Notice what was changed, as the hub does twice a second."""
        self.login.follow()


async def test_a_websocket_that_is_refused_is_counted_by_its_reason(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected: Counter[str] = Counter()
    client = Client(CountRejected(HostCheck(TlsOnly(house.app)), rejected), scheme="wss")

    async def refused(headers: dict[str, str]) -> str:
        link = client.open("/ws/wall", headers, kind="websocket")
        assert (await link.next())["type"] == "websocket.close"
        ((reason, count),) = rejected.items()
        rejected.clear()
        return reason * count

    assert await refused({}) == "login"
    assert await refused(bearer("none of ours")) == "login"
    assert await refused({"Host": "evil.example"}) == "host"
    wrong = [await refused(basic("admin", f"guess {number}")) for number in range(6)]
    assert wrong == ["login"] * 5 + ["too_many"]
    monkeypatch.setattr(access, "MOST_OF_ONE", 0)
    assert await refused(house.headers("token")) == "full"
    client.scheme = "ws"
    assert await refused(house.headers("token")) == "malformed"


async def test_a_wrong_password_in_a_form_is_counted_as_one(house: House) -> None:
    rejected: Counter[str] = Counter()
    client = Client(CountRejected(HostCheck(house.app), rejected))
    assert (await house.submit("nobody", client)).status == 403
    assert rejected == {"login": 1}
    body = urlencode({"password": "wrong", "new": NEW, "again": NEW}).encode()
    headers = FORM | await house.log_in("gardener", client)
    assert (await client.ask("/password", headers, method="POST", body=body)).status == 403
    assert rejected == {"login": 2}


def basic(user: str, password: str = PASSWORD) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables that are made once: each password takes its time."""
    folder = tmp_path_factory.mktemp("tables") / "state"
    set_password(folder, PASSWORD)
    set_user(folder, "gardener", cameras=["*/pond"], password=PASSWORD)
    (folder / "token").write_text(add_token(folder, "frigate", cameras=["*/pond"]))
    return folder


@pytest.fixture
async def house(feed: Feed, state: Path, tmp_path: Path) -> AsyncIterator[House]:
    made = House(feed, shutil.copytree(state, tmp_path / "state"))
    yield made
    made.login.close()
    made.pictures.close()


# one camera, and another that is not theirs


@pytest.mark.parametrize("role", ROLES)
async def test_everybody_gets_the_own_camera(house: House, role: str) -> None:
    answer = await house.ask("/snapshot/pi/pond.jpg", role)
    assert (answer.status, answer.header("content-type")) == (200, "image/jpeg")
    (node,) = (await house.ask("/api/nodes", role)).json["nodes"]
    assert "pond" in [camera["camera"] for camera in node["cameras"]]
    stream = house.client.open("/mjpeg/pi/pond", house.headers(role))
    assert (await stream.next())["status"] == 200
    assert b"image/jpeg" in (await stream.next())["body"]
    await stream.close()


@pytest.mark.parametrize("role", ["viewer", "token"])
@pytest.mark.parametrize("path", [path for path, status in OTHERS.items() if status])
async def test_a_camera_of_others_is_not_there(house: House, role: str, path: str) -> None:
    answer = await house.ask(path, role)
    assert answer.status == OTHERS[path]
    assert b"\xff\xd8" not in answer.body
    assert not house.wanted
    nowhere = await house.ask("/snapshot/pi/nowhere.jpg", role)
    if path == "/snapshot/pi/door.jpg":  # word for word as one that is nowhere
        assert answer.body.replace(b"door", b"nowhere") == nowhere.body


@pytest.mark.parametrize("role", ["viewer", "token"])
async def test_no_list_tells_of_a_camera_of_others(house: House, role: str) -> None:
    for path in ("/api/nodes", "/api/detections", "/api/detections?camera=pi/door"):
        answer = await house.ask(path, role)
        assert answer.status == 200
        assert b"door" not in answer.body
    assert b"door" in (await house.ask("/api/nodes", "administrator")).body
    assert b"door" in (await house.ask("/api/detections", "administrator")).body


@pytest.mark.parametrize("role", ["viewer", "token"])
async def test_a_picture_of_a_detection_is_its_cameras(house: House, role: str) -> None:
    page = (await house.ask("/api/detections", "administrator")).json
    statuses = {
        found["camera"]: (await house.ask(found["picture"], role)).status
        for found in page["detections"]
    }
    assert statuses == {"pond": 200, "door": 404}
    own = (await house.ask("/api/detections?limit=1", role)).json
    assert [found["camera"] for found in own["detections"]] == ["pond"]
    assert own["before"] is None


async def test_metrics_are_for_who_sees_everything(house: House) -> None:
    assert b"door" in (await house.ask("/metrics", "administrator")).body
    set_user(house.folder, "watchman", password=PASSWORD)
    house.follow()
    assert (await house.client.ask("/metrics", basic("watchman"))).status == 200


async def told(link: Exchange) -> dict[str, Any]:
    message = await link.next()
    while "text" not in message:
        message = await link.next()
    found: dict[str, Any] = json.loads(message["text"])
    return found


@pytest.mark.parametrize("role", ["viewer", "token"])
async def test_the_wall_shows_and_wants_no_camera_of_others(house: House, role: str) -> None:
    link = house.client.open("/ws/wall", house.headers(role), kind="websocket")
    assert (await link.next())["type"] == "websocket.accept"
    assert [camera["id"] for camera in (await told(link))["cameras"]] == ["pi/pond"]
    cameras = ["pi/door", "pi/door/preview", "pi/new", "pi/pond", "../pi/door", "*/*"]
    tiles = [{"tile": tile, "camera": camera} for tile, camera in enumerate(cameras)]
    show = json.dumps({"type": "show", "tiles": tiles})
    link.says.put_nowait({"type": "websocket.receive", "text": show})
    message = await link.next()
    assert int.from_bytes(message["bytes"][2:4], "little") == cameras.index("pi/pond")
    house.feed.send("new/main")  # a camera that comes after it was asked for
    for _ in range(3):
        house.feed.send("door/main")
        house.feed.send("pond/main")
    ping = json.dumps({"type": "ping", "sent_ms": 1})
    link.says.put_nowait({"type": "websocket.receive", "text": ping})
    while "text" not in (message := await link.next()):
        assert int.from_bytes(message["bytes"][2:4], "little") == cameras.index("pi/pond")
    assert house.wanted
    assert {wanted for wanted in house.wanted if "pond" not in wanted} == set()
    await link.close()


def test_a_request_that_nobody_identified_is_an_error_and_no_open_door() -> None:
    with pytest.raises(KeyError, match="identity"):
        identity_of(HTTPConnection({"type": "http", "state": {}}))


# tokens


async def test_a_token_comes_as_bearer_or_as_the_password_of_the_user_token(house: House) -> None:
    for headers in (bearer(house.token), basic("token", house.token)):
        assert (await house.client.ask("/snapshot/pi/pond.jpg", headers)).status == 200
    assert (await house.client.ask("/api/nodes", basic("frigate", house.token))).status == 401
    for path in (f"/api/nodes?token={house.token}", f"/api/nodes?access_token={house.token}"):
        assert (await house.client.ask(path)).status == 401


@pytest.mark.parametrize("way", ["bearer", "basic"])
async def test_a_revoked_token_is_told_so_and_counted(house: House, way: str) -> None:
    headers = bearer(house.token) if way == "bearer" else basic("token", house.token)
    stream = house.client.open("/mjpeg/pi/pond", headers)
    assert (await stream.next())["status"] == 200
    remove_token(house.folder, "frigate")
    house.follow()
    while (await stream.next()).get("more_body"):
        pass  # it ends as it should
    answer = await house.client.ask("/api/nodes", headers)
    assert answer.status == 401
    challenge = answer.header("www-authenticate")
    assert challenge.startswith('Bearer realm="camfleet", error="invalid_token"')
    assert house.login.failed == {"revoked_token": 1}
    assert house.token.encode() not in answer.body


async def test_bad_tokens_are_counted_and_limited_and_passwords_are_not(house: House) -> None:
    statuses = [
        (await house.client.ask("/api/nodes", bearer(f"guess{n}"))).status for n in range(30)
    ]
    assert Counter(statuses) == {401: 20, 429: 10}
    assert house.login.failed == {"unknown_token": 20, "too_many_tokens": 10}
    assert (await house.ask("/api/nodes", "token")).status == 200
    assert (await house.submit("admin")).status == 303


async def test_a_users_password_is_no_token_and_a_token_no_password(house: House) -> None:
    assert (await house.client.ask("/api/nodes", bearer(PASSWORD))).status == 401
    body = urlencode({"user": "token", "password": house.token}).encode()
    answer = await house.client.ask("/login", FORM, method="POST", body=body)
    assert answer.status == 403


async def test_an_administrators_token_is_no_session_of_a_browser(house: House) -> None:
    token = add_token(house.folder, "deploy", role=Role.ADMINISTRATOR)
    house.follow()
    answer = await house.client.ask("/password", bearer(token))
    assert (answer.status, answer.header("location")) == (303, "/login?next=/password")


# users that change


async def test_a_changed_user_is_cut_off_and_nobody_else(house: House) -> None:
    browsers = {user: await house.log_in(user) for user in ("admin", "gardener")}
    links = {
        user: house.client.open("/ws/wall", headers, kind="websocket")
        for user, headers in browsers.items()
    }
    for link in links.values():
        await told(link)
    set_user(house.folder, "gardener", cameras=["*/door"])
    house.follow()
    async with asyncio.timeout(30):
        await links["gardener"].task
    assert not links["admin"].task.done()
    assert (await house.client.ask("/api/nodes", browsers["admin"])).status == 200
    assert (await house.client.ask("/api/nodes", browsers["gardener"])).status == 401
    assert (await house.ask("/snapshot/pi/pond.jpg", "viewer")).status == 404
    assert (await house.ask("/snapshot/pi/door.jpg", "viewer")).status == 200
    await links["admin"].close()


async def test_a_removed_user_comes_in_no_more(house: House) -> None:
    browser = await house.log_in("gardener")
    assert (await house.ask("/api/nodes", "viewer")).status == 200
    remove_user(house.folder, "gardener")
    house.follow()
    assert (await house.client.ask("/api/nodes", browser)).status == 401
    assert (await house.ask("/api/nodes", "viewer")).status == 401


NEW: Final = "another horse, another battery"


async def test_a_user_changes_the_own_password_and_stays_logged_in(house: House) -> None:
    here, there = await house.log_in("gardener"), await house.log_in("gardener")
    admin = await house.log_in("admin")
    page = await house.client.ask("/password", here)
    assert page.status == 200
    assert b"Current password of gardener" in page.body
    assert b"<script" not in page.body
    answer = await house.change(here, password=PASSWORD, new=NEW, again=NEW)
    assert (answer.status, answer.header("location")) == (303, "/")
    new = {"Cookie": answer.header("set-cookie").partition(";")[0]}
    statuses = [(await house.client.ask("/api/nodes", one)).status for one in (new, here, there)]
    assert statuses == [200, 401, 401]
    assert (await house.client.ask("/api/nodes", admin)).status == 200
    house.follow()
    assert (await house.client.ask("/api/nodes", new)).status == 200
    assert (await house.client.ask("/api/nodes", basic("gardener", NEW))).status == 200
    assert (await house.client.ask("/api/nodes", basic("gardener"))).status == 401
    (gardener,) = [one for one in list_users(house.folder) if one.name == "gardener"]
    assert gardener.cameras == ("*/pond",)


@pytest.mark.parametrize(
    ("form", "status", "says"),
    [
        ({"password": "wrong", "new": NEW, "again": NEW}, 403, "current password is wrong"),
        ({"password": PASSWORD, "new": NEW, "again": NEW + "x"}, 422, "passwords differ"),
        ({"password": PASSWORD, "new": "short", "again": "short"}, 422, "has 5 characters"),
        ({"password": PASSWORD, "new": "x" * 300, "again": "x" * 300}, 422, "has 300 bytes"),
        ({}, 422, "0 characters"),
        ({"user": "admin", "password": PASSWORD, "new": "", "again": ""}, 422, "0 characters"),
    ],
)
async def test_a_bad_form_for_a_password_changes_nothing(
    house: House, form: dict[str, str], status: int, says: str
) -> None:
    headers = await house.log_in("gardener")
    answer = await house.change(headers, **form)
    assert answer.status == status
    assert says in answer.body.decode()
    assert (await house.client.ask("/api/nodes", headers)).status == 200
    assert (await house.submit("gardener")).status == 303


async def test_nobody_changes_the_password_of_another(house: House) -> None:
    headers = await house.log_in("gardener")
    await house.change(headers, user="admin", password=PASSWORD, new=NEW, again=NEW)
    assert (await house.submit("admin")).status == 303


async def test_a_password_is_guessed_at_its_page_no_faster_than_at_the_log_in(
    house: House,
) -> None:
    headers = await house.log_in("gardener")
    answers = [
        await house.change(headers, password=f"guess {n}", new=NEW, again=NEW) for n in range(7)
    ]
    assert [answer.status for answer in answers] == [403] * 5 + [429] * 2
    assert (await house.submit("gardener")).status == 429


async def test_a_page_from_elsewhere_cannot_change_a_password(house: House) -> None:
    headers = await house.log_in("gardener")
    origin = {"Origin": "http://evil.example"}
    form = {"password": PASSWORD, "new": NEW, "again": NEW}
    assert (await house.change(headers | origin, **form)).status == 403
    assert (await house.change(basic("gardener"), **form)).status == 303  # to the log-in
    assert (await house.submit("gardener")).status == 303


# cookies


async def test_a_cookie_that_was_planted_is_not_the_one_after_the_log_in(house: House) -> None:
    planted = "x" * 43
    answer = await house.submit("admin", headers={"Cookie": f"camfleet_session={planted}"})
    assert planted not in answer.header("set-cookie")
    headers = {"Cookie": f"camfleet_session={planted}"}
    assert (await house.client.ask("/api/nodes", headers)).status == 401


async def test_another_log_in_ends_the_one_before(house: House) -> None:
    before = await house.log_in("gardener")
    answer = await house.submit("admin", headers=before)
    assert answer.status == 303
    assert (await house.client.ask("/api/nodes", before)).status == 401


async def test_under_tls_the_cookie_is_the_hosts_alone(house: House) -> None:
    secure = Client(HostCheck(house.app), scheme="https")
    answer = await house.submit("admin", secure)
    name, *attributes = answer.header("set-cookie").lower().split("; ")
    assert name.startswith("__host-camfleet_session=")
    assert {"secure", "httponly", "path=/", "samesite=lax"} <= set(attributes)
    assert not any(attribute.startswith("domain") for attribute in attributes)
    headers = await house.log_in("admin", secure)
    assert (await secure.ask("/api/nodes", headers)).status == 200
    gone = await secure.ask("/logout", headers, method="POST")
    assert "secure" in gone.header("set-cookie").lower()
    assert (await secure.ask("/api/nodes", headers)).status == 401


async def test_a_cookie_of_plain_http_opens_nothing_under_tls_and_the_other_way(
    house: House,
) -> None:
    secure = Client(HostCheck(house.app), scheme="https")
    plain, secret = await house.log_in("admin"), await house.log_in("admin", secure)
    assert (await secure.ask("/api/nodes", plain)).status == 401
    assert (await house.client.ask("/api/nodes", secret)).status == 401


async def test_one_user_pushes_out_nobody_elses_session(house: House) -> None:
    admin = await house.log_in("admin")
    first = await house.log_in("gardener")
    for _ in range(130):
        await house.log_in("gardener")
    assert (await house.client.ask("/api/nodes", first)).status == 401
    assert (await house.client.ask("/api/nodes", admin)).status == 200


# every answer


ANSWERS: Final = {
    "/": 200,
    "/login": 303,
    "/password": 200,
    "/api/nodes": 200,
    "/api/nowhere": 404,
    "/snapshot/pi/nowhere.jpg": 404,
    "/api/detections?limit=0": 422,
    "/static/nowhere.js": 404,
    "/logout": 405,
}


@pytest.mark.parametrize("path", ANSWERS)
async def test_every_answer_has_a_policy_without_inline_script(house: House, path: str) -> None:
    headers = await house.log_in("admin")
    answers = [await house.client.ask(path, headers), await house.client.ask(path)]
    answers.append(await house.client.ask(path, {"Host": "evil.example"}))
    assert answers[0].status == ANSWERS[path]
    assert answers[2].status == 421
    for answer in answers:
        policy = answer.header("content-security-policy")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.header("x-content-type-options") == "nosniff"
        assert not re.search(rb"<script(?![^>]*\bsrc=)|\son\w+=|style=", answer.body)


# what is told to nobody


async def test_no_secret_and_nothing_that_was_typed_is_in_the_log(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = await house.log_in("gardener")
    wrong = ["a wrong password", "camfleet_" + "w" * 43]
    await house.client.ask("/api/nodes", basic("typed by mistake", wrong[0]))
    await house.client.ask("/api/nodes", bearer(wrong[1]))
    await house.client.ask(f"/api/nodes?token={house.token}", bearer(house.token))
    await house.change(headers, password=PASSWORD, new=NEW, again=NEW)
    remove_token(house.folder, "frigate")
    add_token(house.folder, "other")
    following = asyncio.create_task(house.login.run())
    told = ""
    async with asyncio.timeout(30):
        while "log-ins failed" not in told:
            await asyncio.sleep(0)
            told += capsys.readouterr().out
    following.cancel()
    assert "tokens changed" in told
    assert "password changed" in told
    cookie = headers["Cookie"].partition("=")[2]
    secrets = [*wrong, house.token, PASSWORD, NEW, cookie, "typed by mistake"]
    assert [secret for secret in secrets if secret in told] == []


async def test_a_name_that_is_nobodys_costs_as_much_as_one_that_is_somebodys(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []

    def check(_password: str, hashed: str) -> bool:
        checked.append(hashed)
        return False

    monkeypatch.setattr("camfleet_hub.web.login.is_password", check)
    answers = []
    for user in ("gardener", "nobody"):
        body = urlencode({"user": user, "password": "x"}).encode()
        answer = await house.client.ask("/login", FORM, method="POST", body=body)
        answers.append((answer.status, answer.body.replace(user.encode(), b"")))
    assert answers[0] == answers[1]
    assert len(checked) == 2
    assert all(hashed.startswith("$argon2id$") for hashed in checked)
