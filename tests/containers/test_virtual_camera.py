"""The real Picamera2 in the node's container, on cameras that libcamera itself pretends to have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Final

import pytest
import simplejpeg
from tests.containers.conftest import ARM64, Container, Images, native, runs_arm64, until

from camfleet.events import Event
from camfleet.frame import Frame
from camfleet.keyring import Keyring
from camfleet.keys import Role
from camfleet.receiver import Receiver

HERE: Final = Path(__file__).parent / "virtual_camera"
PIPELINE: Final = "/usr/share/libcamera/pipeline/virtual/virtual.yaml"
OPTIONS: Final = (
    "--network=host",  # for this process is its hub
    "--init",
    f"--volume={HERE}:/virtual:ro",
    f"--volume={HERE / 'virtual.yaml'}:{PIPELINE}:ro",
    "--env=PYTHONPATH=/virtual",
)
FRONT: Final = {
    "CAMFLEET_NODE_CAMERAS__front__SOURCE": "picamera2",
    "CAMFLEET_NODE_METRICS_PORT": "0",
}
BACK: Final = {
    "CAMFLEET_NODE_CAMERAS__back__SOURCE": "picamera2",
    "CAMFLEET_NODE_CAMERAS__back__CAMERA": "Virtual Lines",
    "CAMFLEET_NODE_CAMERAS__back__WIDTH": "640",
    "CAMFLEET_NODE_CAMERAS__back__HEIGHT": "480",
    "CAMFLEET_NODE_CAMERAS__back__FPS": "15",
    "CAMFLEET_NODE_CAMERAS__back__PREVIEW_WIDTH": "0",
}
START_S: Final = 240.0  # an emulated processor loads libcamera and all of Python for a minute
WHITE, YELLOW, BLUE = (0, 0.5), (1, 0.5), (6, 0.5)  # bars of eight, and where their middle is

Run = Callable[..., Container]


class Hub:
    """A receiver with keys, which counts frames and keeps the newest of each stream."""

    def __init__(self, folder: Path) -> None:
        self.frames: dict[str, list[Frame]] = {}
        self._lock = Lock()
        keyring = Keyring(folder / "hub")
        self.receiver = Receiver("tcp://127.0.0.1:0", keyring=keyring, on_event=self._hear)
        self.bundle = folder / "bundle.json"
        keyring.enrol("pi", Role.NODE, self.receiver.address).write(self.bundle)
        self.bundle.chmod(0o444)  # as Docker gives a secret to a container

    def options(self) -> list[str]:
        return [*OPTIONS, f"--volume={self.bundle}:/run/secrets/bundle.json:ro"]

    def newest(self, stream: str, count: int = 3) -> Frame:
        """Wait for so many frames of a stream."""
        until(lambda: len(self.frames.get(stream, [])) >= count, START_S)
        return self.frames[stream][-1]

    def _hear(self, event: Event) -> None:
        if isinstance(event, Frame):
            with self._lock:
                self.frames.setdefault(event.header.stream, []).append(event)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    hub = Hub(tmp_path)
    yield hub
    hub.receiver.close()


def colour(frame: Frame, bar: tuple[float, float]) -> list[int]:
    """Red, green and blue in the middle of one of the eight bars."""
    image = simplejpeg.decode_jpeg(bytes(frame.payload), colorspace="RGB")
    height, width, _ = image.shape
    column = round((bar[0] + bar[1]) * width / 8)
    return [int(part) for part in image[height // 2, column]]


@pytest.mark.parametrize("platform", ["native", ARM64])
def test_both_streams_of_a_camera_reach_the_hub_over_curve(
    images: Images, run: Run, hub: Hub, platform: str, say: Callable[[str], None]
) -> None:
    if platform == ARM64 and not runs_arm64():
        pytest.skip("found no emulation of arm64, want it: tests/containers/engine.sh says how")
    image = images.get("node", native() if platform == "native" else platform)
    container = run(image, options=hub.options(), settings=FRONT)
    for stream, shape in (("front/main", (720, 1280, 3)), ("front/preview", (270, 480, 3))):
        frame = hub.newest(stream)
        assert tuple(frame.header.shape) == shape
        red, green, blue = colour(frame, WHITE)
        assert min(red, green, blue) > 200
        red, green, blue = colour(frame, YELLOW)
        assert min(red, green) > 200
        assert blue < 60
        red, green, blue = colour(frame, BLUE)
        assert blue > 200
        assert max(red, green) < 60
    header = hub.frames["front/main"][-1].header
    assert 0 < header.captured_ns < hub.frames["front/main"][-1].received_ns
    assert 0 < header.stages.capture_ns < 10_000_000_000
    code, stopped_s = container.stop()
    assert code == 0, container.log
    say(f"{image} with picamera2 ended in {stopped_s:.1f} s")


def test_two_cameras_of_a_node_stream_at_once(images: Images, run: Run, hub: Hub) -> None:
    image = images.get("node", native())
    run(image, options=hub.options(), settings=FRONT | BACK)
    assert tuple(hub.newest("front/main").header.shape) == (720, 1280, 3)
    assert tuple(hub.newest("back/main").header.shape) == (480, 640, 3)
    assert "back/preview" not in hub.frames


@pytest.mark.parametrize(
    ("setting", "wanted"),
    [
        ("EXPOSURE_US=9", "found 9, want nothing: this camera has no such control"),
        ("FPS=100", "found 100, want 1 to 60 with this size and sensor mode"),
        ("WIDTH=1920", "found 1920x720, want 1280x720, the nearest that this camera makes"),
        ("ENCODER=hardware", "found hardware, want software, for there is no /dev/video11"),
    ],
)
def test_what_the_camera_has_not_ends_the_node_with_the_settings_name(
    images: Images, run: Run, hub: Hub, setting: str, wanted: str
) -> None:
    name, _, value = setting.partition("=")
    variable = f"CAMFLEET_NODE_CAMERAS__front__{name}"
    image = images.get("node", native())
    container = run(image, options=hub.options(), settings=FRONT | {variable: value})
    until(lambda: not container.state["Running"])
    assert f"{variable}: {wanted}" in container.log
    assert container.state["ExitCode"] == 2


def test_a_camera_that_is_not_there_is_waited_for(images: Images, run: Run, hub: Hub) -> None:
    settings = FRONT | {"CAMFLEET_NODE_CAMERAS__front__CAMERA": "imx708"}
    container = run(images.get("node", native()), options=hub.options(), settings=settings)
    told = "CAMERA: found imx708, want one that is there: 0 is Virtual Camera at Virtual1; 1 is "
    until(lambda: container.log.count(told) >= 2)
    assert container.state["Running"]


def test_a_camera_is_nobodys_twice(images: Images, run: Run, hub: Hub) -> None:
    settings = FRONT | {"CAMFLEET_NODE_CAMERAS__again__SOURCE": "picamera2"}
    container = run(images.get("node", native()), options=hub.options(), settings=settings)
    until(lambda: "is busy: Failed to acquire camera" in container.log)
    until(lambda: any(hub.frames.get(name) for name in ("front/main", "again/main")))


def test_the_doctor_sees_the_cameras(images: Images, run: Run, hub: Hub) -> None:
    image = images.get("node", native())
    container = run(image, "doctor", options=hub.options(), settings=FRONT)
    until(lambda: not container.state["Running"])
    assert "0: Virtual Camera at Virtual1" in container.log
    assert "1: Virtual Lines at Virtual0" in container.log
    assert "front: picamera2 gives 1280x720" in container.log


def test_without_a_camera_the_container_says_which_it_found(images: Images, run: Run) -> None:
    settings = {"CAMFLEET_NODE_PLAIN": "true", "CAMFLEET_NODE_CAMERAS__front__SOURCE": "picamera2"}
    container = run(images.get("node", native()), settings=settings)
    until(lambda: "camera" in container.log and "found" in container.log, START_S)
    assert "Traceback" not in container.log
