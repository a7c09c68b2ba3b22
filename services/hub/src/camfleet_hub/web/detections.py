"""What the API says of detections, and the routes that say it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import FastAPI, HTTPException, Path, Query, Response
from pydantic import BaseModel, Field

from camfleet_hub.detections import Detections, Kept
from camfleet_hub.web.api.document import problems
from camfleet_hub.web.asking import Seen
from camfleet_hub.web.headers import NO_STORE

_MOST: Final = 500
_MAX_ID: Final = 2**53  # what JavaScript can count
_MAX_CAMERA_ID: Final = 300  # characters
_JPEG: Final[dict[str, Any]] = {"schema": {"type": "string", "format": "binary"}}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS_PER_US: Final = 1000
_NS_PER_MS: Final = 1e6


class Box(BaseModel):
    """Where in the picture, in percent of it."""

    left: float
    top: float
    width: float
    height: float


class DetectionView(BaseModel):
    """What a detector reported."""

    id: int = Field(description="Greater than that of every earlier one.")
    node: str
    camera: str
    detector: str
    state: str = Field(description="What it found, for example `moving`, `still` or `dark`.")
    region: str = Field(description="Name of the part of the picture; empty where there is none.")
    captured_at: str | None = Field(
        description="RFC 3339, on the hub's clock; null where that is unknown."
    )
    uncertainty_ms: float | None = Field(description="The most that captured_at may be wrong.")
    received_at: str = Field(description="Arrival at the hub, RFC 3339.")
    box: Box | None = Field(description="Where something was found.")
    picture: str | None = Field(description="Path of a small JPEG; null where there is none.")


class DetectionPage(BaseModel):
    """Some detections, the newest first."""

    detections: list[DetectionView]
    before: int | None = Field(description="Ask with this for the next ones; null at the end.")


def add_detections(app: FastAPI, detections: Detections) -> None:
    """Add the routes."""

    @app.get("/api/detections", tags=["detections"])
    async def list_detections(
        sight: Seen,
        camera: Annotated[
            str | None, Query(max_length=_MAX_CAMERA_ID, description="Only of this: node/camera.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=_MOST)] = 100,
        before: Annotated[
            int | None, Query(ge=0, le=_MAX_ID, description="Only those with a smaller id.")
        ] = None,
    ) -> DetectionPage:
        """What detectors reported of late, the newest first."""
        found = detections.newest(limit + 1, camera_id=camera, before=before, is_seen=sight.may_see)
        shown = found[:limit]
        return DetectionPage(
            detections=[view(kept) for kept in shown],
            before=shown[-1].id if len(found) > limit else None,
        )

    @app.get(
        "/api/detections/{number}.jpg",
        tags=["detections"],
        response_class=Response,
        responses=problems(404)
        | {200: {"description": "The picture.", "content": {"image/jpeg": _JPEG}}},
    )
    async def get_detection_picture(
        sight: Seen, number: Annotated[int, Path(ge=0, le=_MAX_ID)]
    ) -> Response:
        """The small picture that came with a detection."""
        kept = detections.find(number)
        if kept is None or not kept.detected.picture or not sight.may_see(kept.camera_id):
            raise HTTPException(404, f"there is no picture of detection {number}, or no longer")
        return Response(kept.detected.picture, media_type="image/jpeg", headers=NO_STORE)


def view(kept: Kept) -> DetectionView:
    """Describe a detection."""
    detected, header = kept.detected, kept.detected.header
    captured_ns = detected.captured_ns
    captured_at = None if captured_ns is None else rfc3339(captured_ns)
    is_known = captured_at is not None
    box = dict(zip(Box.model_fields, header.box, strict=True)) if header.box else None
    return DetectionView(
        id=kept.id,
        node=detected.node,
        camera=detected.camera,
        detector=header.detector,
        state=header.state,
        region=header.region,
        captured_at=captured_at,
        uncertainty_ms=round(header.clock_uncertainty_ns / _NS_PER_MS, 2) if is_known else None,
        received_at=rfc3339(detected.received_ns) or "",
        box=Box(**box) if box else None,
        picture=f"/api/detections/{kept.id}.jpg" if detected.picture else None,
    )


def rfc3339(unix_ns: int) -> str | None:
    """A time as people and programs read it, to the millisecond; None where no calendar has it."""
    try:
        time = _EPOCH + timedelta(microseconds=unix_ns // _NS_PER_US)
    except OverflowError:  # what a node said may be anything
        return None
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
