"""A frame: one encoded picture with its header. Checks that they fit; never decodes the picture."""

from __future__ import annotations

from math import prod
from typing import Annotated, Final, Literal

import msgspec
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from camfleet.codec import decode
from camfleet.errors import Reason, RemoteProtocolError

Codec = Literal["jpeg", "raw"]
Payload = bytes | memoryview
Metadata = dict[str, str | int | float | bool | None]

# Bounded well below 64 bits, so that no sum of what a peer sent can overflow the wire.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Signed = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
Session = Annotated[int, msgspec.Meta(ge=0)]

MAX_SIDE: Final = 65_535  # pixels; the most that a JPEG can hold (ITU-T T.81, B.2.2)
MAX_PIXELS: Final = 2**26  # 8192 by 8192: a small JPEG must not become gigabytes when decoded
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024  # a raw 4K picture is 25 MB; twice that, and room


def _plain_dtypes() -> dict[str, int]:
    """Item size by every name that numpy gives a plain dtype, in both byte orders."""
    kinds = [np.dtype(code) for code in "?bhilqBHILQefd"]
    orders = [d for kind in kinds for d in (kind.newbyteorder("<"), kind.newbyteorder(">"))]
    return {name: d.itemsize for d in (*kinds, *orders) for name in (str(d), d.str)}


_JPEG_CHANNELS: Final = frozenset({(), (1,), (3,), (4,)})  # as the picture had before encoding
PLAIN_DTYPES: Final = _plain_dtypes()  # booleans, integers and floats; no objects, no records


class Stages(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How long a frame spent in each stage of its node, in ns."""

    capture_ns: Count = 0
    process_ns: Count = 0
    encode_ns: Count = 0
    queue_ns: Count = 0


NO_STAGES: Final = Stages()


class FrameHeader(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What travels beside a picture. The order of the fields is the wire's order.

    Attributes:
        stream: `camera/profile`, for example `front/main`.
        session: random id of the node's run; sequences start anew with it.
        sequence: how many pictures this stream captured before this one.
        sent: how many frames of this stream were sent in this session before this one.
        captured_ns: start of exposure, Unix ns on the node's clock; 0 where nobody knows.
        codec: how the payload is encoded.
        shape: (height, width) or (height, width, channels), in pixels.
        dtype: numpy's name of the samples' type, for example `uint8`.
        stages: time spent in each stage of the node.
        clock_offset_ns: hub's clock minus the node's.
        clock_uncertainty_ns: how far that may be off; -1 before the first measurement.
        label: the text that the program gave with the picture.
        metadata: a small map of the program's own.
    """

    stream: str
    session: Session
    sequence: Count
    sent: Count
    captured_ns: Count
    codec: Codec
    shape: tuple[int, ...]
    dtype: str = "uint8"
    stages: Stages = NO_STAGES
    clock_offset_ns: Signed = 0
    clock_uncertainty_ns: Signed = -1
    label: str = ""
    metadata: Metadata = {}


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One encoded picture as the hub holds it.

    Attributes:
        node: name of the node that sent it.
        header: as it came.
        payload: the picture's bytes.
        received_ns: arrival, Unix ns on the hub's clock.
    """

    node: str
    header: FrameHeader
    payload: Payload
    received_ns: int

    @property
    def camera(self) -> str:
        """The camera's name."""
        return self.header.stream.partition("/")[0]

    def image(self) -> NDArray[np.uint8]:
        """Decode the picture: (height, width, 3) BGR, or (height, width) where it is gray.

        Raises:
            RemoteProtocolError: with reason `not_jpeg` when the payload cannot be decoded.
        """
        header = self.header
        return decode(header.codec, header.shape, header.dtype, self.payload)

    @property
    def latency_ns(self) -> int | None:
        """Time from capture to arrival on the hub's clock, or None where it cannot be known."""
        header = self.header
        if not header.captured_ns or header.clock_uncertainty_ns < 0:
            return None
        return self.received_ns - (header.captured_ns + header.clock_offset_ns)


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
