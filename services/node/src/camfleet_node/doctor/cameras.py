"""Cameras: what libcamera and V4L2 see, and whether each one of the settings gives a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from camfleet_node.address import is_url
from camfleet_node.doctor.devices import holders
from camfleet_node.doctor.finding import Finding, fail, ok, warn
from camfleet_node.doctor.patience import within
from camfleet_node.opener import open_source
from camfleet_node.settings.sources import CameraSettings, OpenCVCamera
from camfleet_node.settings.v4l2 import V4L2Camera
from camfleet_node.sources import Source, SourceError
from camfleet_node.starting import longest_start_s

Opens = Callable[[str, CameraSettings], Source]

_MOST_S: Final = 15.0  # a Pi starts libcamera in some seconds
_SHOWN: Final = 4
_LIBCAMERA: Final = "camfleet_node.sources.libcamera_view"
_V4L2: Final = "camfleet_node.sources.v4l2_view"


def look_at_libcamera(*, is_wanted: bool) -> Iterator[Finding]:
    """Tell what libcamera sees; that it is missing matters where a camera needs it."""
    view = _look(_LIBCAMERA)
    if isinstance(view, str):  # that it hangs is odd whoever needs it
        yield (fail if is_wanted else warn)("libcamera", view)
        return
    if view.problem:
        yield (fail if is_wanted else ok)("libcamera", view.problem)
        return
    for camera in view.cameras:
        modes = f", modes {_few(camera.modes)}" if camera.modes else ""
        yield ok("libcamera", f"{camera.number}: {camera.model} at {camera.id}{modes}")
        names = [f"{c.name} {c.low} to {c.high}" for c in camera.controls]
        if names:
            yield ok("libcamera", f"{camera.number}: controls {'; '.join(names)}")


def look_at_v4l2() -> Iterator[Finding]:
    """Tell what each V4L2 device is, with formats and controls."""
    views = _look(_V4L2)
    if isinstance(views, str):
        yield warn("v4l2", views)
        return
    for view in views:
        if view.problem:
            yield ok("v4l2", f"{view.path}: {view.problem}")
            continue
        yield ok("v4l2", f"{view.path}: {view.name} ({view.driver}), {'; '.join(view.formats)}")
        if view.controls:
            yield ok("v4l2", f"{view.path}: controls {'; '.join(view.controls)}")


def look_at_camera(
    name: str, settings: CameraSettings, *, opens: Opens = open_source, limit_s: float | None = None
) -> Finding:
    """Open a camera, take one picture, and close it.

    Args:
        name: of the camera.
        settings: of it.
        opens: for tests.
        limit_s: for tests; so long it may take.
    """
    limit_s = limit_s or max(_MOST_S, longest_start_s(settings))
    begun_s = time.monotonic()
    shape = within(limit_s, lambda: _take(opens, name, settings))
    what = f"{name}: {settings.source}"
    if shape is None:
        found = f"{what} hangs, nothing came within {limit_s:g} s"
        return fail("camera", found, "unplug it and plug it in again, or start the machine anew")
    if isinstance(shape, SourceError):
        return fail("camera", f"{what}: {shape}", _held(settings))
    if isinstance(shape, Exception):
        return fail("camera", f"{what}: {type(shape).__name__}: {shape}", _held(settings))
    height, width = shape[:2]
    return ok("camera", f"{what} gives {width}x{height} after {time.monotonic() - begun_s:.1f} s")


def _take(opens: Opens, name: str, settings: CameraSettings) -> tuple[int, ...]:
    with closing(opens(name, settings)) as source:
        picture = source.read()
        if picture is None:
            raise SourceError("it has ended without a picture")
        return tuple(picture.image.shape)


def _held(settings: CameraSettings) -> str:
    """Who else has the device, as far as that can be seen."""
    if not isinstance(settings, V4L2Camera | OpenCVCamera) or is_url(settings.device):
        return ""
    device = settings.device
    path = Path(f"/dev/video{device}" if device.isdecimal() else device)
    found = holders(path.resolve())
    return f"end what has it open: {', '.join(found)}" if found else ""


def _look(module: str) -> Any:  # noqa: ANN401 - each has a view of its own
    """What a module sees; a text where it cannot even look."""
    try:
        view = within(_MOST_S, import_module(module).look)
    except ImportError as error:
        return f"cannot be looked at: {error}"
    if isinstance(view, Exception):
        return f"cannot be looked at: {type(view).__name__}: {view}"
    return f"hangs, it said nothing within {_MOST_S:g} s" if view is None else view


def _few(texts: tuple[str, ...]) -> str:
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return ", ".join(texts[:_SHOWN]) + more
