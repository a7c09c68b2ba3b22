"""How many raw pictures of 1080p a second one sender gets to the hub, against stock imagezmq.

A picture is 6 MB, so this measures memory and the kernel more than either program. The hub's side
is what the product runs; stock imagezmq is its ImageHub and ImageSender in REQ/REP.
"""

from __future__ import annotations

from itertools import count
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Event

import imagezmq
import numpy as np
import zmq
from harness import Sample, alternate, arguments, compare, finish
from ingest import Meter, camfleet_hub, free_port, measure, stream, taken

from camfleet.draft import Draft

SHAPE = (1080, 1920, 3)


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__)
    rounds, span_s = (3, 1.5) if options.quick else (7, 4.0)
    image = np.random.default_rng(1).integers(0, 256, SHAPE, np.uint8).tobytes()
    print(f"1 sender, raw {SHAPE}, {rounds} rounds of {span_s} s")
    medians = alternate(
        rounds,
        {
            "imagezmq": lambda: measure(imagezmq_hub, imagezmq_sender, image, span_s, 1),
            "camfleet": lambda: measure(camfleet_hub, camfleet_sender, image, span_s, 1),
        },
    )
    ours, stock = medians["camfleet"]["fps"], medians["imagezmq"]["fps"]
    row = compare("raw 1080p, beside stock imagezmq", ours, stock, "frames/s", sign="≥", goal=0.95)
    finish([row], options.json)


def camfleet_sender(address: str, number: int, stop: Event, image: bytes) -> None:
    """A sender of raw pictures by the product's own link."""
    stream(address, number, stop, Draft(0, 0, 0, image, "raw", SHAPE))


def imagezmq_hub(stop: Event, addresses: Queue[str], samples: Queue[Sample], span_s: float) -> None:
    """A stock hub, as its examples write it."""
    address, meter = f"tcp://127.0.0.1:{free_port()}", Meter(span_s)
    with imagezmq.ImageHub(address) as hub:
        addresses.put(address)
        for frames in count():
            hub.recv_image()
            hub.send_reply(b"OK")
            if frames % 16 == 0 and meter.look(frames):
                break
        samples.put(taken(meter))
        while not stop.is_set():  # a sender can only end between a request and its reply
            if hub.zmq_socket.poll(50):
                hub.recv_image()
                hub.send_reply(b"OK")


def imagezmq_sender(address: str, number: int, stop: Event, image: bytes) -> None:
    """A stock sender."""
    array = np.frombuffer(image, np.uint8).reshape(SHAPE)
    sender = imagezmq.ImageSender(address)
    sender.zmq_socket.setsockopt(zmq.LINGER, 0)
    while not stop.is_set():
        sender.send_image(f"camera-{number}", array)
    sender.close()


if __name__ == "__main__":
    main()
