"""The small gray picture that detectors look at, out of whatever a camera gives."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import simplejpeg

from camfleet_node.processing import scale
from camfleet_node.sources import Content, Image, Jpeg, Picture, Planes

LONG_SIDE: Final = 320  # pixels: a person across a yard is still some of them


def small_gray(picture: Picture[Content]) -> Image:
    """Make a picture HxW in gray whose longer side is 320 pixels, or less where it was so.

    Raises:
        ValueError: for a JPEG that cannot be decoded.
    """
    content = picture.image if picture.preview is None else picture.preview
    height, width = content.shape[:2]
    factor = min(1.0, LONG_SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = scale(_plane(content, size), size)
    return small if small.ndim == 2 else np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY))


def _plane(content: Content, size: tuple[int, int]) -> Image:
    """What is cheapest to make small: brightness alone, or BGR."""
    if isinstance(content, Planes):
        return content.y
    if isinstance(content, Jpeg):  # libjpeg decodes a half, a quarter or an eighth for less
        gray: Image = simplejpeg.decode_jpeg(
            content.data, colorspace="GRAY", min_width=size[0], min_height=size[1], strict=False
        )
        return gray[..., 0]
    return content
