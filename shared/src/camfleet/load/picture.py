"""A JPEG of an exact size: a plain picture, with comments behind its scan to fill it up."""

from __future__ import annotations

from typing import Final

import numpy as np

from camfleet.codec import encode_jpeg
from camfleet.errors import LocalProtocolError

SHAPE: Final = (480, 640, 3)
_QUALITY: Final = 80
_END: Final = b"\xff\xd9"  # EOI
_COMMENT: Final = b"\xff\xfe"  # COM (ITU-T T.81, B.2.4.5): its length counts itself, not the marker
_LEAST: Final = 4  # a comment with nothing in it
_MOST: Final = 65_537


def jpeg(size_bytes: int) -> bytes:
    """Make a JPEG of 640 by 480 that is so large.

    What fills it stands behind the scan, for a hub reads what stands before it.

    Raises:
        LocalProtocolError: when that is too small for one.
    """
    picture = encode_jpeg(np.full(SHAPE, 128, np.uint8), _QUALITY).removesuffix(_END)
    room = size_bytes - len(picture) - len(_END)
    if room < _LEAST:
        least = len(picture) + len(_END) + _LEAST
        raise LocalProtocolError(f"size is {size_bytes} bytes, want {least} or more")
    return picture + _comments(room) + _END


def _comments(room: int) -> bytes:
    comments = b""
    while room:
        size = min(room, _MOST)
        if 0 < room - size < _LEAST:
            size -= _LEAST  # so that another comment fits behind it
        comments += _COMMENT + (size - len(_COMMENT)).to_bytes(2, "big") + bytes(size - _LEAST)
        room -= size
    return comments
