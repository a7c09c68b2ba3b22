"""The wall's WebSocket: all tiles of one browser over one connection, acknowledged when painted.

A viewer that reads slowly, or never answers, holds up only itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from typing import Final, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

from camfleet.errors import RemoteProtocolError
from camfleet.payload import Payload
from camfleet_hub.demand import Demand
from camfleet_hub.permission import Sight
from camfleet_hub.stream import Arrival, Stream
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.origin import is_same_origin
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.viewer import Message, Painted, Ping, Show, Viewer, parse

_HUNG_UP_S: Final = 1.0  # until uvicorn has told us; it does so at once
_POLICY_VIOLATION: Final = 1008  # RFC 6455, 7.4.1
_GOING_AWAY: Final = 1001
_MAX_REASON_BYTES: Final = 123  # of a close frame: RFC 6455, 5.5


class Wall:
    """Serves browsers; each gets a session of its own.

    Args:
        bell: rings when one has a newer frame.
        demand: which ones somebody wants.
        pictures: makes JPEGs of frames.
        bulletin: what each browser is told of the fleet.
        rejected: counts browsers that were sent away, by reason.
    """

    def __init__(
        self,
        *,
        bell: Bell,
        demand: Demand,
        pictures: Pictures,
        bulletin: Bulletin,
        rejected: Counter[str],
    ) -> None:
        self.bell = bell
        self.demand = demand
        self.pictures = pictures
        self.bulletin = bulletin
        self.rejected = rejected

    async def serve(self, socket: WebSocket, sight: Sight) -> None:
        """Serve one browser what it may see, until it goes away or does what none of ours does."""
        if not is_same_origin(socket):
            self.rejected["origin"] += 1
            await socket.close(_POLICY_VIOLATION, "want a page of this hub")
            return
        await socket.accept()
        session = _Session(self, socket, sight)
        self.bulletin.readers += 1
        try:
            with contextlib.suppress(WebSocketDisconnect):
                await session.run()
        finally:
            self.bulletin.readers -= 1


class _Making(NamedTuple):
    """A raw picture that is being encoded for a tile."""

    stream: Stream
    arrival: Arrival
    jpeg: asyncio.Future[bytes | None]


class _Session:
    """One browser: a task that reads it, one that sends frames, one that tells the fleet."""

    def __init__(self, wall: Wall, socket: WebSocket, sight: Sight) -> None:
        self._wall = wall
        self._sight = sight
        self._socket = socket
        self._viewer = Viewer()
        self._woken = asyncio.Event()
        self._making: dict[int, _Making] = {}

    async def run(self) -> None:
        """Serve until the first task ends, and close only when none is left to send."""
        tasks = [asyncio.create_task(task) for task in (self._read(), self._send(), self._tell())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if any(isinstance(task.exception(), RuntimeError) for task in done):
                # Perhaps uvicorn hung up by itself, because a message was too large. It refuses
                # then what is sent, and tells why to who reads.
                told, _ = await asyncio.wait(tasks[:1], timeout=_HUNG_UP_S)
                done = told or done
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._wall.bell.forget(self._viewer.cameras, self._woken)
            self._wall.demand.change(self._viewer.cameras, ())
        try:
            for task in done:
                task.result()
        except RemoteProtocolError as error:
            await self._refuse(str(error))
        else:
            await self._socket.close(_GOING_AWAY, "the hub stops")

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"])
            received_ms = time.time() * 1000
            await self._take(parse(message.get("text") or ""), received_ms)

    async def _take(self, message: Message, received_ms: float) -> None:
        match message:
            case Painted(frames):
                self._viewer.painted(frames)
                self._woken.set()
            case Show(tiles):
                before = self._viewer.cameras
                self._wall.bell.forget(before, self._woken)
                self._viewer.show(one for one in tiles if self._sight.may_see(one.camera))
                self._wall.demand.change(before, self._viewer.cameras)
                self._making.clear()
                self._wall.bell.listen(self._viewer.cameras, self._woken)
                self._woken.set()
            case Ping(sent_ms):
                await self._socket.send_json(
                    {
                        "type": "clock",
                        "sent_ms": sent_ms,
                        "received_ms": received_ms,
                        "replied_ms": time.time() * 1000,
                    }
                )

    async def _send(self) -> None:
        while not self._wall.bell.is_closed:
            await self._woken.wait()
            self._woken.clear()
            for tile, stream, arrival in self._viewer.due(self._sight.find):
                if arrival.frame.header.codec == "jpeg":
                    await self._show(tile, stream, arrival, arrival.frame.payload)
                else:
                    await self._show_raw(tile, stream, arrival)

    async def _show_raw(self, tile: int, stream: Stream, arrival: Arrival) -> None:
        """Show a picture once its JPEG is there; until then it holds up no other tile.

        What has begun is ended though newer ones have come, or a fast camera would show nothing.
        """
        making = self._making.pop(tile, None)
        if making is None or making.stream is not stream:
            jpeg = self._wall.pictures.make(stream, arrival.frame)
            making = _Making(stream, arrival, jpeg)
            jpeg.add_done_callback(lambda _: self._woken.set())
        if making.jpeg.done():
            await self._show(tile, stream, making.arrival, making.jpeg.result())
        else:
            self._making[tile] = making

    async def _show(
        self, tile: int, stream: Stream, arrival: Arrival, jpeg: Payload | None
    ) -> None:
        header = self._viewer.send(tile, stream, arrival) if jpeg is not None else None
        if jpeg is not None and header is not None:
            await self._socket.send_bytes(b"".join((header, jpeg)))

    async def _tell(self) -> None:
        async for text in self._wall.bulletin.editions(self._sight):
            await self._socket.send_text(text)

    async def _refuse(self, message: str) -> None:
        self._wall.rejected["message"] += 1
        await self._socket.send_json({"type": "error", "message": message})
        reason = message.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        await self._socket.close(_POLICY_VIOLATION, reason)
