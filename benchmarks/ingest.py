"""How many frames a second the hub takes in, against stock imagezmq and a bare ROUTER loop.

Eight senders on loopback send the same 60 KB JPEG as fast as they are allowed to, each in a
process of its own. The hub's side is what the product runs: receiver and fleet with full
accounting. Stock imagezmq is its ImageHub and ImageSender in REQ/REP. The bare loop is pyzmq
alone: receive a message, give one credit back, look at nothing.
"""

from __future__ import annotations

import contextlib
import multiprocessing as mp
import random
import sys
import time
from collections.abc import Callable
from itertools import count
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event

import imagezmq
import numpy as np
import zmq
from harness import Sample, alternate, arguments, compare, finish
from msgspec.structs import replace

from camfleet.backoff import Backoff
from camfleet.codec import encode_jpeg
from camfleet.draft import Draft
from camfleet.node_link import NodeLink
from camfleet.receiver import Receiver
from camfleet_hub.fleet import Fleet

SENDERS = 8
WARM_UP_S = 1.0
BARE_WINDOW = 4
STREAM = "front/main"

Hub = Callable[[Event, "Queue[str]", "Queue[Sample]", float], None]
Send = Callable[[str, int, Event, bytes], None]


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__)
    rounds, span_s = (3, 1.5) if options.quick else (7, 4.0)
    jpeg = picture()
    print(f"{SENDERS} senders, 640x480 JPEG of {len(jpeg)} bytes, {rounds} rounds of {span_s} s")
    medians = alternate(
        rounds,
        {
            "imagezmq": lambda: measure(imagezmq_hub, imagezmq_sender, jpeg, span_s),
            "bare ROUTER": lambda: measure(bare_hub, bare_sender, jpeg, span_s),
            "camfleet": lambda: measure(camfleet_hub, camfleet_sender, jpeg, span_s),
        },
    )
    ours, stock, bare = medians["camfleet"], medians["imagezmq"], medians["bare ROUTER"]
    rows = [
        compare(
            "ingest, beside stock imagezmq",
            ours["fps"],
            stock["fps"],
            "frames/s",
            sign="≥",
            goal=1.6,
        ),
        compare(
            "hub CPU, beside a bare ROUTER",
            ours["cpu_us"],
            bare["cpu_us"],
            "µs",
            sign="≤",
            goal=1.3,
        ),
    ]
    finish(rows, options.json)


def picture() -> bytes:
    """A 640x480 JPEG of close to 60 KB: noise of a strength that makes it so."""
    random_state = np.random.default_rng(1)
    base = np.linspace(60, 200, 640 * 480 * 3).reshape(480, 640, 3)
    noise = random_state.normal(0, 22, base.shape)
    return encode_jpeg(np.clip(base + noise, 0, 255).astype(np.uint8), 62)


def measure(
    hub: Hub, send: Send, jpeg: bytes, span_s: float, senders_count: int = SENDERS
) -> Sample:
    """Run one contender: its hub and its senders, each a process."""
    spawn = mp.get_context("spawn")
    stop, addresses, samples = spawn.Event(), spawn.Queue(), spawn.Queue()
    hub_process = spawn.Process(target=hub, args=(stop, addresses, samples, span_s))
    hub_process.start()
    address = addresses.get(timeout=30)
    senders = [
        spawn.Process(target=send, args=(address, number, stop, jpeg))
        for number in range(senders_count)
    ]
    for process in senders:
        process.start()
    sample: Sample = samples.get(timeout=60 + span_s)
    stop.set()
    for process in [*senders, hub_process]:
        process.join(2)
        if process.is_alive():
            process.terminate()  # a stock sender waits for ever once its hub is gone
            process.join()
    return sample


class Meter:
    """Counts what a hub took in once all senders are there and warm."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._begun: tuple[float, float, int] | None = None
        self._first_s: float | None = None
        self.sample: Sample | None = None

    def look(self, frames: int) -> bool:
        """Take the count so far; True when the measurement is over."""
        now_s = time.monotonic()
        if self._first_s is None:
            self._first_s = now_s if frames > SENDERS * 50 else None
        elif self._begun is None:
            if now_s - self._first_s > WARM_UP_S:
                self._begun = now_s, time.process_time(), frames
        elif now_s - self._begun[0] > self._span_s:
            begun_s, cpu_s, before = self._begun
            taken = frames - before
            self.sample = {
                "fps": taken / (now_s - begun_s),
                "cpu_us": 1e6 * (time.process_time() - cpu_s) / taken,
            }
            return True
        return False


def camfleet_hub(stop: Event, addresses: Queue[str], samples: Queue[Sample], span_s: float) -> None:
    """The product's own ingest."""
    fleet, meter = Fleet(max_cameras=SENDERS), Meter(span_s)
    with Receiver("tcp://127.0.0.1:0", on_event=fleet.take, plain=True) as receiver:
        addresses.put(receiver.address)
        while not meter.look(sum(stream.stats.received for stream in fleet.streams())):
            time.sleep(0.01)
        if any(stream.stats.lost for stream in fleet.streams()):
            sys.exit("frames were lost")
        samples.put(taken(meter))
        stop.wait()


