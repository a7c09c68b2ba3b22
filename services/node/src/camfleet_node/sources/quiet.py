"""Turns off what OpenCV and its FFmpeg print: errors are raised, never left on stderr.

FFmpeg's part works only where this is imported before cv2; in a container, set the variable.
"""

from __future__ import annotations

import os

# -8 is FFmpeg's AV_LOG_QUIET; OpenCV reads this once, while it loads, so before the next import
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

from cv2.utils import logging


def silence_opencv() -> None:
    """Silence OpenCV's own log for this process. libjpeg in it has no switch and goes on."""
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
