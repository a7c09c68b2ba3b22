"""Light in a region: whether enough of it is bright. It reads no clock."""

from __future__ import annotations

from typing import Final

import numpy as np

from camfleet_node.detectors.detector import Change, Steadiness
from camfleet_node.processing import Region, area_of
from camfleet_node.settings.camera import LightSettings
from camfleet_node.sources import Image

LIGHTED: Final = "lighted"
DARK: Final = "dark"


class Light:
    """Tells `lighted` and `dark` when a region has been so for long enough.

    Args:
        name: of the region.
        settings: how bright, how much and how long.
        region: in percent of what the camera gives.
    """

    kind = "light"
    is_moving = False  # whatever the light does

    def __init__(self, name: str, settings: LightSettings, region: Region) -> None:
        self.name = name
        self.fps = settings.fps
        self._region = region
        self._level = 255 * settings.threshold / 100
        self._min_share = settings.min_area / 100
        self._frames = Steadiness(dict.fromkeys((LIGHTED, DARK), settings.min_frames))

    def look(self, image: Image, monotonic_ns: int) -> Change | None:  # noqa: ARG002 - as all
        """Look at a picture, HxW in gray; its first state is a change as well."""
        area = area_of(self._region, (image.shape[1], image.shape[0]))
        part = image[area.top : area.bottom, area.left : area.right]
        share = np.count_nonzero(part >= self._level) / part.size
        state = LIGHTED if share >= self._min_share else DARK
        return Change(state) if self._frames.see(state) else None
