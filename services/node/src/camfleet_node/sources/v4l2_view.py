"""What V4L2 devices there are, for whoever looks for a camera. It never raises, nor sets them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from camfleet_node.sources.picture import SourceError
from camfleet_node.sources.v4l2 import kernel as k
from camfleet_node.sources.v4l2.device import Device
from camfleet_node.sources.v4l2.listing import controls, offers
from camfleet_node.sources.v4l2.refusal import video_devices

_USUAL = 1280, 720  # where sizes are free, rates are told for this one


@dataclass(frozen=True)
class DeviceView:
    """One device, in text.

    Attributes:
        path: of it.
        name: of the camera; empty when it could not be asked.
        driver: of the kernel.
        formats: a line for each size, as `MJPG 1280x720 30, 15 fps`, of the formats that the
            `v4l2` source reads.
        controls: a line for each, as `brightness 0 to 255 (128)`, the default in brackets.
        problem: why it is no camera, or could not be asked; else empty.
    """

    path: str
    name: str = ""
    driver: str = ""
    formats: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    problem: str = ""


def look(
    paths: Iterable[str] | None = None, kernel: k.Kernel | None = None
) -> tuple[DeviceView, ...]:
    """Ask every video device of this machine what it is.

    Args:
        paths: of those that are asked; by default all.
        kernel: for tests.
    """
    return tuple(_look(path, kernel) for path in (video_devices() if paths is None else paths))


def _look(path: str, kernel: k.Kernel | None) -> DeviceView:
    try:
        with closing(Device(path, kernel)) as device:
            about = device.about
            if not about.is_camera:
                return DeviceView(path, about.name, about.driver, problem=about.problem)
            return DeviceView(
                path,
                about.name,
                about.driver,
                tuple(str(offer) for offer in offers(device, *_USUAL) if offer.is_readable),
                tuple(str(control) for control in controls(device) if control.is_settable),
            )
    except SourceError as error:
        return DeviceView(path, problem=str(error))
