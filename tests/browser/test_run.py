"""What `make run` starts, seen in a real browser."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
import pytest
from playwright.sync_api import expect

from camfleet import timecode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser

ROOT: Final = Path(__file__).parents[2]
FOOTAGE: Final = ROOT.parent / "shared" / "media" / "vtest.avi"
CAMERAS: Final = ["garden/pond", "gate/street", "porch/lantern", "workshop/lathe"]
STOP_S: Final = 30.0
PAGE_MS: Final = 45_000
PORTS: Final = ("WEB", "NODES", "SUBSCRIBERS", "IMAGEZMQ", "METRICS")
# Three pictures of each camera as the canvas shows them, once the page has settled; not one
# after the other, because to make a PNG takes longer than to paint.
COLLECT: Final = """
window.pictures = {};
window.painted = {};
addEventListener("painted", (event) => {
  const nowMs = Date.now();
  const { camera } = event.detail;
  const kept = (window.pictures[camera] ??= []);
  const count = (window.painted[camera] = (window.painted[camera] ?? 0) + 1);
  if (count < 20 || count % 5 || kept.length === 3) return;
  kept.push([nowMs, event.target.toDataURL("image/png")]);
});
"""


@contextmanager
def run(ports: list[int], folder: Path, *options: str) -> Iterator[str]:
    """Run it as `make run` does; yield the wall's address, and stop it by Ctrl-C."""
    settings = {
        f"CAMFLEET_HUB_{name}_PORT": str(port) for name, port in zip(PORTS, ports, strict=True)
    }
    settings["CAMFLEET_RUN_LOGS"] = str(folder)
    command = [sys.executable, str(ROOT / "deploy" / "local" / "run.py"), *options]
    process = subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        first = process.stdout.readline().decode()  # ends by itself when the run does
        assert first.startswith("wall "), first
        yield first.split()[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(STOP_S) == 0
    finally:
        process.kill()
        process.communicate()


def pictures(browser: Browser, url: str, cameras: list[str]) -> dict[str, Any]:
    """Three painted pictures of each camera, with the time when they were painted."""
    with browser.new_page() as page:
        page.set_default_timeout(PAGE_MS)
        page.add_init_script(COLLECT)
        page.goto(url)
        expect(page.locator("#online")).to_have_text(f"{len(cameras)} of {len(cameras)} online")
        page.wait_for_function(
            "(cameras) => cameras.every((camera) => window.pictures[camera]?.length === 3)",
            arg=cameras,
        )
        collected: dict[str, Any] = page.evaluate("window.pictures")
    return collected


def decode(url: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    png = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    image = cv2.imdecode(png, cv2.IMREAD_COLOR)
    assert image is not None
    return np.asarray(image, np.uint8)


def test_a_run_shows_four_live_cameras(
    browser: Browser,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    hold_ports: Callable[[int], list[int]],
) -> None:
    with run(hold_ports(len(PORTS)), tmp_path) as url:
        collected = pictures(browser, url, CAMERAS)
    painted = [taken for camera in CAMERAS for taken in collected[camera]]
    codes_ns = [timecode.read(decode(png), time.time_ns()) for _, png in painted]
    latencies_ms = [
        at_ms - code_ns / 1e6
        for (at_ms, _), code_ns in zip(painted, codes_ns, strict=True)
        if code_ns is not None
    ]
    with capsys.disabled():
        sys.stdout.write(f"\nmake run, glass to glass: {np.median(latencies_ms):.1f} ms (median)\n")
    assert len(latencies_ms) == len(painted)
    assert min(latencies_ms) >= 0
    for camera, at in zip(CAMERAS, range(0, len(codes_ns), 3), strict=True):
        assert len(set(codes_ns[at : at + 3])) == 3, f"{camera} showed a picture twice"


@pytest.fixture
def footage() -> Path:
    if not FOOTAGE.exists():
        pytest.skip(f"no footage: found no {FOOTAGE.name} in {FOOTAGE.parent.name} beside us")
    return FOOTAGE


def test_a_run_with_a_source_shows_that_footage(
    browser: Browser, tmp_path: Path, footage: Path, hold_ports: Callable[[int], list[int]]
) -> None:
    with run(hold_ports(len(PORTS)), tmp_path, "--source", str(footage), "--cameras", "1") as url:
        collected = pictures(browser, url, ["footage/vtest", "garden/pond"])
    shown = [decode(png) for _, png in collected["footage/vtest"]]
    assert {image.shape for image in shown} == {(576, 768, 3)}
    assert is_in(footage, shown[0])


def is_in(video: Path, image: np.ndarray[Any, np.dtype[np.uint8]]) -> bool:
    """Whether some frame of a video is this one but for its JPEG's losses."""
    capture = cv2.VideoCapture(str(video))
    try:
        return any(
            np.abs(frame - image.astype(int)).mean() < 5
            for _, frame in iter(capture.read, (False, None))
        )
    finally:
        capture.release()
