"""How soon a hundred cameras stream again when their hub was killed, against stock imagezmq.

The hub is killed in the middle of its work and started again on the same port; measured is the
time from when that is bound until a frame of every node has arrived. Ours are the product's
program and its senders. Stock imagezmq has two hubs: one replies at once, which is the most that
can be done for its senders, the other decodes each picture before, as its examples do.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from ctypes import c_int
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

import cv2
import imagezmq
import numpy as np
import zmq
from harness import Sample, alternate, arguments, bound, finish
from ingest import picture

from camfleet.sender import Sender

NODES: Final = 100
FPS: Final = 5
STEADY_S: Final = 2.0
DOWN_S: Final = 2.0
MOST_S: Final = 10.0  # what is not back by then counts as this
START_S: Final = 60.0  # a busy machine starts processes in some seconds
LOOK_S: Final = 0.02
LOOPBACK: Final = "127.0.0.1"
PLAIN: Final = True  # stock imagezmq knows no encryption, so neither side has it
RECEIVED: Final = re.compile(r"^camfleet_frames_received_total\{.*\} [1-9]", re.MULTILINE)

SPAWN: Final = mp.get_context("spawn")
Nodes = Callable[[Event, str, bytes], None]


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__)
    rounds = 1 if options.quick else 5
    jpeg = picture()
    print(f"{NODES} nodes of {FPS} fps, 640x480 JPEG of {len(jpeg)} bytes, {rounds} rounds")
    medians = alternate(
        rounds,
        {
            "imagezmq": lambda: measure(StockHub, imagezmq_nodes, jpeg),
            "imagezmq that decodes": lambda: measure(BusyStockHub, imagezmq_nodes, jpeg),
            "camfleet": lambda: measure(ProductHub, camfleet_nodes, jpeg),
        },
    )
    ours, stock = medians["camfleet"], medians["imagezmq"]
    busy = medians["imagezmq that decodes"]
    back = f"of {NODES} back within {MOST_S:.0f} s"
    rows = [
        bound("hub killed: all back after", ours["s"], stock["s"], "s", sign="≤", goal=2),
        bound(f"hub killed: {back}", ours["nodes"], stock["nodes"], "nodes", sign="≥", goal=NODES),
        bound(
            f"hub killed, beside one that decodes: {back}",
            ours["nodes"],
            busy["nodes"],
            "nodes",
            sign="≥",
            goal=NODES,
        ),
    ]
    finish(rows, options.json)


def measure(make: Callable[[], Hub], nodes: Nodes, jpeg: bytes) -> Sample:
    """Run one contender: its hub, twice, and all its nodes in one process."""
    stop = SPAWN.Event()
    with ExitStack() as stack:
        hub = make()
        stack.callback(hub.end)
        hub.start()
        process = SPAWN.Process(target=nodes, args=(stop, hub.address, jpeg), daemon=True)
        process.start()
        stack.callback(_end, process, stop)
        wait(lambda: hub.nodes() == NODES, START_S)
        time.sleep(STEADY_S)
        hub.kill()
        time.sleep(DOWN_S)
        hub.start()
        wait(hub.is_bound, START_S, look_s=0.002)
        bound_s = time.monotonic()
        with contextlib.suppress(TimeoutError):
            wait(lambda: hub.nodes() == NODES, MOST_S)
        return {"s": min(time.monotonic() - bound_s, MOST_S), "nodes": float(hub.nodes())}


def wait(claim: Callable[[], bool], most_s: float, *, look_s: float = LOOK_S) -> None:
    """Look again and again until something is so.

    Raises:
        TimeoutError: when it never became so.
    """
    deadline_s = time.monotonic() + most_s
    while not claim():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"it did not become so within {most_s} s")
        time.sleep(look_s)


class Hub(ABC):
    """A hub that can be killed and started again on the same port."""

    def __init__(self) -> None:
        self._port = free_ports(1)[0]
        self.address = f"tcp://{LOOPBACK}:{self._port}"

    @abstractmethod
    def start(self) -> None:
        """Start it, and do not wait for it."""

    @abstractmethod
    def kill(self) -> None:
        """Kill it without a chance to say goodbye."""

    @abstractmethod
    def nodes(self) -> int:
        """From how many nodes frames have arrived since its start."""

    def end(self) -> None:
        """Kill it, and leave nothing behind."""
        self.kill()

    def is_bound(self) -> bool:
        """Whether somebody listens on its port."""
        try:
            socket.create_connection((LOOPBACK, self._port), 1).close()
        except OSError:
            return False
        return True


class ProductHub(Hub):
    """The program as it is run; a viewer of everything is simulated by republishing it."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        names = ("WEB_PORT", "METRICS_PORT", "IMAGEZMQ_PORT", "REPUBLISH_PORT")
        ports = dict(zip(names, map(str, free_ports(len(names))), strict=True))
        self._metrics = f"http://{LOOPBACK}:{ports['METRICS_PORT']}/metrics"
        settings = ports | {
            "NODES_PORT": str(self._port),
            "STATE": self._folder.name,
            "PLAIN": str(PLAIN),
            "REPUBLISH": "*/*",
            "LOG_LEVEL": "ERROR",
        }
        self._variables = {f"CAMFLEET_HUB_{name}": value for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program with these settings only."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
        with (Path(self._folder.name) / "hub.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "camfleet_hub"],
                env=inherited | self._variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def kill(self) -> None:
        """Kill the program."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def nodes(self) -> int:
        """Ask its metrics.

        Raises:
            RuntimeError: when it has ended by itself.
        """
        if self._process is not None and self._process.poll() is not None:
            said = (Path(self._folder.name) / "hub.log").read_text(errors="replace")
            raise RuntimeError(f"the hub has ended by itself: {said[-2000:]}")
        try:
            with urllib.request.urlopen(self._metrics, timeout=5) as answer:  # noqa: S310 - ours
                return len(RECEIVED.findall(answer.read().decode()))
        except (urllib.error.URLError, ConnectionError, TimeoutError):  # it is not yet there
            return 0

    def end(self) -> None:
        """Kill it, and remove its folder."""
        super().end()
        self._folder.cleanup()


class StockHub(Hub):
    """A stock hub in a process of its own, which replies at once."""

    is_busy = False

    def __init__(self) -> None:
        super().__init__()
        self._process: mp.context.SpawnProcess | None = None

    def start(self) -> None:
        """Start its process."""
        self._seen = SPAWN.RawValue(c_int, 0)  # without a lock, which would be killed as well
        self._process = SPAWN.Process(
            target=imagezmq_hub, args=(self.address, self._seen, self.is_busy), daemon=True
        )
        self._process.start()

    def kill(self) -> None:
        """Kill its process."""
        if self._process is not None:
            self._process.kill()
            self._process.join()

    def nodes(self) -> int:
        """Read what it counted."""
        return int(self._seen.value)


class BusyStockHub(StockHub):
    """A stock hub that decodes each picture before its reply; the pictures are all it can do."""

    is_busy = True


def imagezmq_hub(address: str, seen: c_int, is_busy: bool) -> None:  # noqa: FBT001 - of a process
    """A stock hub: receive, decode if it is to be busy, reply."""
    names = set()
    with imagezmq.ImageHub(address) as hub:
        while True:
            name, jpeg = hub.recv_jpg()
            if is_busy:
                cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            hub.send_reply(b"OK")
            names.add(name)
            seen.value = len(names)


def camfleet_nodes(stop: Event, address: str, jpeg: bytes) -> None:
    """A hundred of the product's senders; a hundred cameras take turns on one thread."""
    with ExitStack() as stack:
        senders = [
            stack.enter_context(Sender(address, f"pi-{number}", plain=PLAIN))
            for number in range(NODES)
        ]
        due_s = time.monotonic()
        while not stop.is_set():
            for sender in senders:
                due_s += 1 / FPS / NODES
                time.sleep(max(0.0, due_s - time.monotonic()))
                sender.send_jpeg("front", jpeg)


def imagezmq_nodes(stop: Event, address: str, jpeg: bytes) -> None:
    """A hundred stock senders, each on a thread of its own, for each call waits for its reply."""

    def run(number: int) -> None:
        sender = imagezmq.ImageSender(address)
        sender.zmq_socket.setsockopt(zmq.LINGER, 0)
        due_s = time.monotonic() + number / NODES / FPS
        while True:
            time.sleep(max(0.0, due_s - time.monotonic()))
            due_s = max(due_s + 1 / FPS, time.monotonic())
            sender.send_jpg(f"pi-{number}", jpeg)

    for number in range(NODES):
        threading.Thread(target=run, args=(number,), daemon=True).start()
    stop.wait()
    os._exit(0)  # those that hang would not end


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return [int(one.getsockname()[1]) for one in sockets]


def _end(process: mp.context.SpawnProcess, stop: Event) -> None:
    stop.set()
    process.join(5)
    if process.is_alive():
        process.kill()
        process.join()


if __name__ == "__main__":
    main()
