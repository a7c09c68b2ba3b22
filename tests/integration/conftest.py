"""Hubs and nodes in processes of their own; whatever is started here is ended here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from email.message import Message
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

import pytest
from tests.ports import held_ports

from camfleet.keyring import Keyring
from camfleet.keys import Role

T = TypeVar("T")
DEADLINE_S: Final = 40.0  # a busy machine imports OpenCV in some seconds, and stalls for some more
POLL_S: Final = 0.02
QUICK_S: Final = 1.0


class Answer(NamedTuple):
    """What the hub answered to a request."""

    status: int
    headers: dict[str, str]  # names in small letters
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


class Service:
    """One of our programs in a process of its own, with all that it says in a file."""

    def __init__(self, command: list[str], settings: dict[str, str], log: Path) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
        self.log = log
        with log.open("ab") as output:
            self._begins_at = output.tell()  # what its predecessors said stands before
            self.process = subprocess.Popen(
                command,
                env=inherited | settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        with self.log.open("rb") as said:
            said.seek(self._begins_at)
            return said.read().decode(errors="replace")

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit code and how many seconds the end took."""
        begun_s = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S), time.monotonic() - begun_s

    def kill(self) -> None:
        """End it without a chance to say goodbye, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_S)


class House:
    """A hub on free ports, and nodes that send to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        names = ("WEB", "NODES", "SUBSCRIBERS", "IMAGEZMQ", "METRICS")
        ports = self._stack.enter_context(held_ports(len(names)))
        self.ports = dict(zip(names, ports, strict=True))
        self.state = folder / "state"
        self.host = "127.0.0.1"  # that the hub listens on
        self.hub: Service

    @property
    def settings(self) -> dict[str, str]:
        ports = {f"CAMFLEET_HUB_{name}_PORT": str(port) for name, port in self.ports.items()}
        # Most tests are about other things than the log-in.
        return ports | {"CAMFLEET_HUB_STATE": str(self.state), "CAMFLEET_HUB_AUTH": "none"}

    @property
    def nodes_address(self) -> str:
        return f"tcp://127.0.0.1:{self.ports['NODES']}"

    def enrol(self, name: str) -> Path:
        """Give a node its keys, as `camfleet-hub enrol` does; once, and the same ones later."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            keyring = Keyring(self.state)
            keyring.enrol(name, Role.NODE, self.nodes_address).write(path)
        return path

    def run(
        self, command: list[str], settings: dict[str, str], name: str, under: Sequence[str] = ()
    ) -> Service:
        """Start a program, perhaps under another one, that is ended with this house."""
        command = [*under, sys.executable, *command]
        quiet = {"CAMFLEET_NODE_METRICS_PORT": "0"}  # several nodes on one machine
        service = Service(command, quiet | settings, self.folder / f"{name}.log")
        self._stack.callback(service.kill)
        return service

    def start_hub(
        self, settings: dict[str, str] | None = None, program: Sequence[str] = ("-m",)
    ) -> Service:
        """Start a hub and wait until it serves; a second one takes the first one's ports."""
        command = [*program, "camfleet_hub"]
        self.hub = self.run(command, self.settings | (settings or {}), "hub")
        until(self.is_serving, self.hub.said)
        return self.hub

    def start_node(
        self,
        name: str,
        *cameras: str,
        settings: dict[str, str] | None = None,
        program: Sequence[str] = ("-m",),
        under: Sequence[str] = (),
    ) -> Service:
        """Start a node with small synthetic cameras."""
        camera = {"source": "synthetic", "width": 160, "height": 120, "fps": 20}
        variables = {
            "CAMFLEET_NODE_BUNDLE": str(self.enrol(name)),
            "CAMFLEET_NODE_CAMERAS": json.dumps(dict.fromkeys(cameras, camera)),
        }
        command = [*program, "camfleet_node"]
        return self.run(command, variables | (settings or {}), name, under)

    def is_serving(self) -> bool:
        assert self.hub.process.poll() is None, self.hub.said()
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False

    def get(self, path: str, port: str = "WEB") -> Answer:
        """Ask the hub for a path, which is sent as it stands here."""
        url = f"http://{self.host}:{self.ports[port]}{path}"
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE_S) as response:
                return Answer(response.status, _lower(response.headers), response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, _lower(error.headers), error.read())

    def cameras(self) -> dict[str, dict[str, Any]]:
        """What the API says of each camera."""
        found: dict[str, dict[str, Any]] = {}
        after: str | None = ""
        while after is not None:
            page = self.get(f"/api/cameras?limit=500&after={quote(after)}").json
            found |= {camera["id"]: camera for camera in page["cameras"]}
            after = page["after"]
        return found

    def await_frames(self, *ids: str, more: int = 1) -> None:
        """Wait until so many more frames of these cameras have arrived."""
        before = {i: camera["received"] for i, camera in self.cameras().items()}

        def have_come() -> bool:
            now = self.cameras()
            return all(i in now and now[i]["received"] >= before.get(i, 0) + more for i in ids)

        until(have_come, lambda: f"{self.cameras()}\n{self.hub.said()}")

    def metric(self, line: str) -> float:
        """The value behind a metric's name and labels, 0 where there is none."""
        for found in self.get("/metrics").body.decode().splitlines():
            if found.startswith(line + " "):
                return float(found.rpartition(" ")[2])
        return 0.0

    def close(self) -> None:
        self._stack.close()


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def until(claim: Callable[[], T], said: Callable[[], object] = str) -> T:
    """Ask until the answer is neither false nor empty, and return it."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not (answer := claim()):
        assert time.monotonic() < deadline_s, f"it never became true\n{said()}"
        time.sleep(POLL_S)
    return answer


def quickest(action: Callable[[], float]) -> float:
    """The least of up to five times: what else the machine does only ever adds to one."""
    seconds = action()
    for _ in range(4):
        seconds = seconds if seconds < QUICK_S else min(seconds, action())
    return seconds


class Quickest:
    """`quickest` for tests, which cannot import it."""

    def __call__(self, action: Callable[[], float]) -> float:
        return quickest(action)


class Until:
    """`until` for tests, which cannot import it."""

    def __call__(self, claim: Callable[[], T], said: Callable[[], object] = str) -> T:
        return until(claim, said)


@pytest.fixture(name="until", scope="session")
def _until() -> Until:
    return Until()


@pytest.fixture(name="quickest", scope="session")
def _quickest() -> Quickest:
    return Quickest()


@pytest.fixture(name="hold_port")
def _hold_port() -> Iterator[Callable[[], int]]:
    """Gives a port that nobody else is given until the end of a test."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(held_ports(1))[0]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house in which nothing runs yet."""
    made = House(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A hub with a node of two cameras, for all tests of a file that leave them running."""
    made = House(tmp_path_factory.mktemp("house"))
    try:
        made.start_hub({"CAMFLEET_HUB_MAX_CAMERAS": "24"})
        made.start_node("pi", "front", "back")
        until(lambda: {"pi/front", "pi/back"} <= made.cameras().keys(), made.hub.said)
        made.await_frames("pi/front", "pi/back")
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def build_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], House]]:
    """Builds houses that stand until the end of a file."""
    with ExitStack() as stack:

        def build(name: str) -> House:
            made = House(tmp_path_factory.mktemp(name))
            stack.callback(made.close)
            return made

        yield build


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
