"""Opens, configures and starts a Picamera2 as a camera's settings ask. It reads no picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import structlog

from camfleet_node.settings.picamera2 import Picamera2Camera
from camfleet_node.sources.libcamera_controls import choose_controls
from camfleet_node.sources.libcamera_planes import FORMATS
from camfleet_node.sources.libcamera_stack import LibcameraStack
from camfleet_node.sources.libcamera_view import (
    CameraView,
    list_cameras,
    list_modes,
    pick,
    why_no_heap,
)
from camfleet_node.sources.picture import SettingError, SourceError

# Four pictures may be held at once: the one that the capture hands over or that waits in the
# mailbox, and those that are encoded, looked at for motion, and encoded small. One more waits in
# the source. Two are the camera's, which fills one while the other is handed over.
_HELD: Final = 4
_KEPT: Final = 3
BUFFERS: Final = _HELD + _KEPT
_HDR_MODEL: Final = "imx708"
_log = structlog.get_logger()


@dataclass(frozen=True)
class Layout:
    """How a stream's pictures lie in its buffers: see `see_planes`."""

    format: str
    size: tuple[int, int]
    stride: int


@dataclass(frozen=True)
class Opened:
    """A camera that is open and configured.

    Attributes:
        camera: the Picamera2.
        allocator: of its buffers.
        view: which camera it is.
        main: of its pictures.
        lores: of its small pictures, where it makes such.
        lendable: so many of its pictures may be held at once without stalling it.
        flips: what the sensor could not do and is left to be done: mirror horizontally,
            vertically.
    """

    camera: Any
    allocator: Any
    view: CameraView
    main: Layout
    lores: Layout | None
    lendable: int
    flips: tuple[bool, bool]


def find_camera(settings: Picamera2Camera, stack: LibcameraStack) -> CameraView:
    """The camera that the settings mean, which nobody else may be using.

    Raises:
        SourceError: it is not there, or busy.
    """
    try:
        view = pick(settings.camera, list_cameras(stack))
    except SettingError:
        raise
    except SourceError:
        # What came later is not seen by a manager that is kept, unless udev tells it, which in a
        # container it does not. While a camera is open it cannot be replaced.
        manager = stack.picamera2._cm  # noqa: SLF001 - there is no other way to it
        if not manager.cameras:
            manager.reset()
        raise
    # Picamera2's constructor would leak a pipe each time that the camera is busy.
    camera = stack.libcamera.CameraManager.singleton().get(view.id)
    try:
        camera.acquire()
    except (OSError, RuntimeError) as error:
        wanted = "one that no other program or container uses"
        raise SourceError(f"camera {view.id} is busy: {error}; want {wanted}") from error
    camera.release()
    return view


def set_sensor_hdr(view: CameraView, stack: LibcameraStack, *, is_on: bool) -> None:
    """Turn the HDR of a camera module 3's sensor on or off; the camera must not be open.

    Raises:
        SettingError: it is another camera.
    """
    if not view.model.startswith(_HDR_MODEL):
        raise SettingError("HDR", "sensor", f"a camera module 3 for that, not a {view.model}")
    entries = stack.picamera2.global_camera_info()
    with stack.imx708(next(e["Num"] for e in entries if e["Id"] == view.id)) as sensor:
        sensor.set_sensor_hdr_mode(is_on)


def open_camera(
    settings: Picamera2Camera, name: str, view: CameraView, stack: LibcameraStack
) -> Opened:
    """Open and configure it; `start` is left to the caller.

    Raises:
        SourceError: it fails, or has not what was asked for.
    """
    try:
        allocator = stack.allocator()
    except (OSError, RuntimeError) as error:
        raise SourceError(f"no memory for pictures: {error}: {why_no_heap()}") from error
    tuning = str(settings.tuning_file) if settings.tuning_file else None
    camera = stack.picamera2(view.number, tuning=tuning, allocator=allocator)
    try:
        lores = _configure(camera, settings, name, stack)
        main = _check_main(camera.camera_configuration()["main"], settings)
        _check_mode(camera, settings, stack)
        flips = _check_flips(camera.camera_configuration()["transform"], settings, name)
        camera.set_controls(choose_controls(settings, camera.camera_controls))
    except BaseException:
        camera.close()
        raise
    # Fewer where a camera knows better, as libcamera's virtual one, which takes four.
    lendable = max(0, len(allocator.buffers(camera.stream_map["main"])) - _KEPT)
    return Opened(camera, allocator, view, main, lores, lendable, flips)


