"""Sees the planes of a picture in a camera's buffer, without a copy where that can be."""

from __future__ import annotations

from mmap import mmap
from typing import Final

import numpy as np

from camfleet_node.sources.picture import Image, Planes

FORMATS: Final = ("YUV420", "NV12")  # what `see_planes` takes, as libcamera calls it


class _Held:
    """Memory that numpy sees by a pointer, and that lasts as long as any view of it."""

    def __init__(self, memory: Image, holder: object) -> None:
        self.__array_interface__ = memory.__array_interface__
        self._memory = memory
        self._holder = holder


def hold(buffer: mmap | bytearray, holder: object) -> Image:
    """The bytes of a buffer; the array and all views of it keep `holder` alive.

    So nobody who still looks at a part of a picture can lose its memory to the next one.
    """
    return np.asarray(_Held(np.frombuffer(buffer, np.uint8), holder))


def see_planes(buffer: Image, layout: str, size: tuple[int, int], stride: int) -> Planes:
    """Planes of a picture in YUV 4:2:0.

    Args:
        buffer: the bytes of the picture, one dimension.
        layout: `YUV420` (three planes, no copy), or `NV12` (the colours interleaved: these two
            small planes are copied apart).
        size: width and height in pixels, both even.
        stride: bytes from one row of `y` to the next.

    Raises:
        ValueError: for another layout, or a buffer that is too small.
    """
    width, height = size
    wanted = stride * height * 3 // 2
    if buffer.size < wanted or stride < width:
        raise ValueError(f"buffer is {buffer.size} bytes with rows of {stride}, want {wanted}")
    luma = buffer[: stride * height].reshape(height, stride)[:, :width]
    chroma = buffer[stride * height : wanted]
    if layout == "NV12":
        pairs = chroma.reshape(height // 2, stride)[:, :width]
        return Planes(luma, pairs[:, 0::2].copy(), pairs[:, 1::2].copy())
    if layout != "YUV420":
        raise ValueError(f"layout is {layout}, want {' or '.join(FORMATS)}")
    u, v = chroma.reshape(2, height // 2, stride // 2)[:, :, : width // 2]
    return Planes(luma, u, v)


def copy_planes(planes: Planes, flips: tuple[bool, bool] = (False, False)) -> Planes:
    """Planes in memory of their own.

    Args:
        planes: of any picture.
        flips: mirror horizontally, vertically.
    """
    across, down = (slice(None, None, -1 if is_flipped else 1) for is_flipped in flips)
    y, u, v = (np.array(plane[down, across], order="C") for plane in (planes.y, planes.u, planes.v))
    return Planes(y, u, v)
