"""What a camera that serves MJPEG over HTTP is asked for."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_serializer

from camfleet_node.address import without_credentials
from camfleet_node.settings.camera import Camera


class HttpCamera(Camera):
    """A camera that serves MJPEG over HTTP. Its pictures go through as they come."""

    source: Literal["http"]
    url: str = Field(
        description="Of its MJPEG stream; with user and password where it wants them.",
        examples=["http://user:password@10.0.0.7:81/stream"],
    )
    fps: ClassVar[None] = None  # the camera's own, which nobody knows beforehand

    @field_serializer("url", when_used="json")
    def _hide_credentials(self, url: str) -> str:
        """Show no password where settings are logged."""
        try:
            return without_credentials(url)
        except ValueError:
            return "not a URL"
