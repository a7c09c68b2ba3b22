from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from structlog.testing import capture_logs

from camfleet_node.encoder import encode
from camfleet_node.settings.picamera2 import Picamera2Camera
from camfleet_node.sources import SettingError, SourceError, libcamera_stack
from camfleet_node.sources.libcamera_setup import BUFFERS
from camfleet_node.sources.libcamera_stack import load_stack
from camfleet_node.sources.libcamera_view import CameraView, look, pick, why_no_heap, why_none
from camfleet_node.sources.picamera2 import Picamera2Source
from camfleet_node.testing.picamera2 import FakeDevice, FakeRequest, FakeStack

MS = 1_000_000


def settings_of(**settings: Any) -> Picamera2Camera:  # noqa: ANN401 - settings are of any type
    return Picamera2Camera(source="picamera2", **({"encoder": "software"} | settings))


class Failing:
    """A Picamera2 class whose constructor fails."""

    def __init__(self, real: Any, error: Exception) -> None:  # noqa: ANN401 - it has no type
        self.global_camera_info = real.global_camera_info
        self._error = error

    def __call__(self, *_: object, **__: object) -> object:
        raise self._error


def open_on(machine: FakeStack, **settings: Any) -> Picamera2Source:  # noqa: ANN401 - the same
    return Picamera2Source(settings_of(**settings), "front", stack=machine.stack, timeout_s=30)


@pytest.fixture
def machine() -> FakeStack:
    return FakeStack(FakeDevice())


@pytest.fixture
def source(machine: FakeStack) -> Iterator[Picamera2Source]:
    source = open_on(machine)
    yield source
    source.close()


def levels(source: Picamera2Source, machine: FakeStack, count: int) -> list[int]:
    """Complete and read some pictures, and forget each."""
    seen = []
    for level in range(count):
        assert machine.camera.complete(level)
        picture = source.read()
        assert picture is not None
        seen.append(int(picture.image.y[0, 0]))
    return seen


# pictures


def test_a_picture_is_planes_in_the_cameras_own_memory(
    source: Picamera2Source, machine: FakeStack
) -> None:
    machine.camera.complete(120)
    picture = source.read()
    assert picture is not None
    assert picture.image.shape == (720, 1280, 3)
    assert (picture.image.y == 120).all()
    machine.camera.allocator.mapped_buffers["main0"][:1] = b"\x07"
    assert picture.image.y[0, 0] == 7


def test_the_small_picture_comes_with_it_in_the_same_proportions(
    source: Picamera2Source, machine: FakeStack
) -> None:
    machine.camera.complete(120)
    picture = source.read()
    assert picture is not None
    assert picture.preview is not None
    assert picture.preview.shape == (270, 480, 3)
    assert (picture.preview.y == 120).all()
    assert encode(picture.preview, 80).startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({"preview_width": 321, "width": 640, "height": 480}, (240, 320, 3)),
        ({"preview_width": 1920, "width": 320, "height": 240}, (240, 320, 3)),
    ],
)
def test_a_small_picture_has_even_sides_and_is_no_larger_than_the_large(
    machine: FakeStack, settings: dict[str, Any], shape: tuple[int, ...]
) -> None:
    source = open_on(machine, **settings)
    machine.camera.complete()
    picture = source.read()
    assert picture is not None
    assert picture.preview is not None
    assert picture.preview.shape == shape


def test_without_a_second_stream_there_is_no_small_picture() -> None:
    machine = FakeStack(FakeDevice(has_lores=False))
    source = open_on(machine)
    machine.camera.complete()
    picture = source.read()
    assert picture is not None
    assert picture.preview is None


def test_no_small_picture_is_made_that_nobody_asked_for(machine: FakeStack) -> None:
    source = open_on(machine, preview_width=0)
    machine.camera.complete()
    picture = source.read()
    assert picture is not None
    assert picture.preview is None
    assert machine.camera.streams["lores"] is None


