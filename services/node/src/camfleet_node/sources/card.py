"""A calm moving test card. What it shows is a function of the time alone; it reads no clock."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from math import cos, pi, sin
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from camfleet import timecode
from camfleet_node.sources.picture import Image

_Ink = tuple[int, int, int]

_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_WHITE: Final = (255, 255, 255)
_SOFT: Final = (225, 225, 225)
_ORBIT_NS: Final = 6_000_000_000
_SECOND_NS: Final = 1_000_000_000


class Card:
    """A gradient in the title's own hue, a light that circles, a bar that fills every second.

    Only what moves is drawn for each picture; the rest is painted once, here.
    """

    def __init__(self, width: int, height: int, title: str) -> None:
        text = title.encode("utf-8", "replace")  # OpenCV crashes on a lone surrogate
        self._phase = zlib.crc32(text)
        self._size = (width, height)
        self._unit = min(height / 100, width / 133)  # a hundredth of the height, or of 4:3's
        self._clear = height - round(height * timecode.BAND)  # rows above the time code
        self._centre = (width // 2, round(self._clear * 0.54))
        self._radius = round(27 * self._unit)
        self._glow = _glow(round(12 * self._unit), self._hue)
        self._background = self._paint_background(text.decode())

    def paint(self, captured_ns: int) -> Image:
        """Paint the card as it is at a time (Unix ns): HxWx3 BGR, with its time code."""
        image = self._background.copy()
        self._add_light(image, captured_ns)
        self._fill_bar(image, captured_ns)
        self._write_clock(image, captured_ns)
        timecode.draw(image, captured_ns)
        return image

    @property
    def _hue(self) -> int:
        return self._phase % 360

    def _paint_background(self, title: str) -> Image:
        width, height = self._size
        image = _gradient(width, height, self._hue)
        rings = image.copy()
        cv2.circle(rings, self._centre, self._radius, _WHITE, 1, cv2.LINE_AA)
        cv2.circle(rings, self._centre, round(self._radius * 1.35), _WHITE, 1, cv2.LINE_AA)
        image = np.asarray(cv2.addWeighted(image, 0.65, rings, 0.35, 0), np.uint8)
        margin = round(6 * self._unit)
        self._write(image, title, (margin, round(14 * self._unit)), 9, _WHITE)
        self._write(image, f"{width} x {height}", (margin, self._clear - margin), 4, _SOFT)
        self._write(image, "UTC", self._from_centre(-5, 9), 4, _SOFT)
        return image

    def _write(self, image: Image, text: str, at: tuple[int, int], tall: float, ink: _Ink) -> None:
        """Write with capitals so many units tall, or smaller where the text would not fit."""
        scale = tall * self._unit / 22  # at scale 1 they are 22 pixels
        room = image.shape[1] - 2 * at[0]
        needed = cv2.getTextSize(text, _FONT, scale, _weight(scale))[0][0]
        scale *= min(1.0, room / max(needed, 1))
        cv2.putText(image, text, at, _FONT, scale, ink, _weight(scale), cv2.LINE_AA)

    def _from_centre(self, right: float, down: float) -> tuple[int, int]:
        x, y = self._centre
        return x + round(right * self._unit), y + round(down * self._unit)

    def _add_light(self, image: Image, captured_ns: int) -> None:
        turn = 2 * pi * ((captured_ns + self._phase * 1000) % _ORBIT_NS) / _ORBIT_NS
        side = self._glow.shape[0]
        left = self._centre[0] + round(self._radius * sin(turn)) - side // 2
        top = self._centre[1] - round(self._radius * cos(turn)) - side // 2
        patch = image[top : top + side, left : left + side]
        cv2.add(patch, self._glow, dst=patch)

    def _fill_bar(self, image: Image, captured_ns: int) -> None:
        filled = self._size[0] * (captured_ns % _SECOND_NS) // _SECOND_NS
        image[self._clear - max(2, round(self._unit)) : self._clear, :filled] = _SOFT

    def _write_clock(self, image: Image, captured_ns: int) -> None:
        now = datetime.fromtimestamp(captured_ns // _SECOND_NS, UTC)
        self._write(image, f"{now:%H:%M:%S}", self._from_centre(-20, 3), 7, _WHITE)


def _weight(scale: float) -> int:
    return max(1, round(scale * 2))


def _gradient(width: int, height: int, hue: int) -> Image:
    """From light in the upper left to deep in the lower right, drifting a little in hue."""
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    depth = 0.6 * down + 0.4 * np.linspace(0, 1, width, dtype=np.float32)
    planes = ((hue + 30 * depth) % 360, 0.58 + 0.2 * depth, 0.65 - 0.45 * depth)
    return _to_bgr(np.stack(planes, axis=2))


def _glow(radius: int, hue: int) -> Image:
    """A soft round light to be added to the picture, brightest in its middle."""
    reach = np.linspace(-1, 1, 2 * radius + 1, dtype=np.float32)
    light = np.clip(1 - np.hypot(reach[:, None], reach), 0, 1) ** 1.5
    return _to_bgr(np.stack((np.full_like(light, hue), np.full_like(light, 0.35), light), axis=2))


def _to_bgr(hsv: NDArray[np.float32]) -> Image:
    """Hue in degrees, the others 0 to 1. In floats, for OpenCV's 180 hues show as stripes."""
    return np.asarray(np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR) * 255), np.uint8)
