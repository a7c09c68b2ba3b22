"""What picamera2 takes from here when it is imported."""

from __future__ import annotations

from typing import NoReturn


class Picamera2Camera:
    """A camera as a DNG file describes it; this image can write none."""

    def __init__(self, *_: object) -> NoReturn:
        raise NotImplementedError("found no PiDNG in this image, want it for DNG files")
