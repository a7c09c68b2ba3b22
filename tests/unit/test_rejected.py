"""Requests that are refused are counted, whichever way; no word of theirs becomes a label."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketClose
from tests.unit.asgi import Client

from camfleet_hub.web.rejected import REASONS, CountRejected, Proxies, count_as, refuse_websocket
from camfleet_hub.web.rejected_metrics import RejectedCollector

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

pytestmark = pytest.mark.anyio
OTHER_PAGE: Final = {"origin": "http://evil.example"}
STATUSES: Final = {
    400: "malformed",
    401: "login",
    403: "forbidden",
    404: "not_found",
    405: "method",
    408: "slow",
    409: "conflict",
    413: "too_large",
    415: "malformed",
    421: "host",
    422: "malformed",
    429: "too_many",
}


class Counted:
    """An application that answers with a status, and what was counted of it."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.rejected: Counter[str] = Counter()
        self._answer = PlainTextResponse("no", status, headers)
        self.client = Client(CountRejected(self._serve, self.rejected))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose(1008)(scope, receive, send)
        else:
            await self._answer(scope, receive, send)


@pytest.mark.parametrize(("status", "reason"), STATUSES.items())
async def test_what_is_refused_is_counted_by_its_reason(status: int, reason: str) -> None:
    counted = Counted(status)
    assert (await counted.client.ask("/")).status == status
    assert counted.rejected == {reason: 1}


@pytest.mark.parametrize("status", [200, 206, 303, 304, 307, 500, 503])
async def test_what_is_served_or_out_of_order_is_not_rejected(status: int) -> None:
    counted = Counted(status)
    await counted.client.ask("/")
    assert not counted.rejected


async def test_who_is_to_come_back_later_finds_the_hub_full() -> None:
    counted = Counted(503, {"Retry-After": "5"})
    await counted.client.ask("/")
    assert counted.rejected == {"full": 1}


async def test_a_page_of_another_origin_has_a_reason_of_its_own() -> None:
    counted = Counted(403)
    await counted.client.ask("/", OTHER_PAGE)
    await counted.client.ask("/", {"origin": "http://localhost"})
    assert counted.rejected == {"origin": 1, "forbidden": 1}


async def test_a_websocket_that_is_not_accepted_is_counted() -> None:
    counted = Counted(200)
    for headers in (OTHER_PAGE, {}):
        assert (await counted.client.open("/", headers, kind="websocket").next())["code"] == 1008
    assert counted.rejected == {"origin": 1, "forbidden": 1}


async def test_a_request_is_counted_as_it_says_where_that_is_not_its_status() -> None:
    rejected: Counter[str] = Counter()

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        count_as(401, scope)
        await PlainTextResponse("no", 403)(scope, receive, send)

    assert (await Client(CountRejected(serve, rejected)).ask("/")).status == 403
    assert rejected == {"login": 1}


async def test_a_websocket_is_refused_for_the_reason_that_a_request_would_be() -> None:
    rejected: Counter[str] = Counter()
    for status, reason in ({**STATUSES, 503: "full"}).items():
        serve = partial(refuse_websocket, status)
        exchange = Client(CountRejected(serve, rejected)).open("/", kind="websocket")
        assert (await exchange.next())["type"] == "websocket.close"
        assert rejected.pop(reason) == 1
        assert not rejected


async def test_a_websocket_that_was_accepted_and_ends_is_not() -> None:
    rejected: Counter[str] = Counter()

    async def serve(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1001})

    exchange = Client(CountRejected(serve, rejected)).open("/", kind="websocket")
    assert [(await exchange.next())["type"] for _ in range(2)][1] == "websocket.close"
    assert not rejected


@pytest.mark.parametrize("name", ["X-Forwarded-For", "X-Forwarded-Proto"])
async def test_a_forged_proxy_header_is_counted_and_a_named_proxys_is_not(name: str) -> None:
    ignored: Counter[str] = Counter()
    served = Proxies(PlainTextResponse("yes"), ["192.0.2.0/30"], ignored)
    forged = {name: "198.51.100.7" if name.endswith("For") else "https"}
    assert (await Client(served, address="192.0.2.1").ask("/", forged)).status == 200
    assert not ignored
    assert (await Client(served, address="192.0.2.9").ask("/", forged)).status == 200
    assert ignored == {name.lower(): 1}
    await Client(served, address="192.0.2.9").ask("/")
    assert ignored == {name.lower(): 1}


def test_every_reason_has_a_series_from_the_start() -> None:
    registry = CollectorRegistry()
    registry.register(RejectedCollector(Counter({"host": 2}), Counter({"x-forwarded-for": 3})))
    text = generate_latest(registry).decode()
    assert len(set(REASONS)) == len(REASONS)
    for reason in REASONS:
        count = 2.0 if reason == "host" else 0.0
        assert f'camfleet_requests_rejected_total{{reason="{reason}"}} {count}\n' in text
    assert "camfleet_proxy_headers_ignored_total 3.0\n" in text
