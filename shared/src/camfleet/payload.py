"""A frame's payload: sees that it is what its header says, and never decodes it."""

from __future__ import annotations

from math import prod
from typing import Final, Literal

import numpy as np
import simplejpeg

from camfleet.errors import Reason, RemoteProtocolError

Codec = Literal["jpeg", "raw"]
Payload = bytes | memoryview

MAX_SIDE: Final = 65_535  # pixels; the most that a JPEG can hold (ITU-T T.81, B.2.2)
MAX_PIXELS: Final = 2**26  # 8192 by 8192: a small JPEG must not become gigabytes when decoded
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024  # a raw 4K picture is 25 MB; twice that, and room
_HEAD_BYTES: Final = 2048  # libjpeg's tables and a camera's own segments take 600 to 1000
_SCAN: Final = 0xDA  # SOS
# Markers with a length behind them that stand before a scan: SOF, DHT, DAC, DQT, DRI, APP, COM.
_SEGMENTS: Final = frozenset({*range(0xC0, 0xD0), 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE, _SCAN})


def _plain_dtypes() -> dict[str, int]:
    """Item size by every name that numpy gives a plain dtype, in both byte orders."""
    kinds = [np.dtype(code) for code in "?bhilqBHILQefd"]
    orders = [d for kind in kinds for d in (kind.newbyteorder("<"), kind.newbyteorder(">"))]
    return {name: d.itemsize for d in (*kinds, *orders) for name in (str(d), d.str)}


_JPEG_CHANNELS: Final = frozenset({(), (1,), (3,), (4,)})  # as the picture had before encoding
PLAIN_DTYPES: Final = _plain_dtypes()  # booleans, integers and floats; no objects, no records


def check_payload(codec: Codec, shape: tuple[int, ...], dtype: str, payload: Payload) -> None:
    """See that a payload is what its header says, without decoding it.

    Raises:
        RemoteProtocolError: with reason `shape`, `dtype`, `payload_size` or `not_jpeg`.
    """
    if not 2 <= len(shape) <= 3 or min(shape) < 1 or max(shape) > MAX_SIDE:
        raise RemoteProtocolError(
            Reason.SHAPE,
            f"shape is {list(shape[:8])}, want 2 or 3 sides of 1 to {MAX_SIDE}",
        )
    if shape[0] * shape[1] > MAX_PIXELS:
        raise RemoteProtocolError(
            Reason.SHAPE, f"shape is {list(shape)}, want at most {MAX_PIXELS} pixels"
        )
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise RemoteProtocolError(
            Reason.PAYLOAD_SIZE,
            f"payload is {len(payload)} bytes, want {MAX_PAYLOAD_BYTES} at most",
        )
    if codec == "raw":
        _check_raw(shape, dtype, payload)
    else:
        _check_jpeg(shape, dtype, payload)


def check_jpeg(payload: Payload) -> tuple[int, int]:
    """Read (height, width) in pixels out of a JPEG's header; the picture is not decoded.

    Raises:
        RemoteProtocolError: with reason `not_jpeg`.
    """
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(payload)
    except ValueError as error:
        raise RemoteProtocolError(
            Reason.NOT_JPEG,
            f"payload of {len(payload)} bytes starting {bytes(payload[:4]).hex(' ') or 'empty'}"
            f" is not a JPEG: {error}",
        ) from error
    return height, width


def _check_jpeg(shape: tuple[int, ...], dtype: str, payload: Payload) -> None:
    if dtype != "uint8":
        raise RemoteProtocolError(Reason.DTYPE, f"dtype is {dtype[:32]!r}, want uint8 for a JPEG")
    size = check_jpeg(payload)
    if size != shape[:2] or shape[2:] not in _JPEG_CHANNELS:
        raise RemoteProtocolError(
            Reason.SHAPE,
            f"shape is {list(shape)}, want the JPEG's own {list(size)}, with 1, 3 or 4 channels",
        )


def _check_raw(shape: tuple[int, ...], dtype: str, payload: Payload) -> None:
    itemsize = PLAIN_DTYPES.get(dtype)
    if itemsize is None:
        raise RemoteProtocolError(
            Reason.DTYPE, f"dtype is {dtype[:32]!r}, want booleans, integers or floats"
        )
    wanted = prod(shape) * itemsize
    if len(payload) != wanted:
        raise RemoteProtocolError(
            Reason.PAYLOAD_SIZE,
            f"payload is {len(payload)} bytes, want {wanted} for {list(shape)} of {dtype}",
        )


class PayloadCheck:
    """`check_payload` for one stream, where nearly every JPEG begins as the one before it did.

    All that a JPEG says of itself stands before its first scan. While that is the same to the
    byte, and the header says the same, the answer is the same too.
    """

    def __init__(self) -> None:
        self._head = b""
        self._shape: tuple[int, ...] = ()

    def check(self, codec: Codec, shape: tuple[int, ...], dtype: str, payload: Payload) -> None:
        """See that a payload is what its header says.

        Raises:
            RemoteProtocolError: as `check_payload` does.
        """
        head = self._head
        is_known = head and shape == self._shape and codec == "jpeg" and dtype == "uint8"
        if is_known and len(payload) <= MAX_PAYLOAD_BYTES and bytes(payload[: len(head)]) == head:
            return
        check_payload(codec, shape, dtype, payload)
        self._shape = shape
        self._head = _jpeg_head(payload) if codec == "jpeg" else b""


def _jpeg_head(payload: Payload) -> bytes:
    """A JPEG's segments up to and with its first scan's header (ITU-T T.81, B.1.1.4).

    Empty where they are larger than is worth keeping, or not a plain row of segments: a fill
    byte or a marker without a length could hide from us what libjpeg sees.
    """
    start = bytes(payload[:_HEAD_BYTES])
    at = 2
    while at + 4 <= len(start) and start[at] == 0xFF:
        marker = start[at + 1]
        if marker not in _SEGMENTS:
            return b""
        at += 2 + int.from_bytes(start[at + 2 : at + 4], "big")
        if marker == _SCAN:
            return start[:at] if at <= len(start) else b""
    return b""
