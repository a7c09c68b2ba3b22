"""What a node costs: CPU per frame, time from capture to the wire, memory, and idleness.

All at 1280x720 and 30 fps, over CURVE, to the product's receiver. Where CPU is measured, a replay
of planes out of memory stands for the Pi's camera: it copies each picture, as a driver's buffer
is copied, and costs nothing else, so that what is measured is the node. Its footage is a test card
with fresh grain in every picture, or a video (`--video PATH`).

The peer of the encoder takes the same way as every program that wants BGR: the same pictures in
the range that OpenCV has for YUV, to BGR by cv2.cvtColor, to JPEG by cv2.imencode with the same
quality and subsampling, and then the same camera, streams and sender. CPU is user and system time
of the whole process of the node. Memory and idleness are those of the node's program itself.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from harness import Row, Sample, alternate, arguments, bound, compare, finish

from camfleet.backoff import Backoff
from camfleet.frame import Frame
from camfleet.keyring import Keyring
from camfleet.keys import Role
from camfleet.receiver import Receiver
from camfleet.sender import Sender
from camfleet_node import service
from camfleet_node.camera import Camera
from camfleet_node.encoder import encode
from camfleet_node.processing import Processing
from camfleet_node.sending import Sending
from camfleet_node.settings.sources import CameraSettings
from camfleet_node.sources import Content, Image, Pacer, Picture, Planes, Source
from camfleet_node.sources.card import Card
from camfleet_node.stopping import Stopping
from camfleet_node.stream import Stream

WIDTH, HEIGHT, FPS, QUALITY = 1280, 720, 30, 80
PICTURES: Final = 30  # of the footage, over and over
GRAIN: Final = 4.0  # standard deviation, as of a small sensor indoors
WARM_UP_S: Final = 2.0
START_S: Final = 60.0  # a busy machine starts processes in some seconds
NODE, CAMERA = "pi", "front"
INTERVAL_MS: Final = 33.3
MOST_MB: Final = 150
MOST_SLOPE: Final = 2.0  # percent
_SETTLE_S: Final = 60.0  # after which memory should no longer grow
_LOOK_S: Final = 1.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SPAWN: Final = mp.get_context("spawn")


class Spans(NamedTuple):
    """How long is measured."""

    rounds: int
    cpu_s: float
    memory_s: float
    idle_s: float


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__, video="footage in place of the test card")
    quick, full = Spans(3, 4.0, 120.0, 5.0), Spans(7, 10.0, 1800.0, 15.0)
    spans = quick if options.quick else full
    what = options.video or "a test card with grain"
    print(f"{WIDTH}x{HEIGHT} at {FPS} fps of {what}, {spans.rounds} rounds of {spans.cpu_s} s")
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        medians = alternate(
            spans.rounds,
            {
                name: partial(measure, home, own, options.video, spans.cpu_s)
                for name, own in CONTENDERS.items()
            },
        )
        demand = alternate(spans.rounds, {"node": partial(measure_demand, home, spans.idle_s)})
        rows = [
            *encoder_rows(medians["camfleet"], medians["BGR + cv2.imencode"]),
            *demand_rows(demand["node"]),
            *memory_rows(measure_memory(home, spans.memory_s)),
        ]
    finish(rows, options.json)


def encoder_rows(ours: Sample, peer: Sample) -> list[Row]:
    """What is to be reached beside the way by BGR."""
    cpu = ours["cpu_ms"], peer["cpu_ms"]
    p99 = ours["p99_ms"], peer["p99_ms"]
    return [
        compare("CPU per frame, YUV420 to the wire", *cpu, "ms", sign="≤", goal=0.8),
        bound("capture to sent, p99", *p99, "ms", sign="≤", goal=INTERVAL_MS),
        bound("frames sent", ours["fps"], peer["fps"], "frames/s", sign="≥", goal=0.99 * FPS),
    ]


def demand_rows(sample: Sample) -> list[Row]:
    """What is to be reached where nobody looks."""
    cpu = sample["idle_percent"], sample["streaming_percent"]
    return [
        compare("CPU without demand, beside streaming", *cpu, "% of a core", sign="≤", goal=0.25)
    ]


def memory_rows(sample: Sample) -> list[Row]:
    """What is to be reached in memory."""
    minutes = f"{sample['minutes']:g} min"
    return [
        bound(
            f"memory over {minutes}, change",
            abs(sample["slope_percent"]),
            None,
            "%",
            sign="≤",
            goal=MOST_SLOPE,
        ),
        bound(
            f"memory over {minutes}, most", sample["most_mb"], None, "MB", sign="≤", goal=MOST_MB
        ),
    ]


# Pictures.


@dataclass(frozen=True)
class Shot:
    """One picture in both ranges of YUV 4:2:0, as one array each: 1080 rows of 1280.

    Attributes:
        full: of JPEG, and of the Pi's camera.
        limited: that OpenCV reads.
    """

    full: Image
    limited: Image


def footage(video: str | None) -> list[Shot]:
    """Make the pictures that all contenders get."""
    images = from_video(video) if video else from_card()
    wide = [to_full_range(image) for image in images]
    return [Shot(one, to_limited_range(one)) for one in wide]


def from_card() -> Iterator[Image]:
    """A moving card with grain."""
    card, random = Card(WIDTH, HEIGHT, CAMERA), np.random.default_rng(1)
    for number in range(PICTURES):
        image = card.paint(number * 1_000_000_000 // FPS)
        grain = random.normal(0, GRAIN, image.shape)
        yield np.clip(image + grain, 0, 255).astype(np.uint8)


def from_video(path: str) -> Iterator[Image]:
    """The first pictures of a video, scaled."""
    with closing_capture(path) as capture:
        for _ in range(PICTURES):
            found, image = capture.read()
            if not found:
                raise SystemExit(f"{path} has less than {PICTURES} pictures that can be read")
            yield np.asarray(cv2.resize(image, (WIDTH, HEIGHT)), np.uint8)


@contextmanager
def closing_capture(path: str) -> Iterator[cv2.VideoCapture]:
    """Open a video for a while."""
    capture = cv2.VideoCapture(path)
    try:
        yield capture
    finally:
        capture.release()


def to_full_range(image: Image) -> Image:
    """BGR to YUV as JPEG has it (JFIF 1.02)."""
    y, v, u = cv2.split(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb))
    half = WIDTH // 2, HEIGHT // 2
    small = [cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in (u, v)]
    rows = [np.asarray(plane, np.uint8).reshape(-1, WIDTH) for plane in (y, *small)]
    return np.concatenate(rows)


def to_limited_range(i420: Image) -> Image:
    """The same in the range of BT.601, from 16 to 235 and to 240."""
    levels = np.arange(256)
    luma = np.rint(16 + levels * 219 / 255).astype(np.uint8)
    chroma = np.rint(128 + (levels - 128) * 224 / 255).astype(np.uint8)
    return np.concatenate((luma[i420[:HEIGHT]], chroma[i420[HEIGHT:]]))


def planes(i420: Image) -> Planes:
    """Look at the planes of such an array."""
    u, v = i420[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
    return Planes(i420[:HEIGHT], u, v)


class Replay:
    """A camera that gives pictures out of memory, each as a copy, at their rate."""

    def __init__(self, shots: list[Image]) -> None:
        self._shots = shots
        self._pacer = Pacer(FPS)
        self._number = 0

    def read(self) -> Picture[Content] | None:
        """Wait for the next picture; None when closed."""
        if not self._pacer.wait():
            return None
        captured_ns = time.time_ns()
        self._number += 1
        content = planes(self._shots[self._number % len(self._shots)].copy())
        return Picture(content, captured_ns, time.time_ns() - captured_ns)

    def close(self) -> None:
        """End a `read` that waits."""
        self._pacer.close()


def encode_by_bgr(content: Content) -> bytes:
    """Make a JPEG as a program does that wants BGR."""
    assert isinstance(content, Planes)  # noqa: S101 - the replay gives nothing else
    image = cv2.cvtColor(np.asarray(content.y.base), cv2.COLOR_YUV2BGR_I420)
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    return cv2.imencode(".jpg", image, options)[1].tobytes()


@dataclass(frozen=True)
class Contender:
    """A way to make JPEGs, and the range of the planes that it wants."""

    to_jpeg: Callable[[Content], bytes]
    shots: Callable[[list[Shot]], list[Image]]


def full(shots: list[Shot]) -> list[Image]:
    """The pictures in JPEG's range."""
    return [shot.full for shot in shots]


