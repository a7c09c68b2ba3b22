"""JPEG from pictures and pictures from payloads. Never looks at a header or a socket."""

from __future__ import annotations

from typing import Any

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from camfleet.errors import Reason, RemoteProtocolError

Image = NDArray[np.uint8]


def check_image(image: object) -> None:
    """See that an image is a picture, without encoding it.

    Raises:
        ValueError: for a shape or dtype that `encode_jpeg` does not take.
    """
    if not isinstance(image, np.ndarray):
        raise ValueError(f"image is {type(image).__name__}, want an array")  # noqa: TRY004 - one kind of error for all that is no picture
    if image.dtype != np.uint8 or image.ndim not in {2, 3} or 0 in image.shape:
        raise ValueError(f"image is {image.dtype} of {image.shape}, want uint8 of 2 or 3 sides")
    channels = _channels(image)
    if channels not in {1, 3, 4}:
        raise ValueError(f"image has {channels} channels, want 1 (gray), 3 (BGR) or 4 (BGRA)")


def encode_jpeg(image: Image, quality: int = 80) -> bytes:
    """Encode a picture by libjpeg-turbo; the interpreter's lock is free meanwhile.

    Args:
        image: (height, width, 3) BGR, (height, width, 4) BGRA or (height, width) gray, uint8.
        quality: 1 to 100, as libjpeg counts it.

    Raises:
        ValueError: for another shape or dtype, or sides that no JPEG can have.
    """
    check_image(image)
    channels = _channels(image)
    planes = np.ascontiguousarray(image.reshape(*image.shape[:2], channels))
    space, subsampling = (
        ("GRAY", "Gray") if channels == 1 else ("BGR" + "A" * (channels - 3), "420")
    )
    encoded: bytes = simplejpeg.encode_jpeg(
        planes, quality=quality, colorspace=space, colorsubsampling=subsampling
    )
    return encoded


def decode(codec: str, shape: tuple[int, ...], dtype: str, payload: bytes | memoryview) -> Image:
    """Decode a payload for showing: BGR of (height, width, 3), or gray of (height, width).

    Raw samples of another type are brought to uint8: booleans to 0 and 255, integers of 16
    bits by their high byte, wider ones by clipping, since a program made those out of 0…255;
    floats from 0…1 (or 0…255 where one is above 1). Of one or two channels the first is shown
    as gray, of more the first three as BGR.

    Raises:
        RemoteProtocolError: with reason `not_jpeg` when a JPEG cannot be decoded.
    """
    if codec == "raw":
        return _to_uint8(_first_channels(np.frombuffer(payload, dtype).reshape(shape)))
    space = "GRAY" if len(shape) == 2 else "BGR"
    try:
        image: Image = simplejpeg.decode_jpeg(payload, colorspace=space)
    except ValueError as error:
        raise RemoteProtocolError(Reason.NOT_JPEG, f"JPEG cannot be decoded: {error}") from error
    return image[..., 0] if space == "GRAY" else image


def shrink_jpeg(jpeg: bytes | memoryview, eighths: int, quality: int = 80) -> bytes:
    """Make a smaller JPEG of one, by reading fewer of its coefficients (libjpeg's scaled IDCT).

    Args:
        jpeg: with three components or one.
        eighths: of its sides that are kept, 1 to 8.
        quality: of the result, as `encode_jpeg` has it.

    Raises:
        RemoteProtocolError: with reason `not_jpeg` when it cannot be decoded.
    """
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(jpeg)
        image: Image = simplejpeg.decode_jpeg(
            jpeg,
            colorspace="GRAY" if space == "Gray" else "BGR",
            fastdct=True,
            fastupsample=True,
            min_height=-(-height * eighths // 8),
            min_width=-(-width * eighths // 8),
            min_factor=8 / eighths,
        )
    except ValueError as error:
        raise RemoteProtocolError(Reason.NOT_JPEG, f"JPEG cannot be decoded: {error}") from error
    return encode_jpeg(image, quality)


def _channels(image: NDArray[Any]) -> int:
    return 1 if image.ndim == 2 else int(image.shape[2])


def _first_channels(image: NDArray[Any]) -> NDArray[Any]:
    if image.ndim == 2:
        return image
    return image[..., :3] if image.shape[2] > 2 else image[..., 0]


def _to_uint8(image: NDArray[Any]) -> Image:
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.bool_:
        return np.where(image, np.uint8(255), np.uint8(0))
    if image.dtype.kind in "iu":
        shift = 8 * (image.dtype.itemsize - 1) if image.dtype.itemsize <= 2 else 0
        return np.asarray(np.clip(np.maximum(image, 0) >> shift, 0, 255), np.uint8)
    bounded = np.nan_to_num(np.clip(image, 0, 255))  # first, so that nothing overflows later
    scale = 255 if bounded.max() <= 1 else 1
    return np.asarray(bounded * scale, np.uint8)
