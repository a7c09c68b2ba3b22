"""Makes a JPEG of whatever a source gives, by the shortest way. It never changes a picture."""

from __future__ import annotations

import numpy as np
import simplejpeg

from camfleet.codec import encode_jpeg
from camfleet_node.sources import Content, Image, Jpeg, Planes


def encode(content: Content, quality: int) -> bytes:
    """Encode a picture by libjpeg-turbo; the interpreter's lock is free meanwhile.

    Planes are taken as they are, without a colour conversion; a JPEG goes through verbatim.

    Args:
        content: of a picture, or processed.
        quality: 1 to 100, as libjpeg counts it.

    Raises:
        ValueError: for what no JPEG can hold.
    """
    if isinstance(content, Jpeg):
        return content.data
    if isinstance(content, Planes):
        planes = map(_with_whole_samples, (content.y, content.u, content.v))
        encoded: bytes = simplejpeg.encode_jpeg_yuv_planes(*planes, quality=quality)
        return encoded
    return encode_jpeg(content, quality)


def _with_whole_samples(plane: Image) -> Image:
    """A plane whose rows have no gaps between samples; only such are taken without a copy."""
    return plane if plane.strides[1] == 1 else np.ascontiguousarray(plane)
