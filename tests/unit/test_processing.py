"""What is done to pictures: each step by itself, on whatever a camera gives."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from math import ceil

import cv2
import numpy as np
import pytest

from camfleet_node.encoder import encode
from camfleet_node.processing import UPRIGHT, Area, Caption, Processing, Turn, area_of
from camfleet_node.sources import Content, Image, Jpeg, Picture, Planes

NOON_NS = 1_790_000_000_123_456_789  # 2026-09-21 14:13:20 UTC


def marked(height: int = 24, width: int = 32) -> Image:
    """Black, with a white square in the upper left corner."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:8, :8] = 255
    return image


def planes_of(image: Image) -> Planes:
    """As a camera would give it; sides must be even."""
    yuv = cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)
    half = cv2.resize(yuv, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    y, v, u = (np.asarray(plane, np.uint8) for plane in (yuv[..., 0], half[..., 1], half[..., 2]))
    return Planes(y, u, v)


def jpeg_of(image: Image) -> Jpeg:
    return Jpeg(encode(image, 95), image.shape)


def luma(content: Content) -> Image:
    """Its brightness, whatever its form."""
    assert not isinstance(content, Jpeg)
    if isinstance(content, Planes):
        return content.y
    return content if content.ndim == 2 else np.asarray(cv2.cvtColor(content, cv2.COLOR_BGR2GRAY))


def corner(content: Content) -> str:
    """Where the white square has gone."""
    gray = luma(content)
    height, width = gray.shape
    names = {
        "upper left": gray[:4, :4],
        "upper right": gray[:4, width - 4 :],
        "lower left": gray[height - 4 :, :4],
        "lower right": gray[height - 4 :, width - 4 :],
    }
    [name] = [name for name, part in names.items() if part.mean() > 128]
    return name


FORMS = [pytest.param(f, id=f.__name__) for f in (marked, planes_of, jpeg_of)]


def form(make: object, image: Image) -> Content:
    """An image in one of the three forms."""
    if make is planes_of:
        return planes_of(image)
    return jpeg_of(image) if make is jpeg_of else image


# nothing to do


@pytest.mark.parametrize("make", FORMS)
def test_with_nothing_to_do_a_picture_is_passed_on_as_it_is(make: object) -> None:
    content = form(make, marked())
    assert Processing().apply(content, NOON_NS) is content


def test_what_undoes_itself_is_nothing_to_do() -> None:
    assert Turn.of("both", 180) == UPRIGHT


@pytest.mark.parametrize("processing", [Processing(width=32), Processing(crop=(0, 0, 100, 100))])
def test_a_size_that_a_picture_has_already_is_nothing_to_do(processing: Processing) -> None:
    content = jpeg_of(marked())
    assert processing.apply(content, NOON_NS) is content


def test_gray_is_nothing_to_do_for_a_gray_jpeg() -> None:
    content = jpeg_of(np.zeros((16, 16), np.uint8))
    assert Processing(is_gray=True).apply(content, NOON_NS) is content


# flip and turn


@pytest.mark.parametrize("make", FORMS)
@pytest.mark.parametrize(
    ("flip", "rotate", "where"),
    [
        ("horizontal", 0, "upper right"),
        ("vertical", 0, "lower left"),
        ("both", 0, "lower right"),
        ("none", 90, "upper right"),
        ("none", 180, "lower right"),
        ("none", 270, "lower left"),
        ("horizontal", 90, "lower right"),
        ("vertical", 90, "upper left"),
        ("horizontal", 270, "upper left"),
        ("both", 90, "lower left"),
    ],
)
def test_flips_come_first_and_turns_go_clockwise(
    make: object, flip: str, rotate: int, where: str
) -> None:
    processed = Processing(turn=Turn.of(flip, rotate)).apply(form(make, marked()), NOON_NS)
    assert corner(processed) == where
    assert processed.shape == ((32, 24, 3) if rotate % 180 else (24, 32, 3))


def test_a_turn_and_its_inverse_leave_a_region_where_it_is() -> None:
    region = (10.0, 20.0, 30.0, 40.0)
    for flip in ("none", "horizontal", "vertical", "both"):
        for rotate in (0, 90, 180, 270):
            turn = Turn.of(flip, rotate)
            assert turn.inverse.region(turn.region(region)) == pytest.approx(region)


# crop and scale


@pytest.mark.parametrize("make", FORMS)
def test_a_crop_keeps_its_part_alone(make: object) -> None:
    processed = Processing(crop=(0, 0, 25, 50)).apply(form(make, marked()), NOON_NS)
    assert processed.shape == (12, 8, 3)
    assert luma(processed)[:8].min() > 240
    assert luma(processed)[8:].max() < 15


def test_a_crop_of_planes_copies_nothing() -> None:
    planes = planes_of(marked())
    processed = Processing(crop=(25, 50, 50, 50)).apply(planes, NOON_NS)
    assert isinstance(processed, Planes)
    assert np.shares_memory(processed.y, planes.y)
    assert np.shares_memory(processed.u, planes.u)


@pytest.mark.parametrize("make", FORMS)
def test_a_crop_is_of_the_upright_picture(make: object) -> None:
    processing = Processing(turn=Turn.of("none", 90), crop=(50, 0, 50, 50))
    processed = processing.apply(form(make, marked(32, 32)), NOON_NS)
    assert processed.shape == (16, 16, 3)
    assert corner(processed) == "upper right"


@pytest.mark.parametrize("make", FORMS)
@pytest.mark.parametrize(("width", "shape"), [(16, (12, 16, 3)), (64, (48, 64, 3))])
def test_a_width_keeps_the_proportions(
    make: object, width: int, shape: tuple[int, int, int]
) -> None:
    assert Processing(width=width).apply(form(make, marked()), NOON_NS).shape == shape


@pytest.mark.parametrize("width", [20, 32, 48, 64])
def test_what_is_finer_than_a_pixel_becomes_its_mean(width: int) -> None:
    image = np.indices((128, 128)).sum(axis=0).astype(np.uint8) % 2 * 255  # a chequered board
    processed = Processing(width=width).apply(image, NOON_NS)
    assert np.abs(luma(processed).astype(int) - 127).max() <= 2


@pytest.mark.parametrize("make", FORMS)
def test_a_width_is_that_of_the_upright_picture(make: object) -> None:
    processing = Processing(turn=Turn.of("none", 90), width=12)
    assert processing.apply(form(make, marked()), NOON_NS).shape == (16, 12, 3)


@pytest.mark.parametrize("make", FORMS)
def test_a_small_stream_is_never_larger_than_its_picture(make: object) -> None:
    content = form(make, marked())
    assert Processing().narrowed(320).apply(content, NOON_NS) is content
    assert Processing(width=16).narrowed(320).apply(content, NOON_NS).shape == (12, 16, 3)
    assert Processing(crop=(0, 0, 50, 50)).narrowed(8).apply(content, NOON_NS).shape == (6, 8, 3)


def test_a_small_stream_takes_the_small_picture_of_the_camera() -> None:
    preview = planes_of(marked())
    picture: Picture[Content] = Picture(marked(240, 320), NOON_NS, 0, preview=preview)
    assert Processing().narrowed(32).choose(picture) is preview
    assert Processing().choose(picture) is picture.image


def test_a_crop_is_made_of_the_large_picture_also_for_a_small_stream() -> None:
    picture: Picture[Content] = Picture(marked(240, 320), NOON_NS, 0, preview=planes_of(marked()))
    processing = Processing(crop=(0, 0, 50, 50)).narrowed(32)
    assert processing.choose(picture) is picture.image


# blur


@pytest.mark.parametrize("make", FORMS)
def test_what_is_blurred_cannot_be_told_from_its_like(make: object) -> None:
    noise = np.random.default_rng(3)
    left = np.kron(noise.integers(0, 256, (24, 24, 1)), np.ones((4, 4, 3))).astype(np.uint8)
    right = left[:, ::-1].copy()  # the same brightness, other details
    blurred = [
        luma(Processing(blur=(0, 0, 100, 100)).apply(form(make, i), NOON_NS)) for i in (left, right)
    ]
    before = np.abs(luma(left).astype(int) - luma(right)).mean()
    after = np.abs(blurred[0].astype(int) - blurred[1]).mean()
    assert after < before / 5


@pytest.mark.parametrize("make", FORMS)
def test_a_blur_leaves_the_rest_of_the_picture_alone(make: object) -> None:
    image = np.random.default_rng(4).integers(0, 256, (64, 64, 3), np.uint8)
    image = np.asarray(cv2.GaussianBlur(image, (5, 5), 0), np.uint8)
    content = form(make, image)
    plain = luma(Processing(width=64, is_gray=True).apply(content, NOON_NS))
    processed = luma(Processing(blur=(50, 0, 50, 50), is_gray=True).apply(content, NOON_NS))
    assert np.array_equal(processed[:, :32], plain[:, :32])
    assert np.array_equal(processed[32:], plain[32:])
    assert not np.array_equal(processed[:32, 32:], plain[:32, 32:])


def test_colours_are_blurred_as_well() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, ::4, 2] = image[:, 1::4, 2] = 255
    processed = Processing(blur=(0, 0, 100, 100)).apply(planes_of(image), NOON_NS)
    assert isinstance(processed, Planes)
    assert np.ptp(processed.v) < 10


