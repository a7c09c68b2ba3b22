from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from camfleet import timecode
from camfleet.errors import LocalProtocolError

NOW_NS = 1_790_000_000_123_456_000
YEAR_NS = 31_557_600 * 10**9


def blank(height: int = 480, width: int = 640) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 90, np.uint8)


def drawn(captured_ns: int = NOW_NS) -> NDArray[np.uint8]:
    image = blank()
    timecode.draw(image, captured_ns)
    return image


def bits_of(image: NDArray[np.uint8]) -> str:
    rows = [437, 449, 461, 473]
    columns = [20 + 40 * column for column in range(16)]
    return "".join("1" if image[y, x, 0] else "0" for y in rows for x in columns)


def test_the_code_is_48_bits_of_unix_microseconds_and_a_crc() -> None:
    # 0x29b1 is CRC-16/IBM-3740's published check value, over the text 123456789; over these
    # six bytes its bitwise definition, written out below, must give what is painted
    bits = bits_of(drawn(NOW_NS))
    assert int(bits[:48], 2) == NOW_NS // 1000 % 2**48
    assert bitwise_crc(b"123456789") == 0x29B1
    assert int(bits[48:], 2) == bitwise_crc(int(bits[:48], 2).to_bytes(6, "big"))


def bitwise_crc(data: bytes) -> int:
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def test_only_the_lowest_tenth_of_the_picture_is_painted() -> None:
    image = drawn()
    assert (image[:432] == 90).all()
    assert set(np.unique(image[432:])) == {0, 255}


@pytest.mark.parametrize("near_ns", [NOW_NS - 4 * YEAR_NS, NOW_NS, NOW_NS + 4 * YEAR_NS])
def test_the_epoch_nearest_to_the_given_time_is_chosen(near_ns: int) -> None:
    assert timecode.read(drawn(), near_ns) == NOW_NS


@pytest.mark.parametrize("captured_ns", [0, 999, 1000, (2**48 - 1) * 1000, 2**48 * 1000])
def test_whole_microseconds_are_kept_at_the_edges_of_the_range(captured_ns: int) -> None:
    assert timecode.read(drawn(captured_ns), captured_ns) == captured_ns // 1000 * 1000


@pytest.mark.parametrize("cell", range(64))
def test_one_flipped_cell_gives_none(cell: int) -> None:
    image = drawn()
    row, column = divmod(cell, 16)
    patch = image[432 + 12 * row : 444 + 12 * row, 40 * column : 40 * (column + 1)]
    patch[:] = 255 - patch
    assert timecode.read(image, NOW_NS) is None


def test_a_picture_torn_between_two_codes_gives_none() -> None:
    image = drawn(NOW_NS)
    image[468:] = drawn(NOW_NS + 33_333_000)[468:]
    assert timecode.read(image, NOW_NS) is None


def test_two_blended_pictures_give_none() -> None:
    blend = (drawn(NOW_NS).astype(np.uint16) + drawn(NOW_NS + 33_333_000)) // 2
    assert timecode.read(blend.astype(np.uint8), NOW_NS) is None


@pytest.mark.parametrize("level", [0, 1, 128, 255])
def test_a_flat_picture_has_no_code(level: int) -> None:
    assert timecode.read(np.full((480, 640, 3), level, np.uint8), NOW_NS) is None


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_gradient_has_no_code(axis: int) -> None:
    image = np.linspace(0, 255, 480 * 640 * 3).reshape(480, 640, 3).astype(np.uint8)
    assert timecode.read(np.sort(image, axis=axis)[::-1], NOW_NS) is None


def test_a_gray_picture_carries_the_code() -> None:
    image = blank()[..., 0].copy()
    timecode.draw(image, NOW_NS)
    assert timecode.read(image, NOW_NS) == NOW_NS


def test_a_canvas_with_an_opaque_fourth_channel_is_read() -> None:
    canvas = np.dstack([drawn(), np.full((480, 640), 255, np.uint8)])
    assert timecode.read(canvas, NOW_NS) == NOW_NS


def test_a_view_into_a_larger_picture_is_painted_in_place() -> None:
    whole = np.zeros((600, 800, 3), np.uint8)
    timecode.draw(whole[50:530, 70:710], NOW_NS)
    assert timecode.read(whole[50:530, 70:710].copy(), NOW_NS) == NOW_NS
    assert not whole[530:].any()


@pytest.mark.parametrize(("height", "width"), [(47, 640), (480, 47)])
def test_a_picture_too_small_for_the_code_is_not_painted(height: int, width: int) -> None:
    with pytest.raises(LocalProtocolError, match=f"picture is {width}x{height}, want at least"):
        timecode.draw(blank(height, width), NOW_NS)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (3, 9, 3), (40, 16, 4)])
def test_a_picture_too_small_for_a_code_reads_none(shape: tuple[int, ...]) -> None:
    assert timecode.read(np.zeros(shape, np.uint8), NOW_NS) is None


@pytest.mark.parametrize("shape", [(480,), (480, 640, 2), (1, 480, 640, 3), (0, 640, 3)])
def test_what_is_not_a_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(LocalProtocolError, match="want HxW"):
        timecode.read(np.zeros(shape, np.uint8), NOW_NS)


def test_samples_of_another_type_are_refused() -> None:
    floats = np.zeros((480, 640, 3))
    with pytest.raises(LocalProtocolError, match="float64, want"):
        timecode.read(floats, NOW_NS)  # type: ignore[arg-type]  # the misuse under test
