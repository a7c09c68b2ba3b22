"""A web server within limits, that ends when it is told to and not by signals of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from camfleet_hub.web.connection import MAX_CONNECTIONS, HttpConnection, WebSocketConnection
from camfleet_hub.web.rejected import CountRejected, Proxies
from camfleet_hub.web.tls_listener import TlsListener

# Answered at once: every viewer and MJPEG reader counts for as long as it looks. Below the limit
# for connections, so that one more is told 503 instead of being cut off.
_MAX_CONCURRENT: Final = MAX_CONNECTIONS - 64
_STOP_S: Final = 0.3  # for viewers to go; with all else it stays below a second
_MAX_VIEWER_MESSAGE_BYTES: Final = 256 * 1024  # 256 tiles with the longest names, and room
_logger: Final = logging.getLogger("uvicorn.error")


class Server(uvicorn.Server):
    """Serves one application on one socket.

    Args:
        app: what is served.
        listener: bound already; closed at the end.
        tls: of the hub's certificate; None for plain HTTP.
        proxies: addresses and networks of who may say for whom they ask, and by which scheme.
        rejected: counts what is refused, by reason.
        ignored: counts what is said for others by who is none of the proxies, by header.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        *,
        tls: ssl.SSLContext | None = None,
        proxies: Sequence[str] = (),
        rejected: Counter[str] | None = None,
        ignored: Counter[str] | None = None,
    ) -> None:
        rejected = Counter() if rejected is None else rejected
        self._make_http = partial(HttpConnection, rejected=rejected)
        super().__init__(
            uvicorn.Config(
                Proxies(
                    CountRejected(app, rejected), proxies, Counter() if ignored is None else ignored
                ),
                log_config=None,
                access_log=False,
                proxy_headers=False,  # ours are counted
                http=self._make_http,  # type: ignore[arg-type]  # it makes one, which is all it is for
                ws=partial(WebSocketConnection, rejected=rejected),  # type: ignore[arg-type]  # likewise
                ws_max_size=_MAX_VIEWER_MESSAGE_BYTES,
                ws_per_message_deflate=False,  # a JPEG does not get smaller, only later
                limit_concurrency=_MAX_CONCURRENT,
                timeout_graceful_shutdown=_STOP_S,  # type: ignore[arg-type]  # asyncio takes parts
            )
        )
        # Without uvicorn's own signal handlers, which would end us by the signal itself.
        self.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        self._listener = listener
        self._tls = tls
        _logger.setLevel(logging.ERROR)  # its warnings are a line for each stranger's bad request

    async def run_until_stopped(self) -> None:
        """Serve until `stop`."""
        await self.serve(sockets=[self._listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, for TLS by ourselves: uvicorn bounds neither handshakes nor who begins none."""
        if self._tls is None:
            await super().startup(sockets)
            return
        await super().startup([])
        listener = TlsListener(self._listener, self._tls, self._make_protocol)
        self.servers.append(listener)  # type: ignore[arg-type]  # it closes as they do

    def _make_protocol(self) -> asyncio.Protocol:
        return self._make_http(self.config, self.server_state, self.lifespan.state)

    def stop(self) -> None:
        """Take nobody any more, and cut off who does not go."""
        _logger.addFilter(is_unexpected_at_the_end)
        self.should_exit = True


def is_unexpected_at_the_end(record: logging.LogRecord) -> bool:
    """Whether it is an error even while the server stops; that viewers are cut off is none."""
    error = record.exc_info[1] if record.exc_info else None
    is_cut_off = isinstance(error, asyncio.CancelledError)
    return not is_cut_off and not str(record.msg).endswith("timeout graceful shutdown exceeded")
