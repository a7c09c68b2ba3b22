"""A camera out of its settings: what is planned, and which streams and detectors there are."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from tests.unit.polling import until

from camfleet.backoff import Backoff
from camfleet.sender import Sender
from camfleet.settings import load_settings
from camfleet_node.assembly import build_camera, build_detectors, plan
from camfleet_node.camera import Camera
from camfleet_node.processing import UPRIGHT, Processing, Turn
from camfleet_node.settings import NodeSettings
from camfleet_node.settings.camera import WHOLE
from camfleet_node.settings.sources import CameraSettings
from camfleet_node.sources import SyntheticSource
from camfleet_node.starting import longest_start_s

MODEL: TypeAdapter[CameraSettings] = TypeAdapter(CameraSettings)


def settings(source: str = "synthetic", **fields: Any) -> CameraSettings:  # noqa: ANN401 - as the settings have them
    return MODEL.validate_python({"source": source, **fields})


@pytest.fixture
def sender() -> Iterator[Sender]:
    with Sender("tcp://127.0.0.1:9", "pi", plain=True) as made:
        yield made


def build(sender: Sender, chosen: CameraSettings) -> Camera:
    backoff = Backoff(1, 1, lambda: 0.5)
    return build_camera("front", chosen, sender, lambda: SyntheticSource(160, 120, 20), backoff)


def test_by_default_nothing_is_done_to_a_picture() -> None:
    assert plan(settings()) == Processing()
    assert not plan(settings()).has_work((480, 640, 3))


def test_a_plan_has_all_that_the_settings_ask_for() -> None:
    planned = plan(
        settings(
            flip="both",
            rotate=90,
            crop="25,0,50,100",
            resize_width=320,
            blur="0,0,100,20",
            gray=True,
            text="gate",
            motion={"yard": {"region": "10,10,20,20", "draw": True}, "road": {}},
        )
    )
    assert planned.turn == Turn.of("both", 90)
    assert (planned.crop, planned.width) == ((25, 0, 50, 100), 320)
    assert planned.is_gray
    assert planned.caption is not None
    assert list(planned.outlines) == [(10, 10, 20, 20)]
    assert planned.blur == (0, 0, 100, 20)


@pytest.mark.parametrize(
    ("flip", "rotate", "left"),
    [
        ("both", 0, UPRIGHT),
        ("none", 180, UPRIGHT),
        ("horizontal", 180, UPRIGHT),
        ("none", 90, Turn.of("none", 90)),
        ("vertical", 270, Turn.of("none", 270)),
    ],
)
def test_what_the_sensor_does_is_left_out(flip: str, rotate: int, left: Turn) -> None:
    assert plan(settings("picamera2", flip=flip, rotate=rotate)).turn == left


def test_a_detector_looks_where_its_region_is_before_flip_and_turn() -> None:
    chosen = settings(
        flip="horizontal",
        motion={"yard": {"region": "0,0,50,50"}},
        light={"lamp": {"region": "0,0,50,50"}},
    )
    detectors = build_detectors(chosen, plan(chosen))
    assert [(detector.kind, detector.name) for detector in detectors] == [
        ("motion", "yard"),
        ("light", "lamp"),
    ]
    light = detectors[1]
    bright_right = np.zeros((60, 80), np.uint8)
    bright_right[:30, 40:] = 255
    told = [light.look(bright_right, number) for number in range(5)]
    assert [change.state for change in told if change] == ["lighted"]


def test_a_camera_has_a_main_stream_and_a_preview_where_one_is_asked_for(sender: Sender) -> None:
    build(sender, settings()).close()
    assert [counters.stream for counters in sender.counters()] == ["front/main"]
    build(sender, settings(preview_width=64)).close()
    assert [counters.stream for counters in sender.counters()] == ["front/main", "front/preview"]


def test_a_preview_width_of_zero_is_none(sender: Sender) -> None:
    build(sender, settings("picamera2", preview_width=0)).close()
    assert [counters.stream for counters in sender.counters()] == ["front/main"]


def test_closing_a_camera_ends_all_of_its_threads(sender: Sender) -> None:
    before = set(threading.enumerate())
    camera = build(sender, settings(preview_width=64, motion={"yard": {}}))
    assert len(set(threading.enumerate()) - before) == 4
    camera.close()  # which waits for them for half a second
    until(lambda: set(threading.enumerate()) <= before)


def test_the_interval_is_known_where_the_rate_is(sender: Sender) -> None:
    camera = build(sender, settings(fps=4))
    assert camera.interval_s == pytest.approx(0.25)
    camera.close()


@pytest.mark.parametrize(
    ("source", "fields", "least_s", "most_s"),
    [
        ("synthetic", {}, 0, 0),
        ("picamera2", {"fps": 30}, 10, 11),
        ("picamera2", {"fps": 0.1}, 70, 70),  # it keeps six pictures when it starts
        ("v4l2", {"fps": 1e-12}, 6 * 3600, 7 * 3600),
        ("opencv", {"device": "0"}, 0, 0),
        ("opencv", {"device": "rtsp://garden/live"}, 40, 40),
        ("http", {"url": "http://garden/stream"}, 40, 40),
    ],
)
def test_a_camera_may_take_to_start_what_its_source_takes(
    source: str, fields: dict[str, Any], least_s: float, most_s: float
) -> None:
    assert least_s <= longest_start_s(settings(source, **fields)) <= most_s


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"send": "motion"}, "a detector beside `motion`"),
        ({"text": "two\nlines"}, "printable text"),
        ({"time": "%H\0"}, "printable text"),
        ({"crop": "50,0,60,100"}, "inside the picture"),
        ({"blur": "0,0,0,100"}, "inside the picture"),
        ({"crop": "nan,0,100,100"}, "inside the picture"),
        ({"crop": "0,nan,100,100"}, "inside the picture"),
        ({"crop": "0,0,100,nan"}, "inside the picture"),
        ({"crop": "0,0,100"}, "crop"),
        ({"motion": {"a/b": {}}}, "path"),
        ({"motion": {"yard": {"fps": "inf"}}}, "fps"),
        ({"source": "picamera2", "preview_width": 1}, "0, or 64 and more"),
        ({"source": "picamera2", "controls": {"Sharpness": "nan"}}, "finite"),
        ({"source": "picamera2", "controls": {"AfWindows": [0, "inf"]}}, "finite"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError, match=wanted):
        settings(**fields)


def test_motion_may_be_sent_of_a_light_detector_alone() -> None:
    assert settings(send="motion", light={"garage": {}}).send == "motion"


def test_the_example_for_imagenodes_users_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs" / "imagenode.md").read_text()
    variables = re.findall(r"^    (CAMFLEET_NODE_\w+)=(.*)$", page, re.MULTILINE)
    monkeypatch.setenv("CAMFLEET_NODE_PLAIN", "true")
    for name, value in variables:
        monkeypatch.setenv(name, value)
    camera = load_settings(NodeSettings).cameras["window"]
    assert list(camera.motion["yard"].region) == [70, 2, 30, 23]
    assert len(variables) == 15


def test_a_region_may_touch_every_edge() -> None:
    assert settings(crop="0,0,100,100").crop == WHOLE
    for left in np.arange(0.1, 99.9, 0.1).round(1):
        region = (float(left), 0.0, float(round(100 - left, 1)), 100.0)
        assert settings(crop=list(region)).crop == region
