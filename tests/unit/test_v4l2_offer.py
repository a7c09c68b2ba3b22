from __future__ import annotations

import pytest

from camfleet_node.sources.picture import SettingError
from camfleet_node.sources.v4l2.control import variable
from camfleet_node.sources.v4l2.offer import Offer, Span, choose


def offer(fourcc: str, width: int, height: int, *rates: float) -> Offer:
    spans = tuple(Span(rate, rate) for rate in rates)
    return Offer(fourcc, Span(width, width), Span(height, height), spans)


WEBCAM = (
    offer("YUYV", 640, 480, 30, 15),
    offer("YUYV", 1280, 720, 10),
    offer("MJPG", 640, 480, 30),
    offer("MJPG", 1280, 720, 29.97, 15),
    offer("H264", 1920, 1080, 30),
)


@pytest.mark.parametrize(
    ("name", "width", "height", "fps", "fourcc"),
    [
        ("auto", 1280, 720, 30, "MJPG"),
        ("auto", 640, 480, 30, "MJPG"),
        ("auto", 640, 480, 15, "YUYV"),  # MJPEG has no such rate
        ("auto", 1280, 720, 10, "YUYV"),
        ("yuyv", 640, 480, 30, "YUYV"),
    ],
)
def test_what_costs_least_is_chosen(
    name: str, width: int, height: int, fps: float, fourcc: str
) -> None:
    assert choose(WEBCAM, name, width, height, fps) == fourcc


@pytest.mark.parametrize(
    ("name", "width", "height", "fps", "found"),
    [
        (
            "auto",
            1920,
            1080,
            30,
            "WIDTH: found 1920x1080, want what it has: MJPG 1280x720 29.97, 15 fps;",
        ),
        ("yuyv", 1280, 720, 30, "FPS: found 30, want what it has: YUYV 1280x720 10 fps;"),
        ("gray", 600, 400, 5, "FORMAT: found gray, want what it has: YUYV 640x480 30, 15 fps;"),
    ],
)
def test_what_is_not_to_be_had_is_told_with_the_nearest_first(
    name: str, width: int, height: int, fps: float, found: str
) -> None:
    with pytest.raises(SettingError) as caught:
        choose(WEBCAM, name, width, height, fps)
    assert str(caught.value).startswith(found)


def test_long_lists_are_cut_short() -> None:
    many = [offer("YUYV", 100 + number, 100, 30) for number in range(400)]
    with pytest.raises(SettingError, match=r"; and 395 more$"):
        choose(many, "auto", 64, 64, 30)


def test_a_camera_without_a_format_that_is_read_is_told() -> None:
    with pytest.raises(
        SettingError,
        match="FORMAT: found auto, want another camera: this one gives H264, want mjpeg,",
    ):
        choose(WEBCAM[-1:], "auto", 1920, 1080, 30)
    with pytest.raises(SettingError, match="this one gives nothing"):
        choose((), "auto", 1920, 1080, 30)


def test_sizes_in_steps_are_taken_in_steps() -> None:
    steps = Offer("NV12", Span(16, 1920, 16), Span(16, 1080, 2), (Span(1, 60),))
    assert choose([steps], "auto", 640, 360, 29.5) == "NV12"
    with pytest.raises(SettingError, match="what it has: NV12 16x16 to 1920x1080 1 to 60 fps"):
        choose([steps], "auto", 641, 360, 30)
    assert steps.width.nearest(641) == 640
    assert steps.width.nearest(9999) == 1920


def test_a_device_that_tells_no_rates_is_asked_for_any() -> None:
    assert choose([offer("GREY", 640, 480)], "auto", 640, 480, 7.5) == "GREY"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("White Balance Temperature, Auto", "white_balance_temperature_auto"),
        ("Exposure (Absolute)", "exposure_absolute"),
        ("Power Line Frequency", "power_line_frequency"),
    ],
)
def test_controls_are_named_as_v4l2_ctl_does(name: str, found: str) -> None:
    assert variable(name) == found
