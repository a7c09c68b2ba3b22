"""A detection: what a detector reports of a camera, before its link has numbered it.

What no hub would take is refused here, and what no node should send is rejected by the same rules.
"""

from __future__ import annotations

from math import isfinite
from typing import Final

import msgspec

from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.names import check_name
from camfleet.payload import Payload, check_jpeg
from camfleet.wire import Box, Word

MAX_PICTURE_BYTES: Final = 65_536  # 320 pixels wide take a third; the stream has it in full size
MAX_PICTURE_PIXELS: Final = 2**20  # one that is so small must not become large when it is decoded
_ROUNDED: Final = 100.001  # percent; left and width were rounded each by itself


class DetectionDraft(msgspec.Struct, frozen=True, gc=False):
    """A detection before its link puts session, number and clock on it.

    Attributes:
        detector: which kind, 1 to 12 of `a` to `z` and `_`, for example `motion`.
        state: what it found, likewise, for example `moving`.
        region: its name, where the detector has one.
        captured_ns: of the picture that shows it, Unix ns on this machine's clock; 0 for now.
        box: where in the picture, as left, top, width and height in percent; or empty.
        picture: a small JPEG, or nothing.
    """

    detector: str
    state: str
    region: str = ""
    captured_ns: int = 0
    box: Box = ()
    picture: bytes = b""


def check_detection_draft(draft: DetectionDraft) -> None:
    """See that the hub would take a draft, here where its maker can be told.

    Raises:
        LocalProtocolError: for a detector, state or region that is no such word, a negative
            time, a box outside of the picture, or a picture that is no small JPEG.
    """
    for what, word in (("detector", draft.detector), ("state", draft.state)):
        try:
            msgspec.convert(word, Word)
        except msgspec.ValidationError as error:
            raise LocalProtocolError(f"{what} is {str(word)[:40]!r}: {error}") from error
    if draft.captured_ns < 0:
        raise LocalProtocolError(f"captured_ns is {draft.captured_ns}, want 0 (now) or more")
    try:
        check_detection(draft.region, draft.box, draft.picture)
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from error


def check_detection(region: str, box: Box, picture: Payload) -> None:
    """See that a detection's region, box and picture are what they should be.

    Raises:
        RemoteProtocolError: with reason `name`, `header`, `payload_size`, `not_jpeg` or `shape`.
    """
    if region:
        check_name(region, "region")
    if box:
        _check_box(box)
    if len(picture) > MAX_PICTURE_BYTES:
        raise RemoteProtocolError(
            Reason.PAYLOAD_SIZE,
            f"picture of a detection is {len(picture)} bytes, want {MAX_PICTURE_BYTES} at most",
        )
    if picture:
        height, width = check_jpeg(picture)
        if height * width > MAX_PICTURE_PIXELS:
            raise RemoteProtocolError(
                Reason.SHAPE,
                f"picture of a detection is {width} by {height}, want at most "
                f"{MAX_PICTURE_PIXELS} pixels",
            )


def _check_box(box: Box) -> None:
    is_inside = len(box) == 4 and all(isfinite(side) and side >= 0 for side in box)
    if is_inside:
        left, top, width, height = box
        is_inside = left + width <= _ROUNDED and top + height <= _ROUNDED
    if not is_inside:
        raise RemoteProtocolError(
            Reason.HEADER,
            f"box is {list(box[:8])}, want left, top, width and height in percent of the picture",
        )
