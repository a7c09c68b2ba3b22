"""The V4L2 source on a kernel that is played, so that no device is needed."""

from __future__ import annotations

import errno
import mmap
import os
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from ctypes import Structure, addressof, memmove, sizeof
from pathlib import Path
from threading import Thread
from typing import Any

import cv2
import numpy as np
import pytest
from tests.unit.polling import DEADLINE_S, until

from camfleet_node.settings.v4l2 import V4L2Camera
from camfleet_node.sources.picture import (
    Content,
    Jpeg,
    Picture,
    Planes,
    SettingError,
    SourceError,
)
from camfleet_node.sources.v4l2 import V4L2Source
from camfleet_node.sources.v4l2 import kernel as k
from camfleet_node.sources.v4l2_view import look

Formats = dict[str, dict[tuple[int, int], tuple[float, ...]]]
USUAL: Formats = {"MJPG": {(1280, 720): (30, 15), (640, 480): (30,)}, "YUYV": {(640, 480): (30,)}}
CAMERA = k.CAN_CAPTURE | k.CAN_STREAM
BROKEN = b"\xff\xd8 and then nothing"


def picture(width: int = 1280, height: int = 720) -> bytes:
    encoded, data = cv2.imencode(".jpg", np.full((height, width, 3), 90, np.uint8))
    assert encoded
    return data.tobytes()


