"""The page of one node, and what its plots show: the last ten minutes, as `History` has them."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, Field

from camfleet_hub.history import INTERVAL_S, History
from camfleet_hub.ring import Line
from camfleet_hub.stream import Node
from camfleet_hub.track import Dropped, Past
from camfleet_hub.web import models
from camfleet_hub.web.api.document import problems
from camfleet_hub.web.api.fleet import NodeName
from camfleet_hub.web.asking import Seen
from camfleet_hub.web.assets import load_assets
from camfleet_hub.web.headers import NO_STORE

_NS: Final = 1e9
_NS_PER_MS: Final = 1e6


class LatencyView(BaseModel):
    """From the start of exposure to a stage, of all frames of each interval, in ms."""

    mean_ms: Line = Field(description="Exact: the sum by the number.")
    p95_ms: Line = Field(description="95th percentile; right to the bucket of the histogram.")


class DroppedView(BaseModel):
    """Frames that were discarded by choice, at one place and for one reason."""

    place: str = Field(description="`node`, or where at the hub.")
    reason: str
    per_s: Line
    count: int = Field(description="In all intervals together.")


class StreamHistory(BaseModel):
    """What one stream of a camera did; every list has one entry per sample."""

    now: models.Camera = Field(description="Its camera as the hub sees it now.")
    profile: str
    fps: Line = Field(description="Frames received per second.")
    asked_fps: Line = Field(description="Pictures per second that the camera is set to give.")
    captured_fps: Line = Field(description="Pictures that the node captured per second.")
    latency: dict[str, LatencyView] = Field(description="By stage, without those not measured.")
    uncertainty_ms: Line = Field(
        description="The most that latencies from `received` on may be wrong."
    )
    painted_uncertainty_ms: Line = Field(
        description="The same of `painted`: the browsers' clocks are uncertain too."
    )
    dropped: list[DroppedView]
    lost_per_s: Line = Field(description="Frames that were sent and never arrived, per second.")
    lost: int = Field(description="Those of all intervals together.")
    rejected_per_s: Line = Field(description="Messages that could not be accepted, per second.")
    rejected: int = Field(description="Those of all intervals together.")
    states: list[models.State | None]


class NodeHistory(BaseModel):
    """The last ten minutes of a node. Null stands where nothing was known."""

    name: str
    state: models.State
    software: str
    has_heartbeat: bool = Field(description="False for stock imagezmq senders: they tell less.")
    heard_s: float | None = Field(description="Since the node was heard; null before it.")
    gone: models.Gone | None = Field(description="Why it is gone, where it is.")
    rejection: models.Rejection | None = Field(
        description="What it said about none of its cameras and was rejected in the last 15 s, "
        "for who sees everything."
    )
    clock_offset_ms: float | None = Field(description="Hub's clock minus the node's.")
    clock_uncertainty_ms: float | None = Field(description="The most that this may be wrong.")
    round_trip_ms: float | None = Field(description="The least of late between node and hub.")
    interval_s: float = Field(description="Between two samples.")
    ages_s: list[float] = Field(description="How long ago each sample was taken, oldest first.")
    machine: models.Machine | None = Field(description="How its machine does now.")
    lines: dict[str, Line] = Field(
        description="Of the node itself: `uncertainty_ms` of its clock, `round_trip_ms`, "
        "`restarts` that the hub saw in each interval, and what its machine reports; "
        "`under_voltage` and `throttled` are 0 or 1."
    )
    streams: list[StreamHistory]


def add_history(app: FastAPI, history: History) -> None:
    """Add the routes."""
    assets = load_assets()
    page = assets.page(assets.text("node.html"))

    @app.get("/api/nodes/{node}/history", tags=["fleet"], responses=problems(404))
    async def get_history(node: NodeName, seen: Seen, response: Response) -> NodeHistory:
        """The last ten minutes of a node and its cameras, a sample every five seconds."""
        found = seen.node(node)
        if found is None:
            raise HTTPException(404, f"there is no node {node!r}")
        response.headers.update(NO_STORE)
        return _view(history, seen, found)

    @app.head("/node/{node}", include_in_schema=False)
    @app.get("/node/{node}", include_in_schema=False)
    async def node_page(node: NodeName, seen: Seen, request: Request) -> Response:
        answer = page.answer(request.headers, "no-store")
        if seen.node(node) is None:  # the page says so, and goes on looking for it
            answer.status_code = 404
        return answer


def _view(history: History, seen: Seen, node: Node) -> NodeHistory:
    now_ns = seen.now_ns()
    streams = seen.streams_of(node)
    past = history.read(node, streams, now_ns)
    clock = node.clock
    return NodeHistory(
        name=node.name,
        state=node.liveness(now_ns).value,
        software=node.software,
        has_heartbeat=node.has_heartbeat,
        heard_s=round((now_ns - node.heard_ns) / _NS, 1) if node.heard_ns else None,
        gone=models.gone(seen, node, now_ns),
        rejection=models.rejection(seen, node, now_ns),
        clock_offset_ms=_ms(clock.offset_ns) if clock else None,
        clock_uncertainty_ms=_ms(clock.uncertainty_ns) if clock else None,
        round_trip_ms=_ms(node.round_trip_ns) if node.round_trip_ns >= 0 else None,
        interval_s=INTERVAL_S,
        ages_s=past.ages_s,
        machine=models.machine(node, now_ns),
        lines=dict(past.node or {}),
        streams=[
            _stream(past.streams[stream.id], models.camera(seen, stream, now_ns), stream.profile)
            for stream in streams
            if stream.id in past.streams
        ],
    )


def _stream(past: Past, now: models.Camera, profile: str) -> StreamHistory:
    return StreamHistory(
        now=now,
        profile=profile,
        fps=past.fps,
        asked_fps=past.asked_fps,
        captured_fps=past.captured_fps,
        latency={
            stage: LatencyView(mean_ms=found.mean_ms, p95_ms=found.p95_ms)
            for stage, found in past.latency.items()
        },
        uncertainty_ms=past.uncertainty_ms,
        painted_uncertainty_ms=past.painted_uncertainty_ms,
        dropped=list(map(_dropped, past.dropped)),
        lost_per_s=past.lost_per_s,
        lost=past.lost,
        rejected_per_s=past.rejected_per_s,
        rejected=past.rejected,
        states=past.states,
    )


def _dropped(found: Dropped) -> DroppedView:
    return DroppedView(place=found.place, reason=found.reason, per_s=found.per_s, count=found.count)


def _ms(duration_ns: int) -> float:
    return round(duration_ns / _NS_PER_MS, 2)
