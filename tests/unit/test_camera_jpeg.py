from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg

from camfleet_node.sources.camera_jpeg import HUFFMAN, read_jpeg
from camfleet_node.sources.picture import Image


def scene(height: int = 96, width: int = 128) -> Image:
    noise = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (5, 5), 2), np.uint8)


def encode(image: Image, **options: object) -> bytes:
    return bytes(simplejpeg.encode_jpeg(image, 85, "BGR", **options))


def without(data: bytes, marker: int) -> bytes:
    """Leave out the segments of a marker."""
    at, kept = 2, data[:2]
    while data[at + 1] != 0xDA:
        length = 2 + int.from_bytes(data[at + 2 : at + 4])
        if data[at + 1] != marker:
            kept += data[at : at + length]
        at += length
    return kept + data[at:]


def decode_by_ffmpeg(data: bytes, folder: Path) -> Image:
    path = folder / "picture.mjpeg"
    path.write_bytes(data)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    found, image = capture.read()
    capture.release()
    assert found
    return np.asarray(image, np.uint8)


def decode_by_libjpeg(data: bytes, _: Path) -> Image:
    return np.asarray(simplejpeg.decode_jpeg(data), np.uint8)


def decode_by_opencv(data: bytes, _: Path) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_a_whole_jpeg_is_taken_as_it_is() -> None:
    data = encode(scene())
    found = read_jpeg(memoryview(data))
    assert (found.data, found.shape) == (data, (96, 128, 3))


def test_a_gray_one_tells_so() -> None:
    data = bytes(simplejpeg.encode_jpeg(scene()[:, :, :1].copy(), 85, "GRAY"))
    assert read_jpeg(memoryview(data)).shape == (96, 128)


def test_what_stands_behind_the_end_is_left_out() -> None:
    data = encode(scene())
    assert read_jpeg(memoryview(data + bytes(500) + b"\xff\xd9")).data == data


def test_one_of_several_scans_is_read_to_its_end() -> None:
    encoded, array = cv2.imencode(".jpg", scene(), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert encoded
    data = array.tobytes()
    assert data.count(b"\xff\xda") > 1
    assert read_jpeg(memoryview(data)).data == data


def test_restart_markers_are_part_of_the_picture() -> None:
    encoded, array = cv2.imencode(".jpg", scene(), [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])
    assert encoded
    data = array.tobytes()
    assert b"\xff\xd3" in data
    assert read_jpeg(memoryview(data)).data == data


@pytest.mark.parametrize("decode", [decode_by_ffmpeg, decode_by_libjpeg, decode_by_opencv])
def test_missing_huffman_tables_are_put_in_as_every_decoder_wants_them(
    decode: Callable[[bytes, Path], Image], tmp_path: Path
) -> None:
    data = encode(scene())
    bare = without(data, 0xC4)
    found = read_jpeg(memoryview(bare))
    assert HUFFMAN in found.data
    assert len(found.data) == len(bare) + 420
    assert np.array_equal(decode(found.data, tmp_path), decode(data, tmp_path))


def test_the_tables_are_those_that_libjpeg_writes() -> None:
    data = encode(scene(), colorsubsampling="420")
    ours = {HUFFMAN[4:][at : at + 17] for at in (0, 29, 208, 237)}
    theirs = set()
    for part in data.split(b"\xff\xc4")[1:]:
        theirs |= {part[2:19]}
    assert theirs <= ours
    assert len(theirs) == 4


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.999])
def test_one_that_is_cut_off_is_refused(share: float) -> None:
    data = encode(scene())
    with pytest.raises(ValueError, match="cut off"):
        read_jpeg(memoryview(data[: int(len(data) * share)]))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "begins with nothing, want ffd8"),
        (b"\0\0\0\0", "begins with 0000, want ffd8"),
        (b"\xff\xd8\xff\xd9", "has no picture in it"),
        (b"\xff\xd8\xff\xc0\x00\x05\x08\x00\x10", "header is 5 bytes, want 8 or more"),
        (b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x10\x01\x01\x11\x00", "JPEG is 16x0, want 1"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, found: str) -> None:
    with pytest.raises(ValueError, match=found):
        read_jpeg(memoryview(data))


def test_nothing_but_a_value_error_comes_of_any_damage() -> None:
    data, random = bytearray(encode(scene(16, 16))), np.random.default_rng(5)
    for _ in range(2000):
        hurt = bytearray(data)
        for at in random.integers(0, len(hurt), 3):
            hurt[at] = random.integers(0, 256)
        try:
            read_jpeg(memoryview(hurt[: random.integers(0, len(hurt) + 1)]))
        except ValueError:
            continue
