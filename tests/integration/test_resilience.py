"""Failures that are injected for real: processes killed and stopped, networks cut, clocks stepped.

After each of them streams resume by themselves, and every captured picture is accounted for.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pytest

from camfleet.codec import encode_jpeg
from camfleet.keyring import Keyring
from camfleet.keys import Role
from camfleet.liveness import OFFLINE_AFTER_S
from camfleet.receiver import Receiver
from camfleet.sender import Sender
from camfleet.subscriber import Subscriber
from camfleet.testing import LinkEmulator

if TYPE_CHECKING:
    from tests.integration.conftest import House, Quickest, Service, Until

CUT_S: Final = float(os.environ.get("CAMFLEET_TEST_CUT_S", "12"))  # longer than the offline limit
STOP_S: Final = 1.0  # a program that stops waits for no network
LOOK_S: Final = 0.05
WAIT_S: Final = 30.0
WAITING: Final = 8  # pictures that are neither here nor counted yet: in flight and in mailboxes
HOUR_S: Final = 3600
BELIEVABLE_MS: Final = 10_000.0  # on a busy machine; a wrong clock makes it an hour
OFFSET: Final = 'camfleet_clock_offset_seconds{node="pi"}'
STEPPED: Final = str(Path(__file__).with_name("stepped_clock.py"))
IMAGE: Final = np.full((48, 64, 3), 99, np.uint8)
EVERYBODY: Final = ("calm/front", "silent/front", "reset/front", "frozen/front")
CUT_OFF: Final = dict.fromkeys(EVERYBODY, "offline") | {"calm/front": "online"}


LookAt = Callable[..., None]


class Viewer:
    """Somebody who looks at a camera, and comes back when the hub was away."""

    def __init__(self, house: House, camera: str) -> None:
        self._host, self._port = house.host, house.ports["WEB"]
        self._path = f"/mjpeg/{camera}"
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._closed.wait(LOOK_S):
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._look()

    def _look(self) -> None:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=2)
        with contextlib.closing(connection):
            connection.request("GET", self._path)
            pictures = connection.getresponse()
            while not self._closed.is_set() and pictures.read1():
                pass


def unaccounted(camera: dict[str, Any]) -> int:
    """Captured pictures of which it is not known what became of them."""
    known = camera["received"] + camera["lost"]
    known += sum(camera["dropped"].values()) + sum(camera["rejected"].values())
    return int(camera["captured"] - known)


def is_accounted_for(camera: dict[str, Any], most: int = WAITING) -> bool:
    """Whether it adds up, as it does right after a heartbeat, for only that tells of drops.

    A hub that was restarted may get pictures that waited since before its counting began.
    """
    return -WAITING <= unaccounted(camera) <= most


def is_streaming(house: House, ids: tuple[str, ...], than: dict[str, Any], more: int = 20) -> bool:
    """Whether so many more frames of these cameras have arrived than before."""
    now = house.cameras()
    return all(
        i in now
        and now[i]["state"] == "online"
        and now[i]["received"] >= (than[i]["received"] if i in than else 0) + more
        for i in ids
    )


def await_streams(
    house: House, until: Until, *ids: str, than: dict[str, Any] | None = None, more: int = 20
) -> None:
    before = house.cameras() if than is None else than
    until(
        lambda: is_streaming(house, ids, before, more),
        lambda: f"{house.cameras()}\n{house.hub.said()}",
    )


def await_balance(house: House, until: Until, *ids: str, most: int = WAITING) -> None:
    until(
        lambda: all(is_accounted_for(house.cameras()[i], most) for i in ids),
        lambda: {i: (unaccounted(c), c) for i, c in house.cameras().items()},
    )


def seconds(action: Callable[[], object]) -> float:
    begun_s = time.monotonic()
    action()
    return time.monotonic() - begun_s


@contextlib.contextmanager
def stopped(*services: Service) -> Iterator[None]:
    """Suspend processes, as a laptop's lid does."""
    for service in services:
        service.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for service in services:
            service.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="module")
def look_at() -> Iterator[LookAt]:
    """Have somebody look at cameras, which are sent at their full rate then."""
    with ExitStack() as stack:

        def look(house: House, *ids: str) -> None:
            for camera in ids:
                stack.callback(Viewer(house, camera).close)

        yield look


# one long outage, of four kinds at the same time


class Outage(NamedTuple):
    """What was cut off for `CUT_S`, and what the hubs said of their cameras."""

    house: House
    before: dict[str, Any]
    during: dict[str, Any]
    stopped_house: House
    stopped_before: dict[str, Any]
    services: list[Service]