def limited(shots: list[Shot]) -> list[Image]:
    """The pictures in OpenCV's range."""
    return [shot.limited for shot in shots]


CONTENDERS: Final = {
    "BGR + cv2.imencode": Contender(encode_by_bgr, limited),
    "camfleet": Contender(partial(encode, quality=QUALITY), full),
}


# Hub and node.


class Home:
    """The hub's keys and the node's, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.bundle = folder / "bundle.json"
        address = "tcp://127.0.0.1:5556"  # of the bundle only; every round has its own
        Keyring(self.state).enrol(NODE, Role.NODE, address).write(self.bundle)


class Arrivals:
    """What a hub notes of the frames that it is sent, while it is told to."""

    def __init__(self) -> None:
        self.is_noting = False
        self.sent_ms: list[float] = []
        self.sizes: list[int] = []

    def take(self, event: object) -> None:
        """Note a frame, on the receiver's thread."""
        if isinstance(event, Frame) and self.is_noting:
            spent = event.header.stages
            spent_ns = spent.capture_ns + spent.process_ns + spent.encode_ns + spent.queue_ns
            self.sent_ms.append(spent_ns / 1e6)
            self.sizes.append(len(event.payload))


class Job(NamedTuple):
    """What a process with a camera is to do."""

    address: str
    bundle: Path
    contender: Contender
    video: str | None


