"""A picture under work, whichever form it has. It never paints in what a source gave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from camfleet_node.processing.area import Area, Size
from camfleet_node.processing.scaling import scale
from camfleet_node.processing.turn import Turn
from camfleet_node.sources import Image, Planes

Colour = tuple[int, int, int]  # blue, green, red

_GREY: Final = 128  # what chroma is where there is no colour


class Canvas:
    """Planes of one picture, of which some have half the rows and columns.

    BGR and gray are one plane; YUV 4:2:0 has three. Whoever paints gets a copy first, and as
    few are made as can be.
    """

    def __init__(self, content: Image | Planes) -> None:
        self._planes: list[Image]
        self._steps: tuple[int, ...]  # pixels of the picture per sample
        if isinstance(content, Planes):
            self._planes, self._steps = [content.y, content.u, content.v], (1, 2, 2)
        else:
            self._planes, self._steps = [content], (1,)
        self._is_own = False

    @property
    def content(self) -> Image | Planes:
        """The picture as it is now."""
        return Planes(*self._planes) if len(self._planes) > 1 else self._planes[0]

    @property
    def size(self) -> Size:
        """Its width and height, in pixels."""
        height, width = self._planes[0].shape[:2]
        return width, height

    def crop(self, area: Area) -> None:
        """Keep an area alone; nothing is copied."""
        self._planes = [self._cut(plane, step, area) for plane, step in self._layers()]

    def drop_colours(self) -> None:
        """Keep the brightness alone."""
        if len(self._planes) > 1:
            self._planes, self._steps = self._planes[:1], (1,)
        elif self._planes[0].ndim > 2:
            self._replace(lambda plane, _: cv2.cvtColor(plane, cv2.COLOR_BGR2GRAY))

    def resize(self, size: Size) -> None:
        """Scale it."""
        width, height = size
        self._replace(lambda plane, step: scale(plane, (-(-width // step), -(-height // step))))

    def turn(self, turn: Turn) -> None:
        """Mirror and turn it; its sides must be even where chroma has half of them."""
        self._replace(lambda plane, _: turn.pixels(plane))

    def pixelate(self, area: Area, cell: int) -> None:
        """Leave of an area one colour for each cell, drawn without edges.

        Args:
            area: of the picture.
            cell: the side of a cell in pixels, about.
        """
        self._own()
        width, height = area.size
        grid = max(1, round(width / cell)), max(1, round(height / cell))
        for plane, step in self._layers():
            part = self._cut(plane, step, area)
            cells = scale(part, grid)
            part[:] = cv2.resize(cells, part.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    def fill(self, area: Area, colour: Colour) -> None:
        """Paint an area in one colour."""
        self._own()
        blue, green, red = colour
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        levels = luma, _GREY + 0.564 * (blue - luma), _GREY + 0.713 * (red - luma)
        for number, (plane, step) in enumerate(self._layers()):
            level = colour if plane.ndim > 2 else min(255, max(0, round(levels[number])))
            self._cut(plane, step, area)[:] = level

    def paste(self, patch: Image) -> None:
        """Lay a gray patch of even sides over the upper left corner, as far as there is room."""
        self._own()
        height, width = patch.shape
        area = Area(0, 0, width, height)
        luma = self._cut(self._planes[0], 1, area)
        patch = patch[: luma.shape[0], : luma.shape[1]]
        luma[:] = patch[..., None] if luma.ndim > 2 else patch
        for plane, step in self._layers()[1:]:
            self._cut(plane, step, area)[:] = _GREY

    def _layers(self) -> list[tuple[Image, int]]:
        return list(zip(self._planes, self._steps, strict=True))

    def _replace(self, change: Callable[[Image, int], cv2.typing.MatLike]) -> None:
        planes = [change(plane, step) for plane, step in self._layers()]
        self._planes = [np.asarray(plane, np.uint8) for plane in planes]
        self._is_own = True

    def _own(self) -> None:
        if not self._is_own:
            self._planes = [plane.copy() for plane in self._planes]
            self._is_own = True

    @staticmethod
    def _cut(plane: Image, step: int, area: Area) -> Image:
        """The part of a plane that holds an area's pixels; of odd sides, all of them."""
        down = slice(area.top // step, -(-area.bottom // step))
        return plane[down, area.left // step : -(-area.right // step)]
