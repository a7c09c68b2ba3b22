"""What every browser is told of the fleet, written once for all of them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from camfleet.errors import Reason
from camfleet_hub.permission import ANYBODY, Identity, Role, Sight, parse_cameras
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin

if TYPE_CHECKING:
    from tests.unit.conftest import Feed

pytestmark = pytest.mark.anyio

PORTS = {"nodes": 5556, "imagezmq": 5555}


def bulletin(feed: Feed) -> Bulletin:
    bell = Bell(asyncio.get_running_loop())
    feed.fleet.on_camera = bell.announce
    return Bulletin("home", PORTS, bell)


async def test_it_tells_the_hubs_name_and_every_cameras_state(feed: Feed) -> None:
    feed.send("k\u00fcche/main")
    feed.send("k\u00fcche/preview")
    told = json.loads(await anext(bulletin(feed).editions(Sight(feed.fleet, ANYBODY))))
    assert (told["type"], told["hub"]) == ("fleet", "home")
    assert [camera["id"] for camera in told["cameras"]] == ["pi/k\u00fcche"]


async def test_it_is_written_once_for_all_who_read_it(feed: Feed) -> None:
    made = bulletin(feed)
    first, second = [await anext(made.editions(Sight(feed.fleet, ANYBODY))) for _ in range(2)]
    assert first is second


async def test_who_may_not_see_a_camera_is_not_told_of_it(feed: Feed) -> None:
    feed.send("front/main")
    feed.send("pond/main")
    made = bulletin(feed)
    viewer = Identity("neighbour", Role.VIEWER, parse_cameras("*/pond"))
    whole = json.loads(await anext(made.editions(Sight(feed.fleet, ANYBODY))))
    part = json.loads(await anext(made.editions(Sight(feed.fleet, viewer))))
    assert [camera["id"] for camera in whole["cameras"]] == ["pi/front", "pi/pond"]
    assert [camera["id"] for camera in part["cameras"]] == ["pi/pond"]


async def test_a_sender_that_is_rejected_and_has_no_camera_is_told_of_by_name(feed: Feed) -> None:
    feed.reject("attic", Reason.TOO_MANY)
    told = json.loads(await anext(bulletin(feed).editions(Sight(feed.fleet, ANYBODY))))
    [rejected] = told["rejected"]
    assert (rejected["sender"], rejected["reason"]) == ("attic", "this hub is full")


async def test_a_new_camera_is_told_at_once(feed: Feed) -> None:
    made = bulletin(feed)
    editions = made.editions(Sight(feed.fleet, ANYBODY))
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
    told = json.loads(await anext(bulletin(feed).editions(Sight(feed.fleet, ANYBODY))))
    assert told["cameras"][0]["marks"] == ["motion"]
