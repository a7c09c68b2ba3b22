"""Metrics and health over real HTTP, also while others read slowly or say too much."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest
from prometheus_client import CollectorRegistry, Gauge
from tests.ports import held_ports

from camfleet.node_link import LinkState
from camfleet.wire import Counters
from camfleet_node.health import Health
from camfleet_node.health_command import ask
from camfleet_node.watch_port import WatchPort

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY: Final = 40  # connections: more than there may be
HOST: Final = "127.0.0.1"


class FakeCamera:
    name = "front"
    interval_s = 0.0
    problem = ""


class Scene:
    """A port that serves, and what it tells of."""

    def __init__(self, host: str = HOST) -> None:
        self.registry = CollectorRegistry()
        Gauge("answer", "Of everything.", registry=self.registry).set(42)
        self.health = Health([FakeCamera()], 10)
        self.port = WatchPort(host, 0)
        self.port.serve(self.registry, self.health)

    def flow(self) -> None:
        counters = [Counters("front/main", 1, 0, {})]
        self.health.look(counters, LinkState.ONLINE, "", time.monotonic_ns())

    def get(self, path: str) -> tuple[int, str]:
        try:
            url = f"http://{HOST}:{self.port.number}{path}"
            with urllib.request.urlopen(url, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port.number), timeout=30)


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.port.close()


def test_metrics_are_told(scene: Scene) -> None:
    status, body = scene.get("/metrics")
    assert status == 200
    assert "answer 42.0" in body


def test_health_is_told_with_its_problems(scene: Scene) -> None:
    assert scene.get("/healthz")[0] == 503
    scene.flow()
    status, body = scene.get("/healthz?verbose")
    assert (status, json.loads(body)) == (200, {"status": "ok", "problems": []})


@pytest.mark.parametrize("path", ["/", "/metrics/", "/../etc/passwd", "//metrics/x"])
def test_there_is_nothing_else(scene: Scene, path: str) -> None:
    assert scene.get(path)[0] == 404


def test_who_says_nothing_holds_nobody_up(scene: Scene) -> None:
    scene.flow()
    with ExitStack() as stack:
        for _ in range(MANY):
            stack.enter_context(scene.connect()).sendall(b"GET /healthz HT")
        for _ in range(5):
            assert scene.get("/healthz")[0] == 200


def test_who_is_one_too_many_ends_the_oldest(scene: Scene) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(scene.connect()) for _ in range(MANY)]
        assert connections[0].recv(1) == b""


def test_an_endless_request_is_cut_off(scene: Scene) -> None:
    with scene.connect() as connection:
        heard = b"?"
        try:
            for _ in range(1_000):
                connection.sendall(b"x" * 10_000)
            heard = connection.recv(1)
        except OSError:
            heard = b""
        assert heard in {b"", b"H"}  # an end, or the beginning of a refusal


def test_a_taken_port_is_an_error(scene: Scene) -> None:
    with pytest.raises(OSError, match="in use"):
        WatchPort(HOST, scene.port.number)


def test_it_closes_within_a_second_while_others_wait() -> None:
    seconds = []
    for _ in range(3):  # what else the machine does only ever adds to one
        scene = Scene()
        with scene.connect():
            begun_s = time.monotonic()
            scene.port.close()
            seconds.append(time.monotonic() - begun_s)
    assert min(seconds) < 1.0


def test_a_port_that_was_never_served_closes_too() -> None:
    WatchPort(HOST, 0).close()


# the command that asks


def test_a_node_whose_frames_flow_is_well(scene: Scene) -> None:
    scene.flow()
    assert ask(HOST, str(scene.port.number)) == ""
    assert ask("0.0.0.0", str(scene.port.number)) == ""


def test_a_node_tells_what_is_wrong(scene: Scene) -> None:
    assert ask(HOST, str(scene.port.number)) == "it has only just started"


def test_no_node_is_told() -> None:
    with held_ports(1) as (number,):
        said = ask(HOST, str(number))
    assert said == f"no node answers on {HOST} port {number}: Connection refused"


@pytest.mark.parametrize("port", ["0", "65536", "x", ""])
def test_a_port_that_is_none_is_told(port: str) -> None:
    assert ask(HOST, port).startswith(f"CAMFLEET_NODE_METRICS_PORT: found '{port}', want 1 to")


@pytest.mark.parametrize("answer", [b"SSH-2.0\r\n", b"HTTP/1.0 200 OK\r\n\r\n[]", b""])
def test_another_service_is_told(answer: bytes) -> None:
    with socket.create_server((HOST, 0)) as server:
        number = server.getsockname()[1]

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        import threading

        thread = threading.Thread(target=serve)
        thread.start()
        said = ask(HOST, str(number))
        thread.join()
    assert said.endswith(("is no camfleet node", "closed connection without response"))
