"""What a camera on the Pi's own connector is asked for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, field_validator

from camfleet.settings import Unit
from camfleet_node.settings.camera import Camera, Pixels, Rate

WhiteBalance = Literal[
    "auto", "incandescent", "tungsten", "fluorescent", "indoor", "daylight", "cloudy"
]
Control = bool | int | FiniteFloat | list[FiniteFloat]


class Picamera2Camera(Camera):
    """A Raspberry Pi camera, through libcamera. Flips and half turns cost nothing here."""

    source: Literal["picamera2"]
    camera: str = Field(
        "0",
        min_length=1,
        description="Its number, model or id, as `camfleet-node doctor` lists them.",
        examples=["imx708"],
    )
    width: Pixels = Field(
        1280, ge=64, le=8192, multiple_of=2, description="Of the picture.", examples=["1920"]
    )
    height: Pixels = Field(
        720, ge=64, le=8192, multiple_of=2, description="Of the picture.", examples=["1080"]
    )
    fps: Rate = Field(30, gt=0, le=240, description="Pictures.", examples=["15"])
    preview_width: Pixels | None = Field(
        480,
        ge=0,
        le=1920,
        description="Width of the `preview` stream, which the Pi's image processor makes for "
        "nothing; 0 for none.",
        examples=["320"],
    )
    sensor_mode: str = Field(
        "",
        description="Size and bits that the sensor is read with, as `camfleet-node doctor` lists "
        "them; by default the one nearest to the picture's size.",
        examples=["2304x1296:10"],
    )
    tuning_file: Path | None = Field(
        None,
        description="Another tuning file than libcamera's for this sensor; the same for all "
        "cameras of a node.",
        examples=["/tuning/imx708_noir.json"],
    )
    exposure_us: Annotated[int, Unit("µs")] | None = Field(
        None, ge=1, le=600_000_000, description="Exposure; by default automatic.", examples=["8000"]
    )
    gain: float | None = Field(
        None, ge=1, le=64, description="Analogue gain; by default automatic.", examples=["2.0"]
    )
    exposure_compensation: Annotated[float, Unit("stops")] = Field(
        0, ge=-8, le=8, description="Brighter or darker than automatic.", examples=["-0.5"]
    )
    white_balance: WhiteBalance = Field(
        "auto", description="For which light.", examples=["daylight"]
    )
    colour_gains: str = Field(
        "",
        description="Gains of red and blue in place of the automatic white balance.",
        examples=["1.8,1.5"],
    )
    focus: Literal["continuous", "once", "manual"] = Field(
        "continuous", description="Of cameras with autofocus.", examples=["manual"]
    )
    lens_position: Annotated[float, Unit("dioptres")] | None = Field(
        None, ge=0, le=32, description="Where FOCUS is `manual`; 0 is infinity.", examples=["0.5"]
    )
    hdr: Literal["off", "single", "multi", "night", "sensor"] = Field(
        "off",
        description="High dynamic range: by the image processor of a Pi 5 from one exposure, from "
        "several, or for the night; or by the sensor of a camera module 3.",
        examples=["single"],
    )
    controls: dict[str, Control] = Field(
        {},
        max_length=64,
        description="Any other libcamera control by name, as `camfleet-node doctor` lists them.",
        examples=['{"Sharpness": 1.5, "NoiseReductionMode": 2}'],
    )
    encoder: Literal["auto", "software", "hardware"] = Field(
        "auto",
        description="Who makes the JPEGs; `auto` measures both where there is hardware, and says "
        "at start what it took.",
        examples=["software"],
    )

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether the sensor mirrors the picture horizontally, and vertically.

        That is all of FLIP, and a ROTATE of 180. What is left for processing is `turn`.
        """
        is_turned = self.rotate == 180
        return (
            (self.flip in {"horizontal", "both"}) != is_turned,
            (self.flip in {"vertical", "both"}) != is_turned,
        )

    @property
    def turn(self) -> Literal[0, 90, 270]:
        """Degrees clockwise that processing turns the picture by, once the sensor mirrored it."""
        return 0 if self.rotate == 180 else self.rotate

    @property
    def sensor_size(self) -> tuple[int, int] | None:
        """Width and height of SENSOR_MODE."""
        size = self.sensor_mode.partition(":")[0]
        return _numbers(size, "x", int) if size else None

    @property
    def sensor_bits(self) -> int | None:
        """Bits of SENSOR_MODE."""
        bits = self.sensor_mode.partition(":")[2]
        return int(bits) if bits else None

    @property
    def red_and_blue(self) -> tuple[float, float] | None:
        """The two of COLOUR_GAINS."""
        return _numbers(self.colour_gains, ",", float) if self.colour_gains else None

    @field_validator("preview_width")
    @classmethod
    def _check_preview(cls, width: int | None) -> int | None:
        if width and width < 64:
            raise ValueError("0, or 64 and more")
        return width

    @field_validator("sensor_mode")
    @classmethod
    def _check_mode(cls, mode: str) -> str:
        if mode and not re.fullmatch(r"[1-9]\d{1,4}x[1-9]\d{1,4}(:[1-9]\d?)?", mode):
            raise ValueError("width, height and bits, as in 2304x1296:10")
        return mode

    @field_validator("colour_gains")
    @classmethod
    def _check_gains(cls, gains: str) -> str:
        if gains and not re.fullmatch(r"\d{1,3}(\.\d+)?, *\d{1,3}(\.\d+)?", gains):
            raise ValueError("gains of red and blue, as in 1.8,1.5")
        return gains


def _numbers(text: str, separator: str, kind: type) -> tuple[int, int]:
    first, _, second = text.partition(separator)
    return kind(first), kind(second)
