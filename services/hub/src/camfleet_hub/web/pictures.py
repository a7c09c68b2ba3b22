"""JPEGs of frames, for whoever shows them: passed on as they came, or made once for all."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from weakref import WeakKeyDictionary

from camfleet.codec import encode_jpeg, shrink_jpeg
from camfleet.errors import RemoteProtocolError
from camfleet.frame import Frame
from camfleet.payload import Payload
from camfleet_hub.stream import Stream
from camfleet_hub.web.size import EIGHTHS

_THREADS: Final = 2  # the codec frees the interpreter's lock; more would starve the ingest
_Making = asyncio.Future[Payload | None]  # None when it cannot be made into a JPEG
_Made = dict[int, _Making]  # by eighths of the sides


class Pictures:
    """Gives the JPEG of a frame. A raw or smaller one is made on a thread, once for all viewers.

    Args:
        quality: of the JPEGs made here, 1 to 100.

    Attributes:
        waiting: pictures that are being made, or are to be.
    """

    def __init__(self, quality: int) -> None:
        self._quality = quality
        self.waiting = 0
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pictures")
        # Weak, so that a camera that the fleet forgets takes its picture along.
        self._made: WeakKeyDictionary[Stream, tuple[Frame, _Made]] = WeakKeyDictionary()

    async def jpeg(self, stream: Stream, frame: Frame) -> Payload | None:
        """Return the JPEG of a stream's frame, or None when it cannot be made into one."""
        if frame.header.codec == "jpeg":
            return frame.payload
        return await asyncio.shield(self.make(stream, frame))

    def make(self, stream: Stream, frame: Frame, eighths: int = EIGHTHS) -> _Making:
        """Begin to make a JPEG of so many eighths of a frame's sides, unless that has begun."""
        of = self._made.get(stream)
        if of is None or of[0] is not frame:
            of = self._made[stream] = frame, {}
        made = of[1]
        if eighths not in made:
            loop = asyncio.get_running_loop()
            made[eighths] = loop.run_in_executor(self._pool, self._make, frame, eighths)
            self.waiting += 1
            made[eighths].add_done_callback(self._done)
        return made[eighths]

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, _made: _Making) -> None:
        self.waiting -= 1

    def _make(self, frame: Frame, eighths: int) -> Payload | None:
        try:
            is_jpeg = frame.header.codec == "jpeg"
            jpeg = frame.payload if is_jpeg else encode_jpeg(frame.image(), self._quality)
        except (ValueError, RemoteProtocolError):
            return None
        if eighths == EIGHTHS:
            return jpeg
        try:
            return shrink_jpeg(jpeg, eighths, self._quality)
        except RemoteProtocolError:
            return jpeg  # whoever shows it says what is wrong with it
