"""Detections from a program to the hub's API, over CURVE."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from camfleet.codec import encode_jpeg
from camfleet.delivered_frame import DeliveredFrame
from camfleet.draft import Draft
from camfleet.errors import LocalProtocolError
from camfleet.keyring import Keyring
from camfleet.keys import Role
from camfleet.names import PREVIEW
from camfleet.sender import Sender
from camfleet.subscriber import Subscriber
from camfleet.wire import DetectionCounters

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import House, Until

IMAGE = np.full((48, 64, 3), 99, np.uint8)
JPEG = encode_jpeg(IMAGE)
SHAPE = (48, 64, 3)
CLOCK_S = 0.01  # what two readings of one clock may differ by, rounded


@pytest.fixture(scope="module")
def hub(build_house: Callable[[str], House]) -> House:
    house = build_house("detections")
    house.start_hub()
    return house


def found(hub: House, query: str = "") -> list[dict[str, Any]]:
    detections: list[dict[str, Any]] = hub.get(f"/api/detections{query}").json["detections"]
    return detections


def test_a_detection_arrives_with_its_time_box_and_picture(hub: House, until: Until) -> None:
    with Sender(bundle=hub.enrol("garden")) as sender:
        begun_s = time.time()
        captured_s = begun_s - 1.5
        sender.detect(
            "front",
            "motion",
            "moving",
            region="drive",
            captured_ns=round(captured_s * 1e9),
            box=(10.0, 20.0, 30.0, 40.5),
            picture=JPEG,
        )
        (told,) = until(lambda: found(hub, "?camera=garden/front"), hub.hub.said)
    assert (told["node"], told["camera"], told["region"]) == ("garden", "front", "drive")
    assert (told["detector"], told["state"]) == ("motion", "moving")
    assert told["box"] == {"left": 10.0, "top": 20.0, "width": 30.0, "height": 40.5}
    at_s = datetime.fromisoformat(told["captured_at"]).timestamp()
    assert abs(at_s - captured_s) <= told["uncertainty_ms"] / 1000 + CLOCK_S
    received_s = datetime.fromisoformat(told["received_at"]).timestamp()
    assert begun_s - CLOCK_S <= received_s <= time.time() + CLOCK_S
    picture = hub.get(told["picture"])
    assert (picture.status, picture.headers["content-type"]) == (200, "image/jpeg")
    assert picture.body == JPEG
    labels = 'camera="front",detector="motion",node="garden",state="moving"'
    assert hub.metric(f"camfleet_detections_total{{{labels}}}") == 1
    until(lambda: '"detected"' in hub.hub.said(), hub.hub.said)


def test_detections_are_told_in_pages_the_newest_first(hub: House, until: Until) -> None:
    with Sender(bundle=hub.enrol("pages")) as sender:
        for state in ("one", "two", "three", "four", "five"):
            sender.detect("front", "count", state)
        until(lambda: len(found(hub, "?camera=pages/front")) == 5, hub.hub.said)
    first = hub.get("/api/detections?camera=pages/front&limit=3").json
    assert [one["state"] for one in first["detections"]] == ["five", "four", "three"]
    rest = hub.get(f"/api/detections?camera=pages/front&limit=3&before={first['before']}").json
    assert [one["state"] for one in rest["detections"]] == ["two", "one"]
    assert rest["before"] is None
    assert found(hub, "?camera=pages/none") == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/detections?limit=0",
        "/api/detections?limit=501",
        "/api/detections?before=x",
        "/api/detections?before=-1",
        f"/api/detections?before={2**80}",
        f"/api/detections?camera={'x' * 301}",
        "/api/detections/x.jpg",
        f"/api/detections/{2**80}.jpg",
    ],
)
def test_a_question_that_is_none_is_told_so(hub: House, path: str) -> None:
    assert hub.get(path).status == 422


def test_a_picture_that_is_not_there_is_not_found(hub: House) -> None:
    assert hub.get("/api/detections/1.jpg").status == 404


def test_a_detection_that_is_none_is_told_to_the_program(hub: House) -> None:
    with Sender(bundle=hub.enrol("wrong")) as sender:
        with pytest.raises(LocalProtocolError, match="detector is 'Motion'"):
            sender.detect("front", "Motion", "moving")
        with pytest.raises(LocalProtocolError, match="is not a JPEG"):
            sender.detect("front", "motion", "moving", picture=b"GIF")


def test_what_is_detected_while_the_hub_is_away_arrives_when_it_is_back(
    house: House, until: Until
) -> None:
    house.start_hub()
    with Sender(bundle=house.enrol("garden")) as sender:
        sender.detect("front", "motion", "moving")
        until(lambda: found(house), house.hub.said)
        house.hub.kill()
        until(lambda: not sender.wait_online(0), str)
        for _ in range(20):
            sender.detect("front", "motion", "still")
        house.start_hub()
        until(lambda: len(found(house)) == 20, house.hub.said)
        assert sender.detection_counters() == DetectionCounters(21, 0)
    (node,) = house.get("/api/nodes").json["nodes"]
    assert node["detections_lost"] == 0


def test_a_programs_detection_marks_its_camera(hub: House, until: Until) -> None:
    with Sender(bundle=hub.enrol("marked")) as sender:
        sender.detect("front", "motion", "moving")
        sender.detect("front", "light", "dark")

        def marks() -> object:
            sender.send("front", IMAGE)
            return hub.cameras().get("marked/front", {}).get("marks")

        until(lambda: marks() == ["motion", "dark"], hub.hub.said)
        sender.detect("front", "motion", "still")
        until(lambda: marks() == ["dark"], hub.hub.said)


def test_a_preview_costs_nothing_until_a_subscriber_asks_for_it(hub: House, until: Until) -> None:
    with Sender(bundle=hub.enrol("small")) as sender:
        preview = sender.stream("front", PREVIEW)

        def offer() -> None:
            sender.send("front", IMAGE)
            draft = Draft(preview.capture(), time.time_ns(), time.time_ns(), JPEG, "jpeg", SHAPE)
            preview.send(draft)

        def received() -> tuple[int, int]:
            offer()
            camera = hub.cameras().get("small/front", {})
            profiles = camera.get("profiles") or [{"received": 0}]
            return camera.get("received", 0), profiles[0]["received"]

        until(lambda: received()[0] > 2, hub.hub.said)
        assert received()[1] == 0
        keys = Keyring(hub.state).enrol(
            "desk", Role.SUBSCRIBER, f"tcp://127.0.0.1:{hub.ports['SUBSCRIBERS']}"
        )
        with Subscriber(None, "small/front/preview", bundle=keys) as subscriber:

            def take() -> DeliveredFrame | None:
                offer()
                return subscriber.take(0.1)

            frame = until(take, hub.hub.said)
        assert frame is not None
        assert frame.header.stream == "front/preview"
        assert list(hub.cameras()).count("small/front") == 1
        assert "small/front/preview" not in hub.cameras()
