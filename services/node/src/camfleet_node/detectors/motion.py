"""Motion in a region: what differs from a background that adapts. It reads no clock."""

from __future__ import annotations

from math import exp
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from camfleet_node.detectors.detector import Change, Steadiness
from camfleet_node.processing import Area, Region, area_of
from camfleet_node.settings.camera import MotionSettings
from camfleet_node.sources import Image

MOVING: Final = "moving"
STILL: Final = "still"
_NS: Final = 1_000_000_000
_ADAPT_S: Final = 4.0  # what has come to rest for about so long belongs to the background
_PAUSE_S: Final = 10.0  # after which nothing is known of the background
_PAUSE_FRAMES: Final = 3  # or after so many of the detector's own intervals, where that is longer
_SUDDEN: Final = 0.7  # of the region at once: the light has changed, and all is background anew


class Motion:
    """Tells `moving` when enough of a region differs from its background, and then `still`.

    The background is a running average, so that light that changes slowly is no motion. Light
    that changes at once is motion for one picture, and then the background.

    Args:
        name: of the region.
        settings: how little and how long.
        region: in percent of what the camera gives.
    """

    kind = "motion"

    def __init__(self, name: str, settings: MotionSettings, region: Region) -> None:
        self.name = name
        self.fps = settings.fps
        self._region = region
        self._step = max(1, round(255 * (100 - settings.sensitivity) / 100))
        self._min_share = settings.min_area / 100
        self._kernel = settings.blur and settings.blur | 1  # OpenCV wants an odd one
        self._frames = Steadiness(
            {MOVING: settings.min_motion_frames, STILL: settings.min_still_frames}
        )
        self._pause_s = max(_PAUSE_S, _PAUSE_FRAMES / settings.fps)
        self._background: NDArray[np.float32] | None = None
        self._looked_ns = 0

    @property
    def is_moving(self) -> bool:
        """Whether something moves in its region."""
        return self._frames.state == MOVING

    def look(self, image: Image, monotonic_ns: int) -> Change | None:
        """Look at a picture, HxW in gray; its first state is a change as well."""
        size = image.shape[1], image.shape[0]
        area = area_of(self._region, size)
        part = image[area.top : area.bottom, area.left : area.right]
        if self._kernel:
            part = np.asarray(cv2.GaussianBlur(part, (self._kernel, self._kernel), 0), np.uint8)
        passed_s = (monotonic_ns - self._looked_ns) / _NS
        self._looked_ns = monotonic_ns
        background = self._background
        if background is None or background.shape != part.shape or passed_s > self._pause_s:
            self._background = part.astype(np.float32)
            return None
        mask = self._compare(part, background)
        share = cv2.countNonZero(mask) / mask.size
        if share >= _SUDDEN:
            self._background = part.astype(np.float32)
        else:
            cv2.accumulateWeighted(part, background, 1 - exp(-max(0.0, passed_s) / _ADAPT_S))
        state = MOVING if share >= self._min_share else STILL
        if not self._frames.see(state):
            return None
        return Change(state, _box(mask, area).region(size) if state == MOVING else None)

    def _compare(self, part: Image, background: NDArray[np.float32]) -> cv2.typing.MatLike:
        difference = cv2.absdiff(part, cv2.convertScaleAbs(background))
        return cv2.threshold(difference, self._step - 1, 255, cv2.THRESH_BINARY)[1]


def _box(mask: cv2.typing.MatLike, area: Area) -> Area:
    """What moves, as one area of the picture."""
    left, top, width, height = cv2.boundingRect(mask)
    left, top = left + area.left, top + area.top
    return Area(left, top, left + width, top + height)
