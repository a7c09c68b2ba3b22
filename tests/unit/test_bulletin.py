"""What every browser is told of the fleet, written once for all of them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin

if TYPE_CHECKING:
    from tests.unit.conftest import Feed

pytestmark = pytest.mark.anyio

PORTS = {"nodes": 5556, "imagezmq": 5555}


def bulletin(feed: Feed) -> Bulletin:
    bell = Bell(asyncio.get_running_loop())
    feed.fleet.on_camera = bell.announce
    return Bulletin("home", PORTS, feed.fleet, bell)


async def test_it_tells_the_hubs_name_and_every_cameras_state(feed: Feed) -> None:
    feed.send("k\u00fcche/main")
    feed.send("k\u00fcche/preview")
    told = json.loads(await anext(bulletin(feed).editions()))
    assert (told["type"], told["hub"]) == ("fleet", "home")
    assert [camera["id"] for camera in told["cameras"]] == ["pi/k\u00fcche"]


async def test_it_is_written_once_for_all_who_read_it(feed: Feed) -> None:
    made = bulletin(feed)
    first, second = [await anext(made.editions()) for _ in range(2)]
    assert first is second


async def test_a_new_camera_is_told_at_once(feed: Feed) -> None:
    made = bulletin(feed)
    editions = made.editions()
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made.run())
        while "pi/front" not in await anext(editions):
            if feed.fleet.find("pi/front") is None:
                feed.send()
        running.cancel()


async def test_it_tells_what_a_cameras_detectors_find(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send()
    feed.detect(0)
    told = json.loads(await anext(bulletin(feed).editions()))
    assert told["cameras"][0]["marks"] == ["motion"]
