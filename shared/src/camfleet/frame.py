"""A frame: one encoded picture with its header. It decodes the picture only when asked to."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from camfleet.codec import decode
from camfleet.payload import Codec, Payload

Metadata = dict[str, str | int | float | bool | None]

# Bounded well below 64 bits, so that no sum of what a peer sent can overflow the wire.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Signed = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
Session = Annotated[int, msgspec.Meta(ge=0)]


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
