from __future__ import annotations

import numpy as np
import pytest

from camfleet.codec import encode_jpeg
from camfleet.errors import Reason, RemoteProtocolError
from camfleet.payload import PayloadCheck, check_jpeg

SHAPE = (48, 64, 3)
IMAGE = np.arange(48 * 64 * 3, dtype=np.uint32).astype(np.uint8).reshape(SHAPE)
JPEG = encode_jpeg(IMAGE)


def rejection(check: PayloadCheck, *, shape: tuple[int, ...] = SHAPE, payload: bytes) -> Reason:
    with pytest.raises(RemoteProtocolError) as rejected:
        check.check("jpeg", shape, "uint8", memoryview(payload))
    return rejected.value.reason


@pytest.fixture
def warm() -> PayloadCheck:
    check = PayloadCheck()
    check.check("jpeg", SHAPE, "uint8", memoryview(JPEG))
    return check


def test_a_jpeg_that_begins_like_the_last_one_is_not_parsed_again(
    warm: PayloadCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("camfleet.payload.check_jpeg", lambda _: pytest.fail("parsed again"))
    warm.check("jpeg", SHAPE, "uint8", memoryview(encode_jpeg(IMAGE[::-1])))


def test_what_is_no_jpeg_is_rejected_behind_a_good_one(warm: PayloadCheck) -> None:
    assert rejection(warm, payload=b"no JPEG" * 200) is Reason.NOT_JPEG


def test_a_head_without_its_scan_is_rejected_behind_a_good_one(warm: PayloadCheck) -> None:
    assert rejection(warm, payload=JPEG[:100]) is Reason.NOT_JPEG


def test_another_shape_is_judged_anew(warm: PayloadCheck) -> None:
    assert rejection(warm, shape=(64, 48, 3), payload=JPEG) is Reason.SHAPE


def test_another_size_in_the_jpeg_is_judged_anew(warm: PayloadCheck) -> None:
    assert rejection(warm, payload=encode_jpeg(IMAGE[:24])) is Reason.SHAPE


def test_a_rejected_payload_does_not_become_the_known_one(warm: PayloadCheck) -> None:
    other = encode_jpeg(IMAGE[:24])
    for _ in range(2):
        assert rejection(warm, payload=other) is Reason.SHAPE


def test_a_size_that_stands_behind_a_forged_scan_marker_is_still_seen(warm: PayloadCheck) -> None:
    forged = JPEG[:20] + b"\xff\xda" + JPEG[22:]
    assert check_jpeg(JPEG) == SHAPE[:2]
    assert rejection(warm, payload=forged) is Reason.NOT_JPEG


def forged(jpeg: bytes) -> bytes:
    """The same picture to libjpeg; but a careless reader finds a scan inside the comment.

    Fill byte, TEM, and a comment: read without care, that is a segment of 0x01FF bytes, behind
    which the comment's text goes on like a scan's header.
    """
    text = bytes(506) + b"\xff\xda\0\x08" + bytes(20)
    comment = b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text
    return jpeg[:2] + b"\xff\xff\x01" + comment + jpeg[2:]


def test_what_is_remembered_holds_the_jpegs_own_size() -> None:
    small, huge = forged(JPEG), bytearray(forged(JPEG))
    at = huge.index(b"\xff\xc0")
    huge[at + 5 : at + 9] = bytes.fromhex("ea60 ea60")
    assert (check_jpeg(small), check_jpeg(bytes(huge))) == (SHAPE[:2], (60_000, 60_000))
    check = PayloadCheck()
    check.check("jpeg", SHAPE, "uint8", memoryview(small))
    assert rejection(check, payload=bytes(huge)) is Reason.SHAPE


def test_raw_pictures_are_always_counted(warm: PayloadCheck) -> None:
    warm.check("raw", SHAPE, "uint8", IMAGE.tobytes())
    with pytest.raises(RemoteProtocolError, match="payload is 5 bytes, want 9216"):
        warm.check("raw", SHAPE, "uint8", b"short")