def test_a_camera_that_interleaves_its_colours_will_do() -> None:
    machine = FakeStack(FakeDevice(layout="NV12"))
    source = open_on(machine)
    machine.camera.complete(90)
    picture = source.read()
    assert picture is not None
    assert (picture.image.u == 90).all()
    assert picture.image.u.shape == (360, 640)


def test_captured_is_when_the_exposure_began(source: Picamera2Source, machine: FakeStack) -> None:
    stamp_ns = time.monotonic_ns() - 100 * MS
    before_ns = time.time_ns()
    machine.camera.complete(SensorTimestamp=stamp_ns, ExposureTime=20_000)
    picture = source.read()
    assert picture is not None
    assert picture.capture_ns >= 120 * MS
    taken_ns = picture.captured_ns + picture.capture_ns
    assert before_ns - 1_000 * MS < taken_ns < time.time_ns() + 1_000 * MS


def test_the_newest_picture_is_read_and_the_others_are_counted(
    source: Picamera2Source, machine: FakeStack
) -> None:
    for level in (1, 2, 3):
        machine.camera.complete(level)
    picture = source.read()
    assert picture is not None
    assert (picture.image.y[0, 0], picture.passed_over) == (3, 2)
    machine.camera.complete(4)
    picture = source.read()
    assert picture is not None
    assert (picture.image.y[0, 0], picture.passed_over) == (4, 0)


def test_what_the_sensor_took_without_a_buffer_is_counted_too(
    source: Picamera2Source, machine: FakeStack
) -> None:
    for stamp_ms in (1000, 1133):
        machine.camera.complete(SensorTimestamp=stamp_ms * MS, FrameDuration=33_333)
        picture = source.read()
    assert picture is not None
    assert picture.passed_over == 3


# buffers


def test_a_buffer_goes_back_when_its_picture_is_forgotten(
    source: Picamera2Source, machine: FakeStack
) -> None:
    assert levels(source, machine, 50) == list(range(50))
    machine.camera.complete()
    assert len(machine.camera.free) >= BUFFERS - 2


@pytest.mark.parametrize(("buffers", "lendable"), [(BUFFERS, 4), (4, 1), (3, 0), (2, 0)])
def test_holding_every_picture_never_stalls_the_camera(buffers: int, lendable: int) -> None:
    machine = FakeStack(FakeDevice(buffers=buffers))
    source = open_on(machine)
    held = []
    for level in range(20):
        assert machine.camera.complete(level)
        held.append(source.read())
    pictures = [picture for picture in held if picture]
    assert [p.image.y[0, 0] for p in pictures] == list(range(20))
    assert [p.preview.y[0, 0] for p in pictures if p.preview] == list(range(20))
    assert [p.lease is not None for p in pictures] == [True] * lendable + [False] * (20 - lendable)


def test_after_being_held_too_long_buffers_are_lent_again(
    source: Picamera2Source, machine: FakeStack
) -> None:
    held = []
    for _ in range(BUFFERS):
        machine.camera.complete()
        held.append(source.read())
    held.clear()
    machine.camera.complete()
    picture = source.read()
    assert picture is not None
    assert picture.lease is not None


def test_nobody_who_reads_slowly_stalls_the_camera(
    source: Picamera2Source, machine: FakeStack
) -> None:
    assert all(machine.camera.complete(level) for level in range(100))
    picture = source.read()
    assert picture is not None
    assert picture.passed_over == 99


def test_a_plane_that_is_kept_alone_keeps_its_memory(
    source: Picamera2Source, machine: FakeStack
) -> None:
    machine.camera.complete(11)
    picture = source.read()
    assert picture is not None
    luma = picture.image.y
    del picture
    levels(source, machine, 20)
    assert (luma == 11).all()


def test_a_picture_outlives_its_camera(source: Picamera2Source, machine: FakeStack) -> None:
    machine.camera.complete(11)
    picture = source.read()
    source.close()
    assert picture is not None
    assert (picture.image.y == 11).all()


