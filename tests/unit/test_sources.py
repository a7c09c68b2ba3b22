from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray

from camfleet import timecode
from camfleet_node.sources import FileSource, OpenCVSource, Pacer, Source, SourceError
from camfleet_node.sources import SyntheticSource as Synthetic

FOOTAGE = Path(__file__).parents[3] / "shared" / "media" / "vtest.avi"
NOW_NS = 1_790_000_000_123_456_789


class FakeClock:
    """Time that passes only while somebody waits, or when the test says so."""

    def __init__(self) -> None:
        self.now_ns = 5_000_000_000
        self.waits_s: list[float] = []

    def now(self) -> int:
        return self.now_ns

    def wait(self, timeout_s: float) -> bool:
        self.waits_s.append(timeout_s)
        self.now_ns += round(timeout_s * 1e9)
        return False

    def pacer(self, fps: float = 10.0) -> Pacer:
        return Pacer(fps, now_ns=self.now, wait=self.wait)


def flat(level: int) -> NDArray[np.uint8]:
    return np.full((48, 64, 3), level, np.uint8)


def write_video(path: Path, levels: range, fps: float = 12.0) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    for level in levels:
        writer.write(flat(level))
    writer.release()
    return path


def write_pictures(folder: Path, levels: dict[str, int]) -> Path:
    for name, level in levels.items():
        assert cv2.imwrite(str(folder / name), flat(level))
    return folder


def read_levels(source: Source, count: int) -> list[int]:
    """Read the gray levels of some pictures, to the nearest ten, for JPEG is not exact."""
    pictures = [source.read() for _ in range(count)]
    images = [p.image for p in pictures if p is not None]
    return [10 * round(i.mean() / 10) for i in images if isinstance(i, np.ndarray)]


# pacer


def test_the_first_picture_is_due_at_once() -> None:
    clock = FakeClock()
    assert clock.pacer().wait()
    assert clock.waits_s == []


def test_pictures_are_due_one_interval_apart() -> None:
    clock = FakeClock()
    pacer = clock.pacer(10)
    for _ in range(4):
        pacer.wait()
    assert clock.waits_s == pytest.approx([0.1, 0.1, 0.1])


def test_a_rate_whose_interval_is_no_whole_number_of_ns_does_not_drift() -> None:
    clock = FakeClock()
    pacer = clock.pacer(30_000 / 1001)
    for _ in range(30_001):
        pacer.wait()
    assert clock.now_ns - 5_000_000_000 == 1_001_000_000_000


def test_work_between_pictures_does_not_slow_the_rate() -> None:
    clock = FakeClock()
    pacer = clock.pacer(10)
    for _ in range(11):
        pacer.wait()
        clock.now_ns += 70_000_000
    assert clock.now_ns == 5_000_000_000 + 1_000_000_000 + 70_000_000


def test_a_little_late_is_caught_up_on_the_grid() -> None:
    clock = FakeClock()
    pacer = clock.pacer(10)
    pacer.wait()
    clock.now_ns += 150_000_000
    pacer.wait()
    pacer.wait()
    assert clock.waits_s == pytest.approx([0.05])


def test_missed_deadlines_are_skipped_rather_than_caught_up_in_a_burst() -> None:
    clock = FakeClock()
    pacer = clock.pacer(10)
    pacer.wait()
    clock.now_ns += 2_030_000_000
    pacer.wait()
    pacer.wait()
    pacer.wait()
    assert clock.waits_s == pytest.approx([0.07, 0.1])


def test_a_pacer_closed_during_the_wait_says_so() -> None:
    clock = FakeClock()

    def close_meanwhile(timeout_s: float) -> bool:
        pacer.close()
        return clock.wait(timeout_s)

    pacer = Pacer(10, now_ns=clock.now, wait=close_meanwhile)
    assert pacer.wait()
    assert not pacer.wait()


@pytest.mark.parametrize("fps", [0, -1, 1001, float("nan"), float("inf")])
def test_what_is_no_rate_is_refused(fps: float) -> None:
    with pytest.raises(SourceError, match=f"rate is {fps} fps, want more than 0"):
        Pacer(fps)


# synthetic


