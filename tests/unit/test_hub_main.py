from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from camfleet.port import Port
from camfleet_hub.__main__ import EXIT_BROKEN, _serve
from camfleet_hub.ports import Ports
from camfleet_hub.web.bell import Bell

if TYPE_CHECKING:
    import zmq

    from camfleet.receiver import Receiver
    from camfleet_hub.subscriber_port import SubscriberPort


class Silent(Port):
    """A port that says nothing."""

    def __init__(self) -> None:
        super().__init__("tcp://127.0.0.1:0", 1)

    def take(self, identity: bytes, parts: list[zmq.Frame]) -> None:
        """Ignore it."""


def test_a_hub_whose_port_broke_ends_so_that_it_is_started_anew() -> None:
    async def serve(port: Port) -> int:
        bell = Bell(asyncio.get_running_loop())
        ports = Ports(cast("Receiver", port), cast("SubscriberPort", port))
        return await asyncio.wait_for(_serve([], ports, [], bell), 10)

    port = Silent()
    port.close()  # to who looks from outside, the thread is gone as after a bug
    assert asyncio.run(serve(port)) == EXIT_BROKEN
