"""Motion and light as state machines: what they tell, and above all what they do not."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from camfleet_node.detectors import Change, Detector, Light, Motion, small_gray
from camfleet_node.encoder import encode
from camfleet_node.settings.camera import LightSettings, MotionSettings
from camfleet_node.sources import Content, Image, Jpeg, Picture, Planes

FPS = 5
S = 1_000_000_000
WHOLE = (0.0, 0.0, 100.0, 100.0)
NOISE = np.random.default_rng(1).normal(0, 2, (7, 180, 320)).astype(np.int16)


class Film:
    """Pictures at the detector's own rate, with noise as of a camera."""

    def __init__(self, detector: Detector, fps: float = FPS) -> None:
        self.detector = detector
        self.time_ns = 100 * S
        self.told: list[Change] = []
        self._noise = itertools.cycle(NOISE)
        self._interval_ns = round(S / fps)

    def show(self, image: Image) -> None:
        self.time_ns += self._interval_ns
        height, width = image.shape
        shown = np.clip(image + next(self._noise)[:height, :width], 0, 255).astype(np.uint8)
        if change := self.detector.look(shown, self.time_ns):
            self.told.append(change)

    def play(self, seconds: float, paint: Callable[[float], Image]) -> list[str]:
        """Show what `paint` gives for each second since the begin; return the states told."""
        before = len(self.told)
        for number in range(round(seconds * FPS)):
            self.show(paint(number / FPS))
        return [change.state for change in self.told[before:]]


def yard(level: float = 100) -> Image:
    """A scene at rest, with some texture."""
    image = np.full((180, 320), level, np.float64)
    image[::20] *= 0.7
    return image.astype(np.uint8)