@pytest.mark.parametrize("size", [(160, 90), (640, 480), (1280, 720), (480, 640), (333, 257)])
def test_the_time_code_is_readable_from_a_synthetic_pictures_jpeg(size: tuple[int, int]) -> None:
    picture = Synthetic(*size, pacer=FakeClock().pacer(), now_ns=lambda: NOW_NS).read()
    assert picture is not None
    jpeg = simplejpeg.encode_jpeg(picture.image, 60, colorspace="BGR", colorsubsampling="420")
    shown = simplejpeg.decode_jpeg(jpeg, colorspace="RGB")
    assert timecode.read(shown, NOW_NS) == picture.captured_ns == NOW_NS // 1000 * 1000


def test_a_synthetic_picture_has_the_size_that_was_asked_for() -> None:
    picture = Synthetic(320, 200, pacer=FakeClock().pacer()).read()
    assert picture is not None
    assert picture.image.shape == (200, 320, 3)
    assert picture.image.dtype == np.uint8


def test_a_synthetic_picture_belongs_to_its_reader() -> None:
    source = Synthetic(pacer=FakeClock().pacer(), now_ns=lambda: NOW_NS)
    first, second = source.read(), source.read()
    assert first is not None
    assert second is not None
    first.image[:] = 0
    assert second.image[:400].any()


def test_the_test_card_moves() -> None:
    times = iter([NOW_NS, NOW_NS + 100_000_000])
    source = Synthetic(pacer=FakeClock().pacer(), now_ns=lambda: next(times))
    first, second = source.read(), source.read()
    assert first is not None
    assert second is not None
    assert (first.image[:400] != second.image[:400]).any()


def test_cameras_of_different_titles_differ_in_colour() -> None:
    colours = set()
    for title in ["front", "garden", "door"]:
        picture = Synthetic(title=title, pacer=FakeClock().pacer()).read()
        assert picture is not None
        colours.add(tuple(picture.image[200, 5].tolist()))
    assert len(colours) == 3


@pytest.mark.parametrize("title", ["", "a" * 200, "Küche 東", "\udcff"])
def test_any_title_can_be_painted(title: str) -> None:
    picture = Synthetic(title=title, pacer=FakeClock().pacer(), now_ns=lambda: NOW_NS).read()
    assert picture is not None
    assert timecode.read(picture.image, NOW_NS) == picture.captured_ns


@pytest.mark.parametrize(("width", "height"), [(159, 90), (160, 89), (65_536, 480)])
def test_a_size_out_of_bounds_is_refused(width: int, height: int) -> None:
    with pytest.raises(SourceError, match=f"picture of {width}x{height}, want 160x90 to"):
        Synthetic(width, height)


def test_synthetic_pictures_come_at_their_rate() -> None:
    clock = FakeClock()
    source = Synthetic(160, 90, pacer=clock.pacer(25))
    for _ in range(3):
        source.read()
    assert clock.waits_s == pytest.approx([0.04, 0.04])


def test_closing_ends_a_read_that_waits() -> None:
    source = Synthetic(160, 90, fps=0.001)
    assert source.read() is not None
    pictures: list[object] = []
    reader = Thread(target=lambda: pictures.append(source.read()))
    reader.start()
    source.close()
    reader.join(30)
    assert pictures == [None]


# file


def test_a_video_is_played_in_order_and_again_without_a_gap(tmp_path: Path) -> None:
    clock = FakeClock()
    video = write_video(tmp_path / "a.avi", range(50, 90, 10))
    source = FileSource(video, pacer=clock.pacer(10))
    assert read_levels(source, 9) == [50, 60, 70, 80, 50, 60, 70, 80, 50]
    assert clock.waits_s == pytest.approx([0.1] * 8)


def test_without_looping_the_end_of_the_file_is_the_end(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", range(50, 80, 10))
    source = FileSource(video, loop=False, pacer=FakeClock().pacer())
    assert read_levels(source, 3) == [50, 60, 70]
    assert source.read() is None


def test_a_folder_is_played_in_natural_order_of_names(tmp_path: Path) -> None:
    names = {"p10.png": 50, "p2.bmp": 40, "P1.jpg": 30, "p9b.jpeg": 20, "p9.PNG": 10}
    source = FileSource(write_pictures(tmp_path, names), pacer=FakeClock().pacer())
    assert read_levels(source, 6) == [30, 40, 10, 20, 50, 30]


def test_one_picture_is_shown_again_and_again(tmp_path: Path) -> None:
    write_pictures(tmp_path, {"a.png": 70, "b.png": 90})
    source = FileSource(tmp_path / "a.png", pacer=FakeClock().pacer())
    assert read_levels(source, 3) == [70, 70, 70]


@pytest.mark.parametrize("junk", [b"", b"\xff\xd8\xff\xe0 no more", b"\x89PNG\r\n\x1a\n half"])
def test_broken_pictures_among_good_ones_are_passed_over(tmp_path: Path, junk: bytes) -> None:
    write_pictures(tmp_path, {"b.png": 70, "d.png": 90})
    for name in ["a.jpg", "c.png", "e.bmp"]:
        (tmp_path / name).write_bytes(junk)
    source = FileSource(tmp_path, pacer=FakeClock().pacer())
    assert read_levels(source, 3) == [70, 90, 70]


def test_a_folder_without_any_readable_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"junk")
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(SourceError, match=f"no readable picture in folder: {tmp_path}"):
        FileSource(tmp_path)


