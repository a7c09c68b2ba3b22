"""What Linux is asked of a video device, as linux/videodev2.h lays it out. It decides nothing.

Written here, a few structures, because the library that has them (linuxpy) is under the GPL, which
does not suit a library under MIT, and OpenCV tells neither what a device has nor why it refuses.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from ctypes import (
    Structure,
    Union,
    c_char,
    c_int32,
    c_int64,
    c_long,
    c_uint8,
    c_uint32,
    c_ulong,
    c_void_p,
    sizeof,
)
from typing import Final, Protocol

CAPTURE: Final = 1  # enum v4l2_buf_type: pictures, each in one piece of memory
MMAP: Final = 1  # enum v4l2_memory: in the driver's own buffers
DISCRETE: Final = 1  # enum v4l2_frmsizetypes, and of intervals

CAN_CAPTURE: Final = 0x1
CAN_CAPTURE_PLANES: Final = 0x1000  # each picture in several pieces, as in phones' chips
CAN_GIVE_METADATA: Final = 0x80_0000
CAN_STREAM: Final = 0x400_0000
SAYS_OF_NODE: Final = 0x8000_0000  # `node_caps` is filled in
CAN_SET_RATE: Final = 0x1000  # of StreamParameters

IS_BROKEN: Final = 0x40  # flags of a buffer
CLOCK_MASK: Final = 0xE000
CLOCK_MONOTONIC: Final = 0x2000
AT_START_OF_EXPOSURE: Final = 0x1_0000

COLORSPACE_JPEG: Final = 7
FULL_RANGE: Final = 1

IS_DISABLED: Final = 0x1  # flags of a control
IS_READ_ONLY: Final = 0x4
RULES_OTHERS: Final = 0x8
IS_INACTIVE: Final = 0x10
NEXT_CONTROL: Final = 0x8000_0000


class Capability(Structure):
    """Answer of QUERYCAP."""

    _fields_ = (
        ("driver", c_char * 16),
        ("card", c_char * 32),
        ("bus", c_char * 32),
        ("version", c_uint32),
        ("device_caps", c_uint32),
        ("node_caps", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class FormatDescription(Structure):
    """One of ENUM_FMT."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("flags", c_uint32),
        ("description", c_char * 32),
        ("fourcc", c_uint32),
        ("mbus_code", c_uint32),
        ("reserved", c_uint32 * 3),
    )


class SizeSteps(Structure):
    """Sizes from the least to the most; of a discrete one only the first two fields, as w, h."""

    _fields_ = tuple(
        (name, c_uint32)
        for name in (
            "least_width",
            "most_width",
            "step_width",
            "least_height",
            "most_height",
            "step_height",
        )
    )


class FrameSize(Structure):
    """One of ENUM_FRAMESIZES."""

    _fields_ = (
        ("index", c_uint32),
        ("fourcc", c_uint32),
        ("type", c_uint32),
        ("steps", SizeSteps),
        ("reserved", c_uint32 * 2),
    )


class Fraction(Structure):
    """Seconds between two pictures."""

    _fields_ = (("numerator", c_uint32), ("denominator", c_uint32))


class FrameInterval(Structure):
    """One of ENUM_FRAMEINTERVALS; of a discrete one only `least` counts."""

    _fields_ = (
        ("index", c_uint32),
        ("fourcc", c_uint32),
        ("width", c_uint32),
        ("height", c_uint32),
        ("type", c_uint32),
        ("least", Fraction),
        ("most", Fraction),
        ("step", Fraction),
        ("reserved", c_uint32 * 2),
    )


class PictureFormat(Structure):
    """struct v4l2_pix_format."""

    _fields_ = (
        ("width", c_uint32),
        ("height", c_uint32),
        ("fourcc", c_uint32),
        ("field", c_uint32),
        ("stride", c_uint32),
        ("size_bytes", c_uint32),
        ("colorspace", c_uint32),
        ("priv", c_uint32),
        ("flags", c_uint32),
        ("ycbcr", c_uint32),
        ("quantization", c_uint32),
        ("transfer", c_uint32),
    )


class _FormatUnion(Union):
    _fields_ = (("picture", PictureFormat), ("raw", c_uint8 * 200), ("align", c_void_p))


class Format(Structure):
    """Of G_FMT and S_FMT."""

    _fields_ = (("type", c_uint32), ("of", _FormatUnion))


class StreamParameters(Structure):
    """Of G_PARM and S_PARM, as far as capturing goes."""

    _fields_ = (
        ("type", c_uint32),
        ("capability", c_uint32),
        ("mode", c_uint32),
        ("interval", Fraction),
        ("rest", c_uint8 * 184),
    )


