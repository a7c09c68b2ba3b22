"""What the wall paints in a real browser, how old its pictures are, and what it costs the hub.

Hub and Chromium are the real programs; the cameras are one process with real links, a main stream
and a preview each. Every picture carries the time of its capture in its pixels, which is read back
out of the canvas, so the age on the glass is measured from end to end and takes nobody's word.
All share one machine; what Chromium with its software renderer and the cameras take of it is
printed beside the hub's part.

The throttled viewer sits behind a link of 2 Mbit/s (`camfleet.testing.LinkEmulator`). The hundred
viewers speak the wall's protocol in a process of their own and acknowledge at once.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal

import msgspec
import numpy as np
from harness import Row, Sample, alternate, arguments, bound, finish
from playwright.sync_api import Browser, Page, sync_playwright
from wall_ends import Plan

from camfleet import timecode
from camfleet.keyring import Keyring
from camfleet.keys import Role
from camfleet.testing import LinkEmulator

MAIN_SIZE, SMALL, MIDDLE = (640, 480), (160, 120), (320, 240)  # of streams
ENDS: Final = str(Path(__file__).with_name("wall_ends.py"))
NODES: Final = 8
MANY, MANY_FPS, MANY_LEAST = 64, 12, 10
FEW, FEW_FPS, FEW_LEAST = 16, 30, 25
SCREEN, LAPTOP = (1920, 1080), (1280, 800)
MOST_MS: Final = 100
MOST_HUB: Final = 60  # percent of a core
SLOW_BYTES_S: Final = 250_000  # 2 Mbit/s
SLOW_MOST_MS: Final = 1000
UNCHANGED: Final = 0.9  # of its own rate before; two rounds of one viewer alone differ by as much
FIRST_MS: Final = 500
OPENED: Final = 5  # times, for the first picture
VIEWERS: Final = 100
VIEWERS_FPS: Final = 10
LIVE_MS: Final = 1000
MOST_GROWTH: Final = 5  # percent of the hub's memory, over the span
WARM_UP_S: Final = 4.0
START_S: Final = 60.0  # a busy machine starts processes in some seconds
_LOOK_S: Final = 0.1
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_HEALTH_S: Final = 0.2
_BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking",
                     "--disable-component-update", "--disable-sync", "--no-first-run")  # fmt: skip

# Counts what is painted by camera, with the age that each picture reached on the glass before the
# next one came. Of one in seventeen it keeps the band with the time code, as the canvas has it.
WATCH: Final = """
window.seen = {};
window.codes = [];
window.firstMs = null;
const KEEP = 17;
let painted = 0;
addEventListener("painted", (event) => {
  const nowMs = performance.timeOrigin + performance.now();
  window.firstMs ??= performance.now();
  const { camera, capturedMs } = event.detail;
  const seen = (window.seen[camera] ??= { count: 0, shownMs: null, oldestMs: 0 });
  seen.count += 1;
  if (seen.shownMs) seen.oldestMs = Math.max(seen.oldestMs, nowMs - seen.shownMs);
  seen.shownMs = capturedMs;
  if (painted++ % KEEP || !window.keeps) return;
  const { width, height } = event.target;
  const rows = Math.ceil(height / 10) + 1;
  const data = event.target.getContext("2d").getImageData(0, height - rows, width, rows).data;
  const gray = new Uint8Array(data.length / 4).map((_, i) => data[4 * i + 1]);
  const text = Array.from(gray, (one) => String.fromCharCode(one)).join("");
  window.codes.push({ nowMs, width, height, rows, gray: btoa(text) });
});
"""
BEGIN: Final = "() => { window.seen = {}; window.codes = []; window.keeps = true; }"
END: Final = "() => { window.keeps = false; return [window.seen, window.codes]; }"


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__)
    rounds, span_s = (1, 6.0) if options.quick else (3, 20.0)
    found: dict[str, Sample] = {}
    with sync_playwright() as playwright, ExitStack() as stack:
        browser = playwright.chromium.launch(executable_path=_browser(), args=_ARGUMENTS)
        stack.callback(browser.close)
        found |= alternate(
            rounds,
            {
                "many": lambda: paint(
                    browser, Fleet.running(MANY, MANY_FPS, SMALL), MANY, span_s, SCREEN
                ),
                "few": lambda: paint(browser, Fleet.running(FEW, FEW_FPS), FEW, span_s, LAPTOP),
                "throttled": lambda: throttle(browser, span_s),
                "first": lambda: open_often(browser),
                "viewers": lambda: crowd(span_s),
            },
        )
    finish(rows(found), options.json)


def rows(found: dict[str, Sample]) -> list[Row]:
    """Hold what was measured against the goals."""
    many, few, slow = found["many"], found["few"], found["throttled"]
    crowded = found["viewers"]
    most: Literal["≤"] = "≤"
    least: Literal["≥"] = "≥"
    return [
        bound(f"{MANY} tiles: painted, the least of all tiles", many["least_fps"], None,
              "per second", sign=least, goal=MANY_LEAST),
        bound(f"{MANY} tiles: glass-to-glass, p95", many["p95_ms"], None,
              "ms", sign=most, goal=MOST_MS),
        bound(f"{MANY} tiles: hub CPU", many["hub_percent"], None,
              "% of a core", sign=most, goal=MOST_HUB),
        bound(f"{FEW} tiles: painted, the least of all tiles", few["least_fps"], None,
              "per second", sign=least, goal=FEW_LEAST),
        bound(f"{FEW} tiles: glass-to-glass, p95", few["p95_ms"], None,
              "ms", sign=most, goal=MOST_MS),
        bound("2 Mbit/s: oldest picture on the glass", slow["oldest_ms"], None,
              "ms", sign=most, goal=SLOW_MOST_MS),
        bound("2 Mbit/s: another viewer beside it, of its rate before", slow["beside"], None,
              "of before", sign=least, goal=UNCHANGED),
        bound("first picture after the page opens", found["first"]["first_ms"], None,
              "ms", sign=most, goal=FIRST_MS),
        bound(f"{VIEWERS} viewers: longest answer of /healthz", crowded["health_ms"], None,
              "ms", sign=most, goal=LIVE_MS),
        bound(f"{VIEWERS} viewers: age on arrival, p99", crowded["p99_ms"], None,
              "ms", sign=most, goal=SLOW_MOST_MS),
        bound(f"{VIEWERS} viewers: memory of the hub, change", crowded["growth_percent"], None,
              "%", sign=most, goal=MOST_GROWTH),
    ]  # fmt: skip


def paint(
    browser: Browser,
    fleet: AbstractContextManager[Fleet],
    cameras: int,
    span_s: float,
    screen: tuple[int, int],
) -> Sample:
    """One browser that shows all cameras."""
    with ExitStack() as stack:
        running = stack.enter_context(fleet)
        page = stack.enter_context(_page(browser, running.url, screen))
        _wait_painted(page, cameras)
        hub, cams = Meter([running.hub]), Meter([running.cameras])
        chromium = Meter(_chromium())
        glass = watch(page, span_s)
        return glass | {
            "hub_percent": hub.percent(),
            "cameras_percent": cams.percent(),
            "chromium_percent": chromium.percent(),
        }


def throttle(browser: Browser, span_s: float) -> Sample:
    """A viewer behind a slow link, and one beside it on a fast one."""
    with ExitStack() as stack:
        fleet = stack.enter_context(Fleet.running(FEW, VIEWERS_FPS))
        beside = stack.enter_context(_page(browser, fleet.url, LAPTOP))
        _wait_painted(beside, FEW)
        before = watch(beside, span_s)
        link = stack.enter_context(
            LinkEmulator(f"tcp://127.0.0.1:{fleet.port}", down_rate_bytes_s=SLOW_BYTES_S)
        )
        url = f"http://{link.address.removeprefix('tcp://')}/"
        slow = stack.enter_context(_page(browser, url, LAPTOP))
        _wait_painted(slow, FEW)
        slow.evaluate(BEGIN)
        after = watch(beside, span_s)
        shown = _glass(slow.evaluate(END), span_s)
        return {
            "oldest_ms": shown["oldest_ms"],
            "p95_ms": shown["p95_ms"],
            "fps": shown["fps"],
            "beside": after["fps"] / before["fps"],
            "beside_p95_ms": after["p95_ms"],
            "before_p95_ms": before["p95_ms"],
        }


def open_often(browser: Browser) -> Sample:
    """How long a page takes from its opening to the first picture."""
    with Fleet.running(FEW, FEW_FPS) as fleet:
        taken_ms = []
        for _ in range(OPENED):
            with _page(browser, fleet.url) as page:
                page.wait_for_function("() => window.firstMs !== null")
                taken_ms.append(float(page.evaluate("window.firstMs")))
        return {"first_ms": median(taken_ms), "most_ms": max(taken_ms)}


def crowd(span_s: float) -> Sample:
    """A hundred viewers of one wall, which ask nothing of a browser."""
    with Fleet.running(FEW, VIEWERS_FPS) as fleet, tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "viewers.json"
        ends = [sys.executable, ENDS, "viewers", fleet.url, str(VIEWERS), str(span_s), str(told)]
        viewers = subprocess.Popen(ends)
        try:
            _wait(told.exists, "viewers")
            hub = Meter([fleet.hub])
            before = _memory(fleet.hub)
            worst_s, until_s = 0.0, time.monotonic() + span_s
            while time.monotonic() < until_s:
                asked_s = time.monotonic()
                _get(f"{fleet.url}healthz", timeout_s=START_S)
                worst_s = max(worst_s, time.monotonic() - asked_s)
                time.sleep(_HEALTH_S)
            growth = 100 * (_memory(fleet.hub) / before - 1)
            percent = hub.percent()
            if viewers.wait(START_S):
                raise RuntimeError(f"viewers ended with code {viewers.returncode}")
        finally:
            viewers.kill()
            viewers.wait()
        sample: Sample = json.loads(told.read_text())
        return sample | {
            "health_ms": 1000 * worst_s,
            "growth_percent": growth,
            "hub_percent": percent,
        }


def watch(page: Page, span_s: float) -> Sample:
    """What one page paints meanwhile."""
    page.evaluate(BEGIN)
    begun_s = time.monotonic()
    page.wait_for_timeout(1000 * span_s)
    found = page.evaluate(END)
    return _glass(found, time.monotonic() - begun_s)


def _glass(found: list[Any], span_s: float) -> Sample:
    seen, codes = found
    ages_ms = sorted(age for one in codes if (age := _age_ms(one)) is not None)
    if not ages_ms:
        raise RuntimeError(f"no time code in any of {len(codes)} pictures")
    rates = [one["count"] / span_s for one in seen.values()]
    return {
        "least_fps": min(rates),
        "fps": sum(rates),
        "p50_ms": float(np.percentile(ages_ms, 50)),
        "p95_ms": float(np.percentile(ages_ms, 95)),
        "oldest_ms": max(one["oldestMs"] for one in seen.values()),
        "unread": float(len(codes) - len(ages_ms)),
    }


def _age_ms(code: dict[str, Any]) -> float | None:
    """From the time that the pixels tell to when they were painted."""
    gray = np.frombuffer(base64.b64decode(code["gray"]), np.uint8)
    image = np.zeros((code["height"], code["width"]), np.uint8)
    image[-code["rows"] :] = gray.reshape(code["rows"], code["width"])
    captured_ns = timecode.read(image, time.time_ns())
    return None if captured_ns is None else float(code["nowMs"]) - captured_ns / 1e6


@dataclass
class Fleet:
    """A hub and nodes whose cameras somebody may look at.

    Attributes:
        port: of the wall.
        hub: the id of its process.
        cameras: likewise, of all of them.
    """

    port: int
    hub: int = 0
    cameras: int = 0

    @property
    def url(self) -> str:
        """Of the wall."""
        return f"http://127.0.0.1:{self.port}/"

    @classmethod
    @contextmanager
    def running(
        cls, cameras: int, fps: float, preview: tuple[int, int] = MIDDLE
    ) -> Iterator[Fleet]:
        """Start hub and nodes, and wait until every camera is online."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="camfleet-")))
            ports = _free_ports(5)
            fleet = cls(ports[0])
            keyring = Keyring(folder / "state")
            fleet.hub = _start(["-m", "camfleet_hub"], _hub_settings(folder, ports), folder, stack)
            _wait(lambda: _is_healthy(fleet.url), "hub")
            bundles = [folder / f"node-{number}.json" for number in range(NODES)]
            for bundle in bundles:
                address = f"tcp://127.0.0.1:{ports[1]}"
                keyring.enrol(bundle.stem, Role.NODE, address).write(bundle)
            plan = Plan([str(one) for one in bundles], cameras, fps, (MAIN_SIZE, preview))
            text = msgspec.json.encode(plan).decode()
            fleet.cameras = _start([ENDS, "cameras", text], {}, folder, stack)
            _wait(lambda: fleet.online() == cameras, f"{cameras} cameras")
            yield fleet

    def online(self) -> int:
        """Cameras that are."""
        nodes = json.loads(_get(f"{self.url}api/nodes"))["nodes"]
        return sum(one["state"] == "online" for node in nodes for one in node["cameras"])


