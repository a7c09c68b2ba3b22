"""A V4L2 device or a network stream through OpenCV. It must never hand over an old picture.

A thread of its own takes pictures as they come and keeps only the newest: so nothing waits in a
driver's or FFmpeg's queue for a slow reader, and closing does not wait for a camera that hangs.
"""

from __future__ import annotations

import itertools
import time
from threading import Thread
from typing import Final

import cv2
import numpy as np

from camfleet_node.sources.device import ask, name_of, open_capture
from camfleet_node.sources.newest import Newest
from camfleet_node.sources.picture import Image, Picture

_RELEASE_S: Final = 0.5  # a healthy camera ends its grab within a frame; one that hangs must wait


class OpenCVSource:
    """The newest picture of a camera; it tells how many before that were passed over.

    Args:
        device: number or path of a V4L2 device (`0`, `"0"`, `"/dev/video0"`) or a URL
            (`rtsp://`, `http://`).
        width: wanted of a device, in pixels; the driver takes the nearest that it can.
        height: likewise.
        fps: likewise, in pictures a second. A URL's stream comes as it is.
        timeout_s: the longest that opening may take, and the longest wait for a picture.

    Raises:
        SourceError: it cannot be opened. Credentials in a URL are not in the message.
    """

    def __init__(
        self,
        device: int | str,
        width: int | None = None,
        height: int | None = None,
        fps: float | None = None,
        *,
        timeout_s: float = 5.0,
    ) -> None:
        self._name = name_of(device)
        self._capture = open_capture(device, timeout_s)
        ask(self._capture, width, height, fps)
        self._pictures: Newest[Image] = Newest(self._name, timeout_s)
        self._thread = Thread(target=self._run, name=f"capture {self._name}", daemon=True)
        self._thread.start()

    def read(self) -> Picture[Image] | None:
        """Wait for a picture that was not read before; None when closed.

        Raises:
            SourceError: the stream has ended or failed, or gave no picture for `timeout_s`.
        """
        return self._pictures.read()

    def close(self) -> None:
        """End a `read` that waits, and free the device as soon as OpenCV lets go of it."""
        self._pictures.close()
        self._thread.join(_RELEASE_S)

    def _run(self) -> None:
        problem = "failed"
        try:
            for number in itertools.count():
                if self._pictures.is_closed or not (picture := self._grab()):
                    break
                self._pictures.put(number, picture)
            problem = "ended, or failed to give a picture"
        except cv2.error as error:
            problem = f"failed: {error.err}"
        finally:  # whatever happened, a reader must learn of it rather than wait
            self._capture.release()
            self._pictures.end(problem)

    def _grab(self) -> Picture[Image] | None:
        if not self._capture.grab():
            return None
        # A compromise: exposure began up to a frame's duration and the transfer earlier, and
        # a network camera's picture is older still by its encoder and the way here. OpenCV
        # passes on no timestamp of the sensor that holds for every backend.
        captured_ns, started_ns = time.time_ns(), time.monotonic_ns()
        found, image = self._capture.retrieve()
        if not found:
            return None
        return Picture(np.asarray(image, np.uint8), captured_ns, time.monotonic_ns() - started_ns)
