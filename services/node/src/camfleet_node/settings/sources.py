"""One model per kind of source: what a camera is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_serializer

from camfleet_node.address import is_url, without_credentials
from camfleet_node.settings.camera import Camera, Pixels, Rate
from camfleet_node.settings.http import HttpCamera
from camfleet_node.settings.picamera2 import Picamera2Camera
from camfleet_node.settings.v4l2 import V4L2Camera
from camfleet_node.sources.synthetic import MIN_HEIGHT, MIN_WIDTH


class SyntheticCamera(Camera):
    """A moving test card with a time code that programs can read."""

    source: Literal["synthetic"]
    width: Pixels = Field(
        640, ge=MIN_WIDTH, le=3840, description="Of the picture.", examples=["1280"]
    )
    height: Pixels = Field(
        480, ge=MIN_HEIGHT, le=2160, description="Of the picture.", examples=["720"]
    )
    fps: Rate = Field(30, gt=0, le=240, description="Pictures per second.", examples=["15"])


class FileCamera(Camera):
    """A video, a folder of pictures or one picture, over and over."""

    source: Literal["file"]
    path: Path = Field(description="The video, picture or folder.", examples=["/media/street.mp4"])
    fps: Rate | None = Field(
        None,
        gt=0,
        le=240,
        description="Pictures per second; by default the file's own rate.",
        examples=["5"],
    )


class OpenCVCamera(Camera):
    """A stream by URL, or a device that OpenCV knows."""

    source: Literal["opencv"]
    device: str = Field(
        description="An http or rtsp URL, or the number or path of a device.",
        examples=["rtsp://user:password@10.0.0.9/live"],
    )
    width: Pixels | None = Field(
        None, ge=16, le=8192, description="Asked of a device.", examples=["1280"]
    )
    height: Pixels | None = Field(
        None, ge=16, le=8192, description="Asked of a device.", examples=["720"]
    )
    fps: Rate | None = Field(None, gt=0, le=240, description="Asked of a device.", examples=["15"])

    @field_serializer("device", when_used="json")
    def _hide_credentials(self, device: str) -> str:
        """Show no password where settings are logged."""
        try:
            return without_credentials(device) if is_url(device) else device
        except ValueError:
            return "not a URL"


CameraSettings = Annotated[
    Picamera2Camera | V4L2Camera | HttpCamera | OpenCVCamera | FileCamera | SyntheticCamera,
    Field(discriminator="source"),
]