@pytest.mark.parametrize("name", ["notes.txt", "film.avi", "film.mp4", "photo.jpg"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("neither a picture nor a video\n" * 99)
    with pytest.raises(SourceError, match=f"not a picture or video: {path}"):
        FileSource(path)


def test_opencv_and_ffmpeg_print_nothing_when_a_source_cannot_be_opened(tmp_path: Path) -> None:
    # in a process of its own: FFmpeg can only be silenced before cv2 is loaded
    program = """
import sys
from camfleet_node.sources import FileSource, OpenCVSource, SourceError
for kind, at in (FileSource, sys.argv[1]), (OpenCVSource, 99), (OpenCVSource, "http://127.0.0.1:1"):
    try:
        kind(at)
    except SourceError as error:
        print(error)
"""
    film = tmp_path / "film.mp4"
    film.write_text("no video\n" * 99)
    command = [sys.executable, "-c", program, str(film)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 3


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"no such file: {tmp_path / 'gone.avi'}"):
        FileSource(tmp_path / "gone.avi")


def test_footage_that_becomes_unreadable_is_an_error(tmp_path: Path) -> None:
    source = FileSource(write_pictures(tmp_path, {"a.png": 70}), pacer=FakeClock().pacer())
    (tmp_path / "a.png").unlink()
    with pytest.raises(SourceError, match=f"nothing left to read in {tmp_path}"):
        source.read()


def test_a_rate_of_zero_is_not_taken_for_no_rate(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="rate is 0 fps"):
        FileSource(write_pictures(tmp_path, {"a.png": 70}), fps=0)


def test_captured_ns_is_when_the_picture_was_due(tmp_path: Path) -> None:
    source = FileSource(write_pictures(tmp_path, {"a.png": 70}), pacer=FakeClock().pacer())
    first, second = source.read(), source.read()
    assert first is not None
    assert second is not None
    assert first.captured_ns + first.capture_ns <= second.captured_ns + 1_000_000


def test_a_closed_file_gives_none(tmp_path: Path) -> None:
    source = FileSource(write_video(tmp_path / "a.avi", range(50, 80, 10)))
    source.close()
    source.close()
    assert source.read() is None


def test_closing_ends_a_wait_for_the_next_picture(tmp_path: Path) -> None:
    source = FileSource(write_pictures(tmp_path, {"a.png": 70}), fps=0.001)
    assert source.read() is not None
    pictures: list[object] = []
    reader = Thread(target=lambda: pictures.append(source.read()))
    reader.start()
    source.close()
    reader.join(30)
    assert pictures == [None]


@pytest.mark.skipif(not FOOTAGE.exists(), reason="no vtest.avi in ../shared/media")
def test_real_footage_is_read() -> None:
    source = FileSource(FOOTAGE, pacer=FakeClock().pacer())
    picture = source.read()
    assert picture is not None
    assert picture.image.shape == (576, 768, 3)
    assert picture.image.std() > 20


# opencv


@pytest.mark.parametrize("device", [99, "99", "/dev/video99"])
def test_a_device_that_is_not_there_is_named(device: int | str) -> None:
    wanted = f"device {device} cannot be opened: there is no /dev/video99"
    with pytest.raises(SourceError, match=wanted):
        OpenCVSource(device)


def test_a_file_that_is_no_device_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    path.write_bytes(b"")
    with pytest.raises(SourceError, match=f"device {path} cannot be opened$"):
        OpenCVSource(str(path))


def test_what_only_looks_like_a_url_is_refused() -> None:
    with pytest.raises(SourceError, match="not a URL: Invalid IPv6 URL"):
        OpenCVSource("rtsp://[::1/stream")
