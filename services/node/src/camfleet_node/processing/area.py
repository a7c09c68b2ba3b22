"""Regions in percent and their areas in pixels. It never sees a picture."""

from __future__ import annotations

from math import ceil, floor
from typing import Final, NamedTuple

Region = tuple[float, float, float, float]  # left, top, width and height in percent
Size = tuple[int, int]  # width and height in pixels

_FUZZ: Final = 1e-6  # of a pixel: 30 % of 1280 is 384 whatever floats say


class Area(NamedTuple):
    """A rectangle of pixels that begins with even ones, for chroma has half as many."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> Size:
        """Its width and height."""
        return self.right - self.left, self.bottom - self.top

    def region(self, size: Size) -> Region:
        """Where it lies in a picture, in percent."""
        width, height = 100 / size[0], 100 / size[1]
        across, down = self.size
        return self.left * width, self.top * height, across * width, down * height


def area_of(region: Region, size: Size) -> Area:
    """All pixels that a region touches, and its neighbours where that makes it even.

    Args:
        region: of a picture.
        size: of that picture.
    """
    left, top, width, height = region
    across = _even_span(left, left + width, size[0])
    down = _even_span(top, top + height, size[1])
    return Area(across[0], down[0], across[1], down[1])


def within(region: Region, frame: Region) -> Region | None:
    """A region in percent of another one that it lies in, cut off where it does not.

    Returns:
        None where they have nothing in common.
    """
    left, right = _clip(region[0], region[2], frame[0], frame[2])
    top, bottom = _clip(region[1], region[3], frame[1], frame[3])
    if right <= left or bottom <= top:
        return None
    return left, top, right - left, bottom - top


def _even_span(start: float, stop: float, pixels: int) -> tuple[int, int]:
    first = floor(start * pixels / 100 + _FUZZ) // 2 * 2
    last = -(-ceil(stop * pixels / 100 - _FUZZ) // 2) * 2
    first = min(first, (pixels - 1) // 2 * 2)  # at least one pixel, however thin the region
    return first, max(first + 1, min(last, pixels))


def _clip(start: float, length: float, frame: float, frame_length: float) -> tuple[float, float]:
    scale = 100 / frame_length
    first, last = (start - frame) * scale, (start + length - frame) * scale
    return max(0.0, first), min(100.0, last)
