"""A time code inside the picture: a program reads from pixels when they were captured.

Pure arithmetic on arrays; it must never read a clock, nor guess a time that the checksum denies.
"""

from __future__ import annotations

import binascii
from typing import Final

import numpy as np
from numpy.typing import NDArray

from camfleet.errors import LocalProtocolError

Image = NDArray[np.uint8]

ROWS: Final = 4
COLUMNS: Final = 16  # 10 pixels a cell in a tile of 160: wider than a JPEG block's 8
BAND: Final = 0.1  # of the height: a twelfth still reads at 160x90, a sixteenth barely
_MIN_SIDE: Final = 48  # pixels; below that a cell's middle may fall on its neighbour's pixels
_TIME_BITS: Final = 48  # of µs: wraps after 8.9 years, so 4.4 either side of `near_ns`
_CRC_START: Final = 0xFFFF  # a start of 0 would make the all-black band a valid code
_MIN_CONTRAST: Final = 48.0  # of 255: a code keeps 200 and more, whatever JPEG does to it
_MIN_MARGIN: Final = 0.1  # of the contrast, between a cell and the threshold: else it is no code
_CELLS: Final = (ROWS, COLUMNS)
_SAMPLES: Final = 5  # by 5 points in the middle half of each cell
_MIDDLE: Final = 0.25 + 0.5 * (np.arange(_SAMPLES) + 0.5) / _SAMPLES


def draw(image: Image, captured_ns: int) -> None:
    """Paint the code of a time over the full width of the lowest tenth of a picture, in place.

    Args:
        image: HxW, HxWx3 or HxWx4, uint8, writable, at least 48x48. To survive scaling and JPEG
            it wants to be 160x90 or more, also where it is read.
        captured_ns: Unix ns, of which the code keeps whole µs.

    Raises:
        LocalProtocolError: the picture is too small, or not a picture.
    """
    _check_image(image)
    height, width = image.shape[:2]
    if min(width, height) < _MIN_SIDE:
        raise LocalProtocolError(
            f"picture is {width}x{height}, want at least {_MIN_SIDE}x{_MIN_SIDE} for the code"
        )
    lefts = np.arange(COLUMNS + 1) * width // COLUMNS
    lines = np.repeat(_encode(captured_ns) * np.uint8(255), np.diff(lefts), axis=1)
    if image.ndim == 3:  # one flat copy per row is many times faster than spreading one channel
        lines = np.repeat(lines, image.shape[2], axis=1).reshape(ROWS, width, image.shape[2])
    tops = [height - round(height * BAND * (ROWS - row) / ROWS) for row in range(ROWS + 1)]
    for row in range(ROWS):
        image[tops[row] : tops[row + 1]] = lines[row]


def read(image: Image, near_ns: int) -> int | None:
    """Read the time that `draw` painted, from a picture that may be scaled and compressed since.

    Args:
        image: HxW, HxWx3 or HxWx4 (the fourth is ignored), uint8, in any order of colours;
            exactly the area of the picture that was painted, at any scale.
        near_ns: any time within four years of the code's, Unix ns; the present will do.

    Returns:
        Unix ns in whole µs, or None where there is no valid code. Noise with the contrast of
        a code passes the checksum once in 65,536 pictures.

    Raises:
        LocalProtocolError: `image` is not a picture.
    """
    _check_image(image)
    bits = _threshold(_sample(image))
    return None if bits is None else _decode(bits, near_ns)


def _check_image(image: Image) -> None:
    shape = image.shape
    plain = len(shape) == 2 or (len(shape) == 3 and shape[2] in {3, 4})
    if not plain or image.dtype != np.uint8 or 0 in shape:
        raise LocalProtocolError(
            f"picture is {list(shape)} of {image.dtype}, want HxW, HxWx3 or HxWx4 of uint8"
        )


def _sample(image: Image) -> NDArray[np.float64]:
    """Brightness of each cell's middle, away from its blurred edges: ROWS x COLUMNS, 0 to 255."""
    height, width = image.shape[:2]
    ys = height * (1 - BAND * (1 - (np.arange(ROWS)[:, None] + _MIDDLE) / ROWS))
    xs = width * (np.arange(COLUMNS)[:, None] + _MIDDLE) / COLUMNS
    points = image[np.ix_(ys.ravel().astype(np.intp), xs.ravel().astype(np.intp))]
    gray = points if points.ndim == 2 else points[..., :3].mean(axis=2)
    grid = gray.reshape(ROWS, _SAMPLES, COLUMNS, _SAMPLES)
    cells: NDArray[np.float64] = grid.mean(axis=(1, 3), dtype=np.float64)
    return cells


def _threshold(cells: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    darkest, contrast = cells.min(), np.ptp(cells)
    if contrast < _MIN_CONTRAST:
        return None
    levels = (cells - darkest) / contrast - 0.5
    return levels > 0 if np.abs(levels).min() >= _MIN_MARGIN else None


def _encode(captured_ns: int) -> NDArray[np.uint8]:
    """48 bits of Unix µs and their checksum, the highest bit first, row by row.

    The checksum is CRC-16/IBM-3740: x^16 + x^12 + x^5 + 1 (0x1021, ITU-T V.41's), started at
    0xFFFF. It finds any burst of 16 bits, so any damage within one row.
    """
    time = (captured_ns // 1000 % (1 << _TIME_BITS)).to_bytes(6, "big")
    code = time + binascii.crc_hqx(time, _CRC_START).to_bytes(2, "big")
    return np.unpackbits(np.frombuffer(code, np.uint8)).reshape(_CELLS)


def _decode(bits: NDArray[np.bool_], near_ns: int) -> int | None:
    code = np.packbits(bits).tobytes()
    if binascii.crc_hqx(code, _CRC_START):  # over data and its CRC it comes to 0
        return None
    half = 1 << (_TIME_BITS - 1)
    near_us = near_ns // 1000
    ahead_us = (int.from_bytes(code[:6], "big") - near_us + half) % (2 * half) - half
    return (near_us + ahead_us) * 1000
