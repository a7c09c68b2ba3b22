"""A browser's session at the wall: what holds up one tile holds up no other."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from camfleet.frame import Frame, FrameHeader
from camfleet_hub.demand import Demand
from camfleet_hub.permission import ANYBODY, Sight
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.wall import Wall

if TYPE_CHECKING:
    from starlette.websockets import WebSocket
    from tests.unit.conftest import Feed

    from camfleet_hub.stream import Stream

pytestmark = pytest.mark.anyio
TIMEOUT_S = 30.0

PORTS = {"nodes": 5556, "imagezmq": 5555}


class Browser:
    """Stands for a WebSocket: what is said to it can be read, what it says is queued."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.says: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.pictures: asyncio.Queue[bytes] = asyncio.Queue()

    def show(self, *cameras: str) -> None:
        tiles = [{"tile": tile, "camera": camera} for tile, camera in enumerate(cameras)]
        text = json.dumps({"type": "show", "tiles": tiles})
        self.says.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self.says.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def tile(self) -> int:
        """The tile of the next picture."""
        async with asyncio.timeout(TIMEOUT_S):
            return int.from_bytes((await self.pictures.get())[2:4], "little")

    async def accept(self) -> None:
        pass

    async def receive(self) -> dict[str, Any]:
        return await self.says.get()

    async def send_bytes(self, data: bytes) -> None:
        self.pictures.put_nowait(data)

    async def send_text(self, text: str) -> None:
        pass


class SlowPictures(Pictures):
    """Encodes nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__(80)
        self.made: dict[int, asyncio.Future[bytes | None]] = {}

    def make(self, _stream: Stream, frame: Frame) -> asyncio.Future[bytes | None]:
        loop = asyncio.get_running_loop()
        return self.made.setdefault(frame.received_ns, loop.create_future())


def raw(received_ns: int) -> Frame:
    image = np.zeros((4, 4, 3), np.uint8)
    header = FrameHeader("raw/main", 7, 0, 0, 0, "raw", image.shape)
    return Frame("pi", header, image.tobytes(), received_ns)


async def test_a_raw_picture_holds_up_no_other_tile_and_is_shown_when_it_is_ready(
    feed: Feed,
) -> None:
    bell = Bell(asyncio.get_running_loop())
    feed.fleet.listeners = (bell.ring,)
    pictures, browser = SlowPictures(), Browser()
    wall = Wall(
        bell=bell,
        demand=Demand(),
        pictures=pictures,
        bulletin=Bulletin("home", PORTS, bell),
        rejected=Counter(),
    )
    feed.fleet.accept(raw(1))
    feed.send("front/main")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wall.serve(cast("WebSocket", browser), Sight(feed.fleet, ANYBODY)))
        browser.show("pi/raw", "pi/front")
        assert await browser.tile() == 1
        feed.fleet.accept(raw(2))  # a fast camera has a newer one before the first is ready
        feed.send("front/main")
        assert await browser.tile() == 1
        assert list(pictures.made) == [1]
        pictures.made[1].set_result(b"jpeg")
        assert await browser.tile() == 0
        browser.leave()
    pictures.close()
