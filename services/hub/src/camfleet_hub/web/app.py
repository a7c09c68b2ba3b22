"""The hub's HTTP routes, put together; each stands in the module of its noun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import BaseModel, Field

from camfleet_hub.demand import Demand
from camfleet_hub.detections import Detections
from camfleet_hub.enrolment import Enrolment
from camfleet_hub.expiry import Expiry
from camfleet_hub.fleet import Fleet
from camfleet_hub.history import History
from camfleet_hub.web.access import Access, OpenAccess
from camfleet_hub.web.api.document import add_document, problems
from camfleet_hub.web.api.fleet import add_fleet
from camfleet_hub.web.api.keys import add_keys
from camfleet_hub.web.api.page import add_page
from camfleet_hub.web.api.pictures import add_pictures
from camfleet_hub.web.api.session import add_session
from camfleet_hub.web.api.tokens import add_tokens
from camfleet_hub.web.api.users import add_users
from camfleet_hub.web.asking import Overseer, Seen
from camfleet_hub.web.assets import load_assets
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.body import MOST_BODY_BYTES, TimelyBody
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.detections import add_detections
from camfleet_hub.web.headers import NO_STORE, SecurityHeaders
from camfleet_hub.web.history import add_history
from camfleet_hub.web.login import Login
from camfleet_hub.web.login_page import add_login
from camfleet_hub.web.password_page import add_password
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.problems import add_problems
from camfleet_hub.web.targets import add_targets
from camfleet_hub.web.wall import Wall

_TEXT: Final[dict[str, Any]] = {"schema": {"type": "string"}}
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
        enrolment: the keys of nodes and subscribers; None where everything is plain.
        state: folder of the users and the tokens; None where nobody needs to log in.
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
    enrolment: Enrolment | None = None
    state: Path | None = None


class Health(BaseModel):
    """Whether the hub works."""

    status: Literal["ok", "failing"]
    problems: list[str] = Field(description="What is wrong, for people; empty where nothing is.")


def create_app(hub: Hub) -> FastAPI:
    """Build the web application."""
    app = FastAPI(
        title="camfleet hub",
        version=version("camfleet-hub"),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a path with a slash too many is another one
        max_body_size=MOST_BODY_BYTES,
        generate_unique_id_function=lambda route: route.name.rstrip("_"),
    )
    app.state.fleet = hub.fleet
    if hub.login is None:
        app.add_middleware(OpenAccess)
    else:
        app.add_middleware(Access, login=hub.login, rejected=hub.viewers_rejected)
        add_login(app, hub.login)
        add_password(app, hub.login)
    app.add_middleware(TimelyBody)
    app.add_middleware(SecurityHeaders)  # the outermost: on what is refused too
    add_problems(app)
    _add_wall(app, hub)
    add_fleet(app)
    add_pictures(app, bell=hub.bell, demand=hub.demand, pictures=hub.pictures)
    add_history(app, hub.history)
    add_detections(app, hub.detections)
    add_session(app, has_login=hub.login is not None)
    add_keys(app, hub.enrolment)
    add_users(app, hub.state)
    add_tokens(app, hub.state)
    _add_health(app, hub)
    add_page(app)
    add_document(app, has_login=hub.login is not None)
    return app


def create_metrics_app(registry: CollectorRegistry, expiry: Expiry) -> FastAPI:
    """Build the application that serves metrics and where there are more, on its own port."""
    app = FastAPI(title="camfleet metrics", openapi_url=None, docs_url=None, redoc_url=None)
    add_problems(app)

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

    assets = load_assets()
    text = assets.text("index.html")
    if hub.login is not None:
        for at in _LOGGED_IN:
            text = text.replace(f"<{at} hidden", f"<{at}")
    made = assets.page(text)

    @app.head("/", include_in_schema=False)
    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return made.answer(request.headers, "no-store")

    @app.websocket("/ws/wall")
    async def wall_socket(socket: WebSocket, sight: Seen) -> None:
        await wall.serve(socket, sight)

    app.mount("/static", assets, name="static")


def _add_health(app: FastAPI, hub: Hub) -> None:
    @app.head("/healthz", include_in_schema=False)
    @app.get(
        "/healthz",
        tags=["operation"],
        response_model=Health,
        responses={503: {"model": Health, "description": "It does not work as it should."}},
    )
    async def get_health() -> JSONResponse:
        """Whether the hub takes frames; 503 and the reasons where it does not."""
        found = hub.problems()
        body = {"status": "failing" if found else "ok", "problems": found}
        return JSONResponse(body, 503 if found else 200, headers=NO_STORE)

    @app.get(
        "/metrics",
        tags=["operation"],
        response_class=Response,
        responses=problems(403)
        | {200: {"description": "The numbers.", "content": {"text/plain": _TEXT}}},
    )
    def get_metrics(_: Overseer) -> Response:
        """Every number of every node and camera, for who may see all of them."""
        return _metrics(hub.registry)


def _metrics(registry: CollectorRegistry) -> Response:
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
