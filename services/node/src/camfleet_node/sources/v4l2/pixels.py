"""Makes planes of what a camera gives, never by way of BGR. All is copied out of its memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from camfleet_node.sources.picture import Image, Planes


@dataclass(frozen=True)
class Form:
    """How a picture lies in memory.

    Attributes:
        fourcc: four letters.
        width: pixels; likewise `height`.
        stride: bytes from a row to the next, of the first plane.
        is_full_range: whether black is 0 and white 255, as JPEG has it (JFIF 1.02), rather than
            16 and 235 (ITU-R BT.601).
    """

    fourcc: str
    width: int
    height: int
    stride: int
    is_full_range: bool

    @property
    def size_bytes(self) -> int:
        """Of a whole picture; the last row need not be padded."""
        return _SIZES[self.fourcc](self)


def _widened(zero: int, steps: int, at: int) -> Image:
    """From where BT.601 has zero, and so many steps from there, to where JPEG has them."""
    levels = (np.arange(256) - zero) * (255 / steps) + at
    return np.asarray(np.clip(np.rint(levels), 0, 255), np.uint8)


_LUMA: Final = _widened(zero=16, steps=219, at=0)
_CHROMA: Final = _widened(zero=128, steps=224, at=128)


def read_pixels(form: Form, memory: memoryview) -> Planes | Image:
    """Copy a picture out of the driver's memory, into JPEG's range.

    Of two rows the chroma of the lower one is dropped where a format has it for each row, which
    costs nothing and is not seen. The matrix is taken for that of BT.601, which cameras use; what
    comes by BT.709, as from some HDMI grabbers, is a little off in colour.

    Raises:
        ValueError: it is not whole.
    """
    if len(memory) < form.size_bytes:
        raise ValueError(f"picture is {len(memory)} bytes, want {form.size_bytes}")
    return _READERS[form.fourcc](form, np.frombuffer(memory, np.uint8))


def _rows(data: Image, offset: int, height: int, width: int, stride: int) -> Image:
    """Look at a plane; its rows may have room behind them."""
    return np.ndarray((height, width), np.uint8, data, offset, (stride, 1))


def _read_gray(form: Form, data: Image) -> Image:
    return _luma(form, _rows(data, 0, form.height, form.width, form.stride))


def _read_packed(form: Form, data: Image, first: int) -> Planes:
    """Two pixels in four bytes, 4:2:2; `first` is 0 where luma comes before chroma, else 1."""
    rows = _rows(data, 0, form.height, form.width * 2, form.stride)
    luma = _channel(rows.reshape(form.height, form.width, 2), first)
    pairs = rows[::2].reshape(-1, form.width // 2, 4)
    return Planes(
        _luma(form, luma, is_copy=True),
        _chroma(form, _channel(pairs, 1 - first)),
        _chroma(form, _channel(pairs, 3 - first)),
    )


def _read_yuv420(form: Form, data: Image) -> Planes:
    height, width, stride = form.height // 2, form.width // 2, form.stride // 2
    at = form.stride * form.height
    return Planes(
        _luma(form, _rows(data, 0, form.height, form.width, form.stride)),
        _chroma(form, _rows(data, at, height, width, stride).copy()),
        _chroma(form, _rows(data, at + stride * height, height, width, stride).copy()),
    )


def _read_nv12(form: Form, data: Image) -> Planes:
    height, width = form.height // 2, form.width // 2
    pairs = _rows(data, form.stride * form.height, height, form.width, form.stride)
    pairs = pairs.reshape(height, width, 2)
    return Planes(
        _luma(form, _rows(data, 0, form.height, form.width, form.stride)),
        _chroma(form, _channel(pairs, 0)),
        _chroma(form, _channel(pairs, 1)),
    )


def _channel(pixels: Image, number: int) -> Image:
    return np.asarray(cv2.extractChannel(pixels, number), np.uint8)


def _luma(form: Form, plane: Image, *, is_copy: bool = False) -> Image:
    if form.is_full_range:
        return plane if is_copy else plane.copy()
    return np.asarray(cv2.LUT(plane, _LUMA), np.uint8)


def _chroma(form: Form, plane: Image) -> Image:
    return plane if form.is_full_range else np.asarray(cv2.LUT(plane, _CHROMA), np.uint8)


def _packed_size(form: Form) -> int:
    return form.stride * (form.height - 1) + form.width * 2


_READERS: Final[dict[str, Callable[[Form, Image], Planes | Image]]] = {
    "YU12": _read_yuv420,
    "NV12": _read_nv12,
    "YUYV": lambda form, data: _read_packed(form, data, 0),
    "UYVY": lambda form, data: _read_packed(form, data, 1),
    "GREY": _read_gray,
}
_SIZES: Final[dict[str, Callable[[Form], int]]] = {
    "YU12": lambda form: form.stride * form.height + form.stride // 2 * (form.height // 2) * 2,
    "NV12": lambda form: form.stride * (form.height + form.height // 2 - 1) + form.width,
    "YUYV": _packed_size,
    "UYVY": _packed_size,
    "GREY": lambda form: form.stride * (form.height - 1) + form.width,
}
