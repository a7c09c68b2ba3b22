"""A real hub, real nodes and a real browser; whatever is started here is stopped here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect, sync_playwright
from tests.ports import held_ports

from camfleet.keyring import Keyring
from camfleet.keys import Role
from camfleet.sender import Sender
from camfleet_hub.users import set_password

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page

READY_S: Final = 60.0  # a loaded machine imports OpenCV in some seconds
STOP_S: Final = 30.0
POLL_S: Final = 0.05
PAGE_MS: Final = 45_000  # four nodes start meanwhile, each of which imports OpenCV
LOCK: Final = "a horse, a battery"  # the password of a wall that has one
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS: Final = (
    "--no-sandbox",  # Chromium has none for root, which is what tests in a container are
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

# Counts painted frames by camera; where a test asks, keeps pictures as the canvas shows them.
# Of a second it keeps few: to make a PNG takes longer than to paint.
WATCH_PAINTED: Final = """
window.painted = {};
window.samples = [];
window.samplesWanted = 0;
addEventListener("painted", (event) => {
  const nowMs = Date.now();
  const { camera } = event.detail;
  const count = (window.painted[camera] = (window.painted[camera] ?? 0) + 1);
  const taken = window.samples.filter((sample) => sample.camera === camera).length;
  if (count % 5 || taken >= window.samplesWanted) return;
  window.samples.push({ ...event.detail, nowMs, png: event.target.toDataURL("image/png") });
});
"""


class Service:
    """One of our programs in a process of its own."""

    def __init__(self, module: str, settings: dict[str, str], log: IO[bytes]) -> None:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
        self.module = module
        self.process = subprocess.Popen(
            [sys.executable, "-m", module], env=inherited | settings, stdout=log, stderr=log
        )

    def pause(self) -> None:
        """Stop it in its tracks, as a machine that hangs: it says no farewell."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to end, and see that it does so of its own accord."""
        self.resume()
        self.process.terminate()
        assert self.process.wait(STOP_S) == 0, f"{self.module} did not end cleanly"

    def kill(self) -> None:
        """Whatever became of the test, leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_S)


class Wall:
    """A hub on free ports, and the nodes that send to it; most tests do without a log-in."""

    def __init__(self, logs: Path, stack: ExitStack, password: str = "") -> None:
        self._log = stack.enter_context((logs / "services.log").open("wb"))
        self._stack = stack
        ports = stack.enter_context(held_ports(5))
        self._web, self._nodes, self._subscribers, self._imagezmq, self._metrics = ports
        self._services: list[Service] = []
        self._folder = logs
        self._keyring = Keyring(logs / "state")
        self._auth = "password" if password else "none"
        if password:
            set_password(self._keyring.folder, password)
        self.hub = self.start_hub()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._web}/"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self._web}/ws/wall"

    @property
    def imagezmq_address(self) -> str:
        return f"tcp://127.0.0.1:{self._imagezmq}"

    @property
    def nodes_address(self) -> str:
        return f"tcp://127.0.0.1:{self._nodes}"

    @property
    def state(self) -> Path:
        return self._keyring.folder

    def start_hub(self) -> Service:
        """Start a hub, on the ports of its predecessor where there was one."""
        settings = {
            "CAMFLEET_HUB_BIND": "127.0.0.1",
            "CAMFLEET_HUB_WEB_PORT": str(self._web),
            "CAMFLEET_HUB_NODES_PORT": str(self._nodes),
            "CAMFLEET_HUB_SUBSCRIBERS_PORT": str(self._subscribers),
            "CAMFLEET_HUB_IMAGEZMQ_PORT": str(self._imagezmq),
            "CAMFLEET_HUB_METRICS_PORT": str(self._metrics),
            "CAMFLEET_HUB_STATE": str(self._keyring.folder),
            "CAMFLEET_HUB_AUTH": self._auth,
        }
        self.hub = self._start("camfleet_hub", settings)
        _wait_healthy(f"{self.url}healthz", self.hub)
        return self.hub

    def start_node(self, name: str, camera: str = "front", preview_width: int = 0) -> Service:
        """Start a node with one synthetic camera, and with a preview where it has a width."""
        settings = {
            "CAMFLEET_NODE_BUNDLE": str(self._enrol(name)),
            f"CAMFLEET_NODE_CAMERAS__{camera}__SOURCE": "synthetic",
            "CAMFLEET_NODE_METRICS_PORT": "0",  # several nodes on one machine
        }
        if preview_width:
            settings[f"CAMFLEET_NODE_CAMERAS__{camera}__PREVIEW_WIDTH"] = str(preview_width)
        return self._start("camfleet_node", settings)

    def start_sender(self, name: str) -> Sender:
        """A node that is a program of the test's own."""
        return Sender(bundle=self._enrol(name))

    def _enrol(self, name: str) -> Path:
        """Give a node its keys; once, and the same ones later."""
        path = self._folder / f"{name}.json"
        if not path.exists():
            self._keyring.enrol(name, Role.NODE, self.nodes_address).write(path)
        return path

    def stop(self) -> None:
        """End all that still runs, nodes first; each must end cleanly."""
        for service in reversed(self._services):
            if service.process.returncode is None:
                service.terminate()

    def _start(self, module: str, settings: dict[str, str]) -> Service:
        service = Service(module, settings, self._log)
        self._stack.callback(service.kill)
        self._services.append(service)
        return service


