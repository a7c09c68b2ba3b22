"""imagezmq's message under any input: it parses, or raises RemoteProtocolError and nothing else."""

from __future__ import annotations

import contextlib
import json
import warnings
from math import prod
from typing import Any

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from camfleet.errors import RemoteProtocolError
from camfleet.imagezmq.camera_name import camera_name
from camfleet.imagezmq.message import encode_header, parse, parse_layout

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
PAYLOADS = st.binary(max_size=64) | st.binary(max_size=64).map(b"\xff\xd8\xff".__add__)
TIMES = r"[<>]?[mM]8(\[[0-9]{0,7}[YMWDhmsunpfa]{0,2}\])?"
DTYPES = (
    st.sampled_from(["uint8", "<u2", "bool", "complex64", "datetime64[ns]", "O", "i4,i4"])
    | st.from_regex(r"[<>|=]?[A-Za-z?][0-9]{0,9}", fullmatch=True)
    | st.from_regex(TIMES, fullmatch=True)
    | JSON
)
SHAPES = st.lists(st.integers(-1, 8), max_size=4) | st.lists(st.integers(), max_size=40) | JSON
HEADERS = st.fixed_dictionaries({"msg": JSON}, optional={"dtype": DTYPES, "shape": SHAPES})
NUMPY_REFUSES = (TypeError, ValueError, SyntaxError, OverflowError)
ARRAYS = st_numpy.arrays(
    st_numpy.scalar_dtypes(), st_numpy.array_shapes(min_dims=0, max_dims=5, min_side=0)
)


def size_that_numpy_wants(dtype: object, sides: object) -> int:
    """Return 0 where numpy wants none of it, or more than a test should allocate."""
    if not isinstance(dtype, str) or not isinstance(sides, list):
        return 0
    if not all(isinstance(side, int) for side in sides):
        return 0
    with warnings.catch_warnings(action="ignore"), contextlib.suppress(*NUMPY_REFUSES):
        size_bytes = prod(sides) * np.dtype(dtype).itemsize
        return size_bytes if 0 <= size_bytes <= 100_000 else 0
    return 0


@given(header=st.binary(max_size=64) | JSON.map(lambda v: json.dumps(v).encode()), payload=PAYLOADS)
@example(header=b"[" * 60_000, payload=b"")
def test_any_bytes_parse_or_are_rejected(header: bytes, payload: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        parse(header, payload)


@given(fields=HEADERS, payload=PAYLOADS)
def test_any_fields_parse_or_are_rejected(fields: dict[str, Any], payload: bytes) -> None:
    with contextlib.suppress(RemoteProtocolError):
        parse(json.dumps(fields).encode(), memoryview(payload))


@given(dtype=DTYPES, sides=st.lists(st.integers(0, 4), max_size=3) | SHAPES)
def test_numpy_restores_every_layout_that_is_accepted(dtype: object, sides: object) -> None:
    size_bytes = size_that_numpy_wants(dtype, sides)
    with contextlib.suppress(RemoteProtocolError):
        shape, name = parse_layout({"dtype": dtype, "shape": sides}, size_bytes)
        np.frombuffer(bytes(size_bytes), dtype=name).reshape(shape)


@given(msg=JSON, array=ARRAYS)
def test_every_array_comes_back_as_it_went(msg: object, array: np.ndarray[Any, Any]) -> None:
    fields = json.loads(encode_header(msg, array))
    shape, dtype = parse_layout(fields, array.nbytes)
    restored = np.frombuffer(array.tobytes(), dtype=dtype).reshape(shape)
    assert restored.dtype == array.dtype
    assert restored.tobytes() == array.tobytes()


@given(msg=JSON)
def test_any_text_gives_a_name_or_is_rejected(msg: object) -> None:
    with contextlib.suppress(RemoteProtocolError):
        assert camera_name(msg)
