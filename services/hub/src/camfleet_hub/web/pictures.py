"""JPEGs of frames, for whoever shows them: passed on as they came, or encoded once for all."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from weakref import WeakKeyDictionary

from camfleet.codec import encode_jpeg
from camfleet.errors import RemoteProtocolError
from camfleet.frame import Frame
from camfleet.payload import Payload
from camfleet_hub.stream import Stream

_THREADS: Final = 2  # the encoder frees the interpreter's lock; more would starve the ingest
_Making = asyncio.Future[bytes | None]  # None when it cannot be made into a JPEG


class Pictures:
    """Gives the JPEG of a frame. A raw one is encoded on a thread, once for all viewers.

    Args:
        quality: of the JPEGs made here, 1 to 100.

    Attributes:
        waiting: raw pictures that are being encoded, or are to be.
    """

    def __init__(self, quality: int) -> None:
        self._quality = quality
        self.waiting = 0
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pictures")
        # Weak, so that a camera that the fleet forgets takes its picture along.
        self._encoded: WeakKeyDictionary[Stream, tuple[Frame, _Making]] = WeakKeyDictionary()

    async def jpeg(self, stream: Stream, frame: Frame) -> Payload | None:
        """Return the JPEG of a stream's frame, or None when it cannot be made into one."""
        if frame.header.codec == "jpeg":
            return frame.payload
        return await asyncio.shield(self.make(stream, frame))

    def make(self, stream: Stream, frame: Frame) -> _Making:
        """Begin to encode a raw frame of a stream, unless that has begun already."""
        made = self._encoded.get(stream)
        if made is None or made[0] is not frame:
            loop = asyncio.get_running_loop()
            made = frame, loop.run_in_executor(self._pool, self._encode, frame)
            self.waiting += 1
            made[1].add_done_callback(self._done)
            self._encoded[stream] = made
        return made[1]

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, _made: _Making) -> None:
        self.waiting -= 1

    def _encode(self, frame: Frame) -> bytes | None:
        try:
            return encode_jpeg(frame.image(), self._quality)
        except (ValueError, RemoteProtocolError):
            return None
