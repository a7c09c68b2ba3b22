"""A drop-in for `import imagezmq`: the same API, the same bytes. Never imagezmq's hangs.

`from camfleet import imagezmq` in place of `import imagezmq` is all that a program changes.
The other end may be stock imagezmq or this one.
"""

from __future__ import annotations

from camfleet.imagezmq import imagezmq
from camfleet.imagezmq.imagezmq import (
    ImageHub,
    ImageSender,
    SerializingContext,
    SerializingSocket,
    np,
    zmq,
)

__version__ = "1.2.0"  # the imagezmq whose API and bytes these are

__all__ = [
    "ImageHub",
    "ImageSender",
    "SerializingContext",
    "SerializingSocket",
    "imagezmq",
    "np",
    "zmq",
]
