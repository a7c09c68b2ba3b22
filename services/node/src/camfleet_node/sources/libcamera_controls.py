"""Turns a camera's settings into libcamera's controls, as far as the camera has them. No I/O."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from camfleet_node.settings.picamera2 import Control, Picamera2Camera
from camfleet_node.sources.picture import SettingError

Limits = tuple[Any, Any, Any]  # least, most, default, as Picamera2.camera_controls has them

# libcamera 0.7, control_ids_core.yaml.
_AWB: Final = (
    "auto",
    "incandescent",
    "tungsten",
    "fluorescent",
    "indoor",
    "daylight",
    "cloudy",
)
_AF_MODE: Final = {"manual": 0, "once": 1, "continuous": 2}
_AF_TRIGGER_START: Final = 0
_HDR: Final = {"off": 0, "multi": 2, "single": 3, "night": 4}

# Controls that have a setting of their own, so that no two can contradict each other.
_OWN: Final = {
    "ExposureTime": "EXPOSURE_US",
    "ExposureTimeMode": "EXPOSURE_US",
    "AnalogueGain": "GAIN",
    "AnalogueGainMode": "GAIN",
    "ExposureValue": "EXPOSURE_COMPENSATION",
    "AwbEnable": "WHITE_BALANCE",
    "AwbMode": "WHITE_BALANCE",
    "ColourGains": "COLOUR_GAINS",
    "AfMode": "FOCUS",
    "AfTrigger": "FOCUS",
    "LensPosition": "LENS_POSITION",
    "HdrMode": "HDR",
    "FrameDurationLimits": "FPS",
    "FrameRate": "FPS",
}


def choose_controls(settings: Picamera2Camera, known: Mapping[str, Limits]) -> dict[str, object]:
    """What to set before the camera starts.

    Args:
        settings: of the camera.
        known: the camera's controls with their limits, once it is configured.

    Raises:
        SettingError: the camera has not what a setting asks for, or not so much of it.
    """
    chosen: dict[str, object] = {}
    duration_us = round(1e6 / settings.fps)
    if "FrameDurationLimits" in known:
        _check_rate(settings.fps, duration_us, known["FrameDurationLimits"])
        chosen["FrameDurationLimits"] = (duration_us, duration_us)
    if settings.exposure_us is not None:
        if settings.exposure_us > duration_us:
            wanted = f"at most {duration_us} where FPS is {settings.fps:g}"
            raise SettingError("EXPOSURE_US", settings.exposure_us, wanted)
        chosen["ExposureTime"] = _fit("EXPOSURE_US", settings.exposure_us, "ExposureTime", known)
    if settings.gain is not None:
        chosen["AnalogueGain"] = _fit("GAIN", settings.gain, "AnalogueGain", known)
    if settings.exposure_compensation:
        stops = settings.exposure_compensation
        chosen["ExposureValue"] = _fit("EXPOSURE_COMPENSATION", stops, "ExposureValue", known)
    chosen |= _choose_colours(settings, known)
    chosen |= _choose_focus(settings, known)
    if settings.hdr in _HDR and (settings.hdr != "off" or "HdrMode" in known):
        _need("HDR", settings.hdr, "HdrMode", known, "off: this camera or Pi has none")
        chosen["HdrMode"] = _HDR[settings.hdr]
    # A name that came by a variable of its own has lost its capitals.
    proper = {name.lower(): name for name in (*known, *_OWN)}
    for written, value in settings.controls.items():
        name = proper.get(written.lower(), written)
        chosen[name] = _choose(name, value, known)
    return chosen


def _choose_colours(settings: Picamera2Camera, known: Mapping[str, Limits]) -> dict[str, object]:
    gains = settings.red_and_blue
    if gains:
        if settings.white_balance != "auto":
            wanted = "auto, or no COLOUR_GAINS, which stand in its place"
            raise SettingError("WHITE_BALANCE", settings.white_balance, wanted)
        for gain in gains:
            _fit("COLOUR_GAINS", gain, "ColourGains", known)
        return {"ColourGains": gains} | ({"AwbEnable": False} if "AwbEnable" in known else {})
    if settings.white_balance == "auto":
        return {}
    _need("WHITE_BALANCE", settings.white_balance, "AwbMode", known, "auto: it sees no colours")
    return {"AwbMode": _AWB.index(settings.white_balance)}


def _choose_focus(settings: Picamera2Camera, known: Mapping[str, Limits]) -> dict[str, object]:
    if settings.lens_position is not None and settings.focus != "manual":
        raise SettingError("FOCUS", settings.focus, "manual, or no LENS_POSITION, which needs that")
    if "AfMode" not in known and settings.focus == "continuous":
        return {}  # the default, which asks nothing of a camera without autofocus
    wanted = "nothing: this camera has no autofocus"
    _need("FOCUS", settings.focus, "AfMode", known, wanted)
    chosen: dict[str, object] = {"AfMode": _AF_MODE[settings.focus]}
    if settings.focus == "once":
        chosen["AfTrigger"] = _AF_TRIGGER_START
    if settings.lens_position is not None:
        position = settings.lens_position
        chosen["LensPosition"] = _fit("LENS_POSITION", position, "LensPosition", known)
    return chosen


def _choose(name: str, value: Control, known: Mapping[str, Limits]) -> object:
    """A control that has no setting of its own."""
    if name in _OWN:
        raise SettingError("CONTROLS", name, f"the setting {_OWN[name]}")
    if name not in known:
        close = difflib.get_close_matches(name, known, 1)
        wanted = f"{close[0]}?" if close else f"one of {', '.join(sorted(known))}"
        raise SettingError("CONTROLS", name, wanted)
    low, high, _ = known[name]
    values = value if isinstance(value, list) else [value]
    if isinstance(low, Sequence):  # a rectangle or a size
        if len(values) != len(low):
            raise SettingError("CONTROLS", f"{name}={value}", f"{len(low)} numbers")
        return tuple(_whole(name, number) for number in values)
    fitted = [_fit_kind(name, number, low, high) for number in values]
    return tuple(fitted) if isinstance(value, list) else fitted[0]


def _fit_kind(name: str, value: float, low: object, high: object) -> object:
    """A number or truth value within a control's limits, of the type that libcamera wants."""
    if isinstance(low, bool):
        if value not in {0, 1}:
            raise SettingError("CONTROLS", f"{name}={value}", "true or false")
        return bool(value)
    if isinstance(value, bool):
        raise SettingError("CONTROLS", f"{name}={value}", _range(low, high))
    if isinstance(low, int):
        value = _whole(name, value)
    return _within("CONTROLS", value, low, high, f"{name}=")


