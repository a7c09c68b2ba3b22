from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from camfleet_hub.web.host import HostCheck

MACHINE = socket.gethostname()


async def application(_scope: object, _receive: object, send: Any) -> None:  # noqa: ANN401 - ASGI's
    await send({"type": "hello"})


def answers(host: str, kind: str = "http") -> list[dict[str, Any]]:
    """What is sent to a client that asks for `host`; `hello` is the application's answer."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": f"{kind}.disconnect"}

    scope = {"type": kind, "headers": [(b"host", host.encode())], "method": "GET"}
    asyncio.run(HostCheck(application, ["Wall.example"])(scope, receive, send))
    return sent


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8080",
        "192.0.2.7",
        "[::1]:8080",
        "localhost",
        "LOCALHOST:8080",
        "localhost.",
        MACHINE,
        f"{MACHINE}.local:8080",
        "wall.example",
        "WALL.EXAMPLE:443",
    ],
)
def test_the_hubs_own_names_are_answered(host: str) -> None:
    assert answers(host) == [{"type": "hello"}]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "[evil]:80",
        "",
        "@localhost",
        "evil.example#localhost",
    ],
)
def test_another_name_is_refused_and_told_what_is_wanted(host: str) -> None:
    start, body = answers(host)
    assert start["status"] == 421
    assert f"Host is {host!r}, want".encode() in body["body"]


def test_a_websocket_for_another_name_is_refused() -> None:
    (closed,) = answers("evil.example", "websocket")
    assert closed["type"] == "websocket.close"
    assert closed["code"] == 1008
