"""Opens the source that a camera's settings ask for. It never reads from it."""

from __future__ import annotations

from camfleet_node.settings.http import HttpCamera
from camfleet_node.settings.picamera2 import Picamera2Camera
from camfleet_node.settings.sources import (
    CameraSettings,
    FileCamera,
    OpenCVCamera,
    SyntheticCamera,
)
from camfleet_node.settings.v4l2 import V4L2Camera
from camfleet_node.sources import FileSource, OpenCVSource, Source, SyntheticSource


def open_source(name: str, settings: CameraSettings) -> Source:
    """Open a camera's source.

    Raises:
        SourceError: saying what was found and what was wanted.
    """
    match settings:
        case SyntheticCamera(width=width, height=height, fps=fps):
            return SyntheticSource(width, height, fps, title=name)
        case FileCamera(path=path, fps=fps):
            return FileSource(path, fps)
        case OpenCVCamera(device=device, width=width, height=height, fps=fps):
            return OpenCVSource(device, width, height, fps)
        case HttpCamera(url=url):
            from camfleet_node.sources.http import HttpSource  # noqa: PLC0415 - as the next

            return HttpSource(url)
        case V4L2Camera():
            from camfleet_node.sources.v4l2 import V4L2Source  # noqa: PLC0415 - Linux alone has it

            return V4L2Source(settings)
        case Picamera2Camera():
            # only where it is used: it brings libcamera, which no other camera needs
            from camfleet_node.sources.picamera2 import Picamera2Source  # noqa: PLC0415

            return Picamera2Source(settings, name)
