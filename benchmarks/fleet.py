"""Whether a hub takes 300 cameras of 30 fps in, and how long their frames stay in it.

The load is what `camfleet bench fleet` makes: 20 nodes with 15 cameras each, real links, 30 KB
a picture, evenly staggered, in one process. The hub's side is the product's receiver and fleet
with full accounting. Its peer is a bare ROUTER loop under a bare load of the same schedule.

Dwell is counted in two ways. The strict one begins when the generator gives a frame to its
socket and ends when the frame stands in the fleet and its listeners are told: it has in it both
libzmqs, the kernel, and whatever a frame waits before the hub's thread takes it. The narrow one
begins when the hub's thread has taken the frame, and says what its own work costs. The goal is
held against the strict one.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final

import numpy as np
import zmq
from harness import Row, Sample, alternate, arguments, bound, compare, finish

from camfleet.keyring import Keyring
from camfleet.keys import Bundle
from camfleet.load import Plan, Schedule, Tally, generate, spread
from camfleet.load.picture import jpeg
from camfleet.receiver import Receiver
from camfleet_hub.fleet import Fleet
from camfleet_hub.stream import Stream

CAMERAS: Final = 300
FPS: Final = 30
SIZE_BYTES: Final = 30_000
NODES: Final = 20
WARM_UP_S: Final = 2.0
START_S: Final = 60.0  # a busy machine starts processes in some seconds
KEPT: Final = 0.99  # of the frames offered; a schedule begins and ends between two readings
MOST_MS: Final = 5.0
_PERCENT: Final = 99
_ROUND_S: Final = 0.001  # of the bare load, as of the product's
_LOOK_S: Final = 0.05
_SAMPLE_S: Final = 1.0  # as the product does
_NS_PER_MS: Final = 1e6

SPAWN: Final = mp.get_context("spawn")


@dataclass(frozen=True)
class Load:
    """How many cameras there are, and of what kind.

    Attributes:
        state: the folder of the hub's keys; None for plain links.
        bundles: of the nodes that are enrolled there.
        io_threads: of the hub's libzmq.
    """

    cameras: int
    nodes: int
    fps: float
    size_bytes: int
    span_s: float
    state: Path | None = None
    bundles: tuple[Bundle, ...] = ()
    io_threads: int = 1

    @property
    def offered(self) -> float:
        """Frames per second of all cameras."""
        return self.cameras * self.fps


Hub = Callable[[Event, "Queue[str]", "Queue[Sample]", Load], None]
Generate = Callable[[Plan, "Connection[bytes, bytes]"], None]


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__)
    rounds, span_s = (2, 5.0) if options.quick else (3, 20.0)
    load = Load(CAMERAS, NODES, FPS, SIZE_BYTES, span_s)
    print(f"{CAMERAS} cameras of {FPS} fps with {SIZE_BYTES} bytes, {rounds} rounds of {span_s} s")
    medians = alternate(
        rounds,
        {
            "bare ROUTER": lambda: measure(bare_hub, bare_load, load),
            "camfleet": lambda: measure(camfleet_hub, generate, load),
        },
    )
    finish(rows(medians["camfleet"], medians["bare ROUTER"], load), options.json)


def rows(ours: Sample, bare: Sample, load: Load) -> list[Row]:
    """Hold what was measured against the goals."""
    what = f"{load.cameras} cameras"
    kept = round(KEPT * load.offered)
    return [
        bound(f"{what}: taken in", ours["fps"], bare["fps"], "frames/s", sign="≥", goal=kept),
        bound(
            f"{what}: dropped, lost or rejected",
            ours["missed"],
            None,
            "frames",
            sign="≤",
            goal=0,
        ),
        bound(
            f"{what}: dwell p99, from the sender's socket to the fleet",
            ours["p99_ms"],
            bare["p99_ms"],
            "ms",
            sign="≤",
            goal=MOST_MS,
        ),
        bound(
            f"{what}: dwell p99, of the hub's own thread",
            ours["inside_p99_ms"],
            bare["inside_p99_ms"],
            "ms",
            sign="≤",
            goal=MOST_MS,
        ),
        compare(
            f"{what}: hub CPU",
            ours["hub_percent"],
            bare["hub_percent"],
            "% of a core",
            sign="≤",
            goal=1.3,
        ),
    ]


def measure(hub: Hub, generator: Generate, load: Load) -> Sample:
    """Run one contender: its hub and its load, each a process."""
    with ExitStack() as stack:
        stop, addresses, samples = SPAWN.Event(), SPAWN.Queue(), SPAWN.Queue()
        hub_process = SPAWN.Process(target=hub, args=(stop, addresses, samples, load), daemon=True)
        hub_process.start()
        stack.callback(_end, hub_process)
        stack.callback(stop.set)
        bundles = load.bundles or (None,) * load.nodes
        names = [one.name if one else f"load-{number}" for number, one in enumerate(bundles)]
        nodes = spread(load.cameras, names, bundles)
        plan = Plan(addresses.get(timeout=START_S), nodes, load.fps, load.size_bytes)
        tallies = stack.enter_context(_running(generator, plan))
        sample: Sample = samples.get(timeout=START_S + load.span_s)
        return sample | tallies.sample(load.span_s)


class Meter:
    """Counts what a hub took in, from when all cameras are there and warm."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._whole_ns, self._inside_ns = array("q"), array("q")
        self._begun: tuple[float, float] | None = None
        self._is_over = False

    def frame(self, sent_ns: int, taken_ns: int) -> None:
        """Count one frame: when it was sent and taken; now it stands where others find it."""
        if self._begun is not None and not self._is_over:
            now_ns = time.time_ns()
            self._whole_ns.append(now_ns - sent_ns)
            self._inside_ns.append(now_ns - taken_ns)

    def begin(self) -> None:
        """Count from now on."""
        self._begun = time.monotonic(), time.process_time()

    def is_over(self) -> bool:
        """Whether it has counted for long enough."""
        begun_s = self._begun[0] if self._begun else time.monotonic()
        return time.monotonic() - begun_s >= self._load.span_s

    def sample(self, missed: int | None) -> Sample:
        """Count no more, and say what was found; what nobody counted is left out."""
        self._is_over = True
        begun_s, cpu_s = self._begun or (0.0, 0.0)
        span_s = time.monotonic() - begun_s
        cpu_s = time.process_time() - cpu_s
        whole_ns, inside_ns = np.array(self._whole_ns), np.array(self._inside_ns)
        counted = {} if missed is None else {"missed": float(missed)}
        return counted | {
            "fps": len(whole_ns) / span_s,
            "p50_ms": float(np.percentile(whole_ns, 50)) / _NS_PER_MS,
            "p99_ms": float(np.percentile(whole_ns, _PERCENT)) / _NS_PER_MS,
            "most_ms": float(whole_ns.max()) / _NS_PER_MS,
            "inside_p99_ms": float(np.percentile(inside_ns, _PERCENT)) / _NS_PER_MS,
            "hub_percent": 100 * cpu_s / span_s,
            "hub_us": 1e6 * cpu_s / len(whole_ns),
        }