# opening


def test_the_camera_is_asked_for_what_a_jpeg_wants(machine: FakeStack) -> None:
    open_on(machine, width=1920, height=1080, fps=15)
    streams = machine.camera.streams
    assert streams["colour_space"] == "sYCC"
    assert streams["main"]["format"] == "YUV420"
    assert streams["raw"] is None
    assert machine.camera.set["FrameDurationLimits"] == (66_667, 66_667)


def test_flips_and_half_turns_are_left_to_the_sensor(machine: FakeStack) -> None:
    source = open_on(machine, flip="horizontal", rotate=180)
    assert vars(machine.camera.streams["transform"]) == {"hflip": 0, "vflip": 1}
    machine.camera.complete()
    picture = source.read()
    assert picture is not None
    assert picture.lease is not None


def test_what_the_sensor_cannot_flip_is_flipped_all_the_same() -> None:
    machine = FakeStack(FakeDevice(can_flip=False))
    source = open_on(machine, flip="horizontal")
    camera = machine.camera

    taken = camera.pre_callback
    assert taken is not None

    def paint(request: FakeRequest) -> None:
        camera.allocator.mapped_buffers["main0"][0] = 7
        taken(request)

    camera.pre_callback = paint
    camera.complete()
    picture = source.read()
    assert picture is not None
    assert picture.image.y[0, -1] == 7
    assert picture.lease is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exposure_us": 9}, "EXPOSURE_US: found 9, want 60 to 66666"),
        (
            {"width": 8000, "height": 720},
            "WIDTH: found 8000x720, want 4608x720, the nearest that this camera makes",
        ),
        (
            {"sensor_mode": "2304x1296:12"},
            "SENSOR_MODE: found 2304x1296:12, want 1536x864:10, 2304x1296:10, 4608x2592:10",
        ),
    ],
)
def test_what_the_camera_cannot_do_is_refused_and_the_camera_left_free(
    machine: FakeStack, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SettingError) as caught:
        open_on(machine, **settings)
    assert str(caught.value) == message
    assert machine.camera.is_closed
    assert not machine.devices[0].is_busy


def test_a_sensor_mode_that_is_there_is_taken(machine: FakeStack) -> None:
    open_on(machine, sensor_mode="1536x864:10")
    assert machine.camera.streams["sensor"] == {"output_size": (1536, 864), "bit_depth": 10}


def test_a_camera_of_other_formats_is_refused() -> None:
    machine = FakeStack(FakeDevice(layout="MJPEG"))
    with pytest.raises(SourceError, match="camera gives MJPEG, want YUV420 or NV12"):
        open_on(machine)
    assert machine.camera.is_closed


def test_a_busy_camera_is_told_and_never_half_opened() -> None:
    machine = FakeStack(FakeDevice(is_busy=True))
    wanted = "is busy: .*resource busy; want one that no other program or container uses"
    with pytest.raises(SourceError, match=wanted):
        open_on(machine)
    assert machine.opened == []


@pytest.mark.parametrize("error", [OSError("no bus"), IndexError("odd")])
def test_a_camera_that_does_not_start_is_left_free_and_its_sensor_as_it_was(
    error: Exception,
) -> None:
    machine = FakeStack(FakeDevice(start_error=error))
    with pytest.raises(SourceError, match=str(error)):
        open_on(machine, hdr="sensor")
    assert machine.camera.is_closed
    assert not machine.devices[0].is_busy
    assert machine.hdr == [True, False]


def test_a_heap_without_permission_is_told() -> None:
    machine = FakeStack(FakeDevice(), heap=PermissionError(13, "Permission denied"))
    with pytest.raises(SourceError, match=r"no memory for pictures: .*Permission denied.*dma_heap"):
        open_on(machine)
    assert machine.opened == []


def test_without_a_camera_libcamera_looks_again_the_next_time() -> None:
    machine = FakeStack()
    with pytest.raises(SourceError, match="libcamera sees no camera"):
        open_on(machine)
    assert machine.resets == 1