@pytest.mark.parametrize("crop", [(0, 0, 100, 100), (25, 25, 50, 50), (31, 17, 43, 61)])
@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("width", [None, 37, 50, 200])
@pytest.mark.parametrize("make", FORMS)
def test_all_of_a_region_is_hidden_however_it_is_cropped_turned_and_scaled(
    make: object, crop: tuple[float, float, float, float], rotate: int, width: int | None
) -> None:
    image = np.zeros((96, 128, 3), np.uint8)
    region = (40.0, 40.0, 20.0, 20.0)
    turn = Turn.of("none", rotate)
    left, top, across, down = (
        side * scale
        for side, scale in zip(turn.inverse.region(region), (1.28, 0.96) * 2, strict=True)
    )
    secret = image[ceil(top) : int(top + down), ceil(left) : int(left + across)]
    secret[::2, ::2] = secret[1::2, 1::2] = 255  # a pattern that no mean is as bright as
    processing = Processing(turn=turn, crop=crop, width=width, blur=region)
    assert luma(processing.apply(form(make, image), NOON_NS)).max() < 200


# gray, text, outlines


@pytest.mark.parametrize("make", FORMS)
def test_gray_leaves_brightness_alone(make: object) -> None:
    image = marked()
    image[..., 0] = 200
    processed = Processing(is_gray=True).apply(form(make, image), NOON_NS)
    assert isinstance(processed, np.ndarray)
    assert processed.shape == (24, 32)
    expected = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(int)
    assert np.abs(processed[12:].astype(int) - expected[12:]).max() <= 2