@pytest.fixture(scope="module")
def outage(build_house: Callable[[str], House], look_at: LookAt, until: Until) -> Iterator[Outage]:
    """Two networks cut, a node stopped and another house's hub; all mended at the same time."""
    house, other = build_house("house"), build_house("other")
    during: dict[str, Any] = {}
    with LinkEmulator(house.nodes_address) as silent, LinkEmulator(house.nodes_address) as reset:
        links = {"silent": silent, "reset": reset}
        house.start_hub()
        services = []
        for name in ("calm", "silent", "reset", "frozen"):
            hub = {"CAMFLEET_NODE_HUB": links[name].address} if name in links else {}
            services.append(house.start_node(name, "front", settings=hub))
        other.start_hub()
        services.append(other.start_node("patient", "front"))
        look_at(house, *EVERYBODY)
        look_at(other, "patient/front")
        await_streams(house, until, *EVERYBODY, than={})
        await_streams(other, until, "patient/front", than={})
        before, other_before = house.cameras(), other.cameras()
        with stopped(services[3], other.hub):
            silent.cut()
            reset.cut(reset=True)
            over_s = time.monotonic() + CUT_S
            while time.monotonic() < over_s:
                during = house.cameras()  # which no failure may block
                threading.Event().wait(LOOK_S)
            while _states(during) != CUT_OFF and time.monotonic() < over_s + CUT_S:
                during = house.cameras()  # a busy machine may be late to notice
        silent.mend()
        reset.mend()
        yield Outage(house, before, during, other, other_before, services)


def _states(cameras: dict[str, Any]) -> dict[str, str]:
    return {camera: found["state"] for camera, found in cameras.items()}


def test_who_is_cut_off_is_offline_and_nobody_else_notices(outage: Outage) -> None:
    assert CUT_S > OFFLINE_AFTER_S
    assert _states(outage.during) == CUT_OFF
    gained = outage.during["calm/front"]["received"] - outage.before["calm/front"]["received"]
    assert gained > CUT_S  # frames, of 20 a second


@pytest.mark.parametrize("name", ["silent", "reset"])
def test_a_node_streams_again_after_its_network_was_cut(
    outage: Outage, until: Until, name: str
) -> None:
    camera = f"{name}/front"
    await_streams(outage.house, until, camera, than=outage.during)
    await_balance(outage.house, until, camera)
    now = outage.house.cameras()[camera]
    assert now["lost"] <= WAITING  # what was in flight
    assert now["captured"] > outage.before[camera]["captured"] + 10 * CUT_S  # it went on meanwhile


def test_a_node_that_was_suspended_streams_again(outage: Outage, until: Until) -> None:
    await_streams(outage.house, until, "frozen/front", than=outage.during)
    await_balance(outage.house, until, "frozen/front")
    assert outage.house.cameras()["frozen/front"]["lost"] <= WAITING
    assert "stalled" not in outage.services[3].said()


def test_nodes_stream_again_when_their_hub_was_suspended(outage: Outage, until: Until) -> None:
    house = outage.stopped_house
    await_streams(house, until, "patient/front", than=outage.stopped_before)
    await_balance(house, until, "patient/front")
    assert house.cameras()["patient/front"]["lost"] <= WAITING


def test_no_failure_ended_a_process_or_started_a_session(outage: Outage) -> None:
    for service in [*outage.services, outage.house.hub, outage.stopped_house.hub]:
        assert service.process.poll() is None, service.said()
        assert "Traceback" not in service.said()


# processes that are killed


def test_all_nodes_stream_again_when_their_hub_was_killed(
    house: House, look_at: LookAt, until: Until
) -> None:
    ids = ("one/front", "one/back", "two/front")
    house.start_hub()
    house.start_node("one", "front", "back")
    house.start_node("two", "front")
    look_at(house, *ids)
    await_streams(house, until, *ids, than={})
    house.hub.kill()
    house.start_hub()
    await_streams(house, until, *ids, than={})
    await_balance(house, until, *ids)
    for camera in house.cameras().values():
        assert camera["lost"] <= WAITING  # from before nothing is counted


def test_a_node_that_was_killed_begins_a_session_and_counts_no_loss(
    house: House, look_at: LookAt, until: Until
) -> None:
    house.start_hub()
    node = house.start_node("pi", "front")
    look_at(house, "pi/front")
    await_streams(house, until, "pi/front", than={}, more=60)
    await_balance(house, until, "pi/front")  # right after a heartbeat
    node.kill()
    before = house.cameras()["pi/front"]
    house.start_node("pi", "front")
    await_streams(house, until, "pi/front")
    # What it dropped after its last heartbeat nobody will ever know.
    await_balance(house, until, "pi/front", most=WAITING + 20)
    now = house.cameras()["pi/front"]
    assert now["lost"] == 0
    assert now["captured"] >= before["captured"]
    assert house.hub.said().count('"event": "node joined"') == 2


