"""An open V4L2 device: what it is, and what it is set to. Its errors say why."""

from __future__ import annotations

import errno
import os
from ctypes import Structure
from dataclasses import dataclass
from typing import TypeVar

from camfleet_node.sources.picture import SourceError
from camfleet_node.sources.v4l2 import kernel as k
from camfleet_node.sources.v4l2.control import Control
from camfleet_node.sources.v4l2.pixels import Form
from camfleet_node.sources.v4l2.refusal import explain

S = TypeVar("S", bound=Structure)


@dataclass(frozen=True)
class About:
    """What a device says of itself.

    Attributes:
        name: of the camera.
        driver: of the kernel.
        bus: where it is plugged in.
        abilities: flags of the kernel, of this node of it.
    """

    name: str
    driver: str
    bus: str
    abilities: int

    @property
    def is_camera(self) -> bool:
        """Whether it gives pictures in a way that is read here."""
        wanted = k.CAN_CAPTURE | k.CAN_STREAM
        return self.abilities & wanted == wanted

    @property
    def problem(self) -> str:
        """Why it is no camera."""
        if self.abilities & k.CAN_GIVE_METADATA:
            return f"gives metadata of {self.name}, no pictures, which its neighbour may give"
        if self.abilities & k.CAN_CAPTURE_PLANES:
            return f"is {self.name}: gives pictures in several pieces of memory, want one"
        return f"is {self.name} by {self.driver}: gives no pictures"


class Device:
    """One device, open until it is closed.

    Args:
        path: of it.
        kernel: for tests.

    Raises:
        SourceError: it cannot be opened, or is no video device; with the reason.
    """

    def __init__(self, path: str, kernel: k.Kernel | None = None) -> None:
        self.path = path
        self.kernel = kernel or k.Linux()
        try:
            self.descriptor = self.kernel.open(path)
        except OSError as error:
            raise SourceError(f"{path} {explain(path, error)}") from error
        try:
            self.about = self._read_about()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)

    def ask(self, request: int, about: S) -> S:
        """Ask the kernel; return the answer.

        Raises:
            SourceError: it refused, with the reason.
        """
        try:
            self.kernel.ask(self.descriptor, request, about)
        except OSError as error:
            raise SourceError(f"{self.path} {explain(self.path, error)}") from error
        return about

    # What it is set to.

    def set_form(self, fourcc: str, width: int, height: int) -> None:
        """Set its format and size.

        Raises:
            SourceError: it took another, or is in use.
        """
        wanted = k.Format(type=k.CAPTURE)
        picture = wanted.of.picture
        picture.width, picture.height = width, height
        picture.fourcc = int.from_bytes(fourcc.encode(), "little")
        self.ask(k.S_FMT, wanted)
        given = f"{letters(picture.fourcc)} {picture.width}x{picture.height}"
        if given != f"{fourcc} {width}x{height}":
            raise SourceError(f"{self.path} gives {given}, want {fourcc} {width}x{height}")

    def form(self) -> Form:
        """Ask how its pictures lie in memory."""
        picture = self.ask(k.G_FMT, k.Format(type=k.CAPTURE)).of.picture
        fourcc, width = letters(picture.fourcc), int(picture.width)
        stride = max(int(picture.stride), width * (2 if fourcc in {"YUYV", "UYVY"} else 1))
        return Form(fourcc, width, int(picture.height), stride, _is_full_range(picture))

    def set_rate(self, fps: float) -> float:
        """Set the pictures a second; return what it took. 0 where the device has no such thing."""
        parameters = k.StreamParameters(type=k.CAPTURE)
        if not self.has(k.G_PARM, parameters) or not parameters.capability & k.CAN_SET_RATE:
            return 0.0
        parameters.interval.numerator = 1000
        parameters.interval.denominator = round(fps * 1000)
        self.ask(k.S_PARM, parameters)
        return rate(parameters.interval)

    def set_control(self, control: Control, value: int) -> None:
        """Set a control.

        Raises:
            SourceError: the device refused.
        """
        self.ask(k.S_CTRL, k.ControlValue(control.id, value))

    def _read_about(self) -> About:
        found = self.ask(k.QUERYCAP, k.Capability())
        says = found.device_caps & k.SAYS_OF_NODE
        return About(
            text(found.card),
            text(found.driver),
            text(found.bus),
            int(found.node_caps if says else found.device_caps),
        )

    def has(self, request: int, about: Structure) -> bool:
        """Whether the kernel answers; a device need not have everything that can be asked for."""
        try:
            self.kernel.ask(self.descriptor, request, about)
        except OSError as error:
            if error.errno == errno.ENODEV:
                raise SourceError(f"{self.path} {explain(self.path, error)}") from error
            return False
        return True


def letters(fourcc: int) -> str:
    """Write a format's number as its four letters."""
    return "".join(chr(byte & 0x7F) for byte in fourcc.to_bytes(4, "little"))


def text(value: bytes) -> str:
    """Read a name; a driver may write what it likes."""
    return value.decode("utf-8", "replace")


def rate(interval: k.Fraction) -> float:
    """Pictures a second; 0 where there is no interval."""
    return float(interval.denominator / interval.numerator) if interval.numerator else 0.0


def _is_full_range(picture: k.PictureFormat) -> bool:
    """As V4L2_MAP_QUANTIZATION_DEFAULT has it, but for gray.

    Gray by default is what infrared cameras give, and they use all of it.
    """
    if picture.quantization:
        return bool(picture.quantization == k.FULL_RANGE)
    return picture.colorspace == k.COLORSPACE_JPEG or letters(picture.fourcc) == "GREY"
