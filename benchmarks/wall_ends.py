"""Both ends of the wall's benchmark: the cameras, and viewers without a browser.

Each runs in a process of its own: `cameras PLAN` and `viewers URL SECONDS PATH`.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from camfleet import timecode
from camfleet.codec import encode_jpeg
from camfleet.draft import Draft
from camfleet.load import Schedule
from camfleet.names import MAIN, PREVIEW
from camfleet.outbox import Outlet
from camfleet.sender import Sender
from camfleet_node.sources.card import Card

_ROUND_S: Final = 0.001
_LOOK_S: Final = 0.1
_WARM_UP_S: Final = 3.0
_FRAME: Final = struct.Struct("<BBHIdd")
_COUNT_BYTES: Final = 4
_SIZE_BYTES: Final = 4
_SEVERAL: Final = 2


class Plan(msgspec.Struct):
    """What the cameras are.

    Attributes:
        bundles: one a node.
        cameras: in all.
        sizes: of the main stream and of the preview: width, height.
    """

    bundles: list[str]
    cameras: int
    fps: float
    sizes: tuple[tuple[int, int], tuple[int, int]]


class View:
    """One camera's stream: a test card on which only the time is painted anew."""

    def __init__(self, outlet: Outlet, size: tuple[int, int], title: str) -> None:
        self._outlet = outlet
        self._image = Card(*size, title).paint(time.time_ns())

    def capture(self) -> None:
        """Take a picture, and encode it if the hub has room for it."""
        sequence, captured_ns = self._outlet.capture(), time.time_ns() // 1000 * 1000
        if not self._outlet.wait_credit(0):
            self._outlet.drop("newer")
            return
        timecode.draw(self._image, captured_ns)
        jpeg = encode_jpeg(self._image)
        ready_ns = time.time_ns()
        shape = self._image.shape
        self._outlet.send(Draft(sequence, captured_ns, ready_ns, jpeg, "jpeg", shape))


def capture(plan: Plan) -> None:
    """Be all cameras until the process is ended, evenly staggered, on real links."""
    with ExitStack() as stack:
        senders = [stack.enter_context(Sender(bundle=bundle)) for bundle in plan.bundles]
        cameras = []
        for number in range(plan.cameras):
            sender, name = senders[number % len(senders)], f"cam{number:02}"
            profiles = zip((MAIN, PREVIEW), plan.sizes, strict=True)
            cameras.append([View(sender.stream(name, one), size, name) for one, size in profiles])
        schedule = Schedule(plan.cameras, plan.fps, time.monotonic_ns())
        while True:
            time.sleep(_ROUND_S)
            for tick in schedule.due(time.monotonic_ns()):
                for view in cameras[tick.camera]:
                    view.capture()


class Crowd:
    """Viewers that acknowledge each frame as soon as they have it."""

    def __init__(self) -> None:
        self.ages_ms: list[float] = []
        self.counts = False
        self.ready = 0

    async def look(self, url: str, cameras: list[str], size: tuple[int, int]) -> None:
        """Show all cameras until it is cancelled."""
        async with connect(url, compression=None, max_size=None) as link:
            tiles = [
                {"tile": tile, "camera": camera, "width": size[0], "height": size[1]}
                for tile, camera in enumerate(cameras)
            ]
            await link.send(json.dumps({"type": "show", "tiles": tiles}))
            await self._follow(link)

    async def _follow(self, link: ClientConnection) -> None:
        seen = set()
        async for message in link:
            if isinstance(message, str):
                continue
            frames = []
            for _, _, tile, number, captured_ms, _ in parse(message):
                if self.counts:
                    self.ages_ms.append(1000 * time.time() - captured_ms)
                frames.append((tile, number, None, None))
                self.ready += tile not in seen
                seen.add(tile)
            await link.send(json.dumps({"type": "painted", "frames": frames}))


def parse(message: bytes) -> Iterator[tuple[Any, ...]]:
    """The headers of the frames in one message."""
    if message[1] != _SEVERAL:
        yield _FRAME.unpack_from(message)
        return
    at = _COUNT_BYTES
    while at < len(message):
        yield _FRAME.unpack_from(message, at + _SIZE_BYTES)
        at += _SIZE_BYTES + int.from_bytes(message[at : at + _SIZE_BYTES], "little")


async def look(url: str, viewers: int, span_s: float, told: Path) -> None:
    """Be so many viewers of all cameras; make the file when all are shown, and write it."""
    with urllib.request.urlopen(f"{url}api/nodes") as answer:  # noqa: S310, ASYNC210 - our own hub
        nodes = json.loads(answer.read())["nodes"]
    cameras = [one["id"] for node in nodes for one in node["cameras"]]
    crowd = Crowd()
    socket_url = f"{url.replace('http', 'ws', 1)}ws/wall"
    tasks = [
        asyncio.create_task(crowd.look(socket_url, cameras, (160, 120))) for _ in range(viewers)
    ]
    while crowd.ready < viewers * len(cameras):
        await asyncio.sleep(_LOOK_S)
        for task in tasks:
            if task.done():
                task.result()
    await asyncio.sleep(_WARM_UP_S)
    await asyncio.to_thread(told.touch)
    crowd.counts = True
    await asyncio.sleep(span_s)
    crowd.counts = False
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    sample = {
        "p50_ms": float(np.percentile(crowd.ages_ms, 50)),
        "p99_ms": float(np.percentile(crowd.ages_ms, 99)),
        "fps": len(crowd.ages_ms) / span_s / viewers / len(cameras),
    }
    await asyncio.to_thread(told.write_text, json.dumps(sample))


if __name__ == "__main__":
    if sys.argv[1] == "cameras":
        capture(msgspec.json.decode(sys.argv[2], type=Plan))
    else:
        asyncio.run(look(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5])))
