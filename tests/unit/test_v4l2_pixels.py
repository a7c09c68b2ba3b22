from __future__ import annotations

import cv2
import numpy as np
import pytest

from camfleet_node.sources.picture import Image, Planes
from camfleet_node.sources.v4l2.pixels import Form, read_pixels

WIDTH, HEIGHT = 64, 48
COLOURS = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0), "gray": (90, 90, 90)}


def planes_of(colour: tuple[int, int, int]) -> tuple[Image, Image, Image]:
    """OpenCV's YUV 4:2:0 has BT.601's limited range."""
    image = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
    flat = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420), np.uint8).reshape(-1)
    luma, chroma = WIDTH * HEIGHT, WIDTH * HEIGHT // 4
    return (
        flat[:luma].reshape(HEIGHT, WIDTH),
        flat[luma : luma + chroma].reshape(HEIGHT // 2, WIDTH // 2),
        flat[luma + chroma :].reshape(HEIGHT // 2, WIDTH // 2),
    )


def pad(plane: Image, stride: int) -> bytes:
    return np.pad(plane, ((0, 0), (0, stride - plane.shape[1])), constant_values=7).tobytes()


def lay(fourcc: str, y: Image, u: Image, v: Image, room: int = 0) -> tuple[Form, bytes]:
    """Lay planes into memory as a driver does, with room behind each row."""
    full_u, full_v = u.repeat(2, axis=0), v.repeat(2, axis=0)
    if fourcc in {"YUYV", "UYVY"}:
        chroma = np.dstack((full_u, full_v)).reshape(HEIGHT, WIDTH)
        pair = (y, chroma) if fourcc == "YUYV" else (chroma, y)
        rows = np.dstack(pair).reshape(HEIGHT, WIDTH * 2)
        return form(fourcc, WIDTH * 2 + room), pad(rows, WIDTH * 2 + room)
    if fourcc == "NV12":
        chroma = np.dstack((u, v)).reshape(HEIGHT // 2, WIDTH)
        return form(fourcc, WIDTH + room), pad(y, WIDTH + room) + pad(chroma, WIDTH + room)
    if fourcc == "YU12":
        half = (WIDTH + room) // 2
        return form(fourcc, WIDTH + room), pad(y, WIDTH + room) + pad(u, half) + pad(v, half)
    return form(fourcc, WIDTH + room), pad(y, WIDTH + room)


def form(fourcc: str, stride: int, *, is_full_range: bool = False) -> Form:
    return Form(fourcc, WIDTH, HEIGHT, stride, is_full_range)


def to_bgr(found: Planes) -> Image:
    """By JPEG's own equations (JFIF 1.02)."""
    u, v = (plane.repeat(2, 0).repeat(2, 1) for plane in (found.u, found.v))
    return np.asarray(cv2.cvtColor(np.dstack((found.y, v, u)), cv2.COLOR_YCrCb2BGR), np.uint8)


@pytest.mark.parametrize("room", [0, 16])
@pytest.mark.parametrize("fourcc", ["YUYV", "UYVY", "NV12", "YU12"])
@pytest.mark.parametrize("colour", COLOURS.values(), ids=COLOURS)
def test_colours_come_out_as_they_were(
    fourcc: str, colour: tuple[int, int, int], room: int
) -> None:
    laid, memory = lay(fourcc, *planes_of(colour), room=room)
    found = read_pixels(laid, memoryview(memory))
    assert isinstance(found, Planes)
    assert np.abs(to_bgr(found).astype(int) - colour).max() <= 4


@pytest.mark.parametrize("fourcc", ["YUYV", "UYVY", "NV12", "YU12"])
def test_the_full_range_is_taken_as_it_is(fourcc: str) -> None:
    random = np.random.default_rng(2)
    y = random.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    u, v = random.integers(0, 256, (2, HEIGHT // 2, WIDTH // 2), np.uint8)
    laid, memory = lay(fourcc, y, u, v)
    found = read_pixels(form(fourcc, laid.stride, is_full_range=True), memoryview(memory))
    assert isinstance(found, Planes)
    assert np.array_equal(found.y, y)
    assert np.array_equal(found.u, u)
    assert np.array_equal(found.v, v)


def test_gray_stays_gray() -> None:
    y = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
    laid = form("GREY", WIDTH + 8, is_full_range=True)
    found = read_pixels(laid, memoryview(pad(y, WIDTH + 8)))
    assert isinstance(found, np.ndarray)
    assert np.array_equal(found, y)


@pytest.mark.parametrize("fourcc", ["YUYV", "NV12", "YU12", "GREY"])
@pytest.mark.parametrize("is_full_range", [False, True])
def test_nothing_of_it_lies_in_the_drivers_memory(fourcc: str, is_full_range: bool) -> None:  # noqa: FBT001
    laid, data = lay(fourcc, *planes_of((9, 9, 9)))
    memory = bytearray(data)
    found = read_pixels(form(fourcc, laid.stride, is_full_range=is_full_range), memoryview(memory))
    luma = found.y if isinstance(found, Planes) else found
    before = luma.copy()
    memory[:] = bytes(len(memory))
    assert np.array_equal(luma, before)


@pytest.mark.parametrize("fourcc", ["YUYV", "UYVY", "NV12", "YU12", "GREY"])
def test_a_picture_that_is_not_whole_is_refused(fourcc: str) -> None:
    laid, memory = lay(fourcc, *planes_of((9, 9, 9)))
    size = len(memory)
    assert laid.size_bytes == size
    with pytest.raises(ValueError, match=f"picture is {size - 1} bytes, want {size}"):
        read_pixels(laid, memoryview(memory[:-1]))