# an address that changes


def _may_unshare() -> bool:
    return not subprocess.run(["unshare", "--mount", "true"], check=False).returncode


@pytest.mark.skipif(not _may_unshare(), reason="a file system view of its own takes a root user")
def test_a_node_finds_its_hub_under_a_new_address(
    house: House, look_at: LookAt, until: Until, tmp_path: Path
) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 hub.test\n")
    seen_as = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"']
    house.start_hub()
    house.start_node(
        "pi",
        "front",
        settings={"CAMFLEET_NODE_HUB": f"tcp://hub.test:{house.ports['NODES']}"},
        under=[*seen_as, str(hosts)],
    )
    until(lambda: "pi/front" in house.cameras())
    house.hub.kill()
    house.host = "127.0.0.2"
    hosts.write_text("127.0.0.2 hub.test\n")
    house.start_hub({"CAMFLEET_HUB_BIND": house.host})
    look_at(house, "pi/front")
    await_streams(house, until, "pi/front", than={})
    await_balance(house, until, "pi/front")


# clocks that are stepped


class Stepped(NamedTuple):
    """A house whose services live under clocks of their own."""

    house: House
    clocks: dict[str, Path]

    def step(self, name: str, seconds: int) -> None:
        """Set a clock; in place, for it is mapped."""
        with self.clocks[name].open("r+b") as file:
            file.write(struct.pack("<q", seconds))


