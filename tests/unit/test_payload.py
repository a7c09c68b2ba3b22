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


def test_raw_pictures_are_always_counted(warm: PayloadCheck) -> None:
    warm.check("raw", SHAPE, "uint8", IMAGE.tobytes())
    with pytest.raises(RemoteProtocolError, match="payload is 5 bytes, want 9216"):
        warm.check("raw", SHAPE, "uint8", b"short")
