"""The wall's WebSocket: all tiles of one browser over one connection, acknowledged when painted.

A viewer that reads slowly, or never answers, holds up only itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect

from camfleet.errors import RemoteProtocolError
from camfleet.names import MAIN
from camfleet_hub.fleet import Fleet
from camfleet_hub.web import models
from camfleet_hub.web.bell import NEW_CAMERAS, Bell
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.viewer import Message, Painted, Ping, Show, Viewer, parse

_FLEET_S: Final = 1.0
_SOONEST_S: Final = 0.1  # between two, however fast new cameras come
_POLICY_VIOLATION: Final = 1008  # RFC 6455, 7.4.1
_GOING_AWAY: Final = 1001
_MAX_REASON_BYTES: Final = 123  # of a close frame: RFC 6455, 5.5
_CLOSED: Final = "after sending 'websocket.close'"
_log = structlog.get_logger()


class Wall:
    """Serves browsers; each gets a session of its own."""

    def __init__(self, hub_name: str, fleet: Fleet, bell: Bell, pictures: Pictures) -> None:
        self._hub_name = hub_name
        self.fleet = fleet
        self.bell = bell
        self.pictures = pictures

    async def serve(self, socket: WebSocket) -> None:
        """Serve one browser until it goes away, or does something that none of ours does."""
        if not _is_same_origin(socket):
            await socket.close(_POLICY_VIOLATION, "want a page of this hub")
            return
        await socket.accept()
        session = _Session(self, socket)
        try:
            await session.run()
        except WebSocketDisconnect:
            pass
        except RuntimeError as error:
            # uvicorn's word for having closed by itself, because a message was too large
            if _CLOSED not in str(error):
                raise

    def fleet_message(self) -> dict[str, object]:
        """What every browser is told once a second."""
        now_ns = self.fleet.now_ns()
        cameras = [
            models.camera(stream, now_ns).model_dump()
            for stream in self.fleet.streams()
            if stream.profile == MAIN
        ]
        return {"type": "fleet", "hub": self._hub_name, "cameras": cameras}


class _Session:
    """One browser: a task that reads it, one that sends frames, one that tells the fleet."""

    def __init__(self, wall: Wall, socket: WebSocket) -> None:
        self._wall = wall
        self._socket = socket
        self._viewer = Viewer()
        self._woken = asyncio.Event()

    async def run(self) -> None:
        """Serve until the first task ends, and close only when none is left to send."""
        tasks = [asyncio.create_task(task) for task in (self._read(), self._send(), self._tell())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._wall.bell.forget(self._viewer.cameras, self._woken)
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
                self._wall.bell.forget(self._viewer.cameras, self._woken)
                self._viewer.show(tiles)
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
            for tile, stream, frame in self._viewer.due(self._wall.fleet.find):
                jpeg = await self._wall.pictures.jpeg(stream, frame)
                header = self._viewer.send(tile, stream, frame) if jpeg is not None else None
                if jpeg is not None and header is not None:
                    await self._socket.send_bytes(b"".join((header, jpeg)))

    async def _tell(self) -> None:
        with self._wall.bell.listening(NEW_CAMERAS) as changed:
            while True:
                changed.clear()
                await self._socket.send_json(self._wall.fleet_message())
                await asyncio.sleep(_SOONEST_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _FLEET_S - _SOONEST_S)

    async def _refuse(self, message: str) -> None:
        _log.info("viewer refused", problem=message)
        await self._socket.send_json({"type": "error", "message": message})
        reason = message.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        await self._socket.close(_POLICY_VIOLATION, reason)


def _is_same_origin(socket: WebSocket) -> bool:
    """Whether the page that connects came from this hub (RFC 6455, 10.2).

    A program that is no browser sends no Origin, and may connect.
    """
    origin = socket.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == socket.headers.get("host")
    except ValueError:  # not a URL at all
        return False
