"""The text and the time on a picture: white on black, so that it can be read on any background."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import cv2
import numpy as np

from camfleet_node.processing.area import Size
from camfleet_node.sources import Image

_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX
_HEIGHT: Final = 24  # so many captions would fit above each other
_MIN_HEIGHT: Final = 12  # pixels
_NS: Final = 1_000_000_000


class Caption:
    """A line of text with the time of capture behind it. It is drawn anew only when it changes.

    Args:
        text: what stands there always.
        time: pattern of strftime, for this machine's time zone; may be empty, as may `text`.
    """

    def __init__(self, text: str, time: str) -> None:
        self._text = text.encode("utf-8", "replace").decode()  # OpenCV crashes on lone surrogates
        self._time = time
        self._last: tuple[tuple[str, Size], Image] | None = None

    def draw(self, captured_ns: int, size: Size) -> Image:
        """Draw the line for a picture of a size: gray, of even sides, as wide as fits."""
        line = f"{self._text} {self._moment(captured_ns)}".strip() or " "
        key = line, size
        last = self._last
        if last is None or last[0] != key:
            self._last = last = key, _draw(line, size)
        return last[1]

    def _moment(self, captured_ns: int) -> str:
        if not self._time:
            return ""
        seconds, rest_ns = divmod(captured_ns, _NS)
        moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1000)
        return moment.astimezone().strftime(self._time)


def _draw(line: str, size: Size) -> Image:
    tall = max(_MIN_HEIGHT, size[1] // _HEIGHT // 2 * 2)
    (_, ascent), descent = cv2.getTextSize("Ág", _FONT, 1.0, 1)
    scale = 0.8 * tall / (ascent + descent)
    margin = tall // 4
    (width, _), _ = cv2.getTextSize(line, _FONT, scale, 1)
    patch = np.zeros((tall, width + 2 * margin), np.uint8)
    base = round(0.1 * tall + ascent * scale)
    cv2.putText(patch, line, (margin, base), _FONT, scale, 255, 1, cv2.LINE_AA)
    across = max(2, min(patch.shape[1], size[0]) // 2 * 2)
    return np.asarray(cv2.resize(patch, (across, tall), interpolation=cv2.INTER_AREA), np.uint8)