@pytest.mark.parametrize("make", FORMS)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_caption_can_be_read_on_any_background(make: object, level: int) -> None:
    image = np.full((240, 320, 3), level, np.uint8)
    processed = Processing(caption=Caption("gate", "")).apply(form(make, image), NOON_NS)
    patch = luma(processed)[:12, :40]
    assert patch.min() < 20
    assert patch.max() > 180
    assert np.abs(luma(processed)[40:].astype(int) - level).max() <= 2


def test_a_caption_has_no_colour() -> None:
    image = np.full((240, 320, 3), (0, 0, 255), np.uint8)
    processed = Processing(caption=Caption("gate", "")).apply(planes_of(image), NOON_NS)
    assert isinstance(processed, Planes)
    assert np.all(processed.u[:6, :8] == 128)
    assert processed.u[20, 20] < 100


def test_a_long_caption_is_no_wider_than_the_picture() -> None:
    assert Caption("W" * 80, "").draw(NOON_NS, (161, 120)).shape == (12, 160)


def test_a_caption_is_drawn_anew_only_when_it_changes() -> None:
    caption = Caption("gate", "%H:%M:%S")
    first = caption.draw(NOON_NS, (640, 480))
    assert caption.draw(NOON_NS + 1_000_000, (640, 480)) is first
    assert caption.draw(NOON_NS + 1_000_000_000, (640, 480)) is not first


