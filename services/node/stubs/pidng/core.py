"""What picamera2 takes from here when it is imported."""

from __future__ import annotations

from pidng.camdefs import Picamera2Camera as PICAM2DNG  # noqa: N814 - its name there

__all__ = ["PICAM2DNG"]
