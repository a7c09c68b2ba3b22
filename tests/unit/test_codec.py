from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import DTypeLike, NDArray

from camfleet.codec import decode, encode_jpeg
from camfleet.errors import Reason, RemoteProtocolError
from camfleet.payload import PLAIN_DTYPES

Image = NDArray[np.uint8]


def picture(*shape: int) -> Image:
    """Smooth, so that JPEG hardly changes it."""
    return np.broadcast_to(np.linspace(20, 230, shape[1])[:, None], (*shape[:2], 4)).astype(
        np.uint8
    )[..., : shape[2]]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_picture_comes_back_from_jpeg_nearly_the_same(channels: int) -> None:
    image = picture(48, 64, channels)
    back = decode("jpeg", image.shape, "uint8", encode_jpeg(image, 95))
    assert back.shape == (48, 64, 3)
    assert np.abs(back.astype(int) - image[..., :1]).max() <= 4


def test_a_gray_picture_comes_back_gray() -> None:
    image = picture(48, 64, 1)[..., 0]
    assert decode("jpeg", image.shape, "uint8", encode_jpeg(image, 95)).shape == (48, 64)


def test_blue_comes_first() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 0] = 255
    blue, green, red = decode("jpeg", (16, 16, 3), "uint8", encode_jpeg(image, 95))[8, 8]
    assert blue > 240
    assert max(green, red) < 15


def test_a_view_is_encoded_as_its_copy_would_be() -> None:
    view = picture(96, 64, 3)[::2]
    assert encode_jpeg(view) == encode_jpeg(view.copy())


@pytest.mark.parametrize("shape", [(), (4,), (4, 4, 2), (4, 4, 5), (0, 4, 3), (1, 4, 4, 3)])
def test_what_is_no_picture_is_not_encoded(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="want"):
        encode_jpeg(np.zeros(shape, np.uint8))


def test_floats_are_not_encoded() -> None:
    with pytest.raises(ValueError, match="image is float64"):
        encode_jpeg(np.zeros((4, 4, 3)))  # type: ignore[arg-type]  # the misuse under test


@pytest.mark.parametrize("quality", [-1, 101])
def test_a_quality_beyond_the_scale_is_an_error(quality: int) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encode_jpeg(np.zeros((4, 4, 3), np.uint8), quality)


@pytest.mark.parametrize(
    ("samples", "dtype", "shown"),
    [
        ([0, 1, 255], "uint8", [0, 1, 255]),
        ([False, True], "bool", [0, 255]),
        ([0, 256, 65535], "<u2", [0, 1, 255]),
        ([0, 256, 65535], ">u2", [0, 1, 255]),
        ([0, 100, 255, 300, 2**63], "uint64", [0, 100, 255, 255, 255]),
        ([-5, 0, 127], "int8", [0, 0, 127]),
        ([-300, 0x7F00], "int16", [0, 127]),
        ([0.0, 0.5, 1.0], "float32", [0, 127, 255]),
        ([0.0, 128.0, 300.0], "float64", [0, 128, 255]),
        ([-1.0, 1.0], "float16", [0, 255]),
        ([float("nan"), float("inf"), -float("inf")], "float64", [0, 255, 0]),
        ([-1e300, 1e300], "float64", [0, 255]),
        ([-1e300, 0.5], "float64", [0, 127]),
    ],
)
def test_raw_samples_are_brought_to_bytes(
    samples: list[float], dtype: DTypeLike, shown: list[int]
) -> None:
    raw = np.array([samples], dtype)
    assert decode("raw", raw.shape, raw.dtype.str, raw.tobytes()).tolist() == [shown]


@pytest.mark.parametrize(
    ("channels", "shape"),
    [(1, (2, 3)), (2, (2, 3)), (3, (2, 3, 3)), (4, (2, 3, 3)), (7, (2, 3, 3))],
)
def test_a_raw_picture_is_shown_gray_or_bgr(channels: int, shape: tuple[int, ...]) -> None:
    assert decode("raw", (2, 3, channels), "uint8", bytes(6 * channels)).shape == shape


@pytest.mark.parametrize("dtype", PLAIN_DTYPES)
def test_every_plain_dtype_can_be_shown(dtype: str) -> None:
    shown = decode("raw", (2, 3), dtype, b"\x3f" * (6 * PLAIN_DTYPES[dtype]))
    assert shown.dtype == np.uint8


def test_a_jpeg_cut_short_is_rejected() -> None:
    jpeg = encode_jpeg(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    with pytest.raises(RemoteProtocolError) as caught:
        decode("jpeg", (64, 64, 3), "uint8", jpeg[: len(jpeg) // 2])
    assert caught.value.reason is Reason.NOT_JPEG
