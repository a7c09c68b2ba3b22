"""A browser's session at the wall: what holds up one tile holds up no other."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from camfleet.frame import Frame, FrameHeader
from camfleet_hub.demand import Demand
from camfleet_hub.permission import ANYBODY, Sight
from camfleet_hub.web import wall
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.wall import Wall
from camfleet_hub.web.window import Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.websockets import WebSocket
    from tests.unit.conftest import Feed

    from camfleet.payload import Payload
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

    def show(self, *cameras: str, size: tuple[int, int] = (0, 0)) -> None:
        tiles = [
            {"tile": tile, "camera": camera, "width": size[0], "height": size[1]}
            for tile, camera in enumerate(cameras)
        ]
        self.say({"type": "show", "tiles": tiles})

    def say(self, message: dict[str, Any]) -> None:
        self.says.put_nowait({"type": "websocket.receive", "text": json.dumps(message)})

    def leave(self) -> None:
        self.says.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def tile(self) -> int:
        """The tile of the next picture."""
        async with asyncio.timeout(TIMEOUT_S):
            picture = await self.pictures.get()
        tile, number = (int.from_bytes(part, "little") for part in (picture[2:4], picture[4:8]))
        self.say({"type": "painted", "frames": [(tile, number, None, None)]})
        return tile

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
        self.made: dict[int, asyncio.Future[Payload | None]] = {}

    def make(
        self, _stream: Stream, frame: Frame, _eighths: int = 8
    ) -> asyncio.Future[Payload | None]:
        loop = asyncio.get_running_loop()
        return self.made.setdefault(frame.received_ns, loop.create_future())


def raw(received_ns: int) -> Frame:
    image = np.zeros((4, 4, 3), np.uint8)
    header = FrameHeader("raw/main", 7, 0, 0, 0, "raw", image.shape)
    return Frame("pi", header, image.tobytes(), received_ns)


async def until(claim: Callable[[], bool]) -> None:
    """Let the session run until it is so."""
    while not claim():  # noqa: ASYNC110 - nothing tells of it
        await asyncio.sleep(0)


@asynccontextmanager
async def serving(
    feed: Feed, pictures: Pictures, demand: Demand | None = None
) -> AsyncIterator[Browser]:
    """A wall with one browser, which leaves at the end."""
    bell = Bell(asyncio.get_running_loop())
    feed.fleet.listeners = (bell.ring,)
    browser = Browser()
    wall = Wall(
        bell=bell,
        demand=demand or Demand(),
        pictures=pictures,
        bulletin=Bulletin("home", PORTS, bell),
        rejected=Counter(),
    )
    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(wall.serve(cast("WebSocket", browser), Sight(feed.fleet, ANYBODY)))
        yield browser
        browser.leave()
    pictures.close()


async def test_a_raw_picture_holds_up_no_other_tile_and_is_shown_when_it_is_ready(
    feed: Feed,
) -> None:
    pictures = SlowPictures()
    async with serving(feed, pictures) as browser:
        feed.fleet.accept(raw(1))
        feed.send("front/main")
        browser.show("pi/raw", "pi/front")
        assert await browser.tile() == 1
        feed.fleet.accept(raw(2))  # a fast camera has a newer one before the first is ready
        feed.send("front/main")
        assert await browser.tile() == 1
        assert list(pictures.made) == [1]
        pictures.made[1].set_result(b"jpeg")
        assert await browser.tile() == 0


async def test_who_changes_tiles_all_the_time_has_no_more_pictures_begun(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wall, "MAX_TILES", 3)
    pictures = SlowPictures()
    async with serving(feed, pictures) as browser:
        feed.send("front/main")
        for number in range(1, 6):
            feed.fleet.accept(raw(number))
            browser.show("pi/raw", "pi/front")
            assert await browser.tile() == 1  # so the former one was looked at
            feed.send("front/main")
        assert len(pictures.made) == 3
        pictures.made[1].set_result(b"jpeg")
        await until(lambda: len(pictures.made) == 4)


async def test_a_picture_that_is_none_is_tried_once(feed: Feed) -> None:
    pictures = SlowPictures()
    async with serving(feed, pictures) as browser:
        feed.fleet.accept(raw(1))
        browser.show("pi/raw")
        await until(lambda: 1 in pictures.made)
        pictures.made[1].set_result(None)
        feed.fleet.accept(raw(2))
        await until(lambda: 2 in pictures.made)
        pictures.made[2].set_result(b"jpeg")
        assert await browser.tile() == 0


async def test_frames_that_are_due_together_are_one_message_on_a_fast_link(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What this machine has time for would decide otherwise.
    monkeypatch.setattr(Window, "has_room", lambda *_: True)
    monkeypatch.setattr(Window, "message_bytes", lambda *_: 65_536)
    for camera in "abcd":
        feed.send(f"{camera}/main")
    async with serving(feed, Pictures(80)) as browser:
        browser.show("pi/a", "pi/b", "pi/c", "pi/d")
        several = await browser.pictures.get()
    assert struct.unpack_from("<BBH", several) == (1, 2, 4)


async def test_the_first_frame_comes_alone_for_nobody_knows_the_link_yet(feed: Feed) -> None:
    for camera in "abcd":
        feed.send(f"{camera}/main")
    async with serving(feed, Pictures(80)) as browser:
        browser.show("pi/a", "pi/b", "pi/c", "pi/d")
        alone = await browser.pictures.get()
        assert browser.pictures.empty()
    assert struct.unpack_from("<BB", alone) == (1, 1)


async def test_a_camera_that_comes_later_is_shown_at_once(feed: Feed) -> None:
    async with serving(feed, Pictures(80)) as browser:
        feed.send("front/main")
        browser.show("pi/front", "pi/later")
        assert await browser.tile() == 0
        feed.send("later/main")
        assert await browser.tile() == 1


async def test_a_preview_that_comes_is_shown_though_no_other_frame_follows(feed: Feed) -> None:
    async with serving(feed, Pictures(80)) as browser:
        feed.hello("pi", "front/main", "front/preview")
        feed.send("front/main", shape=(480, 640, 3))
        browser.show("pi/front", size=(160, 120))
        assert await browser.tile() == 0
        preview = feed.send("front/preview", shape=(120, 160, 3), latency_ms=40)
        _, _, _, _, captured_ms, _ = struct.unpack_from("<BBHIdd", await browser.pictures.get())
    assert captured_ms == pytest.approx(preview.header.captured_ns / 1e6)


async def test_who_leaves_wants_nothing_any_more(feed: Feed) -> None:
    demand, told = Demand(), []
    demand.on_want = lambda _, stream: told.append(f"+{stream}")
    demand.on_release = lambda _, stream: told.append(f"-{stream}")
    feed.hello("pi", "front/main", "front/preview")
    async with serving(feed, Pictures(80), demand) as browser:
        browser.show("pi/front", size=(160, 120))
        await until(lambda: len(told) == 2)
        assert sorted(told) == ["+front/main", "+front/preview"]
    assert sorted(told[2:]) == ["-front/main", "-front/preview"]
