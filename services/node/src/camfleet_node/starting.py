"""How long a camera may keep one waiting though all is well. It reads no clock."""

from __future__ import annotations

from typing import Final

from camfleet.liveness import MAX_INTERVAL_S
from camfleet_node.address import is_url
from camfleet_node.settings.http import HttpCamera
from camfleet_node.settings.picamera2 import Picamera2Camera
from camfleet_node.settings.sources import CameraSettings, OpenCVCamera
from camfleet_node.settings.v4l2 import V4L2Camera

_OPEN_S: Final = 5.0  # a Pi starts libcamera in some seconds
_SILENCE_S: Final = 5.0
_INTERVALS: Final = 6  # that a camera may need for pictures of its start, which it keeps
# A resolver asks two servers twice for 5 s each (resolv.conf(5)); connecting, asking without and
# with credentials, and the first picture may then take 5 s each.
_FAR_S: Final = 40.0


def longest_wait_s(fps: float) -> float:
    """For the next picture of a camera with so many a second, the first one among them."""
    return _SILENCE_S + _INTERVALS * min(1 / fps, MAX_INTERVAL_S)


def longest_start_s(settings: CameraSettings) -> float:
    """From the opening of a camera until its first picture, or an error of its own.

    Returns:
        Seconds; 0 for what is there at once.
    """
    match settings:
        case Picamera2Camera(fps=fps) | V4L2Camera(fps=fps):
            return _OPEN_S + longest_wait_s(fps)
        case HttpCamera():
            return _FAR_S
        case OpenCVCamera(device=device) if is_url(device):
            return _FAR_S
        case _:
            return 0.0