class Meter:
    """CPU of processes, as the kernel counts it, since this was made."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids
        self._begun = time.monotonic(), _ticks(pids)

    def percent(self) -> float:
        """Of one core."""
        begun_s, ticks = self._begun
        return 100 * (_ticks(self._pids) - ticks) / _TICKS / (time.monotonic() - begun_s)


def _ticks(pids: list[int]) -> int:
    taken = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # a process of the browser's that has ended
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            taken += int(fields[11]) + int(fields[12])
    return taken


def _memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])


def _chromium() -> list[int]:
    """Ids of all processes that are ours and the browser's."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(fields[1])
    ours = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return [pid for pid in ours if "chrom" in _command(pid)]


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].decode()
    return ""


def _hub_settings(folder: Path, ports: list[int]) -> dict[str, str]:
    names = ("WEB", "NODES", "SUBSCRIBERS", "IMAGEZMQ", "METRICS")
    return {
        "CAMFLEET_HUB_BIND": "127.0.0.1",
        "CAMFLEET_HUB_STATE": str(folder / "state"),
        "CAMFLEET_HUB_AUTH": "none",
    } | {f"CAMFLEET_HUB_{name}_PORT": str(port) for name, port in zip(names, ports, strict=True)}


def _start(command: list[str], settings: dict[str, str], folder: Path, stack: ExitStack) -> int:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
    log = stack.enter_context((folder / "services.log").open("ab"))
    process = subprocess.Popen(
        [sys.executable, *command], env=inherited | settings, stdout=log, stderr=log
    )
    stack.callback(_end, process)
    return process.pid


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _browser() -> str:
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise SystemExit(f"no browser: found none of {_BROWSERS}, want Chromium")
    return found


@contextmanager
def _page(browser: Browser, url: str, size: tuple[int, int] = SCREEN) -> Iterator[Page]:
    viewport: Any = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme="dark")
    context.set_default_timeout(1000 * START_S)
    context.add_init_script(WATCH)
    try:
        page = context.new_page()
        page.goto(url, wait_until="commit")
        yield page
    finally:
        context.close()


def _wait_painted(page: Page, cameras: int) -> None:
    page.wait_for_function(f"() => Object.keys(window.seen).length === {cameras}")
    page.wait_for_timeout(1000 * WARM_UP_S)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _get(url: str, timeout_s: float = 5.0) -> bytes:
    with urllib.request.urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 - our own hub
        body: bytes = answer.read()
    return body


def _is_healthy(url: str) -> bool:
    with contextlib.suppress(OSError):
        return bool(_get(f"{url}healthz"))
    return False


def _wait(claim: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + START_S
    while not claim():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{what} did not come within {START_S} s")
        time.sleep(_LOOK_S)


if __name__ == "__main__":
    main()
