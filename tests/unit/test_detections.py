"""The detections that a hub keeps, and what the API says of them."""

from __future__ import annotations

import pytest

from camfleet.events import Detected
from camfleet.wire import Box, Detection
from camfleet_hub.detections import Detections
from camfleet_hub.web.detections import rfc3339, view

T = 1_800_000_000_000_000_000
MS = 1_000_000


def detected(
    node: str = "pi",
    camera: str = "front",
    *,
    picture: bytes = b"",
    received_ns: int = T,
    captured_ns: int = T - 40 * MS,
    uncertainty_ns: int = MS,
    box: Box = (),
) -> Detected:
    header = Detection(
        f"{camera}/main",
        7,
        0,
        "motion",
        "moving",
        captured_ns,
        "drive",
        10 * MS,
        uncertainty_ns,
        box,
    )
    return Detected(node, header, picture, received_ns)


def ids(detections: Detections, **wanted: int | str) -> list[int]:
    return [kept.id for kept in detections.newest(100, **wanted)]  # type: ignore[arg-type]


def test_the_newest_is_first_and_numbers_only_grow() -> None:
    detections = Detections()
    for received_ns in (T, T, T + MS, T - 50 * MS):  # a clock may be set back
        detections.take(detected(received_ns=received_ns))
    first = T // MS
    assert ids(detections) == [first + 3, first + 2, first + 1, first]


def test_pages_follow_each_other() -> None:
    detections = Detections()
    for _ in range(5):
        detections.take(detected())
    found = [kept.id for kept in detections.newest(2)]
    assert found + ids(detections, before=found[-1]) == ids(detections)


def test_one_cameras_detections_can_be_asked_for() -> None:
    detections = Detections()
    detections.take(detected(camera="front"))
    detections.take(detected(camera="back"))
    assert [kept.camera_id for kept in detections.newest(9, camera_id="pi/back")] == ["pi/back"]
    assert ids(detections, camera_id="pi/none") == []


def test_a_node_that_never_rests_pushes_only_its_own_out() -> None:
    detections = Detections(most=10)
    detections.take(detected("quiet"))
    for _ in range(50):
        detections.take(detected("busy"))
    assert len(detections) == 10
    assert ids(detections, camera_id="quiet/front")


def test_the_bytes_of_pictures_are_bounded() -> None:
    detections = Detections(most_bytes=1000)
    detections.take(detected("quiet", picture=bytes(100)))
    for _ in range(50):
        detections.take(detected("busy", picture=bytes(300)))
    kept = detections.newest(100)
    assert sum(len(one.detected.picture) for one in kept) == 1000
    assert ids(detections, camera_id="quiet/front")


def test_one_that_is_gone_is_not_found() -> None:
    detections = Detections(most=1)
    detections.take(detected())
    (first,) = ids(detections)
    detections.take(detected())
    assert detections.find(first) is None
    assert detections.find(first + 1) is not None


def test_it_is_told_on_the_hubs_clock_with_its_uncertainty() -> None:
    detections = Detections()
    detections.take(detected(picture=b"x", box=(1.0, 2.0, 3.0, 4.0)))
    kept = detections.newest(1)[0]
    assert view(kept).model_dump() == {
        "id": kept.id,
        "node": "pi",
        "camera": "front",
        "detector": "motion",
        "state": "moving",
        "region": "drive",
        "captured_at": "2027-01-15T07:59:59.970Z",
        "uncertainty_ms": 1.0,
        "received_at": "2027-01-15T08:00:00.000Z",
        "box": {"left": 1.0, "top": 2.0, "width": 3.0, "height": 4.0},
        "picture": f"/api/detections/{kept.id}.jpg",
    }


@pytest.mark.parametrize(
    "one",
    [detected(uncertainty_ns=-1), detected(captured_ns=0)],
    ids=["no clock", "no time"],
)
def test_what_nobody_knows_is_not_told(one: Detected) -> None:
    detections = Detections()
    detections.take(one)
    told = view(detections.newest(1)[0])
    assert (told.captured_at, told.uncertainty_ms) == (None, None)
    assert (told.box, told.picture) == (None, None)


def test_a_time_that_no_calendar_has_is_none() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(2**63) is not None  # the year 2262
    assert rfc3339(2**70) is None
    assert rfc3339(-(2**70)) is None
