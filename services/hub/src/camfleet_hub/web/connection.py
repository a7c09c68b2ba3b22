"""Connections of browsers with the limits that uvicorn has none for: who says nothing is cut off.

A connection costs a file descriptor and what is buffered for it; neither is given for ever to
who does not ask, does not read, or does not come to an end.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from camfleet_hub.web.pace import Pace
from camfleet_hub.web.problems import PROBLEM, problem_body, refuse
from camfleet_hub.web.rejected import (
    FULL,
    MALFORMED,
    SLOW,
    TOO_LARGE,
    TOO_MANY,
    CountRejected,
)

if TYPE_CHECKING:
    from websockets.http11 import Request

MAX_CONNECTIONS: Final = 512  # half of the 1024 descriptors that a process often may have
MAX_PIPELINED: Final = 16  # requests that wait behind another; of browsers there are none
SPARE: Final = 16  # that are kept free of who waits: one that gives way is gone a moment later
REQUEST_S: Final = 10.0  # for a request's head: far more than a bad mobile link needs
MAX_HEAD_BYTES: Final = 65_536  # of a request; what comes at once may be more
HEALTH: Final = "/healthz"  # answered however many are here: who asks may start the hub anew
MOST_FRAGMENTS: Final = 1024  # of one message; browsers send theirs in few
_PIECE_BYTES: Final = 4096  # of a WebSocket; so many empty frames are read in milliseconds
_NO_TEXT: Final = 1007  # RFC 6455, 7.4.1
_RETRY_S: Final = 5  # said to who is one too many
UNSENT_BYTES: Final = 131_072  # that the kernel holds of a wall; by itself it takes megabytes
WRITE_S: Final = 10.0  # for what is buffered to be read: a 4K JPEG over 2 Mbit/s


class _Connection(asyncio.Protocol):
    """Cuts off who does not read; to stand before one of uvicorn's.

    Args:
        rejected: counts who is cut off, by reason; what `CountRejected` never gets to see.
    """

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _writing: asyncio.TimerHandle | None = None

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - uvicorn's own signature
        rejected: Counter[str] | None = None,
        **kwargs: Any,  # noqa: ANN401 - the same
    ) -> None:
        super().__init__(*args, **kwargs)
        self._rejected: Counter[str] = Counter() if rejected is None else rejected

    def pause_writing(self) -> None:
        """Expect that what is buffered is read."""
        super().pause_writing()
        self._writing = self.loop.call_later(WRITE_S, self.cut_off, SLOW)

    def resume_writing(self) -> None:
        """Go on: it was read."""
        _cancel(self._writing)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        _cancel(self._writing)
        super().connection_lost(exc)

    def cut_off(self, reason: str) -> None:
        """Hang up on who would not hear an answer."""
        self._rejected[reason] += 1
        self.transport.abort()


class HttpConnection(_Connection, HttpToolsProtocol):
    """Cuts off who asks for nothing or too much, who does not read, and who is one too many.

    Attributes:
        opened_s: when, on the loop's clock.
    """

    opened_s = 0.0
    _asking: asyncio.TimerHandle | None = None
    _has_begun = False  # to ask
    _unfinished_bytes = 0  # of a head, or of the fields behind a body, which have no end yet

    @property
    def is_waiting(self) -> bool:
        """Whether nobody is served by it just now: a request is awaited, or is not whole."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        """Expect a request."""
        super().connection_made(transport)
        self.opened_s = self.loop.time()
        self._expect_request()
        most = self.limit_concurrency or MAX_CONNECTIONS
        if len(self.connections) > most - SPARE:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Read on, unless what came before has no end: the parser keeps all of it."""
        if self._unfinished_bytes > MAX_HEAD_BYTES:
            self.cut_off(TOO_LARGE)
            return
        self._unfinished_bytes += len(data)
        super().data_received(data)

    def on_message_begin(self) -> None:
        """Expect the rest of a request's head.

        Raises:
            ValueError: too many wait; for each answer uvicorn would read a buffer full more.
        """
        if len(self.pipeline) >= MAX_PIPELINED:
            self.cut_off(TOO_MANY)
            raise ValueError(f"{MAX_PIPELINED} requests wait, want no more")
        super().on_message_begin()
        self._has_begun = True
        self._unfinished_bytes = 0
        self._expect_request()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; of cookies without backslashes, which ours has none of.

        For a quoted cookie of n of them `http.cookies` takes n² steps (CVE-2024-7592).
        """
        super().on_header(name, value.replace(b"\\", b"") if name.lower() == b"cookie" else value)

    def on_headers_complete(self) -> None:
        """Serve it, for as long as it takes."""
        _cancel(self._asking)
        self._unfinished_bytes = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body, which uvicorn keeps no more of than it should."""
        self._unfinished_bytes = 0
        super().on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        _cancel(self._asking)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, with a problem, and hang up; who is cut off is told nothing."""
        if self.transport.is_closing():
            return
        self._rejected[MALFORMED] += 1
        body = problem_body(400, f"{msg.removesuffix('.')}, want HTTP/1.1 (RFC 9112)")
        head = (
            f"HTTP/1.1 400 Bad Request\r\nContent-Type: {PROBLEM}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's own type has twenty lines
        """Begin to answer, with a problem where uvicorn finds that too many are here."""
        answering: Any = app
        if app is service_unavailable and self.scope["path"] != HEALTH:
            answering = CountRejected(_crowded, self._rejected)
        elif app is service_unavailable:  # a hub that is full is a healthy one
            answering = self.app
        super()._start_asgi_task(cycle, answering)

    def _make_room(self) -> None:
        """Let the one give way that has waited longest, so that who asks at once is served."""
        waiting = [
            one
            for one in self.connections
            if isinstance(one, HttpConnection)
            and one is not self
            and one.is_waiting
            and not one.transport.is_closing()
        ]
        if waiting:
            min(waiting, key=lambda one: one.opened_s).cut_off(FULL)
        elif len(self.connections) > MAX_CONNECTIONS:
            self.cut_off(FULL)

    def _expect_request(self) -> None:
        _cancel(self._asking)
        self._asking = self.loop.call_later(REQUEST_S, self._give_up)

    def _give_up(self) -> None:
        """Wait no longer. A browser that connects in advance and asks for nothing is not slow."""
        if self._has_begun:
            self.cut_off(SLOW)
        else:
            self.transport.abort()


class WebSocketConnection(_Connection, WebSocketsSansIOProtocol):
    """Cuts off who does not read; who says nothing is found out by uvicorn's pings.

    What comes is read in pieces and at a pace: one read brings tens of thousands of frames where
    they are empty, and nobody else would be served before the last of them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's own signature
        super().__init__(*args, **kwargs)
        self._pace = Pace()
        self._frames = 0  # of the piece that is being read
        self._unread = memoryview(b"")
        self._reading: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Read a piece of it, and take no more before all of it is read."""
        self._unread = memoryview(bytes(self._unread) + data)
        if self._reading is None:
            self._read()

    def handle_connect(self, event: Request) -> None:
        """Begin, or count whose handshake is none: uvicorn answers that without the application."""
        super().handle_connect(event)
        if self.response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._rejected[MALFORMED] += 1

    def handle_events(self) -> None:
        """Count the frames of every kind, the ones too that no message comes of."""
        self._frames += len(self.conn.events)
        super().handle_events()
        if len(self.frames) > MOST_FRAGMENTS:  # empty ones are within any bound for bytes
            self.cut_off(TOO_LARGE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Read no more."""
        _cancel(self._reading)
        self._unread = memoryview(b"")
        super().connection_lost(exc)

    def _read(self) -> None:
        """Read a piece; the next one when the others had their turn, and there is room again."""
        self._reading = None
        piece, self._unread = self._unread[:_PIECE_BYTES], self._unread[_PIECE_BYTES:]
        if piece and not self.transport.is_closing():
            self._frames = 0
            super().data_received(bytes(piece))
        wait_s = self._pace.take(len(piece), self._frames, time.monotonic_ns()) if piece else 0.0
        if self._unread or wait_s:
            self.transport.pause_reading()
            self.read_paused = False  # or uvicorn would resume it when its queue is empty
            self._reading = self.loop.call_later(wait_s, self._read)
        elif self.queue.empty():
            self.transport.resume_reading()
        else:
            self.read_paused = True  # as uvicorn has it

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn's own signature
        """Bound what waits unsent; what is under way is the window's (tcp(7))."""
        super().connection_made(transport)
        link = transport.get_extra_info("socket")
        if link is not None and hasattr(socket, "TCP_NOTSENT_LOWAT"):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)

    def send_receive_event_to_app(self) -> None:
        """Hand a message on, and hang up on text that is none (RFC 6455, 8.1).

        Uvicorn does the same, with a traceback in the log for each.
        """
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self.frames = []
                self.conn.send_close(_NO_TEXT)
                self.handle_parser_exception()
                return
        super().send_receive_event_to_app()


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    """Send away who is one too many (RFC 9110, 15.6.4)."""
    headers = {"Connection": "close", "Retry-After": str(_RETRY_S)}
    text = "as many are served as the hub has room for, want one to leave"
    await refuse(HTTPConnection(scope), 503, text, headers)(scope, receive, send)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
