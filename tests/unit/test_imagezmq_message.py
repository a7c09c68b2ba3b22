"""imagezmq's two parts, built and parsed: golden bytes, and every bad message by its reason."""

from __future__ import annotations

import json
import sys
from math import prod
from typing import Any

import numpy as np
import pytest
import simplejpeg

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.imagezmq.camera_name import camera_name
from camfleet.imagezmq.message import MAX_HEADER_BYTES, encode_header, parse, parse_layout

JPEG = simplejpeg.encode_jpeg(np.zeros((48, 64, 3), np.uint8))
PICTURE = np.arange(4, dtype=np.uint8).reshape(2, 2)


def reason_of(header: bytes, payload: bytes = b"abcd") -> Reason:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(header, payload)
    return caught.value.reason


def raw_header(shape: object, dtype: object = "uint8") -> bytes:
    return json.dumps({"msg": "rpi1", "dtype": dtype, "shape": shape}).encode()


@pytest.mark.parametrize(
    ("msg", "array", "header"),
    [
        ("rpi1", PICTURE, b'{"msg": "rpi1", "dtype": "uint8", "shape": [2, 2]}'),
        ("rpi1", PICTURE.astype(">u2"), b'{"msg": "rpi1", "dtype": ">u2", "shape": [2, 2]}'),
        ("rpi1", PICTURE.astype(bool), b'{"msg": "rpi1", "dtype": "bool", "shape": [2, 2]}'),
        (None, np.zeros((0, 3), "f4"), b'{"msg": null, "dtype": "float32", "shape": [0, 3]}'),
        ("rpi1", None, b'{"msg": "rpi1"}'),
        ("k\u00fcche \U0001f4f7", None, b'{"msg": "k\\u00fcche \\ud83d\\udcf7"}'),
        ({"a": [1, 2.5, True]}, None, b'{"msg": {"a": [1, 2.5, true]}}'),
        (float("nan"), None, b'{"msg": NaN}'),
    ],
)
def test_a_header_has_these_bytes(
    msg: object, array: np.ndarray[Any, Any] | None, header: bytes
) -> None:
    assert encode_header(msg, array) == header


def test_a_text_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes"):
        encode_header(b"rpi1", None)


@pytest.mark.parametrize(
    "header",
    [
        b'{"msg": "rpi1", "dtype": "uint8", "shape": [2, 2]}',
        b'{"msg":"rpi1","dtype":"uint8","shape":[2,2]}',  # pyzmq before 22.2
        b'{"sequence": 7, "shape": [2, 2], "dtype": "uint8", "msg": "rpi1", "sent": 1.5}',
    ],
)
def test_a_raw_picture_is_read(header: bytes) -> None:
    message = parse(header, b"abcd")
    assert (message.msg, message.codec, message.shape) == ("rpi1", "raw", (2, 2))
    assert (message.dtype, message.payload) == ("uint8", b"abcd")


@pytest.mark.parametrize("header", [b'{"msg": "rpi1"}', b'{"msg":"rpi1"}', b'{"t":1,"msg":"rpi1"}'])
def test_a_jpeg_has_the_shape_that_its_own_header_tells(header: bytes) -> None:
    message = parse(header, JPEG)
    assert (message.codec, message.shape, message.dtype) == ("jpeg", (48, 64), "uint8")
    assert message.payload is JPEG


@pytest.mark.parametrize("msg", ["", None, 5, 1.5, True, [], ["a", {}], {"a": None}, "\ud800"])
def test_any_json_value_is_a_text(msg: object) -> None:
    assert parse(encode_header(msg, PICTURE), b"abcd").msg == msg


def test_a_payload_is_not_copied() -> None:
    payload = memoryview(b"abcd")
    assert parse(raw_header([2, 2]), payload).payload is payload


def test_a_message_is_frozen() -> None:
    message = parse(raw_header([2, 2]), b"abcd")
    with pytest.raises(AttributeError):
        setattr(message, "msg", "other")  # noqa: B010  # mypy rightly refuses the plain assignment


@pytest.mark.parametrize("shape", [[], [4], [2, 2], [1, 2, 2], [1, 1, 1, 4, 1], [1] * 32])
def test_any_number_of_axes_is_read(shape: list[int]) -> None:
    assert parse(raw_header(shape), bytes(prod(shape))).shape == tuple(shape)


@pytest.mark.parametrize(
    "dtype",
    [
        *("bool", "int8", "uint16", ">u2", "<i4", "float16", ">f8", "|u1", "complex64", ">c16"),
        *("|S5", "<U3", ">U3", "|V7", "datetime64[ns]", ">M8[10us]", "timedelta64[D]", "m8"),
        str(np.dtype(np.longdouble)),
    ],
)
def test_every_dtype_that_stock_carries_is_read(dtype: str) -> None:
    item_bytes = np.dtype(dtype).itemsize
    assert parse(raw_header([2], dtype), bytes(2 * item_bytes)).dtype == dtype


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"rpi1",
        b"{",
        b'{"msg": "rpi1"',
        b'"rpi1"',
        b"[]",
        b"null",
        b"{}",
        b'{"dtype": "uint8", "shape": [2, 2]}',
        b'{"Msg": "rpi1"}',
        b'\xef\xbb\xbf{"msg": "rpi1"}',
        b'{"msg": "\xff"}',
        '{"msg": "rpi1"}'.encode("utf-16"),
        b'{"msg": ' + b"9" * 5000 + b"}",  # more digits than Python converts
        b'{"msg": ' + b"[" * 60_000,  # deeper than Python recurses
        b"\x80\x04K\x01.",  # a pickle
    ],
)
def test_a_bad_header_is_rejected_as_header(header: bytes) -> None:
    assert reason_of(header) == Reason.HEADER


