"""A node that processes and detects, and a hub, as they run: what was asked for arrives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import simplejpeg

if TYPE_CHECKING:
    from tests.integration.conftest import House, Until

CAMERAS = {
    "yard": {
        "source": "synthetic",
        "width": 320,
        "height": 240,
        "fps": 20,
        "crop": "25,0,50,100",
        "rotate": 90,
        "resize_width": 60,
        "gray": True,
        "preview_width": 64,
        "motion": {"card": {"fps": 20, "sensitivity": 95}, "title": {"region": "90,0,10,10"}},
        "light": {"card": {"threshold": 5}},
        "send": "motion",
    }
}


def test_what_is_detected_and_processed_on_a_node_reaches_its_hub(
    house: House, until: Until
) -> None:
    house.start_hub()
    node = house.start_node("pi", settings={"CAMFLEET_NODE_CAMERAS": json.dumps(CAMERAS)})

    def told() -> set[tuple[str, str, str]]:
        detections = house.get("/api/detections").json["detections"]
        return {(found["detector"], found["state"], found["region"]) for found in detections}

    wanted = {("motion", "moving", "card"), ("light", "lighted", "card")}
    until(lambda: wanted <= told(), lambda: f"{told()}\n{node.said()}\n{house.hub.said()}")
    assert ("motion", "moving", "title") not in told()
    house.await_frames("pi/yard")  # it moves, so there are frames
    snapshot = house.get("/snapshot/pi/yard.jpg")
    assert simplejpeg.decode_jpeg_header(snapshot.body)[:3] == (160, 60, "Gray")
    [camera] = house.cameras().values()
    assert [profile["profile"] for profile in camera["profiles"]] == ["preview"]
