"""How a picture is mirrored and turned, for its pixels and for its regions."""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np

from camfleet_node.processing.area import Region, Size
from camfleet_node.sources import Image

_MIRROR: Final = 1  # OpenCV's codes
_UPEND: Final = 0
_BOTH: Final = -1


class Turn(NamedTuple):
    """First mirrored, left becoming right, and then turned by quarters clockwise."""

    is_mirrored: bool = False
    quarters: int = 0

    @classmethod
    def of(cls, flip: str, rotate: int) -> Turn:
        """What flips and then rotates.

        Args:
            flip: `none`, `horizontal`, `vertical` or `both`.
            rotate: degrees clockwise, a multiple of 90.
        """
        halves = 2 if flip in {"vertical", "both"} else 0
        return cls(flip in {"horizontal", "vertical"}, (halves + rotate // 90) % 4)

    @property
    def inverse(self) -> Turn:
        """What undoes it. One that mirrors undoes itself."""
        return self if self.is_mirrored else Turn(quarters=-self.quarters % 4)

    def size(self, size: Size) -> Size:
        """The size that a picture has afterwards."""
        return size[::-1] if self.quarters % 2 else size

    def region(self, region: Region) -> Region:
        """Where a region lies afterwards."""
        left, top, width, height = region
        if self.is_mirrored:
            left = 100 - left - width
        for _ in range(self.quarters):
            left, top, width, height = 100 - top - height, left, height, width
        return left, top, width, height

    def pixels(self, plane: Image) -> Image:
        """A plane turned: a new one, unless there is nothing to turn."""
        match self:
            case Turn(False, 0):
                return plane
            case Turn(False, 1):
                turned = cv2.rotate(plane, cv2.ROTATE_90_CLOCKWISE)
            case Turn(False, 3):
                turned = cv2.rotate(plane, cv2.ROTATE_90_COUNTERCLOCKWISE)
            case Turn(False, _):
                turned = cv2.flip(plane, _BOTH)
            case Turn(True, 0):
                turned = cv2.flip(plane, _MIRROR)
            case Turn(True, 2):
                turned = cv2.flip(plane, _UPEND)
            case Turn(True, 3):
                turned = cv2.transpose(plane)
            case _:
                turned = cv2.flip(cv2.transpose(plane), _BOTH)
        return np.asarray(turned, np.uint8)


UPRIGHT: Final = Turn()
