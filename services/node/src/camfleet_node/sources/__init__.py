"""Where a node's pictures come from. A source only captures: it never encodes or sends."""

from __future__ import annotations

# first, for it must come before cv2
from camfleet_node.sources.quiet import silence_opencv

# isort: split
from camfleet_node.sources.file import FileSource
from camfleet_node.sources.opencv import OpenCVSource
from camfleet_node.sources.pacer import Pacer
from camfleet_node.sources.picture import (
    Content,
    Image,
    Jpeg,
    Picture,
    Planes,
    SettingError,
    Source,
    SourceError,
)
from camfleet_node.sources.synthetic import SyntheticSource

__all__ = [
    "Content",
    "FileSource",
    "Image",
    "Jpeg",
    "OpenCVSource",
    "Pacer",
    "Picture",
    "Planes",
    "SettingError",
    "Source",
    "SourceError",
    "SyntheticSource",
    "silence_opencv",
]
