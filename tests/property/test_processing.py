"""Planes are processed as BGR is: the same picture leaves, to within rounding."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from camfleet_node.processing import Area, Caption, Processing, Region, Turn, area_of
from camfleet_node.sources import Image, Planes

NOW_NS = 1_790_000_000_123_456_789
few = settings(max_examples=150, deadline=None)
sides = st.integers(64, 200)
seeds = st.integers(0, 2**32 - 1)


def scenery(width: int, height: int, seed: int) -> Image:
    """Soft patches of colour: sharp edges differ where chroma has half the pixels."""
    rough = np.random.default_rng(seed).integers(90, 170, (3, 3, 3), np.uint8)
    return np.asarray(cv2.resize(rough, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def halved(plane: Image) -> Image:
    """Each sample the mean of four pixels; of an odd last row or column, of those there are."""
    height, width = plane.shape
    even = np.pad(plane, ((0, height % 2), (0, width % 2)), mode="edge").astype(float)
    mean = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean(axis=(1, 3))
    return np.asarray(np.rint(mean), np.uint8)


def planes_of(image: Image) -> Planes:
    yuv = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb), np.uint8)
    return Planes(yuv[..., 0].copy(), halved(yuv[..., 2]), halved(yuv[..., 1]))


@st.composite
def regions(draw: st.DrawFn, least: float = 0.0) -> Region:
    left = draw(st.floats(0, 100 - max(least, 1)))
    top = draw(st.floats(0, 100 - max(least, 1)))
    width = draw(st.floats(max(least, 1), 100 - left))
    height = draw(st.floats(max(least, 1), 100 - top))
    return left, top, width, height


turns = st.builds(
    Turn.of, st.sampled_from(["none", "horizontal", "vertical", "both"]), st.sampled_from([0, 90])
)
processings = st.builds(
    Processing,
    turn=turns,
    crop=st.just((0.0, 0.0, 100.0, 100.0)) | regions(least=30),
    width=st.none() | st.integers(16, 200),
    is_small=st.booleans(),
    blur=st.none() | regions(),
    is_gray=st.booleans(),
    caption=st.none() | st.just(Caption("gate", "%H:%M")),
    outlines=st.just(()) | st.tuples(regions()),
)


def difference(one: Image, other: Image) -> int:
    return int(np.abs(one.astype(int) - other).max())


@few
@given(sides, sides, seeds, processings)
def test_planes_are_processed_as_bgr_is(
    width: int, height: int, seed: int, processing: Processing
) -> None:
    image = scenery(width, height, seed)
    bgr = processing.apply(image, NOW_NS)
    planes = processing.apply(planes_of(image), NOW_NS)
    assert isinstance(bgr, np.ndarray)
    if processing.is_gray:
        assert isinstance(planes, np.ndarray)
        assert difference(planes, bgr) <= 4
        return
    assert isinstance(planes, Planes)
    assert planes.shape == bgr.shape
    assert planes.u.shape == planes.v.shape == (-(-bgr.shape[0] // 2), -(-bgr.shape[1] // 2))
    expected = planes_of(bgr)
    assert difference(planes.y, expected.y) <= 4
    # Where a side is odd, chroma reaches over the edge, and lies half a pixel apart.
    is_odd = any(side % 2 for side in (width, height, *bgr.shape[:2]))
    most = 8 if is_odd else 4
    assert difference(planes.u, expected.u) <= most
    assert difference(planes.v, expected.v) <= most


@few
@given(width=sides, height=sides, processing=processings, is_yuv=st.booleans())
def test_what_has_no_work_leaves_as_it_is_and_only_that(
    width: int, height: int, processing: Processing, *, is_yuv: bool
) -> None:
    image = scenery(width, height, 1)
    content = planes_of(image) if is_yuv else image
    left = processing.apply(content, NOW_NS)
    assert (left is content) is not processing.has_work(content.shape)


@few
@given(regions(), sides, sides)
def test_an_area_touches_its_whole_region_and_little_more(
    region: Region, width: int, height: int
) -> None:
    area = area_of(region, (width, height))
    left, top, right, bottom = area
    assert left % 2 == top % 2 == 0
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    for start, length, pixels, first, last in (
        (region[0], region[2], width, left, right),
        (region[1], region[3], height, top, bottom),
    ):
        assert first <= start * pixels / 100 + 1e-3
        assert last >= (start + length) * pixels / 100 - 1e-3
        assert last - first <= length * pixels / 100 + 4


@few
@given(turns, regions())
def test_turning_back_undoes_a_turn(turn: Turn, region: Region) -> None:
    assert np.allclose(turn.inverse.region(turn.region(region)), region)
    image = scenery(6, 4, 1)
    assert np.array_equal(turn.inverse.pixels(turn.pixels(image)), image)


@few
@given(turns, st.integers(0, 60), st.integers(0, 40))
def test_pixels_are_turned_to_where_regions_are(turn: Turn, left: int, top: int) -> None:
    image = np.zeros((80, 100), np.uint8)
    image[top : top + 20, left : left + 10] = 255
    turned = turn.pixels(image)
    region = turn.region((left, top / 0.8, 10, 25))
    height, width = turned.shape
    x, y = round(region[0] * width / 100), round(region[1] * height / 100)
    across, down = round(region[2] * width / 100), round(region[3] * height / 100)
    assert turned[y : y + down, x : x + across].min() == 255
    assert turned.sum() == 255 * 200


def test_an_area_knows_its_region() -> None:
    assert Area(16, 8, 48, 24).region((64, 32)) == (25, 25, 50, 50)
