"""How many frames arrive over a bad link and how old they are, against stock imagezmq.

A camera of 60 pictures a second, 640x480 JPEG of 60 KB, behind an emulated link: one of 40 ms
round trip, and one with half the rate that the camera needs. Camera, hub and link are processes
of their own. Every contender has the same camera, which always gives its newest picture.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from typing import Final, NamedTuple

import imagezmq
import numpy as np
import zmq
from harness import Row, Sample, alternate, arguments, bound, finish
from ingest import picture

from camfleet.frame import Frame
from camfleet.receiver import Receiver
from camfleet.sender import Sender
from camfleet.testing import LinkEmulator

FPS: Final = 60
INTERVAL_MS: Final = 1000 / FPS
ONE_WAY_S: Final = 0.02
SHORT_S: Final = 0.001  # a way that is there, and hardly counts
SLOW_FPS: Final = FPS / 2
WARM_UP_S: Final = 2.0
START_S: Final = 60.0  # a busy machine starts processes in some seconds
PLAIN: Final = True  # stock imagezmq knows no encryption, so neither side has it

Ends = Callable[[Event, "Queue[str]", str, bytes], None]
Hub = Callable[[Event, "Queue[str]", str, "Log", "Queue[Sample]"], None]


class Path(NamedTuple):
    """A link as every contender gets it."""

    delay_s: float
    rate_bytes_s: float | None


@dataclass(frozen=True)
class Contender:
    """A camera's program and a hub's.

    Attributes:
        hub_binds: whether the camera connects to the hub, or as with PUB/SUB the hub to it.
    """

    send: Ends
    receive: Hub
    hub_binds: bool = True


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__)
    rounds, span_s = (1, 3.0) if options.quick else (5, 10.0)
    jpeg = picture()
    print(f"{FPS} fps, 640x480 JPEG of {len(jpeg)} bytes, {rounds} rounds of {span_s} s")
    far = Path(ONE_WAY_S, None)
    slow = Path(SHORT_S, len(jpeg) * SLOW_FPS)
    rows = [
        *far_rows(run(far, jpeg, rounds, span_s)),
        *slow_rows(run(slow, jpeg, rounds, span_s)),
    ]
    finish(rows, options.json)


def far_rows(medians: dict[str, Sample]) -> list[Row]:
    """What is to be reached over a round trip of 40 ms."""
    ours, most_ms = medians["camfleet"], round(ONE_WAY_S * 1000 + 2 * INTERVAL_MS, 1)
    rows = []
    for name in PEERS:
        peer, scene = medians[name], f"40 ms round trip, beside {name}"
        rows += [
            bound(f"{scene}: rate", ours["fps"], peer["fps"], "frames/s", sign="≥", goal=59.5),
            bound(
                f"{scene}: p99 age", ours["p99_ms"], peer["p99_ms"], "ms", sign="≤", goal=most_ms
            ),
        ]
    return rows


def slow_rows(medians: dict[str, Sample]) -> list[Row]:
    """What is to be reached over a link that carries every second frame.

    Ages are in service times: how long the link is busy with one frame.
    """
    ours, service_ms = medians["camfleet"], 1000 / SLOW_FPS
    rows = []
    for name in PEERS:
        peer, scene = medians[name], f"half the capacity, beside {name}"
        rates = ours["fps"] / SLOW_FPS, peer["fps"] / SLOW_FPS
        ages = ours["p99_ms"] / service_ms, peer["p99_ms"] / service_ms
        rows += [
            bound(f"{scene}: rate", *rates, "of the link", sign="≥", goal=0.97),
            bound(f"{scene}: p99 age", *ages, "service times", sign="≤", goal=2.5),
        ]
    return rows


def run(path: Path, jpeg: bytes, rounds: int, span_s: float) -> dict[str, Sample]:
    """Measure all contenders over one link."""

    def measured(contender: Contender) -> Callable[[], Sample]:
        return lambda: measure(contender, path, jpeg, span_s)

    return alternate(rounds, {name: measured(one) for name, one in CONTENDERS.items()})


def measure(contender: Contender, path: Path, jpeg: bytes, span_s: float) -> Sample:
    """Run one contender: camera, link and hub, each a process."""
    spawn = mp.get_context("spawn")
    stop, addresses, samples = spawn.Event(), spawn.Queue(), spawn.Queue()

    def hub(connect_to: str) -> mp.context.SpawnProcess:
        args = (stop, addresses, connect_to, Log(span_s), samples)
        return spawn.Process(target=contender.receive, args=args, daemon=True)

    def camera(connect_to: str) -> mp.context.SpawnProcess:
        args = (stop, addresses, connect_to, jpeg)
        return spawn.Process(target=contender.send, args=args, daemon=True)

    binder, connector = (hub, camera) if contender.hub_binds else (camera, hub)
    processes = [binder("")]
    try:
        processes[-1].start()
        target = addresses.get(timeout=START_S)
        link_args = (stop, addresses, target, path, contender.hub_binds)
        processes.append(spawn.Process(target=emulate, args=link_args, daemon=True))
        processes[-1].start()
        processes.append(connector(addresses.get(timeout=START_S)))
        processes[-1].start()
        sample: Sample = samples.get(timeout=START_S + WARM_UP_S + span_s)
    finally:
        stop.set()
        end(processes)
    return sample


def end(processes: Sequence[mp.context.SpawnProcess]) -> None:
    """Wait a little for each; a stock sender waits for ever once its hub is gone."""
    for process in reversed(processes):
        process.join(2)
        if process.is_alive():
            process.kill()
            process.join()


def emulate(stop: Event, addresses: Queue[str], target: str, path: Path, is_up: bool) -> None:  # noqa: FBT001
    """Be the link; frames go up towards a hub that binds, and down from a camera that does."""
    rates = (path.rate_bytes_s, None) if is_up else (None, path.rate_bytes_s)
    with LinkEmulator(
        target, delay_s=path.delay_s, rate_bytes_s=rates[0], down_rate_bytes_s=rates[1]
    ) as link:
        addresses.put(link.address)
        stop.wait()


class Camera:
    """Captures at its own pace, and gives its newest picture to a program that comes late."""

    def __init__(self) -> None:
        self._begun_ns = time.time_ns()
        self._taken = 0

    def read(self) -> int:
        """Wait for a picture that was not read before; return when it was captured, Unix ns."""
        number = max(self._taken + 1, int((time.time_ns() - self._begun_ns) * FPS / 1e9))
        captured_ns = self._begun_ns + int(number * 1e9 / FPS)
        while (left_ns := captured_ns - time.time_ns()) > 0:
            time.sleep(left_ns / 1e9)
        self._taken = number
        return captured_ns


class Log:
    """Notes when frames arrive, and how old, once the link is warm."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._begins_ns = 0
        self._ages_ns: list[int] = []

    def note(self, captured_ns: int) -> None:
        """A frame has arrived just now."""
        now_ns = time.time_ns()
        if not self._begins_ns:
            self._begins_ns = now_ns + int(WARM_UP_S * 1e9)
        if self._begins_ns <= now_ns < self._ends_ns:
            self._ages_ns.append(now_ns - captured_ns)

    @property
    def is_full(self) -> bool:
        """Whether the time is over."""
        return bool(self._begins_ns) and time.time_ns() >= self._ends_ns

    def sample(self) -> Sample:
        """What was measured; what carried nothing at all is older than the whole time."""
        ages_ms = [age_ns / 1e6 for age_ns in self._ages_ns] or [1000 * self._span_s]
        p50_ms, p99_ms = (float(value) for value in np.percentile(ages_ms, (50, 99)))
        return {"fps": len(self._ages_ns) / self._span_s, "p50_ms": p50_ms, "p99_ms": p99_ms}

    @property
    def _ends_ns(self) -> int:
        return self._begins_ns + int(self._span_s * 1e9)


