"""What is done to a camera's pictures before they are encoded, whichever form they come in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import Final

import simplejpeg

from camfleet_node.processing.area import Area, Region, Size, area_of, within
from camfleet_node.processing.canvas import Canvas, Colour
from camfleet_node.processing.caption import Caption
from camfleet_node.processing.turn import UPRIGHT, Turn
from camfleet_node.settings.camera import WHOLE
from camfleet_node.sources import Content, Image, Jpeg, Picture

_CELLS: Final = 4  # that are left of the shorter side of what is to be unrecognisable
_MIN_CELL: Final = 8  # pixels
_LINE: Final = 2  # pixels; one of chroma
_GREEN: Final[Colour] = (0, 255, 0)


@dataclass(frozen=True)
class Processing:
    """Flip and turn, crop, scale, blur and writing, planned once and done for each picture.

    All regions are in percent of the upright picture: after flip and turn, before the crop.

    Attributes:
        turn: what makes the picture upright.
        crop: what is kept.
        width: of what leaves, in pixels; None for as it is.
        is_small: for a small stream: `width` is the most that it may have, and the camera's own
            small picture will do.
        blur: what is made unrecognisable.
        is_gray: without colours.
        caption: what is written into it.
        outlines: regions that are drawn.
    """

    turn: Turn = UPRIGHT
    crop: Region = WHOLE
    width: int | None = None
    is_small: bool = False
    blur: Region | None = None
    is_gray: bool = False
    caption: Caption | None = None
    outlines: tuple[Region, ...] = ()

    def narrowed(self, width: int) -> Processing:
        """The same for a small stream of at most so many pixels across."""
        return replace(self, width=min(width, self.width or width), is_small=True)

    def choose(self, picture: Picture[Content]) -> Content:
        """Which of a picture's forms to begin with: the smallest that will do."""
        preview = picture.preview
        if self.is_small and preview is not None and self.crop == WHOLE:
            return preview
        return picture.image

    def has_work(self, shape: tuple[int, ...]) -> bool:
        """Whether anything is to be done to a picture of this shape."""
        has_colours = len(shape) > 2
        size = shape[1], shape[0]
        area, scaled = self._plan(size)
        is_cut = area.size != size or scaled != size
        is_painted = self.blur or self.caption or self.outlines
        return bool(is_cut or is_painted or self.turn != UPRIGHT or (self.is_gray and has_colours))

    def apply(self, content: Content, captured_ns: int) -> Content:
        """Process a picture, which itself stays as it is.

        Args:
            content: of any form; a JPEG is decoded only where there is something to do.
            captured_ns: start of exposure, Unix ns, for the caption.

        Raises:
            ValueError: for a JPEG that cannot be decoded.
        """
        if not self.has_work(content.shape):
            return content
        canvas = Canvas(self._decode(content) if isinstance(content, Jpeg) else content)
        area, size = self._plan(canvas.size)
        kept = self.turn.region(area.region(canvas.size))  # a pixel more than asked, perhaps
        if area.size != canvas.size:
            canvas.crop(area)
        if self.is_gray:
            canvas.drop_colours()
        if size != canvas.size:
            canvas.resize(size)
        if self.turn != UPRIGHT:
            canvas.turn(self.turn)
        self._paint(canvas, kept, captured_ns)
        return canvas.content

    def find(self, region: Region) -> Region:
        """Where a region of the upright picture lies in what the camera gives."""
        return self.turn.inverse.region(region)

    def place(self, region: Region) -> Region | None:
        """Where a region of what the camera gives lies in what leaves; None for outside."""
        return within(self.turn.region(region), self.crop)

    def _plan(self, size: Size) -> tuple[Area, Size]:
        """What is kept of a camera's picture, and how large that becomes, before the turn."""
        area = area_of(self.find(self.crop), size)
        if self.turn != UPRIGHT:
            area = _with_even_sides(area)
        kept = self.turn.size(area.size)
        width = min(self.width or kept[0], kept[0]) if self.is_small else self.width
        if width is None or width == kept[0]:
            return area, area.size
        height = max(2, round(kept[1] * width / kept[0] / 2) * 2)
        return area, self.turn.size((width, height))

    def _decode(self, jpeg: Jpeg) -> Image:
        """Decode no more than is needed: libjpeg halves a picture for nothing."""
        area, scaled = self._plan((jpeg.shape[1], jpeg.shape[0]))
        scale = min(1.0, max(scaled[0] / area.size[0], scaled[1] / area.size[1]))
        height, width = jpeg.shape[:2]
        is_gray = self.is_gray or len(jpeg.shape) == 2
        image: Image = simplejpeg.decode_jpeg(
            jpeg.data,
            colorspace="GRAY" if is_gray else "BGR",
            min_height=ceil(height * scale),
            min_width=ceil(width * scale),
            strict=False,  # cameras leave bytes behind that harm nobody
        )
        return image[..., 0] if is_gray else image

    def _paint(self, canvas: Canvas, kept: Region, captured_ns: int) -> None:
        hidden = within(self.blur, kept) if self.blur else None
        if hidden:
            area = area_of(hidden, canvas.size)
            canvas.pixelate(area, max(_MIN_CELL, min(area.size) // _CELLS))
        for outline in filter(None, (within(region, kept) for region in self.outlines)):
            _outline(canvas, area_of(outline, canvas.size))
        if self.caption:
            canvas.paste(self.caption.draw(captured_ns, canvas.size))


def _with_even_sides(area: Area) -> Area:
    """Without its last row or column where it is odd: turned, chroma would not fit it."""
    width, height = area.size
    right, bottom = area.left + max(1, width // 2 * 2), area.top + max(1, height // 2 * 2)
    return Area(area.left, area.top, right, bottom)


def _outline(canvas: Canvas, area: Area) -> None:
    left, top, right, bottom = area
    inner = max(left, right - _LINE) // 2 * 2, max(top, bottom - _LINE) // 2 * 2
    canvas.fill(Area(left, top, right, min(top + _LINE, bottom)), _GREEN)
    canvas.fill(Area(left, inner[1], right, bottom), _GREEN)
    canvas.fill(Area(left, top, min(left + _LINE, right), bottom), _GREEN)
    canvas.fill(Area(inner[0], top, right, bottom), _GREEN)
