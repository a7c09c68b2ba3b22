"""One JPEG for each form that a source gives, by the shortest way."""

from __future__ import annotations

import numpy as np
import pytest
import simplejpeg

from camfleet_node.encoder import encode
from camfleet_node.sources import Image, Jpeg, Planes


def flat_planes(height: int, width: int, levels: tuple[int, int, int]) -> Planes:
    half = (-(-height // 2), -(-width // 2))
    y, u, v = (
        np.full(s, level, np.uint8)
        for s, level in zip(((height, width), half, half), levels, strict=True)
    )
    return Planes(y, u, v)


def decoded(jpeg: bytes) -> Image:
    image: Image = simplejpeg.decode_jpeg(jpeg, colorspace="BGR")
    return image


def test_planes_become_the_colours_that_they_stand_for() -> None:
    image = decoded(encode(flat_planes(16, 16, (76, 85, 255)), 90))  # JFIF's red
    assert np.abs(image.astype(int) - (0, 0, 254)).max() <= 3


@pytest.mark.parametrize("shape", [(5, 7), (6, 7), (5, 8), (2, 3), (1080, 1920)])
def test_planes_of_any_size_keep_it(shape: tuple[int, int]) -> None:
    assert decoded(encode(flat_planes(*shape, (100, 128, 128)), 80)).shape == (*shape, 3)


def test_rows_may_have_room_behind_them() -> None:
    buffer = np.zeros((12, 64), np.uint8)
    buffer[:, 32:] = 255  # what lies behind the rows is no part of the picture
    half = np.full((6, 16), 128, np.uint8)
    planes = Planes(buffer[:, :32], half, half)
    assert decoded(encode(planes, 90)).max() <= 2


def test_interleaved_chroma_is_taken_apart() -> None:
    pairs = np.zeros((4, 16), np.uint8)
    pairs[:, 0::2], pairs[:, 1::2] = 85, 255
    planes = Planes(np.full((8, 16), 76, np.uint8), pairs[:, 0::2], pairs[:, 1::2])
    assert np.abs(decoded(encode(planes, 90)).astype(int) - (0, 0, 254)).max() <= 3


def test_a_jpeg_goes_through_verbatim() -> None:
    data = b"whatever the camera made"
    assert encode(Jpeg(data, (8, 8, 3)), 1) is data


def test_gray_becomes_a_jpeg_without_colours() -> None:
    jpeg = encode(np.full((8, 12), 99, np.uint8), 80)
    assert simplejpeg.decode_jpeg_header(jpeg)[:3] == (8, 12, "Gray")


def test_quality_is_a_trade_for_size() -> None:
    image = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    assert len(encode(image, 30)) < len(encode(image, 90))


def test_planes_that_do_not_belong_together_are_unfit() -> None:
    whole, half = np.zeros((8, 8), np.uint8), np.zeros((4, 4), np.uint8)
    with pytest.raises(ValueError, match="matching shape"):
        encode(Planes(whole, half, half[:2]), 80)
