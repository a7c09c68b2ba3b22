"""Cameras that serve MJPEG over HTTP, as an ESP32-CAM does."""

from camfleet_node.sources.http.source import HttpSource

__all__ = ["HttpSource"]
