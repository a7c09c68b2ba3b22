from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from camfleet_node.settings.picamera2 import Picamera2Camera
from camfleet_node.sources import SettingError
from camfleet_node.sources.libcamera_controls import choose_controls
from camfleet_node.testing.picamera2 import CONTROLS

BARE = {"FrameDurationLimits": (8_000, 1_000_000, 33_333)}


def camera(**settings: Any) -> Picamera2Camera:  # noqa: ANN401 - settings are of any type
    return Picamera2Camera(source="picamera2", **settings)


def test_by_default_only_rate_focus_and_hdr_are_set() -> None:
    wanted = {"FrameDurationLimits": (33_333, 33_333), "AfMode": 2, "HdrMode": 0}
    assert choose_controls(camera(), CONTROLS) == wanted


def test_by_default_nothing_is_asked_of_a_camera_that_has_nothing() -> None:
    assert choose_controls(camera(), {}) == {}


@pytest.mark.parametrize(
    ("settings", "controls"),
    [
        ({"fps": 15}, {"FrameDurationLimits": (66_667, 66_667)}),
        ({"exposure_us": 8000}, {"ExposureTime": 8000}),
        ({"gain": 2.5}, {"AnalogueGain": 2.5}),
        ({"exposure_compensation": -0.5}, {"ExposureValue": -0.5}),
        ({"white_balance": "daylight"}, {"AwbMode": 5}),
        ({"colour_gains": "1.8, 1.5"}, {"ColourGains": (1.8, 1.5), "AwbEnable": False}),
        ({"focus": "once"}, {"AfMode": 1, "AfTrigger": 0}),
        ({"focus": "manual", "lens_position": 0.5}, {"AfMode": 0, "LensPosition": 0.5}),
        ({"hdr": "night"}, {"HdrMode": 4}),
        ({"controls": {"Sharpness": 2}}, {"Sharpness": 2}),
        ({"controls": {"sharpness": 2}}, {"Sharpness": 2}),
        ({"controls": {"NoiseReductionMode": 2.0}}, {"NoiseReductionMode": 2}),
        ({"controls": {"AeEnable": False}}, {"AeEnable": False}),
        ({"controls": {"AeEnable": 0}}, {"AeEnable": False}),
        ({"controls": {"ScalerCrop": [0, 0, 640, 480]}}, {"ScalerCrop": (0, 0, 640, 480)}),
    ],
)
def test_a_setting_becomes_its_control(
    settings: dict[str, Any], controls: dict[str, object]
) -> None:
    chosen = choose_controls(camera(**settings), CONTROLS)
    assert {name: chosen[name] for name in controls} == controls


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exposure_us": 9}, "EXPOSURE_US: found 9, want 60 to 66666"),
        ({"exposure_us": 50_000}, "EXPOSURE_US: found 50000, want at most 33333 where FPS is 30"),
        ({"gain": 32}, "GAIN: found 32.0, want 1 to 16"),
        ({"fps": 200}, "FPS: found 200, want 1 to 125 with this size and sensor mode"),
        ({"fps": 0.5}, "FPS: found 0.5, want 1 to 125 with this size and sensor mode"),
        ({"colour_gains": "1.5,99"}, "COLOUR_GAINS: found 99.0, want 0 to 32"),
        ({"focus": "manual", "lens_position": 20}, "LENS_POSITION: found 20.0, want 0 to 15"),
        (
            {"colour_gains": "1,2", "white_balance": "indoor"},
            "WHITE_BALANCE: found indoor, want auto, or no COLOUR_GAINS, which stand in its place",
        ),
        (
            {"lens_position": 1},
            "FOCUS: found continuous, want manual, or no LENS_POSITION, which needs that",
        ),
        ({"controls": {"Sharpnes": 1}}, "CONTROLS: found Sharpnes, want Sharpness?"),
        ({"controls": {"Sharpness": 17}}, "CONTROLS: found Sharpness=17, want 0 to 16"),
        ({"controls": {"Sharpness": True}}, "CONTROLS: found Sharpness=True, want 0 to 16"),
        ({"controls": {"AeEnable": 2}}, "CONTROLS: found AeEnable=2, want true or false"),
        ({"controls": {"AfTrigger": 1}}, "CONTROLS: found AfTrigger, want the setting FOCUS"),
        (
            {"controls": {"NoiseReductionMode": 1.5}},
            "CONTROLS: found NoiseReductionMode=1.5, want a whole number",
        ),
        (
            {"controls": {"ScalerCrop": [0, 0, 640]}},
            "CONTROLS: found ScalerCrop=[0.0, 0.0, 640.0], want 4 numbers",
        ),
    ],
)
def test_what_the_camera_cannot_do_names_the_setting_and_the_limits(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingError) as caught:
        choose_controls(camera(**settings), CONTROLS)
    assert str(caught.value) == message
    assert message.startswith(caught.value.field)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gain": 2}, "GAIN: found 2.0, want nothing: this camera has no such control"),
        ({"focus": "manual"}, "FOCUS: found manual, want nothing: this camera has no autofocus"),
        ({"focus": "once"}, "FOCUS: found once, want nothing: this camera has no autofocus"),
        ({"hdr": "single"}, "HDR: found single, want off: this camera or Pi has none"),
        ({"white_balance": "indoor"}, "WHITE_BALANCE: found indoor, want auto: it sees no colours"),
        (
            {"controls": {"Brightness": 1}},
            "CONTROLS: found Brightness, want one of FrameDurationLimits",
        ),
    ],
)
def test_what_the_camera_has_not_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError) as caught:
        choose_controls(camera(**settings), BARE)
    assert str(caught.value) == message


def test_a_limit_that_is_no_limit_limits_nothing() -> None:
    known = BARE | {"ExposureTime": (0, 0, 0)}
    assert choose_controls(camera(exposure_us=20_000), known)["ExposureTime"] == 20_000


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"width": 1281}, "multiple of 2"),
        ({"sensor_mode": "big"}, "width, height and bits, as in 2304x1296:10"),
        ({"colour_gains": "1.8"}, "gains of red and blue, as in 1.8,1.5"),
        ({"camera": ""}, "at least 1 character"),
    ],
)
def test_settings_that_no_camera_could_meet_are_refused(
    settings: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        camera(**settings)


@pytest.mark.parametrize(
    ("flip", "rotate", "flips", "turn"),
    [
        ("none", 0, (False, False), 0),
        ("horizontal", 0, (True, False), 0),
        ("vertical", 0, (False, True), 0),
        ("both", 0, (True, True), 0),
        ("none", 180, (True, True), 0),
        ("both", 180, (False, False), 0),
        ("horizontal", 180, (False, True), 0),
        ("horizontal", 90, (True, False), 90),
        ("none", 270, (False, False), 270),
    ],
)
def test_the_sensor_flips_and_makes_half_turns_and_leaves_the_rest(
    flip: str, rotate: int, flips: tuple[bool, bool], turn: int
) -> None:
    settings = camera(flip=flip, rotate=rotate)
    assert (settings.flips, settings.turn) == (flips, turn)


def test_a_sensor_mode_is_size_and_bits() -> None:
    settings = camera(sensor_mode="2304x1296:10")
    assert (settings.sensor_size, settings.sensor_bits) == ((2304, 1296), 10)
    settings = camera(sensor_mode="2304x1296")
    assert (settings.sensor_size, settings.sensor_bits) == ((2304, 1296), None)
    assert (camera().sensor_size, camera().sensor_bits) == (None, None)