class BufferRequest(Structure):
    """Of REQBUFS."""

    _fields_ = (
        ("count", c_uint32),
        ("type", c_uint32),
        ("memory", c_uint32),
        ("capabilities", c_uint32),
        ("flags", c_uint32),
    )


class _TimeCode(Structure):
    _fields_ = (("type", c_uint32), ("flags", c_uint32), ("rest", c_uint8 * 8))


class _Place(Union):
    _fields_ = (("offset", c_uint32), ("pointer", c_ulong))


class Buffer(Structure):
    """Of QUERYBUF, QBUF and DQBUF."""

    _fields_ = (
        ("index", c_uint32),
        ("type", c_uint32),
        ("used_bytes", c_uint32),
        ("flags", c_uint32),
        ("field", c_uint32),
        ("seconds", c_long),
        ("microseconds", c_long),
        ("timecode", _TimeCode),
        ("sequence", c_uint32),
        ("memory", c_uint32),
        ("place", _Place),
        ("length", c_uint32),
        ("reserved", c_uint32),
        ("request", c_int32),
    )


class ControlQuery(Structure):
    """Of QUERYCTRL."""

    _fields_ = (
        ("id", c_uint32),
        ("type", c_uint32),
        ("name", c_char * 32),
        ("least", c_int32),
        ("most", c_int32),
        ("step", c_int32),
        ("default", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32 * 2),
    )


class _MenuItem(Union):
    _pack_ = 1
    _fields_ = (("name", c_char * 32), ("value", c_int64))


class MenuQuery(Structure):
    """Of QUERYMENU."""

    _pack_ = 1
    _fields_ = (("id", c_uint32), ("index", c_uint32), ("item", _MenuItem), ("reserved", c_uint32))


class ControlValue(Structure):
    """Of S_CTRL."""

    _fields_ = (("id", c_uint32), ("value", c_int32))


class Switch(Structure):
    """Of STREAMON and STREAMOFF: an int by itself."""

    _fields_ = (("type", c_uint32),)


_WRITES, _READS = 1, 2


def _number(direction: int, number: int, about: type[Structure]) -> int:
    """_IOC of asm-generic/ioctl.h."""
    return direction << 30 | sizeof(about) << 16 | ord("V") << 8 | number


QUERYCAP: Final = _number(_READS, 0, Capability)
ENUM_FMT: Final = _number(_READS | _WRITES, 2, FormatDescription)
G_FMT: Final = _number(_READS | _WRITES, 4, Format)
S_FMT: Final = _number(_READS | _WRITES, 5, Format)
REQBUFS: Final = _number(_READS | _WRITES, 8, BufferRequest)
QUERYBUF: Final = _number(_READS | _WRITES, 9, Buffer)
QBUF: Final = _number(_READS | _WRITES, 15, Buffer)
DQBUF: Final = _number(_READS | _WRITES, 17, Buffer)
STREAMON: Final = _number(_WRITES, 18, Switch)
STREAMOFF: Final = _number(_WRITES, 19, Switch)
G_PARM: Final = _number(_READS | _WRITES, 21, StreamParameters)
S_PARM: Final = _number(_READS | _WRITES, 22, StreamParameters)
S_CTRL: Final = _number(_READS | _WRITES, 28, ControlValue)
QUERYCTRL: Final = _number(_READS | _WRITES, 36, ControlQuery)
QUERYMENU: Final = _number(_READS | _WRITES, 37, MenuQuery)
ENUM_FRAMESIZES: Final = _number(_READS | _WRITES, 74, FrameSize)
ENUM_FRAMEINTERVALS: Final = _number(_READS | _WRITES, 75, FrameInterval)


class Kernel(Protocol):
    """Linux's side of a video device. All raise OSError."""

    def open(self, path: str) -> int:
        """Open for reading and writing; return a descriptor that never blocks."""
        ...

    def ask(self, descriptor: int, request: int, about: Structure) -> None:
        """Do one ioctl; the answer is written into `about`."""
        ...

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        """Map one of the driver's buffers."""
        ...


class Linux:
    """The kernel that this program runs on."""

    def open(self, path: str) -> int:
        """Open for reading and writing; return a descriptor that never blocks."""
        return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def ask(self, descriptor: int, request: int, about: Structure) -> None:
        """Do one ioctl; the answer is written into `about`."""
        while True:
            try:
                fcntl.ioctl(descriptor, request, about)
            except InterruptedError:
                continue
            return

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        """Map one of the driver's buffers."""
        return mmap.mmap(descriptor, length, offset=offset)