def measure(home: Home, contender: Contender, video: str | None, span_s: float) -> Sample:
    """Run one contender's camera in a process, and take its frames here."""
    arrivals = Arrivals()
    stop, told = _SPAWN.Event(), _SPAWN.Queue()
    with Receiver(
        "tcp://127.0.0.1:0", keyring=Keyring(home.state), on_event=arrivals.take
    ) as receiver:
        job = Job(receiver.address, home.bundle, contender, video)
        node = _SPAWN.Process(target=run_camera, args=(job, stop, told), daemon=True)
        node.start()
        try:
            wait_online(told)
            time.sleep(WARM_UP_S)
            begun_s, cpu_s = time.monotonic(), cpu_of(node.pid)
            arrivals.is_noting = True
            time.sleep(span_s)
            arrivals.is_noting = False
            cpu_s, passed_s = cpu_of(node.pid) - cpu_s, time.monotonic() - begun_s
        finally:
            stop.set()
            node.join(5)
            node.kill()
    count = len(arrivals.sent_ms)
    return {
        "cpu_ms": 1000 * cpu_s / count,
        "p99_ms": float(np.percentile(arrivals.sent_ms, 99)),
        "fps": count / passed_s,
        "kb": float(np.mean(arrivals.sizes)) / 1000,
    }


def run_camera(job: Job, stop: Event, told: Queue[str]) -> None:
    """Be a node with one camera."""
    contender = job.contender
    shots = contender.shots(footage(job.video))
    with Sender(job.address, bundle=job.bundle) as sender:
        outlet = sender.stream(CAMERA)
        stream = Stream(CAMERA, outlet, Sending("always"), Processing(), contender.to_jpeg)
        opens: Callable[[], Source] = lambda: Replay(shots)  # noqa: E731 - for its type
        backoff = Backoff(1, 1, lambda: 0.5)
        with closing(Camera(CAMERA, [stream], opens, backoff)):
            told.put("runs")
            stop.wait()


