"""What it costs a hub that Prometheus reads its metrics: per frame, and per reading.

The hub is the product's program with a hundred nodes of five frames per second, all of which are
wanted. In turns it is left alone, and read once a second, ten times as often as prometheus.yml
says. A frame's cost is the processor time of the thread that takes frames in, as the hub itself
tells it; a reading's is what the whole process uses more, by reading.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Final, NamedTuple

import restart
import zmq
from harness import Sample, alternate, arguments, bound, compare, finish
from ingest import picture

NODES: Final = restart.NODES
SPAN_S: Final = 10
WARM_S: Final = 5.0
REPUBLISH: Final = "CAMFLEET_HUB_REPUBLISH_PORT"
RECEIVED: Final = re.compile(r"^camfleet_frames_received_total\{.*\} (.+)$", re.MULTILINE)
BUSY: Final = re.compile(r'^camfleet_port_busy_seconds_total\{port="nodes"\} (.+)$', re.MULTILINE)
PROCESS: Final = re.compile(r"^process_cpu_seconds_total (.+)$", re.MULTILINE)


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__)
    rounds = 2 if options.quick else 9
    print(f"{NODES} nodes, {rounds} rounds of {SPAN_S} s each")
    with ExitStack() as stack:
        hub = Hub()
        stack.callback(hub.end)
        hub.start()
        stop = restart.SPAWN.Event()
        process = restart.SPAWN.Process(
            target=restart.camfleet_nodes, args=(stop, hub.address, picture()), daemon=True
        )
        process.start()
        stack.callback(process.kill)
        restart.wait(lambda: hub.nodes() == NODES, restart.START_S)
        stack.enter_context(hub.listen())
        time.sleep(WARM_S)
        medians = alternate(
            rounds,
            {
                "left alone": partial(measure, hub, readings=0),
                "read once a second": partial(measure, hub, readings=SPAN_S),
            },
        )
    alone, read = medians["left alone"], medians["read once a second"]
    more_ms = read["process ms/s"] - alone["process ms/s"]  # by one reading a second
    rows = [
        compare(
            "metrics read once a second: processor time of ingest per frame",
            read["us/frame"],
            alone["us/frame"],
            "µs",
            sign="≤",
            goal=1.03,
        ),
        bound(f"one reading of {NODES} nodes", more_ms, None, "ms", sign="≤", goal=100),
    ]
    finish(rows, options.json)


class Counts(NamedTuple):
    """What the hub tells at one time."""

    at_s: float
    frames: float
    ingest_s: float
    process_s: float


class Hub(restart.ProductHub):
    """The program, whose metrics are read here."""

    @contextlib.contextmanager
    def listen(self) -> Iterator[None]:
        """Want every stream, by a listener of stock imagezmq's kind."""
        stop = threading.Event()
        address = f"tcp://{restart.LOOPBACK}:{self._variables[REPUBLISH]}"
        thread = threading.Thread(target=_listen, args=(address, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def read(self) -> str:
        """Read its metrics, as Prometheus does."""
        with urllib.request.urlopen(self._metrics, timeout=30) as answer:  # noqa: S310 - ours
            text: str = answer.read().decode()
        return text

    def counts(self) -> Counts:
        """What it has counted until now."""
        text = self.read()
        return Counts(
            time.monotonic(),
            sum(map(float, RECEIVED.findall(text))),
            _one(BUSY, text),
            _one(PROCESS, text),
        )


def measure(hub: Hub, *, readings: int) -> Sample:
    """Let some seconds go by, with so many readings in them."""
    before = hub.counts()
    begun_s = time.monotonic()
    for number in range(readings):
        time.sleep(max(0.0, begun_s + number * SPAN_S / readings - time.monotonic()))
        hub.read()
    time.sleep(max(0.0, begun_s + SPAN_S - time.monotonic()))
    after = hub.counts()
    frames, seconds = after.frames - before.frames, after.at_s - before.at_s
    return {
        "us/frame": 1e6 * (after.ingest_s - before.ingest_s) / frames,
        "process ms/s": 1e3 * (after.process_s - before.process_s) / seconds,
        "fps": frames / seconds,
    }


def _listen(address: str, stop: threading.Event) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as listener:
        listener.setsockopt(zmq.LINGER, 0)
        listener.setsockopt(zmq.SUBSCRIBE, b"")
        listener.connect(address)
        while not stop.is_set():
            if listener.poll(100):
                listener.recv_multipart(copy=False)


def _one(pattern: re.Pattern[str], text: str) -> float:
    found = pattern.search(text)
    if found is None:
        raise LookupError(f"the hub tells nothing like {pattern.pattern}")
    return float(found[1])


if __name__ == "__main__":
    main()
