from __future__ import annotations

import cv2
import numpy as np
import simplejpeg
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from camfleet import timecode

# a picture that is drawn here costs up to 20 ms at 1080p, hence few examples and no deadline
few = settings(max_examples=60, deadline=None)
times_ns = st.integers(0, 2**62)
sizes = st.sampled_from([(160, 90), (160, 120), (641, 479), (640, 480), (1280, 720), (1920, 1080)])
qualities = st.integers(40, 95)
seeds = st.integers(0, 2**32 - 1)


def scenery(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """Noise blown up: patches of colour up against the band, as in a real picture."""
    rough = np.random.default_rng(seed).integers(0, 256, (9, 16, 3), np.uint8)
    return np.asarray(cv2.resize(rough, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def drawn(size: tuple[int, int], captured_ns: int, seed: int) -> NDArray[np.uint8]:
    image = scenery(*size, seed)
    timecode.draw(image, captured_ns)
    return image


def compressed(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    jpeg = simplejpeg.encode_jpeg(image, quality, colorspace="BGR", colorsubsampling="420")
    return np.asarray(simplejpeg.decode_jpeg(jpeg, colorspace="BGR"), np.uint8)


def scaled(image: NDArray[np.uint8], factor: float, method: int) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    factor = max(factor, 160 / width)
    size = (round(width * factor), round(height * factor))
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def whole_us(time_ns: int) -> int:
    return time_ns // 1000 * 1000


@few
@given(times_ns, st.integers(-(10**17), 10**17), st.integers(48, 400), st.integers(48, 400))
def test_any_time_comes_back_from_a_picture_of_any_size(
    time_ns: int, off_ns: int, width: int, height: int
) -> None:
    image = np.zeros((height, width), np.uint8)
    timecode.draw(image, time_ns)
    assert timecode.read(image, time_ns + off_ns) == whole_us(time_ns)


@few
@given(
    time_ns=times_ns,
    size=sizes,
    factor=st.floats(0.25, 2),
    method=st.sampled_from([cv2.INTER_AREA, cv2.INTER_LINEAR]),
    quality=qualities,
    seed=seeds,
)
@example(
    time_ns=2**61, size=(640, 480), factor=0.25, method=cv2.INTER_LINEAR, quality=40, seed=0
).via("the smallest picture from the usual one")
def test_the_code_survives_scaling_and_then_jpeg(
    *, time_ns: int, size: tuple[int, int], factor: float, method: int, quality: int, seed: int
) -> None:
    image = compressed(scaled(drawn(size, time_ns, seed), factor, method), quality)
    assert timecode.read(image, time_ns) == whole_us(time_ns)


@few
@given(
    time_ns=times_ns,
    size=sizes,
    factor=st.floats(0.25, 2),
    first=qualities,
    second=qualities,
    seed=seeds,
)
def test_the_code_survives_jpeg_scaling_and_jpeg_again(
    *, time_ns: int, size: tuple[int, int], factor: float, first: int, second: int, seed: int
) -> None:
    sent = compressed(drawn(size, time_ns, seed), first)
    shown = compressed(scaled(sent, factor, cv2.INTER_AREA), second)
    assert timecode.read(shown, time_ns) == whole_us(time_ns)


@few
@given(times_ns, qualities, seeds)
def test_the_order_of_the_colours_does_not_matter(time_ns: int, quality: int, seed: int) -> None:
    image = compressed(drawn((320, 240), time_ns, seed), quality)
    gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    assert timecode.read(image[..., ::-1], time_ns) == timecode.read(image, time_ns)
    assert timecode.read(gray, time_ns) == whole_us(time_ns)


@few
@given(times_ns, st.floats(0.25, 1), st.integers(0, 180))
def test_the_code_survives_a_dim_screen(time_ns: int, gain: float, offset: int) -> None:
    image = drawn((320, 240), time_ns, 0)
    dim = np.clip(image * gain + min(offset, 255 * (1 - gain)), 0, 255).astype(np.uint8)
    assert timecode.read(dim, time_ns) == whole_us(time_ns)


@few
@given(times_ns, st.sets(st.integers(0, 63), min_size=1, max_size=3))
def test_one_to_three_flipped_cells_give_none(time_ns: int, cells: set[int]) -> None:
    image = np.zeros((240, 320), np.uint8)
    timecode.draw(image, time_ns)
    for row, column in (divmod(cell, 16) for cell in cells):
        patch = image[216 + 6 * row : 222 + 6 * row, 20 * column : 20 * (column + 1)]
        patch[:] = 255 - patch
    assert timecode.read(image, time_ns) is None


@few
@given(sizes, qualities, seeds)
def test_scenery_without_a_code_reads_none(size: tuple[int, int], quality: int, seed: int) -> None:
    assert timecode.read(compressed(scenery(*size, seed), quality), 2**60) is None


@few
@given(seeds)
def test_noise_reads_none(seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (240, 320, 3), np.uint8)
    assert timecode.read(noise, 2**60) is None