def camfleet_hub(stop: Event, addresses: Queue[str], samples: Queue[Sample], load: Load) -> None:
    """The product's own ingest."""
    fleet, meter = Fleet(max_cameras=load.cameras), Meter(load)

    def notice(stream: Stream) -> None:
        frame = stream.newest
        if frame is not None:  # just now taken
            header = frame.header
            meter.frame(header.captured_ns + header.stages.queue_ns, frame.received_ns)

    fleet.listeners = (notice,)
    keyring = Keyring(load.state) if load.state else None
    with Receiver(
        "tcp://127.0.0.1:0",
        keyring=keyring,
        plain=keyring is None,
        on_event=fleet.take,
        on_reject=fleet.reject,
        io_threads=load.io_threads,
    ) as receiver:
        addresses.put(receiver.address)
        _wait(lambda: _is_complete(fleet, load))
        time.sleep(WARM_UP_S)
        before = _missed(fleet)
        meter.begin()
        while not meter.is_over():
            time.sleep(_SAMPLE_S)
            fleet.sample()
        samples.put(meter.sample(_missed(fleet) - before))
        stop.wait()


def bare_hub(stop: Event, addresses: Queue[str], samples: Queue[Sample], load: Load) -> None:
    """Pyzmq alone: one answer to each message, and a look at its time."""
    meter, names = Meter(load), set()
    with zmq.Context(load.io_threads) as context, context.socket(zmq.ROUTER) as router:
        router.setsockopt(zmq.LINGER, 0)
        if load.state:
            router.setsockopt(zmq.CURVE_SERVER, 1)
            router.setsockopt_string(zmq.CURVE_SECRETKEY, Keyring(load.state).hub_keys.secret)
        router.bind("tcp://127.0.0.1:0")
        addresses.put(router.get_string(zmq.LAST_ENDPOINT))
        begins_s = None
        for frames in count():
            identity, header, _payload = router.recv_multipart(copy=False)
            taken_ns = time.time_ns()
            router.send_multipart((identity.bytes, b"1"), zmq.NOBLOCK)
            meter.frame(int.from_bytes(header.bytes, "big"), taken_ns)
            if begins_s is None:
                names.add(identity.bytes)
                begins_s = time.monotonic() + WARM_UP_S if len(names) == load.nodes else None
            elif frames % 64 == 0 and time.monotonic() > begins_s:
                meter.begin()
                break
        while not meter.is_over():
            identity, header, _payload = router.recv_multipart(copy=False)
            taken_ns = time.time_ns()
            router.send_multipart((identity.bytes, b"1"), zmq.NOBLOCK)
            meter.frame(int.from_bytes(header.bytes, "big"), taken_ns)
        samples.put(meter.sample(None))
        stop.wait()