class Console:
    """What the browser complains of. A test names beforehand what it must complain of."""

    def __init__(self) -> None:
        self.expected: tuple[str, ...] = ()
        self._problems: list[str] = []

    def listen(self, page: Page) -> None:
        page.on("console", self._take)
        page.on("pageerror", lambda error: self._problems.append(str(error)))

    @property
    def unexpected(self) -> list[str]:
        return [p for p in self._problems if not any(text in p for text in self.expected)]

    def _take(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self._problems.append(message.text)


@pytest.fixture(name="hold_ports")
def _hold_ports() -> Iterator[Callable[[int], list[int]]]:
    """Gives ports that nobody else is given until the end of a test."""
    with ExitStack() as stack:
        yield lambda count: stack.enter_context(held_ports(count))


def _wait_healthy(url: str, service: Service) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - it is our own hub
                return
        except (urllib.error.URLError, TimeoutError):
            _wait_alive(service)
    pytest.fail(f"{service.module} was not healthy within {READY_S} s")


def _wait_alive(service: Service) -> None:
    try:
        code = service.process.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return
    pytest.fail(f"{service.module} ended with code {code}")


def _find_browser() -> str:
    chosen = os.environ.get("CAMFLEET_TEST_CHROMIUM")
    found = next(filter(None, map(shutil.which, [chosen] if chosen else BROWSERS)), None)
    if found is None:
        pytest.skip(
            f"no browser: found none of {[chosen] if chosen else list(BROWSERS)}; want Chromium, "
            "for example by `apt-get install chromium`, or its path in CAMFLEET_TEST_CHROMIUM"
        )
    return found


# One browser a module and no longer: while it runs, this thread has a running asyncio loop,
# which other modules' tests cannot bear.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = _find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        expect.set_options(timeout=PAGE_MS)
        yield browser
        browser.close()


@pytest.fixture
def wall(browser: Browser, tmp_path: Path) -> Iterator[Wall]:  # noqa: ARG001 - skips first
    with _run_wall(tmp_path) as wall:
        yield wall


@pytest.fixture
def locked_wall(browser: Browser, tmp_path: Path) -> Iterator[Wall]:  # noqa: ARG001 - skips first
    """A wall with a log-in."""
    with _run_wall(tmp_path, LOCK) as wall:
        yield wall


@pytest.fixture(scope="module")
def lone_hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:  # noqa: ARG001 - skips first
    """A hub without nodes, for all tests that only want the page from it."""
    with _run_wall(tmp_path_factory.mktemp("lone")) as wall:
        yield wall


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def page(browser: Browser, wall: Wall, console: Console) -> Iterator[Page]:
    with _open_page(browser, wall, console) as page:
        yield page


@pytest.fixture
def locked_page(browser: Browser, locked_wall: Wall, console: Console) -> Iterator[Page]:
    with _open_page(browser, locked_wall, console) as page:
        yield page


@pytest.fixture
def lone_page(browser: Browser, lone_hub: Wall, console: Console) -> Iterator[Page]:
    with _open_page(browser, lone_hub, console) as page:
        yield page


@contextmanager
def _run_wall(logs: Path, password: str = "") -> Iterator[Wall]:
    with ExitStack() as stack:
        try:
            wall = Wall(logs, stack, password)
            yield wall
            wall.stop()
        finally:
            sys.stdout.write((logs / "services.log").read_text())  # shown where a test fails


@contextmanager
def _open_page(browser: Browser, wall: Wall, console: Console) -> Iterator[Page]:
    """Open a page that may leave no error on its console.

    It is closed before the hub stops, or it would complain of that.
    """
    context = browser.new_context(
        base_url=wall.url, viewport={"width": 1280, "height": 800}, color_scheme="dark"
    )
    context.set_default_timeout(PAGE_MS)
    context.add_init_script(WATCH_PAINTED)
    page = context.new_page()
    console.listen(page)
    try:
        yield page
    finally:
        context.close()
    assert console.unexpected == []
