"""Stands in for kms++, which Debian lacks: picamera2 imports it for a preview on a screen.

The node has no screen. Whoever asks for that preview is told so.
"""

from __future__ import annotations


class _AnyFormat(type):
    """picamera2 makes a table of the formats of a screen when it is imported."""

    def __getattr__(cls, name: str) -> str:
        return name


class PixelFormat(metaclass=_AnyFormat):
    """Every format that is asked for, by its name."""


def __getattr__(name: str) -> object:
    raise AttributeError(
        f"found no kms++ ({name}) in this image, want it for a preview on a screen"
    )
