from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from camfleet.port import Port
from camfleet_hub.__main__ import EXIT_BROKEN, _serve
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin

if TYPE_CHECKING:
    import zmq
    from tests.unit.conftest import Feed


class Silent(Port):
    """A port that says nothing."""

    def __init__(self) -> None:
        super().__init__("tcp://127.0.0.1:0", 1)

    def take(self, identity: bytes, parts: list[zmq.Frame]) -> None:
        """Ignore it."""


def test_a_hub_whose_port_broke_ends_so_that_it_is_started_anew(feed: Feed) -> None:
    async def serve(port: Port) -> int:
        bell = Bell(asyncio.get_running_loop())
        bulletin = Bulletin("home", {}, feed.fleet, bell)
        return await asyncio.wait_for(_serve([], [port], feed.fleet, bulletin, bell), 10)

    port = Silent()
    port.close()  # to who looks from outside, the thread is gone as after a bug
    assert asyncio.run(serve(port)) == EXIT_BROKEN
