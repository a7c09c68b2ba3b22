"""imagezmq's message: a JSON header part, then the data. Builds and checks; never does I/O.

The format is imagezmq 1.2.0's. A picture's header is `{"msg": …, "dtype": …, "shape": […]}`,
a JPEG's is `{"msg": …}`; `msg` may be any JSON value, and other keys are ignored.
"""

from __future__ import annotations

import json
import re
from math import prod
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import numpy as np

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.payload import PLAIN_DTYPES, Payload, check_jpeg

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_HEADER_BYTES: Final = 64 * 1024  # a text that belongs to one picture is far below this
_MAX_AXES: Final = 32  # numpy 1's limit; numpy 2 has 64, and a picture needs 3
_MAX_BYTES: Final = int(np.iinfo(np.intp).max)  # what numpy can address, so no product overflows
_SHOWN: Final = 64  # characters of a bad value that go into an error


def _wide_dtypes() -> dict[str, int]:
    """Item size by name of the numbers that no picture is made of: complex and long double."""
    kinds = [np.dtype(order + code) for order in "<>=" for code in "gFDG"]
    return {name: kind.itemsize for kind in kinds for name in (str(kind), kind.str)}


_NUMBERS: Final = {**PLAIN_DTYPES, **_wide_dtypes()}
_FIXED_WIDTH: Final = re.compile(  # bytes, text, raw memory and time, as numpy spells them
    r"[<>|]?[SUV][1-9][0-9]{0,7}"
    r"|(?:[<>]?[mM]8|datetime64|timedelta64)(?:\[(?:[1-9][0-9]{0,5})?(?:[YMWDhm]|[munpfa]?s)\])?"
)


class Message(msgspec.Struct, frozen=True):
    """One picture as a stock sender sends it.

    Attributes:
        msg: the program's text, or whatever JSON value it gave.
        codec: how the payload is encoded.
        shape: of a raw array, any number of axes; (height, width) of a JPEG, in pixels.
        dtype: numpy's name of the samples' type; `uint8` for a JPEG.
        payload: the data part, as it came.
    """

    msg: Any
    codec: Literal["raw", "jpeg"]
    shape: tuple[int, ...]
    dtype: str
    payload: Payload


def encode_header(msg: object, array: NDArray[Any] | None) -> bytes:
    """Build the header part, byte for byte as imagezmq 1.2.0 on pyzmq 22.2 or later does.

    Args:
        msg: any value that JSON can hold.
        array: the picture whose shape and dtype the header tells, or None for a JPEG.

    Raises:
        TypeError: when JSON cannot hold `msg`.
    """
    fields = {"msg": msg}
    if array is not None:
        fields |= {"dtype": str(array.dtype), "shape": array.shape}
    return json.dumps(fields).encode("ascii")


def parse(header: bytes, payload: Payload) -> Message:
    """Check both parts of a message; the picture is not decoded and the payload not copied.

    Raises:
        RemoteProtocolError: with reason `header`, `header_size`, `shape`, `dtype`,
            `payload_size` or `not_jpeg`.
    """
    fields = parse_header(header)
    if "dtype" not in fields and "shape" not in fields:
        return Message(fields["msg"], "jpeg", check_jpeg(payload), "uint8", payload)
    shape, dtype = parse_layout(fields, len(payload), min_side=1)
    return Message(fields["msg"], "raw", shape, dtype, payload)


def parse_header(header: bytes, max_bytes: int = MAX_HEADER_BYTES) -> dict[str, Any]:
    """Read the header part into its fields, of which `msg` is there and the rest unchecked.

    Raises:
        RemoteProtocolError: with reason `header` or `header_size`.
    """
    if len(header) > max_bytes:
        raise RemoteProtocolError(
            Reason.HEADER_SIZE, f"header is {len(header)} bytes, want at most {max_bytes}"
        )
    try:
        fields = json.loads(header.decode())
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or nested too deeply
        raise RemoteProtocolError(
            Reason.HEADER, f"header starts {header[:_SHOWN]!r}, want JSON: {error}"
        ) from error
    if not isinstance(fields, dict) or "msg" not in fields:
        raise RemoteProtocolError(
            Reason.HEADER, f'header starts {header[:_SHOWN]!r}, want an object with "msg"'
        )
    return fields


def parse_layout(
    fields: dict[str, Any], payload_bytes: int, min_side: int = 0
) -> tuple[tuple[int, ...], str]:
    """Return the (shape, dtype) of a raw array whose payload has exactly the bytes they need.

    Any number of axes is accepted, none too, and by default sides of 0, as imagezmq itself does.
    After this numpy can restore the array without an error and without a copy.

    Raises:
        RemoteProtocolError: with reason `dtype`, `shape` or `payload_size`.
    """
    dtype, item_bytes = _parse_dtype(fields.get("dtype"))
    shape = _parse_shape(fields.get("shape"), item_bytes, min_side)
    wanted = prod(shape) * item_bytes
    if payload_bytes != wanted:
        raise RemoteProtocolError(
            Reason.PAYLOAD_SIZE,
            f"payload is {payload_bytes} bytes, want {wanted} for {list(shape)} of {dtype}",
        )
    return shape, dtype


def _parse_dtype(dtype: object) -> tuple[str, int]:
    """Look a dtype up; numpy itself would also accept objects, records and old aliases."""
    if isinstance(dtype, str):
        if dtype in _NUMBERS:
            return dtype, _NUMBERS[dtype]
        if _FIXED_WIDTH.fullmatch(dtype):
            return dtype, np.dtype(dtype).itemsize
    raise RemoteProtocolError(
        Reason.DTYPE, f"dtype is {_shown(dtype)}, want the name of a plain numpy dtype"
    )


def _parse_shape(shape: object, item_bytes: int, min_side: int) -> tuple[int, ...]:
    if (
        not isinstance(shape, list)
        or len(shape) > _MAX_AXES
        or not all(type(side) is int and side >= min_side for side in shape)  # a bool is no side
    ):
        raise RemoteProtocolError(
            Reason.SHAPE,
            f"shape is {_shown(shape)}, want at most {_MAX_AXES} whole numbers from {min_side}",
        )
    # numpy multiplies the sides without the zeros, so an empty array can overflow too
    if prod(side or 1 for side in shape) * item_bytes > _MAX_BYTES:
        raise RemoteProtocolError(
            Reason.SHAPE, f"shape is {_shown(shape)}, want at most {_MAX_BYTES} bytes in all"
        )
    return tuple(shape)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