def test_an_error_of_picamera2_is_told_with_its_causes(machine: FakeStack) -> None:
    shallow, deep = RuntimeError("Camera __init__ sequence did not complete."), ValueError("deep")
    shallow.__cause__ = deep
    stack = machine.stack
    broken = replace(stack, picamera2=Failing(stack.picamera2, shallow))
    with pytest.raises(SourceError, match=r"camera 0 failed: Camera __init__ .*: deep$"):
        Picamera2Source(settings_of(), "front", stack=broken)


def test_hardware_that_is_asked_for_and_not_there_is_refused(machine: FakeStack) -> None:
    with pytest.raises(SettingError, match="ENCODER: found hardware, want software, for "):
        open_on(machine, encoder="hardware")
    assert machine.opened == []


def test_who_encodes_and_why_is_said_at_start(machine: FakeStack) -> None:
    with capture_logs() as logs:
        open_on(machine, encoder="auto")
    told = next(log for log in logs if log["event"] == "encoder chosen")
    assert (told["encoder"], told["camera"]) == ("software", "front")
    assert "/dev/video11" in told["because"]


def test_the_hdr_of_a_sensor_is_on_while_it_is_open(machine: FakeStack) -> None:
    source = open_on(machine, hdr="sensor")
    assert machine.hdr == [True]
    source.close()
    assert machine.hdr == [True, False]


def test_another_sensor_has_no_hdr() -> None:
    with pytest.raises(SettingError, match="HDR: found sensor, want a camera"):
        open_on(FakeStack(FakeDevice(model="imx219")), hdr="sensor")


@pytest.fixture
def no_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    """libcamera was not started yet."""
    monkeypatch.setattr(libcamera_stack, "_tunings", [])
    monkeypatch.setenv("LIBCAMERA_RPI_TUNING_FILE", "")  # so that it is put back


@pytest.mark.usefixtures("no_tuning")
def test_a_tuning_file_is_handed_to_libcamera(machine: FakeStack, tmp_path: Path) -> None:
    tuning = tmp_path / "imx708.json"
    tuning.write_text("{}")
    open_on(machine, tuning_file=tuning)
    assert os.environ["LIBCAMERA_RPI_TUNING_FILE"] == machine.camera.tuning == str(tuning)


@pytest.mark.usefixtures("no_tuning")
def test_cameras_of_one_node_share_their_tuning_file(machine: FakeStack, tmp_path: Path) -> None:
    tuning = tmp_path / "imx708.json"
    tuning.write_text("{}")
    open_on(machine)
    with pytest.raises(SettingError, match=r"TUNING_FILE: found .*json, want none, as for the"):
        open_on(machine, tuning_file=tuning)


@pytest.mark.usefixtures("no_tuning")
@pytest.mark.parametrize(
    ("text", "problem"), [(None, "No such file or directory, want a file"), ("{", "want JSON")]
)
def test_a_tuning_file_that_is_none_is_refused(
    machine: FakeStack, tmp_path: Path, text: str | None, problem: str
) -> None:
    tuning = tmp_path / "imx708.json"
    if text is not None:
        tuning.write_text(text)
    with pytest.raises(SettingError, match=f"TUNING_FILE: found {tuning}: .*{problem}"):
        open_on(machine, tuning_file=tuning)


# closing


def test_a_camera_that_gives_no_picture_is_an_error(machine: FakeStack) -> None:
    source = Picamera2Source(settings_of(), "front", stack=machine.stack, timeout_s=0.01)
    with pytest.raises(SourceError, match=r"gave no picture for 0\.01 s, want one that is plugged"):
        source.read()


def test_closing_ends_a_read_that_waits(source: Picamera2Source) -> None:
    pictures: list[object] = []
    reader = Thread(target=lambda: pictures.append(source.read()))
    reader.start()
    source.close()
    reader.join(30)
    assert pictures == [None]