def packed(width: int = 640, height: int = 480) -> bytes:
    return bytes((81, 90, 81, 240)) * (width * height // 2)  # red, as BT.601 has it


class FakeKernel:
    """A kernel with one camera, whose pictures come when the test says so."""

    def __init__(self, formats: Formats) -> None:
        self.formats = formats
        self.abilities = CAMERA
        self.controls: list[k.ControlQuery] = []
        self.menus: dict[tuple[int, int], bytes] = {}
        self.set_to: dict[int, int] = {}
        self.refusals: dict[int, int] = {}  # error numbers by request
        self.open_error = 0
        self.gives_fps: float | None = None
        self.quantization = 0
        self.sequence = 0
        self.buffers: list[mmap.mmap] = []
        self.queued: deque[int] = deque()
        self.filled: deque[tuple[int, int, int, int, int]] = deque()
        self.is_streaming = False
        self.opened = self.descriptor = -1
        self.format = ("", 0, 0)

    # What the source sees.

    def open(self, path: str) -> int:
        if self.open_error:
            raise OSError(self.open_error, os.strerror(self.open_error), path)
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_SEMAPHORE)
        return self.descriptor

    def map(self, descriptor: int, length: int, offset: int) -> mmap.mmap:
        del descriptor
        self.buffers.append(mmap.mmap(-1, length))
        assert offset == 4096 * len(self.buffers)
        return self.buffers[-1]

    def ask(self, descriptor: int, request: int, about: Structure) -> None:
        assert descriptor == self.descriptor
        if request in self.refusals:
            self.fail(self.refusals[request])
        answers: dict[int, Callable[[Any], None]] = {
            k.QUERYCAP: self.tell_abilities,
            k.ENUM_FMT: self.tell_format,
            k.ENUM_FRAMESIZES: self.tell_size,
            k.ENUM_FRAMEINTERVALS: self.tell_rate,
            k.QUERYCTRL: self.tell_control,
            k.QUERYMENU: self.tell_menu,
            k.S_CTRL: self.set_control,
            k.S_FMT: self.set_format,
            k.G_FMT: self.get_format,
            k.G_PARM: self.get_rate,
            k.S_PARM: self.set_rate,
            k.REQBUFS: self.request_buffers,
            k.QUERYBUF: self.tell_buffer,
            k.QBUF: lambda buffer: self.queued.append(buffer.index),
            k.DQBUF: self.give_buffer,
            k.STREAMON: lambda _: setattr(self, "is_streaming", True),
            k.STREAMOFF: lambda _: setattr(self, "is_streaming", False),
        }
        answers[request](about)

    # What the test does.

    def capture(self, data: bytes, flags: int = 0, stamp_ns: int | None = None) -> None:
        """Fill a buffer, or drop the picture for want of one."""
        number, self.sequence = self.sequence, self.sequence + 1
        if not self.queued:
            return
        index = self.queued.popleft()
        self.buffers[index][: len(data)] = data
        stamp_ns = time.monotonic_ns() if stamp_ns is None else stamp_ns
        self.filled.append((index, len(data), number, flags | k.CLOCK_MONOTONIC, stamp_ns))
        os.eventfd_write(self.descriptor, 1)

    def unplug(self) -> None:
        self.refusals = dict.fromkeys((k.DQBUF, k.QBUF, k.STREAMOFF, k.REQBUFS), errno.ENODEV)
        os.eventfd_write(self.descriptor, 1)

    def add_control(self, name: str, kind: int, bounds: tuple[int, int], flags: int = 0) -> int:
        least, most = bounds
        number = 0x980900 + len(self.controls)
        self.controls.append(
            k.ControlQuery(number, kind, name.encode(), least, most, 1, least, flags)
        )
        return number

    # Its answers.

    def fail(self, number: int) -> None:
        raise OSError(number, os.strerror(number))

    def tell_abilities(self, found: k.Capability) -> None:
        found.driver, found.card, found.bus = b"uvcvideo", b"HD Webcam", b"usb-1.2"
        found.device_caps = k.SAYS_OF_NODE | CAMERA | k.CAN_GIVE_METADATA
        found.node_caps = self.abilities

    def tell_format(self, found: k.FormatDescription) -> None:
        if found.index >= len(self.formats):
            self.fail(errno.EINVAL)
        found.fourcc = fourcc_of(list(self.formats)[found.index])

    def tell_size(self, found: k.FrameSize) -> None:
        sizes = list(self.formats[letters_of(found.fourcc)])
        if found.index >= len(sizes):
            self.fail(errno.EINVAL)
        found.type = k.DISCRETE
        found.steps.least_width, found.steps.most_width = sizes[found.index]

    def tell_rate(self, found: k.FrameInterval) -> None:
        rates = self.formats[letters_of(found.fourcc)].get((found.width, found.height), ())
        if found.index >= len(rates):
            self.fail(errno.EINVAL)
        found.type = k.DISCRETE
        found.least.numerator = 1000
        found.least.denominator = round(rates[found.index] * 1000)

    def tell_control(self, found: k.ControlQuery) -> None:
        after = found.id & ~k.NEXT_CONTROL
        for control in self.controls:
            if control.id > after:
                memmove(addressof(found), addressof(control), sizeof(control))
                return
        self.fail(errno.EINVAL)

    def tell_menu(self, found: k.MenuQuery) -> None:
        if (found.id, found.index) not in self.menus:
            self.fail(errno.EINVAL)
        found.item.name = self.menus[found.id, found.index]

    def set_control(self, wanted: k.ControlValue) -> None:
        ruling = [control.id for control in self.controls if control.flags & k.RULES_OTHERS]
        ruled = [control.id for control in self.controls if control.flags & k.IS_INACTIVE]
        if wanted.id in ruled and not set(ruling) & set(self.set_to):
            self.fail(errno.EACCES)
        self.set_to[wanted.id] = wanted.value

    def set_format(self, wanted: k.Format) -> None:
        found = wanted.of.picture
        self.format = (letters_of(found.fourcc), found.width, found.height)

    def get_format(self, found: k.Format) -> None:
        picture = found.of.picture
        fourcc, picture.width, picture.height = self.format
        picture.fourcc = fourcc_of(fourcc)
        picture.quantization = self.quantization

    def get_rate(self, found: k.StreamParameters) -> None:
        found.capability = k.CAN_SET_RATE

    def set_rate(self, wanted: k.StreamParameters) -> None:
        if self.gives_fps:
            wanted.interval.numerator = 1000
            wanted.interval.denominator = round(self.gives_fps * 1000)

    def request_buffers(self, wanted: k.BufferRequest) -> None:
        wanted.count = min(wanted.count, 4)

    def tell_buffer(self, found: k.Buffer) -> None:
        found.length = 2 << 20
        found.place.offset = 4096 * (found.index + 1)

    def give_buffer(self, found: k.Buffer) -> None:
        if not self.filled:
            self.fail(errno.EAGAIN)
        os.eventfd_read(self.descriptor)
        found.index, found.used_bytes, found.sequence, found.flags, stamp_ns = self.filled.popleft()
        found.seconds, found.microseconds = divmod(stamp_ns // 1000, 1_000_000)


def fourcc_of(letters: str) -> int:
    return int(struct.unpack("<I", letters.encode())[0])


def letters_of(fourcc: int) -> str:
    return struct.pack("<I", fourcc).decode()


@pytest.fixture
def kernel() -> FakeKernel:
    return FakeKernel(USUAL)


Opens = Callable[..., V4L2Source]


@pytest.fixture
def opens(kernel: FakeKernel) -> Iterator[Opens]:
    """Open a source on the fake kernel by settings; it is closed in the end."""
    sources: list[V4L2Source] = []

    def opened(timeout_s: float | None = DEADLINE_S, **settings: object) -> V4L2Source:
        model = V4L2Camera.model_validate({"source": "v4l2", **settings})
        sources.append(V4L2Source(model, kernel=kernel, timeout_s=timeout_s))
        return sources[-1]

    yield opened
    for source in sources:
        source.close()


def read(source: V4L2Source) -> Picture[Content]:
    found = source.read()
    assert found is not None
    return found


def test_the_requests_are_those_of_the_kernels_header() -> None:
    # On every architecture with 64 bits that is not Alpha, MIPS, PowerPC or SPARC.
    assert [k.QUERYCAP, k.S_FMT, k.QUERYBUF, k.QUERYCTRL, k.QUERYMENU, k.ENUM_FRAMEINTERVALS] == [
        0x80685600,
        0xC0D05605,
        0xC0585609,
        0xC0445624,
        0xC02C5625,
        0xC034564B,
    ]
    assert (k.STREAMON, k.S_PARM, k.REQBUFS) == (0x40045612, 0xC0CC5616, 0xC0145608)
    assert (k.Buffer.sequence.offset, k.Buffer.length.offset) == (56, 72)


def test_mjpeg_goes_through_as_it_comes(kernel: FakeKernel, opens: Opens) -> None:
    source, jpeg = opens(), picture()
    kernel.capture(jpeg)
    found = read(source).image
    assert isinstance(found, Jpeg)
    assert (found.data, found.shape, source.fourcc) == (jpeg, (720, 1280, 3), "MJPG")


def test_yuyv_becomes_planes_in_the_range_of_jpeg(kernel: FakeKernel, opens: Opens) -> None:
    source = opens(width=640, height=480, format="yuyv")
    kernel.capture(packed())
    found = read(source).image
    assert isinstance(found, Planes)
    assert found.shape == (480, 640, 3)
    assert [int(plane[0, 0]) for plane in (found.y, found.u, found.v)] == [76, 85, 255]


def test_the_range_is_asked_after_the_controls_that_may_change_it(
    kernel: FakeKernel, opens: Opens
) -> None:
    kernel.quantization = k.FULL_RANGE
    source = opens(width=640, height=480, format="yuyv")
    kernel.capture(packed())
    found = read(source).image
    assert isinstance(found, Planes)
    assert int(found.y[0, 0]) == 81


def test_the_newest_picture_wins_and_the_others_are_counted(
    kernel: FakeKernel, opens: Opens
) -> None:
    source = opens()
    for _ in range(3):
        kernel.capture(picture())
    assert read(source).passed_over == 2
    assert len(kernel.queued) == 4


def test_of_full_buffers_none_is_handed_over(kernel: FakeKernel, opens: Opens) -> None:
    source = opens()
    for _ in range(9):  # four find a buffer
        kernel.capture(picture())
    found: list[Picture[Content]] = []
    reader = Thread(target=read_into, args=(source, found))
    reader.start()
    until(lambda: len(kernel.queued) == 4)
    kernel.capture(picture())
    reader.join(DEADLINE_S)
    assert [picture.passed_over for picture in found] == [9]


def test_time_is_from_the_start_of_exposure(kernel: FakeKernel, opens: Opens) -> None:
    source = opens(fps=15)
    earliest_ns = time.time_ns() - 30_000_000  # 10 ms for what conversion costs
    stamp_ns = time.monotonic_ns() - 20_000_000
    latest_ns = time.time_ns() - 10_000_000
    kernel.capture(picture(), k.AT_START_OF_EXPOSURE, stamp_ns)
    found = read(source)
    assert earliest_ns < found.captured_ns < latest_ns
    assert found.capture_ns >= 20_000_000
    kernel.capture(picture(), 0, stamp_ns)  # stamped at its end: it began an interval before
    assert earliest_ns < read(source).captured_ns + 66_666_667 < latest_ns


@pytest.mark.parametrize("off_ns", [-3_600_000_000_000, 60_000_000_000])
def test_a_stamp_of_another_clock_is_none(kernel: FakeKernel, opens: Opens, off_ns: int) -> None:
    source = opens()
    begun_ns = time.time_ns()
    stamp_ns = max(0, time.monotonic_ns() + off_ns)
    kernel.capture(picture(), k.AT_START_OF_EXPOSURE, stamp_ns)
    assert begun_ns - 1_000_000_000 < read(source).captured_ns <= time.time_ns()


def test_broken_pictures_are_passed_over_and_counted(kernel: FakeKernel, opens: Opens) -> None:
    source = opens()
    found: list[Picture[Content]] = []
    reader = Thread(target=read_into, args=(source, found))
    reader.start()
    for number, (data, flags) in enumerate([(BROKEN, 0), (picture(), k.IS_BROKEN)], 1):
        kernel.capture(data, flags)
        until(lambda number=number: source.broken == number)  # type: ignore[misc]
    kernel.capture(picture())
    reader.join(DEADLINE_S)
    assert [picture.passed_over for picture in found] == [2]
    assert len(kernel.queued) == 4


def test_a_camera_that_gives_only_broken_pictures_has_failed(
    kernel: FakeKernel, opens: Opens
) -> None:
    source = opens(timeout_s=0.2)
    kernel.capture(BROKEN)
    with pytest.raises(SourceError, match=r"gave no whole picture for 0\.2 s: JPEG is"):
        source.read()


def test_a_camera_that_gives_nothing_has_failed(opens: Opens) -> None:
    with pytest.raises(SourceError, match=r"/dev/video0 gave no picture for 0\.1 s"):
        opens(timeout_s=0.1).read()


def test_closing_ends_a_read_that_waits(opens: Opens) -> None:
    source = opens()
    reader = Thread(target=read_into, args=(source, []))
    reader.start()
    source.close()
    reader.join(DEADLINE_S / 2)
    assert not reader.is_alive()
    source.close()
    assert source.read() is None


def test_closing_frees_the_device(kernel: FakeKernel, opens: Opens) -> None:
    source = opens()
    states = [kernel.is_streaming]
    source.close()
    assert [*states, kernel.is_streaming] == [True, False]
    assert all(buffer.closed for buffer in kernel.buffers)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kernel.descriptor)