def camfleet_camera(stop: Event, _addresses: Queue[str], address: str, jpeg: bytes) -> None:
    """The product's sender, as a program uses it: every picture is offered to it."""
    with Sender(address, "pi", plain=PLAIN) as sender:
        camera = Camera()
        while not stop.is_set():
            captured_ns = camera.read()
            sender.send_jpeg("front", jpeg, captured_ns=captured_ns)


def camfleet_hub(
    stop: Event, addresses: Queue[str], _address: str, log: Log, samples: Queue[Sample]
) -> None:
    """The product's receiver."""

    def take(event: object) -> None:
        if isinstance(event, Frame):
            log.note(event.header.captured_ns)

    with Receiver("tcp://127.0.0.1:0", on_event=take, plain=PLAIN) as receiver:
        addresses.put(receiver.address)
        while not log.is_full:
            time.sleep(0.05)
        samples.put(log.sample())
        stop.wait()


def reqrep_camera(stop: Event, _addresses: Queue[str], address: str, jpeg: bytes) -> None:
    """A stock sender that waits for each reply; it sends the picture that is newest then."""
    sender = imagezmq.ImageSender(address)
    sender.zmq_socket.setsockopt(zmq.LINGER, 0)
    camera = Camera()
    while not stop.is_set():
        sender.send_jpg(str(camera.read()), jpeg)
    sender.close()


def reqrep_hub(
    stop: Event, addresses: Queue[str], _address: str, log: Log, samples: Queue[Sample]
) -> None:
    """A stock hub that replies at once."""
    with bound_hub() as hub:
        addresses.put(hub.zmq_socket.get_string(zmq.LAST_ENDPOINT))
        while not log.is_full:
            if hub.zmq_socket.poll(50):
                log.note(int(hub.recv_jpg()[0]))
                hub.send_reply(b"OK")
        samples.put(log.sample())
        while not stop.is_set():  # a sender can only end between a request and its reply
            if hub.zmq_socket.poll(50):
                hub.recv_jpg()
                hub.send_reply(b"OK")


def bound_hub() -> imagezmq.ImageHub:
    """A stock hub on a free port."""
    return imagezmq.ImageHub("tcp://127.0.0.1:*")


def pubsub_camera(stop: Event, addresses: Queue[str], _address: str, jpeg: bytes) -> None:
    """A stock publisher, which waits for nobody."""
    sender = imagezmq.ImageSender("tcp://127.0.0.1:*", REQ_REP=False)
    sender.zmq_socket.setsockopt(zmq.LINGER, 0)
    addresses.put(sender.zmq_socket.get_string(zmq.LAST_ENDPOINT))
    camera = Camera()
    while not stop.is_set():
        sender.send_jpg(str(camera.read()), jpeg)
    sender.close()


def pubsub_hub(
    stop: Event, _addresses: Queue[str], address: str, log: Log, samples: Queue[Sample]
) -> None:
    """A stock subscriber."""
    with contextlib.closing(imagezmq.ImageHub(address, REQ_REP=False)) as hub:
        while not log.is_full:
            if hub.zmq_socket.poll(50):
                log.note(int(hub.recv_jpg()[0]))
        samples.put(log.sample())
        stop.wait()


PEERS: Final = ("imagezmq REQ/REP", "imagezmq PUB/SUB")
CONTENDERS: Final = {
    PEERS[0]: Contender(reqrep_camera, reqrep_hub),
    PEERS[1]: Contender(pubsub_camera, pubsub_hub, hub_binds=False),
    "camfleet": Contender(camfleet_camera, camfleet_hub),
}


if __name__ == "__main__":
    main()