@pytest.fixture(scope="module")
def stepped(
    build_house: Callable[[str], House],
    look_at: LookAt,
    until: Until,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stepped:
    folder = tmp_path_factory.mktemp("clocks")
    clocks = {name: folder / name for name in ("hub", "node")}
    for path in clocks.values():
        path.write_bytes(struct.pack("<q", 0))
    house = build_house("stepped")
    house.start_hub(program=(STEPPED, str(clocks["hub"])))
    house.start_node("pi", "front", program=(STEPPED, str(clocks["node"])))
    look_at(house, "pi/front")
    await_streams(house, until, "pi/front", than={})
    return Stepped(house, clocks)


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("name", ["node", "hub"])
def test_a_stepped_clock_disturbs_no_stream(
    stepped: Stepped, until: Until, name: str, hours: int
) -> None:
    house = stepped.house
    await_balance(house, until, "pi/front")
    before = house.cameras()
    offset_s = hours * HOUR_S * (1 if name == "hub" else -1)  # the hub's clock minus the node's
    stepped.step(name, hours * HOUR_S)
    found: list[dict[str, Any]] = []

    def is_believable() -> bool:
        camera = house.cameras()["pi/front"]
        found.append(camera)
        latency_ms, uncertainty_ms = camera["latency_ms"], camera["uncertainty_ms"]
        return (
            len(found) > 20
            and is_streaming(house, ("pi/front",), before, more=60)
            and abs(house.metric(OFFSET) - offset_s) < 1
            and latency_ms is not None
            and uncertainty_ms < BELIEVABLE_MS
            and -uncertainty_ms <= latency_ms < BELIEVABLE_MS
            and camera["jitter_ms"] < BELIEVABLE_MS
        )

    until(is_believable, lambda: f"{found[-1]}\n{house.hub.said()}")
    await_balance(house, until, "pi/front")
    stepped.step(name, 0)
    assert {camera["state"] for camera in found} == {"online"}
    assert found[-1]["lost"] == before["pi/front"]["lost"]
    counts = [value for camera in found for value in _counts(camera)]
    assert min(counts) >= 0


def _counts(camera: dict[str, Any]) -> list[float]:
    names = ("captured", "received", "received_bytes", "lost", "skipped", "jitter_ms", "fps")
    counted = [*camera["dropped"].values(), *camera["rejected"].values()]
    return [*(camera[name] for name in names), *counted]


# closing, whatever the network does


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver("tcp://127.0.0.1:0", plain=True) as receiver:
        yield receiver


def fill(sender: Sender) -> None:
    """Send until every credit is spent, so that frames are in flight."""
    outlet = sender.stream("front")
    while outlet.wait_credit(0.2):
        sender.send("front", IMAGE)


def test_a_sender_closes_at_once_when_its_network_swallows_all(
    receiver: Receiver, quickest: Quickest
) -> None:
    def close() -> float:
        with LinkEmulator(receiver.address) as link:
            sender = Sender(link.address, "pi", plain=True)
            assert sender.send("front", IMAGE) or sender.stream("front").wait_credit(WAIT_S)
            link.cut()
            fill(sender)
            return seconds(sender.close)

    assert quickest(close) < STOP_S


def test_a_receiver_closes_at_once_when_its_network_swallows_all(quickest: Quickest) -> None:
    def close() -> float:
        receiver = Receiver("tcp://127.0.0.1:0", plain=True)
        with (
            LinkEmulator(receiver.address) as link,
            Sender(link.address, "pi", plain=True) as sender,
        ):
            assert sender.stream("front").wait_credit(WAIT_S)
            sender.send("front", IMAGE)
            assert next(iter(receiver)).camera == "front"
            link.cut()
            fill(sender)
            return seconds(receiver.close)

    assert quickest(close) < STOP_S


@pytest.mark.parametrize("failure", ["stopped", "killed", "cut"])
def test_programs_close_at_once_when_their_hub_is(
    house: House, until: Until, quickest: Quickest, failure: str
) -> None:
    subscribers_address = f"tcp://127.0.0.1:{house.ports['SUBSCRIBERS']}"
    keys = Keyring(house.state).enrol("reader", Role.SUBSCRIBER, subscribers_address)

    def close() -> float:
        house.start_hub()
        with (
            LinkEmulator(house.nodes_address) as to_nodes_port,
            LinkEmulator(subscribers_address) as to_subscribers_port,
            ExitStack() as stack,
        ):
            stack.callback(house.hub.kill)
            sender = Sender(to_nodes_port.address, bundle=house.enrol("pi"))
            stack.callback(sender.close)
            subscriber = Subscriber(to_subscribers_port.address, bundle=keys, delivery="all")
            stack.callback(subscriber.close)

            def has_come() -> bool:
                sender.send("front", IMAGE)
                return subscriber.take(LOOK_S) is not None

            until(has_come, lambda: (sender.refusal, subscriber.refusal, house.hub.said()))
            if failure == "cut":
                to_nodes_port.cut()
                to_subscribers_port.cut()
            else:
                sign = signal.SIGSTOP if failure == "stopped" else signal.SIGKILL
                house.hub.process.send_signal(sign)
            fill(sender)
            return max(seconds(sender.close), seconds(subscriber.close))

    assert quickest(close) < STOP_S


# a camera that hangs


class SilentServer(ThreadingHTTPServer):
    """Serves an MJPEG stream until told to hang, then says nothing more, to nobody."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SilentHandler)
        self.hangs = threading.Event()
        self.ends = threading.Event()


class SilentHandler(BaseHTTPRequestHandler):
    server: SilentServer

    def do_GET(self) -> None:
        jpeg = encode_jpeg(IMAGE)
        head = f"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        with contextlib.suppress(OSError):  # the client has closed
            if not self.server.hangs.is_set():
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=cut")
                self.end_headers()
            while not self.server.ends.wait(LOOK_S):
                if not self.server.hangs.is_set():
                    self.wfile.write(head.encode() + jpeg + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- inherited name
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[SilentServer]:
    with SilentServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.ends.set()
        server.shutdown()
        thread.join(WAIT_S)


def test_a_camera_that_hangs_for_good_is_counted_and_ends_its_node_with_an_error(
    house: House, look_at: LookAt, until: Until, server: SilentServer
) -> None:
    device = f"http://127.0.0.1:{server.server_port}/cam"
    cameras = {"stuck": {"source": "opencv", "device": device}, "fine": {"source": "synthetic"}}
    settings = {"CAMFLEET_NODE_CAMERAS": json.dumps(cameras), "CAMFLEET_NODE_STALL_S": "3"}
    house.start_hub()
    node = house.start_node("pi", settings=settings)
    look_at(house, "pi/stuck", "pi/fine")
    await_streams(house, until, "pi/stuck", "pi/fine", than={})
    server.hangs.set()
    until(lambda: "camera stalled and is reopened" in node.said(), node.said)
    assert node.process.poll() is None
    restarts = 'camfleet_camera_restarts_total{camera="stuck",node="pi"}'
    until(lambda: house.metric(restarts) == 1, node.said)
    assert house.metric(restarts.replace("stuck", "fine")) == 0
    assert until(lambda: node.process.poll() is not None, node.said)
    assert node.process.returncode == 1, node.said()
    assert "camera stuck still hangs, 3 s after it was reopened" in node.said()