@pytest.mark.parametrize("text", ["Tür 日本", "\udcff", "%%", "a\tb", " "])
def test_any_text_can_be_drawn(text: str) -> None:
    assert Caption(text, "").draw(NOON_NS, (640, 480)).shape[0] == 20


@pytest.fixture
def berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"  # in words of POSIX, for no data is needed
    time.tzset()
    yield
    os.environ.pop("TZ")
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("berlin")
def test_time_is_that_of_the_machines_zone_on_the_day_of_the_picture() -> None:
    half_a_year_ns = 182 * 86_400 * 1_000_000_000
    caption = Caption("", "%H:%M:%S.%f %z")
    assert caption._moment(NOON_NS) == "16:13:20.123456 +0200"
    assert caption._moment(NOON_NS + half_a_year_ns) == "15:13:20.123456 +0100"


@pytest.mark.parametrize("make", FORMS)
def test_an_outline_is_drawn_around_its_region(make: object) -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    processed = Processing(outlines=((20, 20, 60, 60),)).apply(form(make, image), NOON_NS)
    gray = luma(processed)
    assert gray[21, 40:160].min() > 140  # green's
    assert gray[20:80, 41].min() > 140
    assert gray[78, 40:160].min() > 140
    assert gray[20:80, 158].min() > 140
    assert gray[24:76, 44:156].max() < 15


def test_an_outline_outside_of_the_crop_is_left_out() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    processed = Processing(crop=(0, 0, 50, 50), outlines=((60, 60, 20, 20),)).apply(image, NOON_NS)
    assert luma(processed).max() == 0


# what others rely on


@pytest.mark.parametrize("make", FORMS)
@pytest.mark.parametrize(
    "processing",
    [
        Processing(blur=(0, 0, 50, 50)),
        Processing(caption=Caption("gate", "%H:%M")),
        Processing(outlines=((10, 10, 50, 50),)),
        Processing(crop=(0, 0, 50, 50), blur=(0, 0, 50, 50), caption=Caption("x", "")),
    ],
)
def test_the_picture_of_the_source_stays_as_it_is(make: object, processing: Processing) -> None:
    image = np.random.default_rng(5).integers(0, 256, (64, 64, 3), np.uint8)
    content = form(make, image)
    image.setflags(write=False)
    if isinstance(content, Planes):
        for plane in (content.y, content.u, content.v):
            plane.setflags(write=False)
    before = image.copy()
    processing.apply(content, NOON_NS)
    assert np.array_equal(image, before)


def test_a_jpeg_that_cannot_be_decoded_is_unfit() -> None:
    with pytest.raises(ValueError, match="JPEG"):
        Processing(is_gray=True).apply(Jpeg(b"\xff\xd8 broken", (8, 8, 3)), NOON_NS)


@pytest.mark.parametrize(
    ("region", "size", "area"),
    [
        ((25, 0, 50, 100), (640, 480), Area(160, 0, 480, 480)),
        ((30, 0, 30, 100), (1280, 720), Area(384, 0, 768, 720)),
        ((10, 10, 10, 10), (33, 33), Area(2, 2, 8, 8)),
        ((90, 90, 10, 10), (33, 33), Area(28, 28, 33, 33)),
        ((99.99, 99.99, 0.01, 0.01), (33, 33), Area(32, 32, 33, 33)),
        ((0, 0, 0.0001, 0.0001), (640, 480), Area(0, 0, 2, 2)),
        ((0, 0, 100, 100), (1, 1), Area(0, 0, 1, 1)),
    ],
)
def test_an_area_holds_all_of_its_region_and_begins_with_even_pixels(
    region: tuple[float, float, float, float], size: tuple[int, int], area: Area
) -> None:
    assert area_of(region, size) == area


def test_a_box_is_placed_in_the_picture_that_leaves() -> None:
    processing = Processing(turn=Turn.of("horizontal", 0), crop=(50, 0, 50, 100))
    assert processing.place((0, 0, 25, 50)) == pytest.approx((50, 0, 50, 50))
    assert processing.place((60, 0, 40, 100)) is None
    assert processing.find((0, 0, 10, 10)) == (90, 0, 10, 10)
