"""What a V4L2 device is asked for: USB cameras, and whatever else Linux calls a video device."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from camfleet_node.settings.camera import Camera, Pixels, Rate


class V4L2Camera(Camera):
    """A USB camera, or another V4L2 device. MJPEG goes through as it comes, without decoding."""

    source: Literal["v4l2"]
    device: str = Field(
        "/dev/video0",
        description="Its path; one in `/dev/v4l/by-id/` is that of one camera wherever it sits.",
        examples=["/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920-video-index0"],
    )
    width: Pixels = Field(1280, ge=16, le=8192, description="Of the picture.", examples=["640"])
    height: Pixels = Field(720, ge=16, le=8192, description="Of the picture.", examples=["480"])
    fps: Rate = Field(30, gt=0, le=240, description="Pictures per second.", examples=["15"])
    format: Literal["auto", "mjpeg", "yuv420", "nv12", "yuyv", "uyvy", "gray"] = Field(
        "auto",
        description="Of the pictures that the device gives; `auto` takes MJPEG where it has that.",
        examples=["yuyv"],
    )
    controls: dict[str, int] = Field(
        {},
        max_length=64,
        description="Controls of the device by name, as `camfleet-node doctor` lists them.",
        examples=['{"power_line_frequency": 1}'],
    )