def test_an_error_that_still_holds_a_picture_does_not_keep_the_device(
    kernel: FakeKernel, opens: Opens
) -> None:
    source = opens()
    kernel.capture(picture())
    views: list[memoryview] = [memoryview(buffer)[:8] for buffer in kernel.buffers]
    source.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kernel.descriptor)
    del views


def test_unplugging_is_told_and_closing_still_works(kernel: FakeKernel, opens: Opens) -> None:
    source = opens()
    kernel.unplug()
    with pytest.raises(SourceError, match="/dev/video0 was unplugged"):
        source.read()
    source.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kernel.descriptor)


@pytest.mark.parametrize("request_", [k.S_FMT, k.REQBUFS, k.STREAMON])
def test_a_busy_device_is_told_and_left_alone(
    kernel: FakeKernel, opens: Opens, request_: int
) -> None:
    kernel.add_control("Brightness", 1, (0, 255))
    kernel.refusals[request_] = errno.EBUSY
    with pytest.raises(SourceError, match="/dev/video0 is in use by another program"):
        opens(controls={"brightness": 3})
    assert bool(kernel.set_to) == (request_ != k.S_FMT)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(kernel.descriptor)


@pytest.mark.parametrize(
    ("number", "found"),
    [
        (errno.ENOENT, "/dev/video0 is not there; there "),
        (errno.EPERM, "its container was not given it; list it in `devices`"),
        (errno.ENXIO, "/dev/video0 has no device behind it"),
        (errno.EIO, "/dev/video0 failed: Input/output error"),
    ],
)
def test_a_device_that_cannot_be_opened_says_why(
    kernel: FakeKernel, opens: Opens, number: int, found: str
) -> None:
    kernel.open_error = number
    with pytest.raises(SourceError, match=found):
        opens()


