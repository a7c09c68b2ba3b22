"""JPEGs for viewers: passed on as they came, or encoded once for all."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import numpy as np
import pytest
import simplejpeg

from camfleet.codec import encode_jpeg
from camfleet.frame import Frame, FrameHeader
from camfleet.payload import PLAIN_DTYPES
from camfleet_hub.stream import Stream
from camfleet_hub.web.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from tests.unit.conftest import Feed


pytestmark = pytest.mark.anyio


@pytest.fixture
def pictures() -> Iterator[Pictures]:
    made = Pictures(quality=80)
    yield made
    made.close()


@pytest.fixture
def stream(feed: Feed) -> Stream:
    feed.send()
    return feed.stream()


def raw(image: NDArray[np.generic]) -> Frame:
    header = FrameHeader(
        stream="front/main",
        session=0,
        sequence=0,
        sent=0,
        captured_ns=0,
        codec="raw",
        shape=image.shape,
        dtype=str(image.dtype),
    )
    return Frame("pi", header, image.tobytes(), 1)


def gray(level: int = 200) -> Frame:
    return raw(np.full((16, 24, 3), level, np.uint8))


async def test_a_jpeg_is_passed_on_as_it_came(pictures: Pictures, stream: Stream) -> None:
    frame = stream.newest
    assert frame is not None
    assert await pictures.jpeg(stream, frame) is frame.payload


async def test_a_raw_picture_is_encoded(pictures: Pictures, stream: Stream) -> None:
    jpeg = await pictures.jpeg(stream, gray(200))
    assert jpeg is not None
    image = simplejpeg.decode_jpeg(jpeg, colorspace="BGR")
    assert image.shape == (16, 24, 3)
    assert abs(int(image.mean()) - 200) < 3


async def test_viewers_of_one_picture_share_one_encoding(
    pictures: Pictures, stream: Stream
) -> None:
    frame = gray()
    jpegs = await asyncio.gather(*(pictures.jpeg(stream, frame) for _ in range(8)))
    assert all(jpeg is jpegs[0] for jpeg in jpegs)


async def test_a_newer_picture_is_encoded_anew(pictures: Pictures, stream: Stream) -> None:
    assert await pictures.jpeg(stream, gray(10)) != await pictures.jpeg(stream, gray(250))


async def test_a_camera_that_is_forgotten_takes_its_picture_along(
    pictures: Pictures, feed: Feed
) -> None:
    feed.send()
    stream, frame = Stream(feed.fleet.nodes()[0], "gone/main"), gray()
    await pictures.jpeg(stream, frame)
    kept = weakref.ref(stream)
    del stream
    gc.collect()
    assert kept() is None


async def test_a_viewer_that_goes_away_takes_nobodys_picture_along(
    pictures: Pictures, stream: Stream
) -> None:
    frame = gray()
    leaves = asyncio.create_task(_jpeg(pictures, stream, frame))
    stays = asyncio.create_task(_jpeg(pictures, stream, frame))
    await asyncio.sleep(0)
    leaves.cancel()
    assert await stays is not None


async def _jpeg(pictures: Pictures, stream: Stream, frame: Frame) -> object:
    return await pictures.jpeg(stream, frame)


@pytest.mark.parametrize("dtype", sorted(PLAIN_DTYPES))
async def test_every_plain_dtype_can_be_shown(
    pictures: Pictures, stream: Stream, dtype: str
) -> None:
    assert await pictures.jpeg(stream, raw(np.ones((4, 5), dtype))) is not None


@pytest.mark.parametrize("shape", [(1, 1), (3, 4, 1), (3, 4, 2), (3, 4, 4), (3, 4, 9), (2, 65_500)])
async def test_every_shape_of_picture_can_be_shown(
    pictures: Pictures, stream: Stream, shape: tuple[int, ...]
) -> None:
    assert await pictures.jpeg(stream, raw(np.zeros(shape, np.uint8))) is not None


async def test_what_no_jpeg_can_hold_is_not_shown(pictures: Pictures, stream: Stream) -> None:
    assert await pictures.jpeg(stream, raw(np.zeros((1, 65_501), np.uint8))) is None


async def test_numbers_that_are_none_can_be_shown(pictures: Pictures, stream: Stream) -> None:
    image = np.array([[np.nan, np.inf], [-np.inf, 1e300]])
    assert await pictures.jpeg(stream, raw(image)) is not None


# smaller


def picture(shape: tuple[int, ...] = (97, 131, 3)) -> Frame:
    image = np.full(shape, 99, np.uint8)
    header = FrameHeader("front/main", 0, 0, 0, 0, "jpeg", shape)
    return Frame("pi", header, encode_jpeg(image), 0)


@pytest.mark.parametrize(("eighths", "size"), [(1, (13, 17)), (2, (25, 33)), (4, (49, 66))])
@pytest.mark.parametrize("shape", [(97, 131, 3), (97, 131)])
async def test_a_smaller_jpeg_has_so_many_eighths_of_the_sides(
    pictures: Pictures,
    stream: Stream,
    eighths: int,
    size: tuple[int, int],
    shape: tuple[int, ...],
) -> None:
    jpeg = await pictures.make(stream, picture(shape), eighths)
    assert jpeg is not None
    image = simplejpeg.decode_jpeg(jpeg, colorspace="GRAY")
    assert image.shape[:2] == size
    assert abs(int(image.mean()) - 99) <= 2


async def test_all_viewers_share_what_was_made_of_a_frame_for_one_size(
    pictures: Pictures, stream: Stream
) -> None:
    frame = picture()
    made = pictures.make(stream, frame, 2)
    assert pictures.make(stream, frame, 2) is made
    assert pictures.make(stream, frame, 4) is not made
    assert pictures.make(stream, frame, 2) is made
    assert pictures.make(stream, picture(), 2) is not made


async def test_a_raw_picture_is_made_smaller_too(pictures: Pictures, stream: Stream) -> None:
    jpeg = await pictures.make(stream, raw(np.zeros((80, 160, 3), np.uint8)), 2)
    assert jpeg is not None
    assert simplejpeg.decode_jpeg_header(jpeg)[:2] == (20, 40)


async def test_a_broken_jpeg_is_passed_on_as_it_came(pictures: Pictures, stream: Stream) -> None:
    header = FrameHeader("front/main", 0, 0, 0, 0, "jpeg", (480, 640, 3))
    assert await pictures.make(stream, Frame("pi", header, b"no JPEG", 0), 2) == b"no JPEG"
