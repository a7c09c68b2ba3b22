from __future__ import annotations

import numpy as np
import pytest
import simplejpeg

from camfleet_node.encoder import encode
from camfleet_node.sources.lending import Lending
from camfleet_node.sources.libcamera_planes import copy_planes, hold, see_planes

RED = (76, 85, 255)  # y, u and v in the full range of BT.601


def buffer_of(layout: str, size: tuple[int, int], stride: int) -> bytearray:
    """A red picture; whatever is no pixel is 17."""
    (width, height), (y, u, v) = size, RED
    luma = np.full((height, stride), 17, np.uint8)
    luma[:, :width] = y
    if layout == "NV12":
        chroma = np.full((height // 2, stride), 17, np.uint8)
        chroma[:, 0:width:2], chroma[:, 1:width:2] = u, v
    else:
        chroma = np.full((2, height // 2, stride // 2), 17, np.uint8)
        chroma[0, :, : width // 2], chroma[1, :, : width // 2] = u, v
    return bytearray(luma.tobytes() + chroma.tobytes() + bytes(64))


@pytest.mark.parametrize("layout", ["YUV420", "NV12"])
@pytest.mark.parametrize(("size", "stride"), [((64, 48), 64), ((66, 50), 128)])
def test_a_red_picture_is_red_in_its_jpeg(layout: str, size: tuple[int, int], stride: int) -> None:
    buffer = hold(buffer_of(layout, size, stride), None)
    planes = see_planes(buffer, layout, size, stride)
    assert planes.shape == (size[1], size[0], 3)
    shown = simplejpeg.decode_jpeg(encode(planes, 95), colorspace="RGB")
    assert shown.shape == planes.shape
    assert np.abs(shown.astype(int) - (254, 0, 0)).max() <= 2


def test_planes_of_yuv420_are_no_copies() -> None:
    buffer = buffer_of("YUV420", (64, 48), 128)
    planes = see_planes(hold(buffer, None), "YUV420", (64, 48), 128)
    buffer[:] = bytes([9]) * len(buffer)
    assert all((plane == 9).all() for plane in (planes.y, planes.u, planes.v))


def test_of_nv12_the_colours_alone_are_copied() -> None:
    buffer = buffer_of("NV12", (64, 48), 64)
    planes = see_planes(hold(buffer, None), "NV12", (64, 48), 64)
    buffer[:] = bytes([9]) * len(buffer)
    assert (planes.y == 9).all()
    assert (planes.u == RED[1]).all()
    assert (planes.v == RED[2]).all()


def test_any_view_of_a_buffer_keeps_what_was_lent() -> None:
    lending: Lending[str] = Lending(1)
    buffer = hold(buffer_of("YUV420", (64, 48), 64), lending.lend("a"))
    corner = see_planes(buffer, "YUV420", (64, 48), 64).u[:4, :4]
    del buffer
    assert lending.take_back() == []
    del corner
    assert lending.take_back() == ["a"]


def test_a_copy_needs_the_buffer_no_more() -> None:
    buffer = buffer_of("YUV420", (64, 48), 64)
    planes = copy_planes(see_planes(hold(buffer, None), "YUV420", (64, 48), 64))
    buffer[:] = bytes(len(buffer))
    assert (planes.y == RED[0]).all()


@pytest.mark.parametrize("flips", [(True, False), (False, True), (True, True)])
def test_a_copy_can_be_mirrored(flips: tuple[bool, bool]) -> None:
    buffer = bytearray(range(96))
    planes = see_planes(hold(buffer, None), "YUV420", (8, 8), 8)
    mirrored = copy_planes(planes, flips)
    for plane, other in zip(
        (planes.y, planes.u, planes.v), (mirrored.y, mirrored.u, mirrored.v), strict=True
    ):
        wanted = plane[:: -1 if flips[1] else 1, :: -1 if flips[0] else 1]
        assert (other == wanted).all()
        assert other.flags.c_contiguous


@pytest.mark.parametrize(
    ("layout", "size", "stride", "problem"),
    [
        ("RGB888", (8, 8), 8, "layout is RGB888, want YUV420 or NV12"),
        ("YUV420", (8, 10), 8, "buffer is 96 bytes with rows of 8, want 120"),
        ("YUV420", (8, 8), 4, "buffer is 96 bytes with rows of 4"),
    ],
)
def test_what_does_not_fit_is_refused(
    layout: str, size: tuple[int, int], stride: int, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        see_planes(hold(bytearray(96), None), layout, size, stride)