def walker(seconds: float, speed: float = 30, size: int = 40) -> Image:
    """Somebody dark who crosses the yard from left to right."""
    image = yard()
    left = round(20 + speed * seconds)
    image[80 : 80 + size, left : left + size // 2] = 20
    return image


def motion(region: tuple[float, float, float, float] = WHOLE, **settings: Any) -> Motion:  # noqa: ANN401 - as the settings have them
    return Motion("yard", MotionSettings(**settings), region)


@pytest.fixture
def film() -> Film:
    """A motion detector with its defaults, which knows that all is still."""
    made = Film(motion())
    assert made.play(4, lambda _: yard()) == ["still"]
    return made


# motion


def test_the_first_state_is_told_once() -> None:
    film = Film(motion())
    assert film.play(60, lambda _: yard()) == ["still"]


def test_motion_from_the_begin_is_told_as_such() -> None:
    assert Film(motion()).play(2, walker) == ["moving"]


def test_somebody_who_walks_by_is_told_once_and_then_that_all_is_still(film: Film) -> None:
    assert film.play(6, walker) == ["moving"]
    assert film.detector.is_moving
    assert film.play(10, lambda _: yard()) == ["still"]
    assert not film.detector.is_moving


def test_the_box_is_around_what_moves(film: Film) -> None:
    film.play(2, walker)
    box = film.told[-1].box
    assert box is not None
    left, top, width, height = box
    assert left <= 100 * 20 / 320 + 5
    assert top == pytest.approx(100 * 80 / 180, abs=3)
    assert height == pytest.approx(100 * 40 / 180, abs=5)
    assert left + width <= 100 * (20 + 30 + 20) / 320 + 5


def test_noise_is_no_motion() -> None:
    film = Film(motion(sensitivity=95))
    assert film.play(120, lambda _: yard()) == ["still"]


def test_dusk_is_no_motion(film: Film) -> None:
    assert film.play(120, lambda seconds: yard(100 - seconds * 0.8)) == []


def test_a_lamp_that_is_switched_on_is_no_endless_motion(film: Film) -> None:
    assert film.play(30, lambda _: yard(200)) in ([], ["moving", "still"])


def test_a_lamp_that_is_switched_on_is_told_once_where_one_picture_is_enough() -> None:
    film = Film(motion(min_motion_frames=1))
    film.play(4, lambda _: yard())
    assert film.play(30, lambda _: yard(200)) == ["moving", "still"]


def test_what_has_come_to_rest_is_background_at_last(film: Film) -> None:
    assert film.play(30, lambda _: walker(2)) == ["moving", "still"]


def test_what_passes_too_fast_is_not_told() -> None:
    film = Film(motion(min_motion_frames=5))
    film.play(4, lambda _: yard())
    assert film.play(0.6, walker) == []
    assert film.play(10, lambda _: yard()) == []


def test_what_moves_outside_of_the_region_is_not_told() -> None:
    film = Film(motion((0, 0, 100, 30)))
    film.play(4, lambda _: yard())
    assert film.play(6, walker) == []


def test_what_moves_inside_of_the_region_has_its_box_in_the_whole_picture() -> None:
    film = Film(motion((0, 40, 50, 40)))
    film.play(4, lambda _: yard())
    assert film.play(3, walker) == ["moving"]
    box = film.told[-1].box
    assert box is not None
    assert box[1] == pytest.approx(100 * 80 / 180, abs=3)


def test_min_area_is_a_part_of_the_region() -> None:
    small, large = Film(motion(min_area=1)), Film(motion(min_area=10))
    for film in (small, large):
        film.play(4, lambda _: yard())
        film.play(6, walker)
    assert small.detector.is_moving
    assert not large.detector.is_moving


@pytest.mark.parametrize(("sensitivity", "is_seen"), [(95, True), (80, False)])
def test_sensitivity_is_how_little_a_pixel_must_change(sensitivity: int, *, is_seen: bool) -> None:
    film = Film(motion(sensitivity=sensitivity))
    film.play(4, lambda _: yard())

    def pale(seconds: float) -> Image:
        image = yard()
        image[80:120, round(20 + 30 * seconds) :][:, :30] = 125  # a tenth brighter
        return image

    film.play(4, pale)
    assert film.detector.is_moving is is_seen


@pytest.mark.parametrize("sensitivity", [0, 100])
def test_the_ends_of_sensitivity_are_all_or_nothing(sensitivity: int) -> None:
    film = Film(motion(sensitivity=sensitivity, blur=0))
    film.play(4, lambda _: yard())
    film.play(2, walker)
    assert film.detector.is_moving is (sensitivity == 100)


def test_after_a_long_pause_nothing_is_known_of_the_background(film: Film) -> None:
    film.time_ns += 3600 * S
    assert film.play(10, lambda _: yard(200)) == []


def test_a_picture_of_another_size_begins_anew(film: Film) -> None:
    assert film.play(4, lambda _: np.full((120, 160), 220, np.uint8)) == []


def test_a_detector_that_looks_rarely_sees_motion_as_well() -> None:
    film = Film(motion(fps=0.05, min_motion_frames=1, min_still_frames=1), fps=0.05)
    for position in (0, 0, 3, 6):
        film.show(walker(position))
    assert [change.state for change in film.told] == ["still", "moving"]


@pytest.mark.parametrize("blur", [0, 1, 2, 99])
def test_any_blur_can_be_set(blur: int) -> None:
    film = Film(motion((45, 45, 1, 1), blur=blur))
    film.play(4, lambda _: yard())
    assert [change.state for change in film.told] == ["still"]


# light


def light(region: tuple[float, float, float, float] = WHOLE, **settings: Any) -> Film:  # noqa: ANN401 - as the settings have them
    return Film(Light("garage", LightSettings(**settings), region))


def test_light_tells_its_first_state_and_each_change() -> None:
    film = light()
    assert film.play(3, lambda _: yard(20)) == ["dark"]
    assert film.play(3, lambda _: yard(200)) == ["lighted"]
    assert film.play(3, lambda _: yard(20)) == ["dark"]


def test_a_flash_is_no_light() -> None:
    film = light(min_frames=5)
    film.play(3, lambda _: yard(20))
    assert film.play(0.8, lambda _: yard(255)) == []
    assert film.play(3, lambda _: yard(20)) == []


def test_light_that_flickers_tells_nothing() -> None:
    film = light(min_frames=3)
    film.play(3, lambda _: yard(20))
    assert film.play(20, lambda seconds: yard(255 if round(seconds * FPS) % 2 else 20)) == []


def test_enough_of_the_region_must_be_bright() -> None:
    lamp = np.full((180, 320), 20, np.uint8)
    lamp[:, :120] = 250
    few, many = light(min_area=25), light(min_area=50)
    assert few.play(3, lambda _: lamp) == ["lighted"]
    assert many.play(3, lambda _: lamp) == ["dark"]
    assert light((0, 0, 30, 100)).play(3, lambda _: lamp) == ["lighted"]


# the picture that they look at


@pytest.mark.parametrize(
    ("content", "shape"),
    [
        (np.full((720, 1280, 3), 90, np.uint8), (180, 320)),
        (np.full((720, 1280), 90, np.uint8), (180, 320)),
        (np.full((1280, 720, 3), 90, np.uint8), (320, 180)),
        (np.full((120, 160, 3), 90, np.uint8), (120, 160)),
        (Jpeg(encode(np.full((720, 1280, 3), 90, np.uint8), 80), (720, 1280, 3)), (180, 320)),
        (Jpeg(encode(np.full((1081, 1921), 90, np.uint8), 80), (1081, 1921)), (180, 320)),
    ],
)
def test_any_form_becomes_a_small_gray_picture(content: Content, shape: tuple[int, int]) -> None:
    small = small_gray(Picture(content, 0, 0))
    assert small.shape == shape
    assert np.abs(small.astype(int) - 90).max() <= 2


def test_of_planes_only_the_brightness_is_looked_at() -> None:
    half = np.full((1, 1), 0, np.uint8)  # chroma that would fit no picture
    small = small_gray(Picture(Planes(np.full((720, 1280), 90, np.uint8), half, half), 0, 0))
    assert small.shape == (180, 320)


def test_the_small_picture_of_the_camera_is_taken_where_there_is_one() -> None:
    half = np.zeros((90, 160), np.uint8)
    preview = Planes(np.full((180, 320), 90, np.uint8), half, half)
    picture: Picture[Content] = Picture(np.zeros((720, 1280, 3), np.uint8), 0, 0, preview=preview)
    assert small_gray(picture) is preview.y
