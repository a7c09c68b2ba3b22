"""A draft: a frame that its link has not stamped yet. What no hub would take is refused here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

import msgspec

from camfleet.errors import LocalProtocolError, RemoteProtocolError
from camfleet.frame import NO_STAGES, Metadata, Stages
from camfleet.payload import Codec, Payload, check_payload

MAX_EXTRAS_BYTES: Final = 3072  # of a header's 4096; the longest names and numbers take 700


class Draft(msgspec.Struct, frozen=True, gc=False):
    """A frame before its link puts session, sent count, queue time and clock on it.

    Attributes:
        sequence: from `NodeLink.capture`.
        captured_ns: start of exposure, Unix ns on this machine's clock; 0 for unknown.
        ready_ns: when it was handed over, on the same clock; its queue time starts then.
    """

    sequence: int
    captured_ns: int
    ready_ns: int
    payload: Payload
    codec: Codec
    shape: tuple[int, ...]
    dtype: str = "uint8"
    stages: Stages = NO_STAGES
    label: str = ""
    metadata: Metadata = {}


def check_draft(draft: Draft) -> None:
    """See that the hub would take a draft, here where its maker can be told.

    Raises:
        LocalProtocolError: when the payload is not what its codec, shape and dtype say, or
            label and metadata are too large, or hold what a header cannot.
    """
    if draft.codec not in get_args(Codec):
        raise LocalProtocolError(f"codec is {draft.codec!r}, want one of {get_args(Codec)}")
    try:
        check_payload(draft.codec, draft.shape, draft.dtype, draft.payload)
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from error
    check_extras(draft.captured_ns, draft.label, draft.metadata)


def check_extras(captured_ns: int, label: str, metadata: Mapping[str, object]) -> None:
    """See that a header can hold what a program says beside its picture.

    Raises:
        LocalProtocolError: when `captured_ns` is below 0, or label and metadata are too large,
            or hold what a header cannot.
    """
    if captured_ns < 0:
        raise LocalProtocolError(f"captured_ns is {captured_ns}, want 0 (unknown) or more")
    if not (label or metadata):
        return
    try:
        size = len(msgspec.msgpack.encode((label, metadata)))
        msgspec.convert((label, metadata), tuple[str, Metadata])
    except (TypeError, ValueError, OverflowError, msgspec.ValidationError) as error:
        raise LocalProtocolError(f"label or metadata cannot be sent: {error}") from error
    if size > MAX_EXTRAS_BYTES:
        raise LocalProtocolError(
            f"label and metadata are {size} bytes, want at most {MAX_EXTRAS_BYTES}"
        )
