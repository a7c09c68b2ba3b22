"""V4L2 devices: USB cameras, and whatever else Linux calls a video device."""

from camfleet_node.sources.v4l2.source import V4L2Source

__all__ = ["V4L2Source"]