def measure_demand(home: Home, span_s: float) -> Sample:
    """Run the node's program, and let its stream be wanted and not, in turns."""
    stream = f"{CAMERA}/main"
    with Receiver(
        "tcp://127.0.0.1:0",
        keyring=Keyring(home.state),
        on_event=lambda _: None,
        on_demand=True,
    ) as receiver:
        told = _SPAWN.Queue()
        args = (variables(home, receiver.address), told)
        node = _SPAWN.Process(target=run_node, args=args, daemon=True)
        node.start()
        try:
            wait_online(told)
            used = {}
            for name, turn in (("idle", receiver.release), ("streaming", receiver.want)):
                turn(NODE, stream)
                time.sleep(WARM_UP_S)
                cpu_s = cpu_of(node.pid)
                time.sleep(span_s)
                used[f"{name}_percent"] = 100 * (cpu_of(node.pid) - cpu_s) / span_s
        finally:
            node.terminate()
            node.join(5)
            node.kill()
    return used


def run_node(environment: dict[str, str], told: Queue[str]) -> None:
    """Be the node's program, but for its source, in whose place the replay is opened."""
    os.environ.update(environment)
    shots = full(footage(None))

    def open_replay(_name: str, _settings: CameraSettings) -> Source:
        return Replay(shots)

    service.open_source = open_replay  # type: ignore[attr-defined, assignment]  # not its own
    told.put("runs")
    service.run(Stopping(), "camfleet-node, replaying")


def measure_memory(home: Home, span_s: float) -> Sample:
    """Run the node's program with its synthetic source, and follow its memory."""
    settle_s = min(_SETTLE_S, span_s / 4)
    looks: list[tuple[float, float]] = []
    with Receiver(
        "tcp://127.0.0.1:0", keyring=Keyring(home.state), on_event=lambda _: None
    ) as receiver:
        node = subprocess.Popen(
            [sys.executable, "-m", "camfleet_node"],
            env={**os.environ, **variables(home, receiver.address)},
        )
        try:
            time.sleep(settle_s)
            begun_s = time.monotonic()
            while (passed_s := time.monotonic() - begun_s) < span_s:
                looks.append((passed_s, memory_of(node.pid)))
                time.sleep(_LOOK_S)
        finally:
            node.terminate()
            node.wait(10)
    times, sizes = np.array(looks).T
    growth = float(np.polyfit(times, sizes, 1)[0]) * span_s
    print(f"memory: {sizes[0]:.1f} MB in the beginning, {sizes[-1]:.1f} MB in the end")
    return {
        "minutes": span_s / 60,
        "slope_percent": 100 * growth / float(np.mean(sizes)),
        "most_mb": float(np.max(sizes)),
    }


def variables(home: Home, address: str) -> dict[str, str]:
    """The settings of a node."""
    camera = f"CAMFLEET_NODE_CAMERAS__{CAMERA}__"
    return {
        "CAMFLEET_NODE_BUNDLE": str(home.bundle),
        "CAMFLEET_NODE_HUB": address,
        "CAMFLEET_NODE_METRICS_PORT": "0",
        "CAMFLEET_NODE_LOG_LEVEL": "WARNING",
        f"{camera}SOURCE": "synthetic",
        f"{camera}WIDTH": str(WIDTH),
        f"{camera}HEIGHT": str(HEIGHT),
        f"{camera}FPS": str(FPS),
        f"{camera}QUALITY": str(QUALITY),
    }


def wait_online(told: Queue[str]) -> None:
    """Wait until a process says that it runs."""
    told.get(timeout=START_S)


def cpu_of(pid: int | None) -> float:
    """User and system time of a process and all its threads so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_of(pid: int) -> float:
    """What a process holds of the machine's memory, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    main()
