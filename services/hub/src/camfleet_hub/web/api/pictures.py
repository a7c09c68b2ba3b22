"""The routes for a camera's pictures: one of them, or all as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, Query, Response
from fastapi.responses import StreamingResponse

from camfleet.frame import Frame
from camfleet.liveness import Liveness
from camfleet_hub.demand import Demand
from camfleet_hub.permission import Sight
from camfleet_hub.stream import Stream
from camfleet_hub.web.api.document import problems
from camfleet_hub.web.api.fleet import CameraName, NodeName, find_camera
from camfleet_hub.web.asking import Seen
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.detections import rfc3339
from camfleet_hub.web.headers import NO_STORE
from camfleet_hub.web.pictures import Pictures

FRESH_MS: Final = 1000  # what a picture may be old unless somebody says otherwise
WAIT_S: Final = 2.0  # for a fresh one: a node's answer takes a round trip and a capture
_MOST_AGE_MS: Final = 86_400_000
_BOUNDARY: Final = "frame"
_NS_PER_MS: Final = 1e6
_NS: Final = 1e9
_JPEG: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_TEXT: Final[dict[str, Any]] = {"schema": {"type": "string"}}
_SNAPSHOT_HEADERS: Final[dict[str, Any]] = {
    "Last-Modified": _TEXT | {"description": "When it was captured, as far as that is known."},
    "Camfleet-Captured-At": _TEXT
    | {"description": "The same to the millisecond, RFC 3339 on the hub's clock, where known."},
    "Camfleet-Uncertainty-Ms": _TEXT | {"description": "The most that this may be wrong."},
    "Camfleet-Age-Ms": _TEXT | {"description": "How old the picture is, from its capture on."},
}


class Camera:
    """Shows the pictures of one camera to somebody.

    Args:
        stream_id: of the camera's main stream.
        sight: what may be seen.
        bell: rings when there is a newer frame.
        demand: which streams somebody wants.
        pictures: makes JPEGs of frames.
    """

    def __init__(
        self, stream_id: str, sight: Sight, *, bell: Bell, demand: Demand, pictures: Pictures
    ) -> None:
        self._id = stream_id
        self._sight = sight
        self._bell = bell
        self._demand = demand
        self._pictures = pictures

    async def fresh(self, max_age_ms: int) -> Frame | None:
        """A frame that is no older, or the newest that came within the time for it."""
        with self._demand.wanting(self._id), self._bell.listening(self._id) as rung:
            try:
                async with asyncio.timeout(WAIT_S):
                    while self._is_worth_waiting(max_age_ms):
                        rung.clear()
                        await rung.wait()
            except TimeoutError:
                pass
        stream = self._sight.find(self._id)
        return stream.newest if stream else None

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield parts (RFC 2046, 5.1); what comes while one is being written is skipped.

        It ends when the fleet forgets the camera.
        """
        sent = None
        with self._demand.wanting(self._id), self._bell.listening(self._id) as rung:
            while not self._bell.is_closed and (stream := self._sight.find(self._id)):
                rung.clear()
                arrival = stream.arrival
                if arrival is not None and arrival is not sent:
                    if sent is not None:
                        stream.drop("mjpeg", "newer", max(0, arrival.number - sent.number - 1))
                    sent = arrival
                    jpeg = await self._pictures.jpeg(stream, arrival.frame)
                    if jpeg is not None:
                        yield _part(jpeg)
                        continue
                await rung.wait()

    def _is_worth_waiting(self, max_age_ms: int) -> bool:
        """Whether the newest frame is too old, and a newer one may come because we want it."""
        stream = self._sight.find(self._id)
        if stream is None or self._bell.is_closed:
            return False
        now_ns = self._sight.now_ns()
        age_ms = age_of(stream, now_ns)
        is_fresh = age_ms is not None and age_ms <= max_age_ms
        # A stock sender sends as it likes; who is offline sends nothing.
        is_there = stream.node.has_heartbeat and stream.node.liveness(now_ns) is Liveness.ONLINE
        return is_there and not is_fresh


def add_pictures(app: FastAPI, *, bell: Bell, demand: Demand, pictures: Pictures) -> None:
    """Add the routes."""

    def show(stream: Stream, sight: Sight) -> Camera:
        return Camera(stream.id, sight, bell=bell, demand=demand, pictures=pictures)

    @app.get(
        "/snapshot/{node}/{camera}.jpg",
        tags=["pictures"],
        response_class=Response,
        responses=problems(404)
        | {
            200: {
                "description": "The picture.",
                "content": {"image/jpeg": _JPEG},
                "headers": _SNAPSHOT_HEADERS,
            }
        },
    )
    async def get_snapshot(
        sight: Seen,
        node: NodeName,
        camera: CameraName,
        max_age_ms: Annotated[
            int,
            Query(
                ge=0,
                le=_MOST_AGE_MS,
                description="How old it may be; for a fresher one the hub asks the node and waits "
                "for up to two seconds, and then gives the newest that there is.",
            ),
        ] = FRESH_MS,
    ) -> Response:
        """A camera's newest picture as JPEG, with the time of its capture."""
        stream = find_camera(sight, node, camera)
        frame = await show(stream, sight).fresh(max_age_ms)
        headers = _told(stream, frame, sight.now_ns()) if frame else {}
        jpeg = await pictures.jpeg(stream, frame) if frame else None
        if jpeg is None:
            raise HTTPException(404, f"camera {stream.id!r} has not sent a picture yet")
        return Response(bytes(jpeg), media_type="image/jpeg", headers=NO_STORE | headers)

    @app.get(
        "/mjpeg/{node}/{camera}",
        tags=["pictures"],
        response_class=StreamingResponse,
        responses=problems(404)
        | {
            200: {
                "description": "JPEGs in parts (RFC 2046, 5.1), without end.",
                "content": {"multipart/x-mixed-replace": _JPEG},
            }
        },
    )
    async def watch_camera(sight: Seen, node: NodeName, camera: CameraName) -> StreamingResponse:
        """A camera's pictures as they come, for everything that shows MJPEG over HTTP."""
        media_type = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        parts = show(find_camera(sight, node, camera), sight).parts()
        return StreamingResponse(parts, media_type=media_type, headers=NO_STORE)


def age_of(stream: Stream, now_ns: int) -> float | None:
    """Milliseconds since the newest frame's capture, or its arrival where no clock is known.

    It is measured on the clock for silences, so that a hub's clock that is set changes nothing.
    """
    frame, silence_s = stream.newest, stream.silence_s(now_ns)
    if frame is None or silence_s is None:
        return None
    return silence_s * 1000 + max(0, frame.latency_ns or 0) / _NS_PER_MS


def _told(stream: Stream, frame: Frame, now_ns: int) -> dict[str, str]:
    """What the headers say of a frame's time."""
    header = frame.header
    is_known = frame.latency_ns is not None
    captured_ns = header.captured_ns + header.clock_offset_ns if is_known else frame.received_ns
    captured_at = rfc3339(captured_ns)
    told = {}
    if captured_at is not None:
        told["Last-Modified"] = formatdate(captured_ns // _NS, usegmt=True)
    if captured_at is not None and is_known:
        told["Camfleet-Captured-At"] = captured_at
        told["Camfleet-Uncertainty-Ms"] = f"{header.clock_uncertainty_ns / _NS_PER_MS:.2f}"
    age_ms = age_of(stream, now_ns) if stream.newest is frame else None
    if age_ms is not None:
        told["Camfleet-Age-Ms"] = f"{age_ms:.0f}"
    return told


def _part(jpeg: bytes | memoryview) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return b"".join((head.encode(), jpeg, b"\r\n"))