def camfleet_sender(address: str, number: int, stop: Event, jpeg: bytes) -> None:
    """A sender of JPEGs by the product's own link."""
    stream(address, number, stop, Draft(0, 0, 0, jpeg, "jpeg", (480, 640, 3)))


def stream(address: str, number: int, stop: Event, draft: Draft) -> None:
    """The product's own link on one thread, which sends whenever it holds a credit."""
    roll = random.random
    link = NodeLink(f"node-{number}", random.getrandbits(63), Backoff(0.05, 1.0, roll))
    link.declare(STREAM)
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.setsockopt(zmq.RCVTIMEO, 100)
        dealer.connect(address)
        while not stop.is_set():
            for header in link.poll(time.time_ns(), time.monotonic_ns()):
                dealer.send_multipart((header, b""))
            while link.credit(STREAM) > 0:
                now_ns = time.time_ns()
                sequence = link.capture(STREAM)
                new = replace(draft, sequence=sequence, captured_ns=now_ns, ready_ns=now_ns)
                dealer.send(link.send(STREAM, new, now_ns), zmq.SNDMORE)
                dealer.send(draft.payload, copy=False)
            with contextlib.suppress(zmq.Again):
                link.receive(dealer.recv_multipart()[0], time.time_ns(), time.monotonic_ns())


def imagezmq_hub(stop: Event, addresses: Queue[str], samples: Queue[Sample], span_s: float) -> None:
    """A stock hub, as its examples write it."""
    address, meter = f"tcp://127.0.0.1:{free_port()}", Meter(span_s)
    with imagezmq.ImageHub(address) as hub:
        addresses.put(address)
        for frames in count():
            hub.recv_jpg()
            hub.send_reply(b"OK")
            if frames % 64 == 0 and meter.look(frames):
                break
        samples.put(taken(meter))
        while not stop.is_set():  # senders can only end between a request and its reply
            if hub.zmq_socket.poll(50):
                hub.recv_jpg()
                hub.send_reply(b"OK")


def imagezmq_sender(address: str, number: int, stop: Event, jpeg: bytes) -> None:
    """A stock sender."""
    sender = imagezmq.ImageSender(address)
    sender.zmq_socket.setsockopt(zmq.LINGER, 0)
    while not stop.is_set():
        sender.send_jpg(f"camera-{number}", jpeg)
    sender.close()


def bare_hub(stop: Event, addresses: Queue[str], samples: Queue[Sample], span_s: float) -> None:
    """Pyzmq alone: one credit back for each message."""
    meter = Meter(span_s)
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.setsockopt(zmq.LINGER, 0)
        router.bind("tcp://127.0.0.1:0")
        addresses.put(router.get_string(zmq.LAST_ENDPOINT))
        for frames in count():
            identity, _header, _payload = router.recv_multipart(copy=False)
            router.send_multipart((identity.bytes, b"1"))
            if frames % 64 == 0 and meter.look(frames):
                break
        samples.put(taken(meter))
        stop.wait()


def bare_sender(address: str, number: int, stop: Event, jpeg: bytes) -> None:
    """Pyzmq alone: as many in flight as the product's window."""
    header = f"camera-{number}".encode()
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.setsockopt(zmq.RCVTIMEO, 100)
        dealer.connect(address)
        credit = BARE_WINDOW
        while not stop.is_set():
            for _ in range(credit):
                dealer.send(header, zmq.SNDMORE)
                dealer.send(jpeg, copy=False)
            credit = 0
            with contextlib.suppress(zmq.Again):
                dealer.recv()
                credit = 1


def taken(meter: Meter) -> Sample:
    """What a meter found."""
    if meter.sample is None:
        raise RuntimeError("the measurement is not over")
    return meter.sample


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as probe:
        return probe.bind_to_random_port("tcp://127.0.0.1")


if __name__ == "__main__":
    main()