def _configure(
    camera: Any,  # noqa: ANN401 - picamera2 ships no types
    settings: Picamera2Camera,
    name: str,
    stack: LibcameraStack,
) -> Layout | None:
    """Configure a camera, with a second stream where it has one; return how that one lies."""
    if not settings.preview_width:
        camera.configure(_wish(camera, settings, stack, None))
        return None
    width = min(settings.preview_width, settings.width) // 2 * 2
    size = (width, max(2, round(width * settings.height / settings.width / 2) * 2))
    try:
        camera.configure(_wish(camera, settings, stack, size))
    except (AttributeError, IndexError, RuntimeError) as error:
        _log.info("camera makes no small pictures by itself", camera=name, problem=str(error))
        camera.configure(_wish(camera, settings, stack, None))
        return None
    layout = _see_layout(camera.camera_configuration()["lores"])
    if layout.format not in FORMATS or layout.size != size:
        found = f"{layout.size[0]}x{layout.size[1]} {layout.format}"
        _log.info(
            "camera makes no small pictures of that size by itself",
            camera=name,
            found=found,
            wanted=f"{size[0]}x{size[1]}",
        )
        camera.configure(_wish(camera, settings, stack, None))
        return None
    return layout


def _wish(
    camera: Any,  # noqa: ANN401 - picamera2 ships no types
    settings: Picamera2Camera,
    stack: LibcameraStack,
    lores: tuple[int, int] | None,
) -> Any:  # noqa: ANN401 - the same
    """What is asked of the camera; it may be adjusted."""
    across, down = settings.flips
    sensor: dict[str, object] = {}
    if settings.sensor_size:
        sensor["output_size"] = settings.sensor_size
    if settings.sensor_bits:
        sensor["bit_depth"] = settings.sensor_bits
    return camera.create_video_configuration(
        main={"size": (settings.width, settings.height), "format": "YUV420"},
        lores={"size": lores, "format": "YUV420"} if lores else None,
        raw=None,  # its buffers would be several times as large as all others together
        transform=stack.libcamera.Transform(hflip=across, vflip=down),
        colour_space=stack.libcamera.ColorSpace.Sycc(),  # what a JPEG has
        buffer_count=BUFFERS,
        queue=False,  # picamera2 keeps no picture back: this source does
        display=None,
        sensor=sensor,
    )


def _see_layout(stream: dict[str, Any]) -> Layout:
    width, height = stream["size"]
    return Layout(str(stream["format"]), (width, height), stream["stride"])


def _check_main(stream: dict[str, Any], settings: Picamera2Camera) -> Layout:
    """See that the camera makes the pictures that were asked for."""
    layout = _see_layout(stream)
    wanted = (settings.width, settings.height)
    if layout.size != wanted:
        field = "WIDTH" if layout.size[0] != wanted[0] else "HEIGHT"
        nearest = f"{layout.size[0]}x{layout.size[1]}, the nearest that this camera makes"
        raise SettingError(field, f"{wanted[0]}x{wanted[1]}", nearest)
    if layout.format not in FORMATS:
        raise SourceError(f"camera gives {layout.format}, want {' or '.join(FORMATS)}")
    return layout


def _check_mode(camera: Any, settings: Picamera2Camera, stack: LibcameraStack) -> None:  # noqa: ANN401 - see above
    """See that the sensor is read as was asked for; picamera2 silently takes the nearest mode."""
    if not settings.sensor_mode:
        return
    sensor = camera.camera_configuration().get("sensor") or {}
    is_taken = sensor.get("output_size") == settings.sensor_size and settings.sensor_bits in {
        None,
        sensor.get("bit_depth"),
    }
    if not is_taken:
        modes = ", ".join(list_modes(stack.libcamera, camera.camera)) or "nothing: it has none"
        raise SettingError("SENSOR_MODE", settings.sensor_mode, modes)


def _check_flips(transform: Any, settings: Picamera2Camera, name: str) -> tuple[bool, bool]:  # noqa: ANN401 - see above
    """What the sensor does not do of what was asked for."""
    across, down = settings.flips
    left = (across != bool(transform.hflip), down != bool(transform.vflip))
    if any(left):
        _log.warning("sensor cannot mirror its pictures; that costs a copy", camera=name)
    return left