def test_a_header_of_64_kib_is_read_and_a_longer_one_is_not() -> None:
    text = "x" * (MAX_HEADER_BYTES - len('{"msg": ""}'))
    assert parse(encode_header(text, None), JPEG).msg == text
    assert reason_of(encode_header(text + "x", None), JPEG) == Reason.HEADER_SIZE


@pytest.mark.parametrize(
    "shape",
    [
        *([-1], [2, -1], [-2, -2], [0], [2, 0], [4.0], [2, "2"], [True, 4], [None], [[4]]),
        *(4, None, "4", {"0": 4}, {}, [1] * 33, [2**62, 2**62], [2**63], [0, 2**63], [10**4000]),
        [10**4000] * 5,  # the product has more digits than Python prints
    ],
)
def test_a_bad_shape_is_rejected_as_shape(shape: object) -> None:
    assert reason_of(raw_header(shape)) == Reason.SHAPE


def test_a_shape_overflows_by_the_bytes_of_its_items() -> None:
    assert reason_of(raw_header([sys.maxsize // 4], "float64")) == Reason.SHAPE


def test_a_missing_half_of_the_layout_is_rejected() -> None:
    assert reason_of(b'{"msg": "", "dtype": "uint8"}') == Reason.SHAPE
    assert reason_of(b'{"msg": "", "shape": [4]}') == Reason.DTYPE


@pytest.mark.parametrize(
    "dtype",
    [
        *("object", "O", "|O", "", "uint", "u8,u8", "[('a', '<i4')]", "(2,)u1", "uint8 ", "a5"),
        *(
            "S",
            "S0",
            "U999999999",
            "M8[x]",
            "M8[]",
            "M8[0s]",
            "M8[s]/2",
            "StringDType()",
            "x" * 999,
        ),
        *(None, 1, True, [], ["u1"], [["a", "u1"]], {"names": ["a"]}),
    ],
)
def test_a_dtype_that_is_not_plain_is_rejected_as_dtype(dtype: object) -> None:
    assert reason_of(raw_header([4], dtype)) == Reason.DTYPE


@pytest.mark.parametrize("payload", [b"", b"abc", b"abcde"])
def test_a_payload_of_another_size_is_rejected(payload: bytes) -> None:
    assert reason_of(raw_header([2, 2]), payload) == Reason.PAYLOAD_SIZE


@pytest.mark.parametrize("payload", [b"", b"00", b"\xff\xd8\xff", JPEG[:20], b"\x89PNG\r\n\x1a\n"])
def test_a_payload_that_is_no_jpeg_is_rejected(payload: bytes) -> None:
    assert reason_of(b'{"msg": "rpi1"}', payload) == Reason.NOT_JPEG


def test_an_error_says_what_was_found_and_what_was_wanted() -> None:
    with pytest.raises(RemoteProtocolError, match=r"payload is 3 bytes, want 4 for \[2, 2\]"):
        parse(raw_header([2, 2]), b"abc")


def test_an_error_shows_no_more_than_the_start_of_a_bad_value() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(raw_header([4], "x" * 60_000), b"abcd")
    assert len(str(caught.value)) < 200


def test_a_layout_may_be_empty_as_stock_sends_it() -> None:
    assert parse_layout({"dtype": "float32", "shape": [0, 3]}, 0) == ((0, 3), "float32")
    assert parse_layout({"dtype": "float32", "shape": []}, 4) == ((), "float32")


@pytest.mark.parametrize("shape", [[0, 2**63], [0, 2**62, 2**62], [0, sys.maxsize // 4]])
def test_an_empty_layout_can_be_too_large_for_numpy_too(shape: list[int]) -> None:
    with pytest.raises(RemoteProtocolError, match="bytes in all") as caught:
        parse_layout({"dtype": "float64", "shape": shape}, 0)
    assert caught.value.reason == Reason.SHAPE


@pytest.mark.parametrize(
    ("msg", "name"),
    [
        ("rpi1", "rpi1"),
        ("  rpi1\n", "rpi1"),
        ("garage door|motion|moving", "garage door"),
        ("garage door |jpg", "garage door"),
        ("k\u00fcche", "k\u00fcche"),
        (7, "7"),
        (1.5, "1.5"),
        (True, "True"),
        (["rpi1", "motion"], "rpi1"),
        ([["rpi1|x"], 2], "rpi1"),
        ([], "unnamed"),
        ([{}], "unnamed"),
        (None, "unnamed"),
        ("", "unnamed"),
        ("  ", "unnamed"),
        ("|motion", "unnamed"),
        ({"name": "rpi1"}, "unnamed"),
    ],
)
def test_a_camera_is_named_by_its_text(msg: object, name: str) -> None:
    assert camera_name(msg) == name


@pytest.mark.parametrize(
    "msg", ["../../x", "a/b", "a\\b", "..", "a\nb", "\x00", "x" * 129, "\ud800", 10**200, ["a/b"]]
)
def test_a_text_that_cannot_be_a_name_is_rejected(msg: object) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        camera_name(msg)
    assert caught.value.reason == Reason.NAME


def test_a_list_may_be_nested_deeper_than_python_recurses() -> None:
    msg: list[Any] = ["rpi1"]
    for _ in range(5000):
        msg = [msg]
    assert camera_name(msg) == "rpi1"
