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
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.messages import MAX_TILES, Message, Painted, Ping, Show, parse
from camfleet_hub.web.origin import is_same_origin
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.size import EIGHTHS
from camfleet_hub.web.viewer import Due, Viewer, join

_HUNG_UP_S: Final = 1.0  # until uvicorn has told us; it does so at once
_POLICY_VIOLATION: Final = 1008  # RFC 6455, 7.4.1
_GOING_AWAY: Final = 1001
_UNFIT: Final = frozenset({1002, 1007, 1009})  # no WebSocket, no text, too large: the same
_TRY_AGAIN_LATER: Final = 1013  # the registry of RFC 6455, 11.7
MOST_VIEWERS: Final = 384  # so that of the web server's connections some are left for all else
_TOGETHER_S: Final = 0.008  # half a refresh: a browser paints no sooner, and a message costs it
_CHOOSE_S: Final = 0.5
_IDLE_S: Final = 2.0  # without an acknowledgement
_LOOK_S: Final = 0.1
_NS_PER_MS: Final = 1e6
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
        if self.bulletin.readers >= MOST_VIEWERS:
            await self._send_away(socket)
            return
        session = _Session(self, socket, sight)
        self.bulletin.readers += 1
        try:
            await session.run()
        except WebSocketDisconnect as gone:
            self.rejected["message"] += gone.code in _UNFIT
        finally:
            self.bulletin.readers -= 1

    async def _send_away(self, socket: WebSocket) -> None:
        """Tell who is one too many, after it was accepted: a browser hears nothing before."""
        self.rejected["too_many"] += 1
        text = f"{MOST_VIEWERS} walls are open at this hub, want one to be closed"
        with contextlib.suppress(WebSocketDisconnect):
            await socket.send_json({"type": "error", "message": text})
            await socket.close(_TRY_AGAIN_LATER, text)


class _Making(NamedTuple):
    """A picture that is being made for a tile."""

    due: Due
    jpeg: asyncio.Future[Payload | None]


class _Session:
    """One browser: a task that reads it, one that sends frames, one that tells the fleet."""

    def __init__(self, wall: Wall, socket: WebSocket, sight: Sight) -> None:
        self._wall = wall
        self._sight = sight
        self._socket = socket
        self._viewer = Viewer()
        self._woken = asyncio.Event()
        self._making: dict[int, _Making] = {}
        self._unfinished = 0  # pictures that were begun, for tiles that have gone too
        self._heard: set[str] = set()
        self._chosen_s = 0.0
        self._painted_s = asyncio.get_running_loop().time()
        self._choosing: asyncio.TimerHandle | None = None

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
            if self._choosing is not None:
                self._choosing.cancel()
            self._wall.bell.forget(self._heard, self._woken)
            self._wall.demand.change(self._viewer.wanted, ())
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
                self._painted_s = asyncio.get_running_loop().time()
                self._viewer.painted(frames, time.monotonic_ns(), round(received_ms * _NS_PER_MS))
                self._woken.set()
            case Show(tiles):
                self._viewer.show(one for one in tiles if self._sight.may_see(one.camera))
                self._making.clear()
                self._choose()
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
        loop = asyncio.get_running_loop()
        while not self._wall.bell.is_closed:
            await self._woken.wait()
            self._woken.clear()
            begun_s = loop.time()
            if begun_s >= self._chosen_s + _CHOOSE_S or self._viewer.misses_any:
                self._choose()
            else:
                self._choose_later()
            has_sent = False
            while frames := self._take_frames():
                await self._socket.send_bytes(join(frames))
                has_sent = True
            if begun_s > self._painted_s + _IDLE_S:  # it paints nothing: look at it now and then
                await asyncio.sleep(_LOOK_S)
            elif has_sent:  # what comes until then goes as one message
                await asyncio.sleep(max(0.0, begun_s + _TOGETHER_S - loop.time()))

    def _choose(self) -> None:
        """Follow which streams suit the tiles now: a preview that has come, or is gone."""
        self._chosen_s = asyncio.get_running_loop().time()
        if self._choosing is not None:
            self._choosing.cancel()
            self._choosing = None
        before, heard = self._viewer.wanted, self._heard
        wanted = self._viewer.choose(self._sight.find, self._sight.now_ns())
        self._heard = wanted | self._viewer.cameras
        if wanted != before:
            self._wall.demand.change(before, wanted)
        if self._heard != heard:
            self._wall.bell.forget(heard - self._heard, self._woken)
            self._wall.bell.listen(self._heard - heard, self._woken)

    def _choose_later(self) -> None:
        """See that it is done even if nothing wakes this session again."""
        if self._choosing is None:
            loop = asyncio.get_running_loop()
            self._choosing = loop.call_at(self._chosen_s + _CHOOSE_S, self._woken.set)

    def _take_frames(self) -> list[tuple[bytes, Payload]]:
        """Take what may be sent now, as much as makes a message."""
        frames: list[tuple[bytes, Payload]] = []
        now_ns = time.monotonic_ns()
        left_bytes = self._viewer.window.message_bytes(now_ns)
        for newest in self._viewer.due():
            if (frames and left_bytes <= 0) or not self._viewer.window.has_room(now_ns):
                break
            due, jpeg = self._picture(newest)
            if jpeg is None:
                continue
            header = self._viewer.send(due, len(jpeg), now_ns, time.time_ns())
            self._making.pop(due.tile, None)
            if header is not None:
                frames.append((header, jpeg))
                left_bytes -= len(jpeg)
        return frames

    def _picture(self, due: Due) -> tuple[Due, Payload | None]:
        """Find the JPEG for a tile; None while it is being made, which holds up no other tile.

        What has begun is ended though newer ones have come, or a fast camera would show nothing.
        """
        frame = due.arrival.frame
        if frame.header.codec == "jpeg" and due.eighths == EIGHTHS:
            return due, frame.payload
        making = self._making.get(due.tile)
        if making is None or making.due.stream is not due.stream:
            if self._unfinished >= MAX_TILES:  # who changes its tiles all the time waits
                return due, None
            jpeg = self._wall.pictures.make(due.stream, frame, due.eighths)
            making = self._making[due.tile] = _Making(due, jpeg)
            self._unfinished += 1
            jpeg.add_done_callback(self._finish)
        if not making.jpeg.done():
            return making.due, None
        made = making.jpeg.result()
        if made is None:
            del self._making[due.tile]
            self._viewer.pass_over(making.due)
            self._woken.set()  # perhaps of a newer one
        return making.due, made

    def _finish(self, _jpeg: asyncio.Future[Payload | None]) -> None:
        self._unfinished -= 1
        self._woken.set()

    async def _tell(self) -> None:
        async for text in self._wall.bulletin.editions(self._sight):
            await self._socket.send_text(text)

    async def _refuse(self, message: str) -> None:
        self._wall.rejected["message"] += 1
        await self._socket.send_json({"type": "error", "message": message})
        reason = message.encode()[:_MAX_REASON_BYTES].decode(errors="ignore")
        await self._socket.close(_POLICY_VIOLATION, reason)
