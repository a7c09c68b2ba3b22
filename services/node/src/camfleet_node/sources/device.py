"""Opens a V4L2 device or a URL by what an operator calls it; it never tells a URL's credentials."""

from __future__ import annotations

import os
from pathlib import Path

import cv2

from camfleet_node.address import is_url, without_credentials
from camfleet_node.sources.picture import SourceError
from camfleet_node.sources.quiet import silence_opencv


def open_capture(device: int | str, timeout_s: float) -> cv2.VideoCapture:
    """Open a device's number or path, or a URL, whose opening and reads take so long at most.

    Raises:
        SourceError: it cannot be opened; for a device, with the reason where one is seen.
    """
    silence_opencv()
    if is_url(device):
        timeout_ms = round(timeout_s * 1000)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms]
        limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms]
        capture = cv2.VideoCapture(str(device), cv2.CAP_FFMPEG, limits)
    else:
        capture = cv2.VideoCapture(_path(device), cv2.CAP_V4L2)
    if not capture.isOpened():
        raise SourceError(f"{name_of(device)} cannot be opened{_why(device)}")
    return capture


def ask(
    capture: cv2.VideoCapture, width: int | None, height: int | None, fps: float | None
) -> None:
    """Ask for a form of picture; backends refuse silently what they cannot do."""
    if width:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    if height:
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    if fps:
        capture.set(cv2.CAP_PROP_FPS, fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)


def name_of(device: int | str) -> str:
    """What errors call it: a URL without its credentials.

    Raises:
        SourceError: it looks like a URL and is none.
    """
    if not is_url(device):
        return f"device {device}"
    try:
        return without_credentials(str(device))
    except ValueError as error:
        raise SourceError(f"not a URL: {error}") from error


def _path(device: int | str) -> str:
    return f"/dev/video{device}" if str(device).isdecimal() else str(device)


def _why(device: int | str) -> str:
    if is_url(device):
        return ""
    path = _path(device)
    if not Path(path).exists():
        return f": there is no {path}"
    return "" if os.access(path, os.R_OK | os.W_OK) else f": no permission for {path}"