def bare_load(plan: Plan, pipe: Connection[bytes, bytes]) -> None:
    """Pyzmq alone, on the same schedule: the time and a picture; answers are read and forgotten."""
    shared = zmq.Frame(jpeg(plan.size_bytes))
    begun_s = time.monotonic()
    with zmq.Context() as context, ExitStack() as stack:
        dealers = []
        for node in plan.nodes:
            dealer = stack.enter_context(context.socket(zmq.DEALER))
            dealer.setsockopt(zmq.LINGER, 0)
            if node.bundle is not None:
                dealer.setsockopt_string(zmq.CURVE_SERVERKEY, node.bundle.hub_key)
                dealer.setsockopt_string(zmq.CURVE_PUBLICKEY, node.bundle.keys.public)
                dealer.setsockopt_string(zmq.CURVE_SECRETKEY, node.bundle.keys.secret)
            dealer.connect(plan.address)
            dealers.append(dealer)
        schedule = Schedule(plan.cameras, plan.fps, time.monotonic_ns())
        tally = Tally([0], {}, nodes=len(dealers), online=len(dealers))
        told_s = begun_s
        while not pipe.poll():
            for _ in range(10):
                time.sleep(_ROUND_S)
                for tick in schedule.due(time.monotonic_ns()):
                    dealer = dealers[tick.camera % len(dealers)]
                    tally.ticks += 1
                    tally.late += tick.is_late
                    with contextlib.suppress(zmq.Again):
                        dealer.send(time.time_ns().to_bytes(8, "big"), zmq.SNDMORE | zmq.NOBLOCK)
                        dealer.send(shared, zmq.NOBLOCK, copy=False)
                        tally.sent[0] += 1
                for dealer in dealers:
                    with contextlib.suppress(zmq.Again):
                        while True:
                            dealer.recv(zmq.NOBLOCK)
            if time.monotonic() - told_s >= 1:
                told_s = time.monotonic()
                tally.cpu_s = time.process_time()
                pipe.send_bytes(tally.encode())


class Tallies:
    """What a load tells while it runs, one tally a second."""

    def __init__(self, pipe: Connection[bytes, bytes]) -> None:
        self._pipe = pipe
        self._told: list[Tally] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def sample(self, span_s: float) -> Sample:
        """Sum up the last seconds, which are those that the hub counted."""
        told = self._told.copy()
        first, last = told[max(0, len(told) - 1 - int(span_s))], told[-1]
        counted = last.since(first)
        seconds = max(1, min(int(span_s), len(told) - 1))
        return {
            "load_percent": 100 * counted.cpu_s / seconds,
            "load_late_percent": 100 * counted.late / max(1, counted.ticks),
            "load_dropped": float(sum(counted.dropped.values())),
        }

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._told.append(Tally.decode(self._pipe.recv_bytes()))


@contextmanager
def _running(generator: Generate, plan: Plan) -> Iterator[Tallies]:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=generator, args=(plan, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield Tallies(ours)
    finally:
        ours.send_bytes(b"stop")
        _end(process)


def _end(process: mp.context.SpawnProcess) -> None:
    process.join(5)
    if process.is_alive():
        process.terminate()
        process.join()


def _is_complete(fleet: Fleet, load: Load) -> bool:
    streams = fleet.streams()
    return len(streams) == load.cameras and all(stream.newest for stream in streams)


def _missed(fleet: Fleet) -> int:
    """What the hub dropped by choice, saw missing, or did not accept."""
    streams = fleet.streams()
    dropped = sum(stream.dropped.total() for stream in streams)
    return dropped + sum(stream.stats.lost for stream in streams) + fleet.rejected.total()


def _wait(claim: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + START_S
    while not claim():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not all cameras came within {START_S} s")
        time.sleep(_LOOK_S)


if __name__ == "__main__":
    main()
