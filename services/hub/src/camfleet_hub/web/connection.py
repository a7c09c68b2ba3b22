"""Connections of browsers with the limits that uvicorn has none for: who says nothing is cut off.

A connection costs a file descriptor and what is buffered for it; neither is given for ever to
who does not ask, or does not read.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MAX_CONNECTIONS: Final = 512  # half of the 1024 descriptors that a process often may have
REQUEST_S: Final = 10.0  # for a request's head: far more than a bad mobile link needs
WRITE_S: Final = 10.0  # for what is buffered to be read: a 4K JPEG over 2 Mbit/s


class HttpConnection(HttpToolsProtocol):
    """Cuts off who asks for nothing, who does not read, and who is one too many."""

    _asking: asyncio.TimerHandle | None = None
    _writing: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        """Expect a request."""
        super().connection_made(transport)
        self._expect_request()
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()

    def on_message_begin(self) -> None:
        """Expect the rest of a request's head."""
        super().on_message_begin()
        self._expect_request()

    def on_headers_complete(self) -> None:
        """Serve it, for as long as it takes."""
        _cancel(self._asking)
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Expect that what is buffered is read."""
        super().pause_writing()
        self._writing = self.loop.call_later(WRITE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it was read."""
        _cancel(self._writing)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        _cancel(self._asking)
        _cancel(self._writing)
        super().connection_lost(exc)

    def _expect_request(self) -> None:
        _cancel(self._asking)
        self._asking = self.loop.call_later(REQUEST_S, self.transport.abort)


class WebSocketConnection(WebSocketsSansIOProtocol):
    """Cuts off who does not read; who says nothing is found out by uvicorn's pings."""

    _writing: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Expect that what is buffered is read."""
        super().pause_writing()
        self._writing = self.loop.call_later(WRITE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it was read."""
        _cancel(self._writing)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        _cancel(self._writing)
        super().connection_lost(exc)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