def test_no_permission_names_the_group_that_has_it(
    kernel: FakeKernel, opens: Opens, tmp_path: Path
) -> None:
    device = tmp_path / "video0"
    device.touch()
    device.chmod(0o660)
    kernel.open_error = errno.EACCES
    want = f"want read and write for user {os.getuid()}, as members of the group .*{os.getgid()}"
    with pytest.raises(SourceError, match=want):
        opens(device=str(device))


def test_a_file_that_is_no_device_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.touch()
    with pytest.raises(SourceError, match=r"notes.txt is no V4L2 device"):
        V4L2Source(V4L2Camera.model_validate({"source": "v4l2", "device": str(path)}))


@pytest.mark.parametrize(
    ("abilities", "found"),
    [
        (k.CAN_GIVE_METADATA, "gives metadata of HD Webcam, no pictures"),
        (k.CAN_CAPTURE_PLANES | k.CAN_STREAM, "in several pieces of memory, want one"),
        (2, "is HD Webcam by uvcvideo: gives no pictures"),
    ],
)
def test_a_node_that_is_no_camera_is_told(
    kernel: FakeKernel, opens: Opens, abilities: int, found: str
) -> None:
    kernel.abilities = abilities
    with pytest.raises(SourceError, match=found):
        opens()


def test_what_the_device_has_not_is_told_with_what_it_has(opens: Opens) -> None:
    with pytest.raises(SettingError) as caught:
        opens(width=1920, height=1080)
    assert str(caught.value) == (
        "WIDTH: found 1920x1080, want what it has: MJPG 1280x720 30, 15 fps; "
        "MJPG 640x480 30 fps; YUYV 640x480 30 fps"
    )


