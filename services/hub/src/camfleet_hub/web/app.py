"""The hub's HTTP routes. Each only finds its stream and hands over to the module that serves it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Final

from fastapi import FastAPI, HTTPException, Response, WebSocket
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from camfleet_hub.demand import Demand
from camfleet_hub.detections import Detections
from camfleet_hub.expiry import Expiry
from camfleet_hub.fleet import Fleet
from camfleet_hub.history import History
from camfleet_hub.permission import Sight
from camfleet_hub.stream import Stream
from camfleet_hub.web import models
from camfleet_hub.web.access import Access, OpenAccess
from camfleet_hub.web.asking import Overseer, Seen
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.detections import add_detections
from camfleet_hub.web.headers import SecurityHeaders
from camfleet_hub.web.history import add_history
from camfleet_hub.web.login import Login
from camfleet_hub.web.login_page import add_login
from camfleet_hub.web.password_page import add_password
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.targets import add_targets
from camfleet_hub.web.wall import Wall

_STATIC: Final = Path(__file__).parent / "static"
_BOUNDARY: Final = "frame"
_NO_STORE: Final = {"Cache-Control": "no-store"}
_LOGGED_IN: Final = ('form id="logout"', 'a id="password"')  # hidden as they stand in the page


@dataclass(frozen=True)
class Hub:
    """What the routes show.

    Attributes:
        bulletin: what every browser is told of the fleet.
        fleet: every node and camera.
        detections: what detectors reported of late.
        bell: rings when a camera has a newer frame.
        demand: which streams somebody wants.
        pictures: makes JPEGs of frames.
        registry: what `/metrics` tells.
        viewers_rejected: counts browsers that were sent away, by reason.
        problems: tells what is wrong with the hub, for `/healthz`; empty when nothing is.
        login: knows who is logged in; None where nobody needs to be.
        history: the last ten minutes.
    """

    bulletin: Bulletin
    fleet: Fleet
    detections: Detections
    bell: Bell
    demand: Demand
    pictures: Pictures
    registry: CollectorRegistry
    viewers_rejected: Counter[str]
    problems: Callable[[], list[str]]
    login: Login | None = None
    history: History = field(default_factory=History)


def create_app(hub: Hub) -> FastAPI:
    """Build the web application."""
    app = FastAPI(
        title="camfleet hub", version=version("camfleet-hub"), docs_url=None, redoc_url=None
    )
    app.state.fleet = hub.fleet
    if hub.login is None:
        app.add_middleware(OpenAccess)
    else:
        app.add_middleware(Access, login=hub.login)
        add_login(app, hub.login)
        add_password(app, hub.login)
    app.add_middleware(SecurityHeaders)  # the outermost: on what is refused too
    _add_wall(app, hub)
    _add_cameras(app, hub)
    add_history(app, hub.history)
    add_detections(app, hub.detections)
    _add_health(app, hub)
    return app


def create_metrics_app(registry: CollectorRegistry, expiry: Expiry) -> FastAPI:
    """Build the application that serves metrics and where there are more, on its own port."""
    app = FastAPI(title="camfleet metrics", openapi_url=None)

    @app.get("/metrics", response_class=Response)
    def metrics() -> Response:
        """Every number of every node and camera, as Prometheus reads them."""
        return _metrics(registry)

    add_targets(app, expiry)
    return app


def _add_wall(app: FastAPI, hub: Hub) -> None:
    wall = Wall(
        bell=hub.bell,
        demand=hub.demand,
        pictures=hub.pictures,
        bulletin=hub.bulletin,
        rejected=hub.viewers_rejected,
    )

    text = (_STATIC / "index.html").read_text("utf-8")
    if hub.login is not None:
        for at in _LOGGED_IN:
            text = text.replace(f"<{at} hidden", f"<{at}")

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(text, headers=_NO_STORE)

    @app.websocket("/ws/wall")
    async def wall_socket(socket: WebSocket, sight: Seen) -> None:
        await wall.serve(socket, sight)

    app.mount("/static", StaticFiles(directory=_STATIC), name="static")


def _add_cameras(app: FastAPI, hub: Hub) -> None:
    def find(sight: Sight, node: str, camera: str) -> Stream:
        stream = sight.find(f"{node}/{camera}")
        if stream is None:
            raise HTTPException(404, f"there is no camera {camera!r} on a node {node!r}")
        return stream

    @app.get("/api/nodes")
    async def nodes(sight: Seen) -> list[models.NodeView]:
        """Every node with its cameras, their state and their counters."""
        return models.nodes(sight)

    @app.get("/snapshot/{node}/{camera}.jpg", response_class=Response)
    async def snapshot(sight: Seen, node: str, camera: str) -> Response:
        """The newest picture of a camera as JPEG."""
        stream = find(sight, node, camera)
        frame = stream.newest
        jpeg = await hub.pictures.jpeg(stream, frame) if frame else None
        if jpeg is None:
            raise HTTPException(404, f"camera {stream.id!r} has not sent a picture yet")
        return Response(bytes(jpeg), media_type="image/jpeg", headers=_NO_STORE)

    @app.get("/mjpeg/{node}/{camera}", response_class=StreamingResponse)
    async def mjpeg(sight: Seen, node: str, camera: str) -> StreamingResponse:
        """A camera's pictures as they come, for everything that shows MJPEG over HTTP."""
        media_type = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        parts = _mjpeg(find(sight, node, camera).id, sight, hub)
        return StreamingResponse(parts, media_type=media_type, headers=_NO_STORE)


def _add_health(app: FastAPI, hub: Hub) -> None:
    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz")
    async def healthz() -> JSONResponse:
        """Whether the hub takes frames; 503 and the reasons where it does not."""
        found = hub.problems()
        body = {"status": "failing" if found else "ok", "problems": found}
        return JSONResponse(body, 503 if found else 200, headers=_NO_STORE)

    @app.get("/metrics", response_class=Response)
    def metrics(_: Overseer) -> Response:
        """Every number of every node and camera, for who may see all of them."""
        return _metrics(hub.registry)


def _metrics(registry: CollectorRegistry) -> Response:
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def _mjpeg(stream_id: str, sight: Sight, hub: Hub) -> AsyncIterator[bytes]:
    """Yield parts (RFC 2046, 5.1); what comes while one is being written is skipped.

    It ends when the fleet forgets the camera.
    """
    sent = None
    with hub.demand.wanting(stream_id), hub.bell.listening(stream_id) as rung:
        while not hub.bell.is_closed and (stream := sight.find(stream_id)):
            rung.clear()
            arrival = stream.arrival
            if arrival is not None and arrival is not sent:
                if sent is not None:
                    stream.drop("mjpeg", "newer", max(0, arrival.number - sent.number - 1))
                sent = arrival
                jpeg = await hub.pictures.jpeg(stream, arrival.frame)
                if jpeg is not None:
                    yield _part(jpeg)
                    continue
            await rung.wait()


def _part(jpeg: bytes | memoryview) -> bytes:
    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
    return b"".join((head.encode(), jpeg, b"\r\n"))
