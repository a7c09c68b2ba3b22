"""Footage on disk, a video or stills, one picture after the other; it must never know of time."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np

from camfleet_node.sources.picture import Image, SourceError
from camfleet_node.sources.quiet import silence_opencv

STILLS_FPS: Final = 5.0
_STILLS: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp"})
_USUAL_FPS: Final = 25.0  # for a container that states no rate, or its time base instead of one
_MAX_FPS: Final = 240.0
_TEXT: Final = cv2.VideoWriter.fourcc(*"ansi")  # FFmpeg films the letters of any .txt


class Footage(Protocol):
    """Pictures in an order, with the rate at which they want to be shown."""

    fps: float

    def next(self) -> Image | None:
        """Decode the next picture that is not broken, HxWx3 BGR; None at the end."""
        ...

    def rewind(self) -> None:
        """Go back to the first picture."""
        ...

    def close(self) -> None:
        """Close the file; `next` gives None from here on."""
        ...


def open_footage(path: Path) -> Footage:
    """Open a video, a picture, or a folder of pictures (JPEG, PNG or BMP).

    Raises:
        SourceError: there is nothing at `path`, or nothing in it that can be decoded.
    """
    silence_opencv()
    if not path.exists():
        raise SourceError(f"no such file: {path}")
    footage = _of_kind(path)
    if footage.next() is None:
        wanted = "no readable picture in folder" if path.is_dir() else "not a picture or video"
        raise SourceError(f"{wanted}: {path}")
    footage.rewind()
    return footage


def _of_kind(path: Path) -> Footage:
    if path.is_dir():
        return Stills([p for p in path.iterdir() if p.suffix.lower() in _STILLS])
    try:
        return Stills([path]) if cv2.haveImageReader(str(path)) else Video(path)
    except cv2.error as error:
        raise SourceError(f"not a picture or video: {path}") from error


class Stills:
    """Pictures in files of their own, by name, numbers by value: 2 before 10."""

    def __init__(self, paths: list[Path]) -> None:
        self.fps = STILLS_FPS
        self._paths = sorted(paths, key=_natural)
        self._index = 0

    def next(self) -> Image | None:
        """Decode the next readable picture; a file that is broken or gone is passed over."""
        while self._index < len(self._paths):
            path = self._paths[self._index]
            self._index += 1
            if (image := _decode(path)) is not None:
                return image
        return None

    def rewind(self) -> None:
        """Go back to the first picture."""
        self._index = 0

    def close(self) -> None:
        """Forget the files."""
        self._paths = []


class Video:
    """A video file, decoded by FFmpeg inside OpenCV."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._capture = cv2.VideoCapture(self._path, cv2.CAP_FFMPEG)
        if int(self._capture.get(cv2.CAP_PROP_FOURCC)) == _TEXT:
            self._capture.release()
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= _MAX_FPS else _USUAL_FPS

    def next(self) -> Image | None:
        """Decode the next picture. FFmpeg itself passes over broken ones."""
        found, image = self._capture.read()
        return np.asarray(image, np.uint8) if found else None

    def rewind(self) -> None:
        """Go back to the first picture."""
        # opened anew, some ms: a raw .h264, as Raspberry Pis record it, cannot be sought in
        self._capture.open(self._path, cv2.CAP_FFMPEG)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


def _decode(path: Path) -> Image | None:
    try:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:  # raised for a size that is beyond OpenCV's limits
        return None
    return None if image is None else np.asarray(image, np.uint8)


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Sort key: runs of digits as numbers, the rest as lower-case text."""
    runs = re.findall(r"[0-9]+|[^0-9]+", path.name.lower())
    return [(int(r), "") if r[0] in "0123456789" else (-1, r) for r in runs], path.name
