"""What the API tells of a node's last ten minutes, and to whom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from fastapi import FastAPI

from camfleet.errors import Reason
from camfleet.machine_health import MachineHealth, to_facts
from camfleet.wire import Counters
from camfleet_hub.history import History
from camfleet_hub.permission import ANYBODY, Identity, Role, parse_cameras
from camfleet_hub.web.asking import identify
from camfleet_hub.web.history import add_history

if TYPE_CHECKING:
    from starlette.types import Message
    from tests.unit.conftest import Feed

pytestmark = pytest.mark.anyio
STREAMS = ("front/main", "back/main")


class Answer(NamedTuple):
    """What came of a request."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


async def ask(feed: Feed, history: History, path: str, identity: Identity = ANYBODY) -> Answer:
    """Ask the routes for a path, as somebody."""
    app = FastAPI()
    app.state.fleet = feed.fleet
    add_history(app, history)
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        told.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": [], "http_version": "1.1", "scheme": "http",
        "server": ("127.0.0.1", 80), "root_path": "",
    }  # fmt: skip
    identify(scope, identity)
    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in told[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in told[1:])
    return Answer(told[0]["status"], headers, body)


def viewer(cameras: str) -> Identity:
    return Identity("eve", Role.VIEWER, parse_cameras(cameras))


@pytest.fixture
def history(feed: Feed) -> History:
    """Ten seconds of a node with two cameras."""
    feed.hello("pi", *STREAMS)
    history = History()
    history.sample(feed.fleet)
    for _ in range(10):
        feed.clock.advance(1)
        for stream in STREAMS:
            feed.send(stream, latency_ms=20)
        counters = [Counters(stream, 0, 0, {}) for stream in STREAMS]
        feed.heartbeat("pi", *counters, health=to_facts(MachineHealth(temperature_c=61.5)))
        history.sample(feed.fleet)
    return history


async def test_every_list_has_one_entry_per_sample(feed: Feed, history: History) -> None:
    told = (await ask(feed, history, "/api/nodes/pi/history")).json
    assert told["ages_s"] == [10, 5, 0]
    lines = [*told["lines"].values()]
    for stream in told["streams"]:
        lines += [value for value in stream.values() if isinstance(value, list)][:5]
        lines += [line for latency in stream["latency"].values() for line in latency.values()]
    assert {len(line) for line in lines if line and not isinstance(line[0], dict)} == {3}


async def test_the_machine_is_told_now_and_over_time(feed: Feed, history: History) -> None:
    told = (await ask(feed, history, "/api/nodes/pi/history")).json
    assert told["machine"]["temperature_c"] == 61.5
    assert told["machine"]["is_throttled"] is None
    assert told["lines"]["temperature_c"] == [None, 61.5, 61.5]
    assert told["lines"]["throttled"] == [None, None, None]


async def test_a_viewer_is_told_of_its_own_cameras_alone(feed: Feed, history: History) -> None:
    told = (await ask(feed, history, "/api/nodes/pi/history", viewer("*/front"))).json
    assert [stream["now"]["id"] for stream in told["streams"]] == ["pi/front"]
    assert "back" not in json.dumps(told)


async def test_a_viewer_is_told_nothing_that_the_node_said(feed: Feed, history: History) -> None:
    feed.goodbye("pi", "the safe is open")
    feed.reject("pi", Reason.KEY)
    for identity, hidden in (ANYBODY, False), (viewer("*/front"), True):
        told = (await ask(feed, history, "/api/nodes/pi/history", identity)).json
        assert (told["gone"]["detail"] == "what it says is rejected") is hidden
        feed.clock.advance(20)
        told = (await ask(feed, history, "/api/nodes/pi/history", identity)).json
        assert (told["gone"]["detail"] == "it said goodbye") is hidden
        feed.reject("pi", Reason.KEY)


@pytest.mark.parametrize("path", ["/api/nodes/pi/history", "/node/pi"])
async def test_a_node_without_a_camera_of_ones_own_is_not_found(
    feed: Feed, history: History, path: str
) -> None:
    found = await ask(feed, history, path)
    hidden = await ask(feed, history, path, viewer("gate/*"))
    missing = await ask(feed, History(), path.replace("/pi", "/nobody"), viewer("gate/*"))
    assert (found.status, hidden.status, missing.status) == (200, 404, 404)
    assert hidden.body.replace(b"'pi'", b"'nobody'") == missing.body


async def test_of_a_node_that_is_away_nothing_is_told_of_its_machine(
    feed: Feed, history: History
) -> None:
    feed.clock.advance(20)
    told = (await ask(feed, history, "/api/nodes/pi/history")).json
    assert (told["state"], told["machine"], told["heard_s"]) == ("offline", None, 20)


async def test_nothing_of_it_is_kept_by_a_browser(feed: Feed, history: History) -> None:
    for path in ("/api/nodes/pi/history", "/node/pi"):
        assert (await ask(feed, history, path)).headers["cache-control"] == "no-store"
