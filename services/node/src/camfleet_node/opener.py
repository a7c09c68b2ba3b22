"""Opens the source that a camera's settings ask for. It never reads from it."""

from __future__ import annotations

from camfleet_node.settings import CameraSettings, FileCamera, OpenCVCamera, SyntheticCamera
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
