"""The API's routes for nodes and cameras."""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, HTTPException, Path, Query

from camfleet.errors import RemoteProtocolError
from camfleet.names import MAX_NAME_BYTES
from camfleet.pattern import MAX_PATTERN, StreamPattern, parse_pattern
from camfleet_hub.permission import PATTERN, Sight
from camfleet_hub.stream import Stream
from camfleet_hub.web import models
from camfleet_hub.web.api.document import problems
from camfleet_hub.web.api.paging import USUAL, After, Limit, page_of
from camfleet_hub.web.asking import Seen

NodeName = Annotated[
    str,
    Path(max_length=MAX_NAME_BYTES, description="Name of a node.", examples=["garden"]),
]
CameraName = Annotated[
    str,
    Path(max_length=MAX_NAME_BYTES, description="Name of a camera on it.", examples=["pond"]),
]
Match = Annotated[
    str | None,
    Query(
        max_length=MAX_PATTERN,
        pattern=PATTERN,
        description="Only those whose `node/camera` is like this; `*` and `?` stand for others.",
        examples=["garden/*"],
    ),
]


def add_fleet(app: FastAPI) -> None:
    """Add the routes."""

    @app.get("/api/nodes", tags=["fleet"])
    async def list_nodes(sight: Seen, limit: Limit = USUAL, after: After = None) -> models.NodePage:
        """Every node with its cameras, their state and their counters, by name."""
        shown, end = page_of(sight.nodes(), lambda node: node.name, limit, after)
        return models.NodePage(nodes=models.nodes(sight, shown), after=end)

    @app.get("/api/nodes/{node}", tags=["fleet"], responses=problems(404))
    async def get_node(sight: Seen, node: NodeName) -> models.NodeView:
        """One node with its cameras."""
        found = sight.node(node)
        if found is None:
            raise HTTPException(404, f"there is no node {node!r}")
        (view,) = models.nodes(sight, [found])
        return view

    @app.get("/api/cameras", tags=["fleet"])
    async def list_cameras(
        sight: Seen,
        match: Match = None,
        state: Annotated[
            models.State | None, Query(description="Only those in this state.")
        ] = None,
        limit: Limit = USUAL,
        after: After = None,
    ) -> models.CameraPage:
        """Every camera with its state and its counters, by id."""
        pattern = _pattern(match)
        now_ns = sight.now_ns()
        found = [
            stream
            for stream in models.cameras(sight)
            if (
                pattern is None
                or pattern.matches(stream.node.name, f"{stream.camera}/{stream.profile}")
            )
            and (state is None or stream.liveness(now_ns) == state)
        ]
        shown, end = page_of(found, lambda stream: stream.id, limit, after)
        return models.CameraPage(cameras=models.counts(sight, shown), after=end)

    @app.get("/api/cameras/{node}/{camera}", tags=["fleet"], responses=problems(404))
    async def get_camera(sight: Seen, node: NodeName, camera: CameraName) -> models.CameraCounts:
        """One camera with its state and its counters."""
        (view,) = models.counts(sight, [find_camera(sight, node, camera)])
        return view


def find_camera(sight: Sight, node: str, camera: str) -> Stream:
    """The camera's main stream.

    Raises:
        HTTPException: 404, where there is none or it may not be seen.
    """
    # An id is a path: no part of it may bring a slash of its own.
    stream = None if "/" in node or "/" in camera else sight.find(f"{node}/{camera}")
    if stream is None:
        raise HTTPException(404, f"there is no camera {camera!r} on a node {node!r}")
    return stream


def _pattern(match: str | None) -> StreamPattern | None:
    try:
        return None if match is None else parse_pattern(match)._replace(profile="*")
    except RemoteProtocolError as error:
        raise HTTPException(422, str(error)) from error
