"""JPEGs of frames, for whoever shows them: passed on as they came, or encoded once for all."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from camfleet.codec import encode_jpeg
from camfleet.errors import RemoteProtocolError
from camfleet.frame import Frame
from camfleet.payload import Payload
from camfleet_hub.fleet import Stream

_THREADS: Final = 2  # the encoder frees the interpreter's lock; more would starve the ingest


class Pictures:
    """Gives the JPEG of a frame. A raw one is encoded on a thread, once for all viewers.

    Args:
        quality: of the JPEGs made here, 1 to 100.
    """

    def __init__(self, quality: int) -> None:
        self._quality = quality
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pictures")
        self._encoded: dict[str, tuple[Frame, asyncio.Future[bytes]]] = {}

    async def jpeg(self, stream: Stream, frame: Frame) -> Payload | None:
        """Return the JPEG of a stream's frame, or None when it cannot be made into one."""
        if frame.header.codec == "jpeg":
            return frame.payload
        made = self._encoded.get(stream.id)
        if made is None or made[0] is not frame:
            loop = asyncio.get_running_loop()
            made = frame, loop.run_in_executor(self._pool, self._encode, frame)
            self._encoded[stream.id] = made
        try:
            return await asyncio.shield(made[1])
        except (ValueError, RemoteProtocolError):
            return None

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _encode(self, frame: Frame) -> bytes:
        return encode_jpeg(frame.image(), self._quality)