def _whole(name: str, value: float) -> int:
    if value != int(value):
        raise SettingError("CONTROLS", f"{name}={value}", "a whole number")
    return int(value)


def _fit(field: str, value: float, control: str, known: Mapping[str, Limits]) -> float:
    _need(field, value, control, known, "nothing: this camera has no such control")
    low, high, _ = known[control]
    return _within(field, value, low, high)


def _within(field: str, value: float, low: Any, high: Any, name: str = "") -> float:  # noqa: ANN401 - libcamera's own types
    # Some controls give no upper bound, by one that is not above the lower one.
    if value < low or (high > low and value > high):
        raise SettingError(field, f"{name}{value}", _range(low, high))
    return value


def _range(low: object, high: object) -> str:
    return f"{_shown(low)} to {_shown(high)}"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _need(
    field: str, found: object, control: str, known: Mapping[str, Limits], wanted: str
) -> None:
    if control not in known:
        raise SettingError(field, found, wanted)


def _check_rate(fps: float, duration_us: int, limits: Limits) -> None:
    low, high, _ = limits
    # a µs more or less is the rounding of a rate
    if duration_us < low - 1 or (high > low and duration_us > high + 1):
        slowest, fastest = 1e6 / max(high, 1), 1e6 / max(low, 1)
        wanted = f"{slowest:.3g} to {fastest:.4g} with this size and sensor mode"
        raise SettingError("FPS", f"{fps:g}", wanted)