def test_a_rate_that_it_did_not_take_is_told(kernel: FakeKernel, opens: Opens) -> None:
    kernel.gives_fps = 25
    with pytest.raises(SettingError, match="FPS: found 30, want 25"):
        opens()


def test_controls_that_rule_others_are_set_first(kernel: FakeKernel, opens: Opens) -> None:
    exposure = kernel.add_control("Exposure (Absolute)", 1, (3, 2047), k.IS_INACTIVE)
    auto = kernel.add_control("Exposure, Auto", 3, (0, 3), k.RULES_OTHERS)
    kernel.menus = {(auto, 1): b"Manual Mode", (auto, 3): b"Aperture Priority Mode"}
    opens(controls={"exposure_absolute": 200, "exposure_auto": 1})
    assert kernel.set_to == {auto: 1, exposure: 200}


def test_a_control_that_another_rules_is_told(kernel: FakeKernel, opens: Opens) -> None:
    kernel.add_control("Exposure (Absolute)", 1, (3, 2047), k.IS_INACTIVE)
    with pytest.raises(SourceError, match=r"exposure_absolute is not .* another control rules it"):
        opens(controls={"exposure_absolute": 200})


@pytest.mark.parametrize(
    ("controls", "found"),
    [
        ({"brightnes": 1}, "CONTROLS: found brightnes, want brightness"),
        ({"brightness": 300}, "CONTROLS: found brightness=300, want 0 to 255"),
        ({"power_line": 7}, "CONTROLS: found power_line=7, want 0 = Disabled, 1 = 50 Hz"),
        ({"temperature": 5}, "CONTROLS: found temperature, want brightness, power_line"),
    ],
)
def test_a_wrong_control_is_told_with_what_there_is(
    kernel: FakeKernel, opens: Opens, controls: dict[str, int], found: str
) -> None:
    kernel.add_control("Brightness", 1, (0, 255))
    line = kernel.add_control("Power Line", 3, (0, 2))
    kernel.add_control("Temperature", 1, (0, 99), k.IS_READ_ONLY)
    kernel.menus = {(line, 0): b"Disabled", (line, 1): b"50 Hz"}
    with pytest.raises(SettingError, match=found):
        opens(controls=controls)


def test_doctor_sees_formats_and_controls_in_text(kernel: FakeKernel) -> None:
    kernel.add_control("Brightness", 1, (0, 255))
    (view,) = look(["/dev/video7"], kernel)
    assert (view.path, view.name, view.driver) == ("/dev/video7", "HD Webcam", "uvcvideo")
    assert view.formats[0] == "MJPG 1280x720 30, 15 fps"
    assert view.controls == ("brightness 0 to 255 (0)",)
    assert not view.problem


def test_doctor_sees_why_a_device_is_of_no_use(kernel: FakeKernel) -> None:
    kernel.abilities = k.CAN_GIVE_METADATA
    assert "metadata" in look(["/dev/video1"], kernel)[0].problem
    kernel.open_error = errno.EACCES
    assert "may not be opened" in look(["/dev/video1"], kernel)[0].problem


def read_into(source: V4L2Source, found: list[Picture[Content]]) -> None:
    picture = source.read()
    if picture is not None:
        found.append(picture)