def test_closing_twice_frees_the_camera_once(source: Picamera2Source, machine: FakeStack) -> None:
    machine.camera.complete()
    source.close()
    source.close()
    assert machine.camera.is_closed
    assert not machine.devices[0].is_busy
    assert source.read() is None


def test_closing_waits_for_no_other_thread_that_hangs_in_it(
    machine: FakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_on(machine)
    entered: list[Callable[[], None]] = []

    def hang() -> None:
        entered.append(source.close)
        source.close()  # as another thread would, while this one is inside

    monkeypatch.setattr(machine.camera, "close", hang)
    source.close()
    assert len(entered) == 1


# what is there


def cameras(*models: str) -> list[CameraView]:
    return [CameraView(n, model, f"/base/i2c@{n}/{model}") for n, model in enumerate(models)]


@pytest.mark.parametrize("wanted", ["1", "imx708", "IMX708", "/base/i2c@1/imx708"])
def test_a_camera_is_picked_by_number_model_or_id(wanted: str) -> None:
    assert pick(wanted, cameras("imx219", "imx708")).number == 1


def test_a_camera_that_is_not_there_is_told_with_those_that_are() -> None:
    wanted = r"CAMERA: found 2, want one that is there: 0 is imx219 at .*; 1 is imx708 at "
    with pytest.raises(SourceError, match=wanted) as caught:
        pick("2", cameras("imx219", "imx708"))
    assert not isinstance(caught.value, SettingError)


def test_a_model_that_is_there_twice_must_be_picked_otherwise() -> None:
    wanted = r"CAMERA: found imx708, want a number or an id, for there are several: 0 is .*; 2 is "
    with pytest.raises(SettingError, match=wanted):
        pick("imx708", cameras("imx708", "imx219", "imx708"))


def test_two_cameras_are_open_at_once() -> None:
    machine = FakeStack(FakeDevice(), FakeDevice(id="/base/i2c@2/imx219", model="imx219"))
    sources = [open_on(machine, camera="imx708"), open_on(machine, camera="imx219")]
    for source, camera, level in zip(sources, machine.opened, (10, 20), strict=True):
        camera.complete(level)
        picture = source.read()
        assert picture is not None
        assert picture.image.y[0, 0] == level


def test_the_doctor_sees_cameras_with_controls_and_modes() -> None:
    view = look(FakeStack(FakeDevice()).stack)
    assert view.problem == ""
    (camera,) = view.cameras
    assert (camera.number, camera.model, camera.location) == (0, "imx708", "external")
    assert camera.modes == ("1536x864:10", "2304x1296:10", "4608x2592:10")
    exposure = next(control for control in camera.controls if control.name == "ExposureTime")
    assert (exposure.low, exposure.high, exposure.default) == (60, 66_666, 20_000)


def test_the_doctor_is_told_that_there_is_no_camera() -> None:
    view = look(FakeStack().stack)
    assert view.cameras == ()
    assert "want" in view.problem


def test_the_doctor_survives_a_libcamera_that_fails() -> None:
    machine = FakeStack(FakeDevice())
    stack = machine.stack
    broken = replace(stack, libcamera=None)
    assert look(broken).problem.startswith("libcamera failed: AttributeError: ")


def test_why_there_is_no_camera_is_told_with_the_remedy(tmp_path: Path) -> None:
    assert why_none(tmp_path).startswith(f"found no {tmp_path}/media*, want the camera's devices")
    (tmp_path / "media0").touch()
    assert "want a camera that is plugged in on both ends" in why_none(tmp_path)
    assert why_no_heap(tmp_path).startswith(f"found none of {tmp_path}/dma_heap/vidbuf_cached")


@pytest.mark.skipif("picamera2" in sys.modules, reason="picamera2 is there")
def test_a_machine_without_picamera2_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match="want the node's container image, or `apt install"):
        load_stack()
    assert "python3-picamera2" in look().problem
