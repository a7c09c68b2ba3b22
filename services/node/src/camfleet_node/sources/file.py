"""A video file, a folder of pictures or one picture as a camera; it never writes, nor outruns."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Lock

from camfleet_node.sources.footage import open_footage
from camfleet_node.sources.pacer import Pacer
from camfleet_node.sources.picture import Image, Picture, SourceError


class FileSource:
    """Plays footage at its own rate.

    Args:
        path: a video that FFmpeg reads, a JPEG, PNG or BMP, or a folder of such pictures, which
            come in natural order of their names; broken ones among them are passed over.
        fps: pictures a second; the video's own by default, 5 for pictures.
        loop: begin again after the last picture, without a gap.
        pacer: for tests; overrides `fps`.

    Raises:
        SourceError: there is nothing at `path`, or nothing in it that can be decoded.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float | None = None,
        *,
        loop: bool = True,
        pacer: Pacer | None = None,
    ) -> None:
        self._path = path
        self._loop = loop
        self._footage = open_footage(Path(path))
        self._pacer = pacer or Pacer(self._footage.fps if fps is None else fps)
        self._decoding = Lock()  # OpenCV crashes when a capture is released while it decodes

    def read(self) -> Picture[Image] | None:
        """Wait until the next picture is due; None when closed, or at the end without `loop`.

        Raises:
            SourceError: the footage has become unreadable.
        """
        if not self._pacer.wait():
            return None
        # A file has no exposure. The moment when the picture is due takes its place: then the
        # stages add up as a camera's do, and the age of the recording is no part of the latency.
        captured_ns, started_ns = time.time_ns(), time.monotonic_ns()
        with self._decoding:
            image = self._next()
        if image is None:
            return None
        return Picture(image, captured_ns, time.monotonic_ns() - started_ns)

    def close(self) -> None:
        """Close the file, and end a `read` that waits."""
        self._pacer.close()
        with self._decoding:
            self._footage.close()

    def _next(self) -> Image | None:
        if self._pacer.is_closed:
            return None
        image = self._footage.next()
        if image is None and self._loop:
            self._footage.rewind()
            image = self._footage.next()
            if image is None:
                raise SourceError(f"nothing left to read in {self._path}")
        return image
