"""A camera on the Pi's own connector, by picamera2. It copies no picture that it need not copy.

picamera2's thread leaves each picture in a slot, where a newer one replaces it; whoever reads
gets the newest, in the memory that the image processor wrote it to.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

import structlog

from camfleet.mailbox import Mailbox
from camfleet_node.encoder import encode
from camfleet_node.settings.picamera2 import Picamera2Camera
from camfleet_node.sources.hardware_jpeg import HardwareJpeg, JpegChoice, why_no_hardware
from camfleet_node.sources.lending import Lease, Lending
from camfleet_node.sources.libcamera_planes import copy_planes, hold, see_planes
from camfleet_node.sources.libcamera_setup import (
    Layout,
    Opened,
    find_camera,
    open_camera,
    set_sensor_hdr,
)
from camfleet_node.sources.libcamera_stack import (
    LibcameraStack,
    load_stack,
    take_tuning,
)
from camfleet_node.sources.libcamera_view import CameraView
from camfleet_node.sources.picture import Picture, Planes, SettingError, SourceError
from camfleet_node.sources.sensor_time import SensorTime, count_between
from camfleet_node.starting import longest_wait_s

_log = structlog.get_logger()


class Picamera2Source:
    """The newest picture of a camera; it tells how many before that were passed over.

    What FLIP and a half turn ask for is done in its pictures, by the sensor where it can.

    Args:
        settings: of the camera.
        name: of the camera, for the log.
        stack: for tests; libcamera and picamera2.
        sensor_time: for tests.
        timeout_s: for tests; the longest wait for a picture. By default 5 s and six intervals.

    Raises:
        SourceError: saying what was found and what was wanted.
        SettingError: the same, where a setting can never be met.
    """

    def __init__(
        self,
        settings: Picamera2Camera,
        name: str,
        *,
        stack: LibcameraStack | None = None,
        sensor_time: SensorTime | None = None,
        timeout_s: float | None = None,
    ) -> None:
        self._settings = settings
        self._name = name
        take_tuning(settings.tuning_file)
        self._stack = stack or load_stack()
        self._sensor_time = sensor_time or SensorTime()
        self._timeout_s = timeout_s or longest_wait_s(settings.fps)
        self._slot: Mailbox[tuple[int, Any]] = Mailbox()  # requests with their numbers
        self._completed = 0  # requests; picamera2's thread counts
        self._next = 0  # the number that follows the last one read
        self._stamp_ns: int | None = None  # of the last one read
        self._lending: Lending[Any] = Lending(0)  # until it is known how many buffers there are
        self._closing = Lock()
        problem = self._why_software()
        self._opened = self._open()
        self._choice = self._choose_encoder(problem)

    def read(self) -> Picture[Planes] | None:
        """Wait for a picture that was not read before; None when closed.

        Raises:
            SourceError: the camera gave none for too long, as one whose cable sits badly.
        """
        taken = self._slot.take(self._timeout_s)
        if self._slot.is_closed:
            return None
        if taken is None:
            raise SourceError(
                f"camera {self._opened.view.id} gave no picture for {self._timeout_s:g} s, want "
                "one that is plugged in on both ends; libcamera's own words stand above"
            )
        try:
            return self._see(*taken)
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            raise SourceError(self._tell(error)) from error

    def close(self) -> None:
        """End a `read` that waits, and free the camera; it may hang in libcamera."""
        self._slot.close()
        # Taken once and for ever: who comes second must not wait for who hangs.
        if not self._closing.acquire(blocking=False):
            return
        taken = self._slot.take(0)
        if taken is not None:
            taken[1].release()
        try:
            self._opened.camera.close()
        except (OSError, RuntimeError) as error:
            _log.warning("camera closed badly", camera=self._name, problem=self._tell(error))
        finally:
            # Each would keep the other, and all buffers with them, until Python's collector comes.
            self._opened.camera.pre_callback = None
            if self._choice is not None:
                self._choice.close()
            self._leave_sensor(self._opened.view)

    def _open(self) -> Opened:
        try:
            view = find_camera(self._settings, self._stack)
            if self._settings.hdr == "sensor":
                set_sensor_hdr(view, self._stack, is_on=True)
            try:
                opened = self._start(view)
            except BaseException:
                self._leave_sensor(view)
                raise
        except (AttributeError, IndexError, OSError, RuntimeError, ValueError) as error:
            raise SourceError(self._tell(error)) from error
        main, lores = opened.main, opened.lores
        _log.info(
            "camera opened",
            camera=self._name,
            model=opened.view.model,
            id=opened.view.id,
            picture=f"{main.size[0]}x{main.size[1]} {main.format}",
            colours=_name_of(opened.camera.camera_configuration()["colour_space"]),
            preview=f"{lores.size[0]}x{lores.size[1]} {lores.format}" if lores else "none",
        )
        return opened

    def _start(self, view: CameraView) -> Opened:
        opened = open_camera(self._settings, self._name, view, self._stack)
        try:
            self._lending = Lending(opened.lendable)
            opened.camera.pre_callback = self._take
            opened.camera.start()
        except BaseException:
            opened.camera.close()
            raise
        return opened

    def _leave_sensor(self, view: CameraView) -> None:
        """Turn a sensor's own HDR off, for it would stay on for whoever opens it next."""
        if self._settings.hdr != "sensor":
            return
        try:
            set_sensor_hdr(view, self._stack, is_on=False)
        except (OSError, RuntimeError) as error:
            _log.warning("HDR stays on", camera=self._name, problem=self._tell(error))

    def _why_software(self) -> str:
        """Why libjpeg encodes, whatever it costs; empty where there is a choice."""
        wanted = self._settings.encoder
        problem = "it was asked for" if wanted == "software" else why_no_hardware()
        if problem and wanted == "hardware":
            raise SettingError("ENCODER", wanted, f"software, for {problem}")
        return problem

    def _choose_encoder(self, problem: str) -> JpegChoice | None:
        """Who makes the JPEGs, where there is a choice; None for libjpeg."""
        if problem:
            _log.info("encoder chosen", camera=self._name, encoder="software", because=problem)
            return None
        main = self._opened.camera.camera_configuration()["main"]
        return JpegChoice(
            self._name,
            partial(encode, quality=self._settings.quality),
            partial(HardwareJpeg, main),
            is_forced=self._settings.encoder == "hardware",
        )

    def _tell(self, error: BaseException) -> str:
        """An error of picamera2 with its causes, for the last of them says most."""
        words: list[str] = []
        cause: BaseException | None = error
        while cause is not None:
            words.append(str(cause) or type(cause).__name__)
            cause = cause.__cause__
        return f"camera {self._settings.camera} failed: {': '.join(words)}"

    # On the thread that reads.

    def _see(self, number: int, request: Any) -> Picture[Planes]:  # noqa: ANN401 - picamera2 ships no types
        """Make a picture of a request, and lend it its buffers as long as there are enough."""
        metadata = request.get_metadata()
        stamp_ns = metadata.get("SensorTimestamp")
        passed_over = max(
            number - self._next,
            count_between(self._stamp_ns, stamp_ns, metadata.get("FrameDuration", 0)),
        )
        self._next, self._stamp_ns = number + 1, stamp_ns
        flips, lores = self._opened.flips, self._opened.lores
        lease = None if any(flips) else self._lending.lend(request)
        image = self._look_at(request, "main", self._opened.main, lease)
        preview = self._look_at(request, "lores", lores, lease) if lores else None
        if lease is None:
            image = copy_planes(image, flips)
            preview = preview and copy_planes(preview, flips)
            request.release()
        captured_ns, capture_ns = self._sensor_time.capture(
            stamp_ns, metadata.get("ExposureTime", 0)
        )
        return Picture(
            image,
            captured_ns,
            capture_ns,
            passed_over,
            preview,
            self._encode_of(image, lease),
            lease,
        )

    def _look_at(
        self,
        request: Any,  # noqa: ANN401 - the same
        stream: str,
        layout: Layout,
        lease: Lease[Any] | None,
    ) -> Planes:
        # The request has made the buffer fit to be read by the processor, until its release.
        mapped = self._opened.allocator.mapped_buffers
        buffer = mapped[request.request.buffers[request.stream_map[stream]]]
        return see_planes(hold(buffer, lease), layout.format, layout.size, layout.stride)

    def _encode_of(self, image: Planes, lease: Lease[Any] | None) -> Callable[[], bytes] | None:
        choice = self._choice
        if choice is None or lease is None or choice.is_software:
            return None
        return lambda: choice.encode(image, lease.lent)

    # On picamera2's thread.

    def _take(self, request: Any) -> None:  # noqa: ANN401 - the same
        for returned in self._lending.take_back():
            returned.release()
        request.acquire()
        replaced = self._slot.put((self._completed, request))
        self._completed += 1
        if replaced is not None:
            replaced[1].release()


def _name_of(colour_space: object) -> str:
    """What stands in `<libcamera.ColorSpace 'sYCC'>`."""
    return str(colour_space).partition("'")[2].rstrip("'>") or str(colour_space)
