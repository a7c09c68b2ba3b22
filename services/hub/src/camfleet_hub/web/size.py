"""Which picture of a camera suits the size it is shown at. Pure arithmetic on pixels."""

from __future__ import annotations

from typing import Final

EIGHTHS: Final = 8  # the whole picture
_SCALES: Final = (1, 2, 4)  # eighths that libjpeg-turbo has fast code for, and few to share
_ENLARGED: Final = 1.25  # times; more than this is seen


def suits(shape: tuple[int, ...], width: int, height: int) -> bool:
    """Whether a picture need not be enlarged much to fill a tile.

    Args:
        shape: of the picture: height, width, ...
        width: of the tile in pixels of the display; 0 for as large as the picture is.
        height: likewise.
    """
    return bool(width and height) and _shown(shape, width, height) <= _ENLARGED


def eighths(shape: tuple[int, ...], width: int, height: int) -> int:
    """How many eighths of a picture's sides suit a tile: 1, 2, 4 or 8.

    More than half of its sides save too little to encode it again.
    """
    if not (width and height):
        return EIGHTHS
    shown = _shown(shape, width, height)
    return next((m for m in _SCALES if shown <= _ENLARGED * m / EIGHTHS), EIGHTHS)


def _shown(shape: tuple[int, ...], width: int, height: int) -> float:
    """How many times as large as it is a picture is shown: whole, and in its own shape."""
    return min(width / shape[1], height / shape[0])
