"""Which picture suits a tile: never enlarged much, never larger than it needs to be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camfleet_hub.web.size import eighths, suits

SIDES = st.integers(1, 65_535)


@pytest.mark.parametrize(
    ("shape", "tile", "suiting"),
    [
        ((120, 160, 3), (160, 120), True),
        ((120, 160, 3), (200, 150), True),
        ((120, 160, 3), (208, 160), False),
        ((120, 160, 3), (1000, 120), True),  # letterboxed: it stays 160 wide
        ((120, 160, 3), (160, 1000), True),
        ((120, 160), (16, 16), True),
        ((120, 160, 3), (0, 0), False),  # the whole picture is wanted
        ((120, 160, 3), (160, 0), False),
    ],
)
def test_a_preview_suits_a_tile_that_enlarges_it_by_a_quarter_at_most(
    shape: tuple[int, ...], tile: tuple[int, int], *, suiting: bool
) -> None:
    assert suits(shape, *tile) is suiting


@pytest.mark.parametrize(
    ("shape", "tile", "wanted"),
    [
        ((1080, 1920, 3), (0, 0), 8),
        ((1080, 1920, 3), (1920, 1080), 8),
        ((1080, 1920, 3), (1216, 684), 8),
        ((1080, 1920, 3), (960, 540), 4),
        ((1080, 1920, 3), (480, 272), 2),
        ((1080, 1920, 3), (160, 96), 1),
        ((1080, 1920, 3), (4000, 96), 1),
        ((480, 640), (640, 480), 8),
    ],
)
def test_a_picture_is_shrunk_where_less_than_half_of_its_sides_suits(
    shape: tuple[int, ...], tile: tuple[int, int], wanted: int
) -> None:
    assert eighths(shape, *tile) == wanted


@given(height=SIDES, width=SIDES, tile_width=SIDES, tile_height=SIDES)
def test_what_is_shrunk_still_suits_its_tile(
    height: int, width: int, tile_width: int, tile_height: int
) -> None:
    kept = eighths((height, width, 3), tile_width, tile_height)
    if kept < 8:
        small = (-(-height * kept // 8), -(-width * kept // 8), 3)
        assert suits(small, tile_width, tile_height)
