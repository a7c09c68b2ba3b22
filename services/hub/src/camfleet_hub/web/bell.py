"""Wakes coroutines when a stream has a newer frame. Ringing never holds up an ingest thread."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from camfleet_hub.stream import Stream

NEW_CAMERAS: Final = ""  # what to listen to for them; no stream has an empty id


class Bell:
    """Carries "there is a newer frame" from the ingest threads to the event loop, coalesced.

    However many frames arrive before the loop gets to it, it is woken once.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._listeners: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._rung: set[str] = set()
        self._is_on_its_way = False
        self.is_closed = False

    def ring(self, stream: Stream) -> None:
        """Say that a stream has a newer frame; from any thread."""
        self._ring(stream.id)

    def announce(self, _stream: Stream) -> None:
        """Say that there is a new camera; from any thread. It rings for `NEW_CAMERAS`."""
        self._ring(NEW_CAMERAS)

    def listen(self, stream_ids: Iterable[str], event: asyncio.Event) -> None:
        """Set `event` whenever one of these streams rings."""
        for stream_id in stream_ids:
            self._listeners[stream_id].add(event)

    def forget(self, stream_ids: Iterable[str], event: asyncio.Event) -> None:
        """Stop setting `event` for these streams."""
        for stream_id in stream_ids:
            listeners = self._listeners.get(stream_id, set())
            listeners.discard(event)
            if not listeners:
                self._listeners.pop(stream_id, None)

    @contextmanager
    def listening(self, stream_id: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever this stream rings, for as long as the block runs."""
        event = asyncio.Event()
        self.listen([stream_id], event)
        try:
            yield event
        finally:
            self.forget([stream_id], event)

    def close(self) -> None:
        """Wake everybody for the last time: the hub stops."""
        self.is_closed = True
        for listeners in list(self._listeners.values()):
            for event in listeners:
                event.set()

    def _ring(self, what: str) -> None:
        if what not in self._listeners:
            return
        self._rung.add(what)
        if not self._is_on_its_way:
            self._is_on_its_way = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._is_on_its_way = False  # first, so that a ring from now on wakes us again
        # Taken out one by one and never swapped: an ingest thread may be adding right now.
        while self._rung:
            for event in self._listeners.get(self._rung.pop(), ()):
                event.set()
