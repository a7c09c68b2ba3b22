"""A V4L2 device as a camera. It must never hand over an old picture, nor a broken one.

Pictures are copied out of the driver's memory: MJPEG is small, the other formats are taken apart
on the way anyhow, and so a slow reader never keeps a buffer from the driver.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from threading import Lock
from typing import Final

from camfleet_node.settings.v4l2 import V4L2Camera
from camfleet_node.sources.camera_jpeg import read_jpeg
from camfleet_node.sources.picture import Content, Picture, SettingError, SourceError
from camfleet_node.sources.v4l2 import kernel as k
from camfleet_node.sources.v4l2.control import Control, check
from camfleet_node.sources.v4l2.device import Device
from camfleet_node.sources.v4l2.listing import controls, offers
from camfleet_node.sources.v4l2.offer import FOURCCS, choose
from camfleet_node.sources.v4l2.pixels import Form, read_pixels
from camfleet_node.sources.v4l2.queue import Queue
from camfleet_node.sources.v4l2.refusal import others
from camfleet_node.sources.v4l2.stamp import age_ns
from camfleet_node.starting import longest_wait_s

_NS: Final = 1_000_000_000
_MOST_PASSED: Final = 1000  # a sequence that leaps by more has begun anew
_SLACK: Final = 0.02  # 29.97 is 30 to whoever asks


class V4L2Source:
    """The newest picture of a USB camera, or of whatever else is a V4L2 device.

    Args:
        settings: what is wanted of it.
        kernel: for tests.
        timeout_s: for tests; the longest wait for a picture. By default 5 s and six intervals.

    Attributes:
        fourcc: the format that it gives, as four letters.
        broken: pictures that were broken, as cameras give some when they start, and were passed
            over.

    Raises:
        SettingError: the camera has not what a setting asks for; with what it has.
        SourceError: it cannot be opened, or is no camera; with the reason.
    """

    def __init__(
        self,
        settings: V4L2Camera,
        *,
        kernel: k.Kernel | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self.broken = 0
        self._path = settings.device
        self._timeout_s = timeout_s or longest_wait_s(settings.fps)
        self._sequence = -1
        self._is_closed = False
        self._using = Lock()  # held by whoever reads or frees the device
        self._woken, self._wake = socket.socketpair()
        self._queue: Queue | None = None
        self._device: Device | None = None
        try:
            self._device = Device(settings.device, kernel)
            self._form, fps = _set(self._device, settings)
            self._queue = Queue(self._device)
        except BaseException:
            self.close()
            raise
        self.fourcc = self._form.fourcc
        self._interval_ns = round(_NS / fps)
        self._poll = select.poll()
        self._poll.register(self._device.descriptor, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)

    def read(self) -> Picture[Content] | None:
        """Wait for a picture that was not read before; None when closed.

        Raises:
            SourceError: the device failed or is gone, or gave no whole picture in time.
        """
        with self._using:
            deadline_ns = time.monotonic_ns() + round(self._timeout_s * _NS)
            problem = ""
            while (queue := self._queue) is not None and self._wait(deadline_ns, problem):
                buffer = self._newest(queue)
                if buffer is None:
                    continue
                try:
                    return self._read(queue, buffer)
                except ValueError as error:
                    self.broken += 1
                    problem = f": {error}"
                finally:
                    queue.give_back(buffer)
            return None

    def close(self) -> None:
        """End a `read` that waits, and free the device."""
        self._is_closed = True
        with suppress(OSError):  # it was closed before
            self._wake.send(b"\0")
        with self._using:
            device, queue = self._device, self._queue
            self._device = self._queue = None
            if queue is not None:
                queue.close()
            if device is not None:
                device.close()
            self._wake.close()
            self._woken.close()

    def _wait(self, deadline_ns: int, problem: str) -> bool:
        """Wait for a picture, or for the device to fail; False when closed."""
        left_ms = max(0, (deadline_ns - time.monotonic_ns()) // 1_000_000)
        is_heard = left_ms and self._poll.poll(left_ms)
        if is_heard or self._is_closed:
            return not self._is_closed
        what = "whole picture" if problem else "picture"
        raise SourceError(f"{self._path} gave no {what} for {self._timeout_s:g} s{problem}")

    def _newest(self, queue: Queue) -> k.Buffer | None:
        """Take the newest picture, and give back those before it.

        When all buffers were full, the driver has had none for what came after them. Then even
        the newest is old, and the next one is waited for.
        """
        filled = list(queue.filled())
        is_late = len(filled) == queue.size
        for buffer in filled if is_late else filled[:-1]:
            queue.give_back(buffer)
        return filled[-1] if filled and not is_late else None

    def _read(self, queue: Queue, buffer: k.Buffer) -> Picture[Content]:
        if buffer.flags & k.IS_BROKEN:
            raise ValueError("its driver says that it is broken")
        memory = queue.memory(buffer)
        begun_ns = time.monotonic_ns()
        captured_ns = time.time_ns() - age_ns(buffer, begun_ns, self._interval_ns)
        is_encoded = self.fourcc in FOURCCS["mjpeg"]
        content = read_jpeg(memory) if is_encoded else read_pixels(self._form, memory)
        passed_over = self._count(buffer.sequence)
        return Picture(content, captured_ns, max(0, time.time_ns() - captured_ns), passed_over)

    def _count(self, sequence: int) -> int:
        """Count the pictures since the one before, by the driver's own numbers."""
        passed_over = sequence - self._sequence - 1
        self._sequence = sequence
        return passed_over if 0 <= passed_over <= _MOST_PASSED else 0


def _set(device: Device, settings: V4L2Camera) -> tuple[Form, float]:
    """Set a device as it is wanted; return how its pictures lie in memory, and their rate.

    Raises:
        SettingError: it has not what is wanted.
        SourceError: it is no camera, or is in use.
    """
    if not device.about.is_camera:
        raise SourceError(f"{device.path} {device.about.problem}; {others()}")
    width, height, fps = settings.width, settings.height, settings.fps
    fourcc = choose(list(offers(device, width, height)), settings.format, width, height, fps)
    wanted = check(settings.controls, list(controls(device)))
    device.set_form(fourcc, width, height)
    found = device.set_rate(fps) or fps
    if abs(found - fps) > fps * _SLACK:
        raise SettingError("FPS", f"{fps:g}", f"{found:g}, which is what the camera made of it")
    _set_controls(device, wanted)
    return device.form(), found  # asked last, for a control may change the range


def _set_controls(device: Device, wanted: list[tuple[Control, int]]) -> None:
    """Set controls; once more those that were refused because another ruled them until then."""
    refused = []
    for control, value in wanted:
        try:
            device.set_control(control, value)
        except SourceError:
            refused.append((control, value))
    for control, value in refused:
        try:
            device.set_control(control, value)
        except SourceError as error:
            ruled = " while another control rules it" if control.is_inactive else ""
            raise SourceError(
                f"control {control.name} is not to be set to {value}{ruled}: {error}"
            ) from error
