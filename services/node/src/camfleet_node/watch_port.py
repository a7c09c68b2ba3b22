"""The port that tells a node's metrics and health. Nobody who reads slowly can hold it up.

It is http.server with bounds: of connections, of their time and of what they may say. A
connection more than there may be ends the oldest one, so a new one is always answered.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
import time
from http import HTTPStatus
from http.server import HTTPServer
from ipaddress import ip_address
from socketserver import BaseServer, ThreadingMixIn
from typing import Any, Final
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, MetricsHandler

from camfleet_node.health import Health

_MOST_CONNECTIONS: Final = 8
_MOST_S: Final = 5.0  # for a whole connection
_MOST_BYTES: Final = 16_384  # of a request
_POLL_S: Final = 0.2  # how soon it stops, and notices who is too slow


class WatchPort:
    """Listens, and answers from `serve` until `close`.

    Args:
        host: address to bind.
        port: to bind; 0 for any, as tests want.

    Attributes:
        number: the port that is bound.

    Raises:
        OSError: it cannot be bound.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = _Server(host, port)
        self.number: int = self._server.server_address[1]
        self._thread: threading.Thread | None = None

    def serve(self, registry: CollectorRegistry, health: Health) -> None:
        """Answer `/metrics` out of a registry, and `/healthz`, on a thread of its own."""
        self._server.registry, self._server.health = registry, health
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="watch-port", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening, and end every connection."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()


class _Server(ThreadingMixIn, HTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64  # who comes at once is not sent to wait a second for its next try
    registry: CollectorRegistry
    health: Health

    def __init__(self, host: str, port: int) -> None:
        if ip_address(host).version == 6:
            self.address_family = socket.AF_INET6
        self._lock = threading.Lock()
        self._begun_s: dict[socket.socket, float] = {}  # monotonic, oldest first
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind, without a look-up of the host's name, which may take long."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Serve a connection, and end the oldest where there are too many."""
        with self._lock:
            self._begun_s[request] = time.monotonic()
            oldest = list(self._begun_s)[:-_MOST_CONNECTIONS]
        for connection in oldest:
            _end(connection)
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """End what takes too long."""
        with self._lock:
            bound_s = time.monotonic() - _MOST_S
            slow = [one for one, begun_s in self._begun_s.items() if begun_s < bound_s]
        for connection in slow:
            _end(connection)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as inherited
        """Forget a connection that is served."""
        with self._lock:
            self._begun_s.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Say nothing of a reader that went away."""


def _end(connection: socket.socket) -> None:
    """Let the thread that serves it fall out of its wait."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Bounded(io.RawIOBase):
    """A request that ends after so many bytes, however much its sender says."""

    def __init__(self, connection: socket.socket, most_bytes: int) -> None:
        self._connection = connection
        self._left = most_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any buffer
        size = self._connection.recv_into(buffer, min(len(buffer), self._left)) if self._left else 0
        self._left -= size
        return size


class _Handler(MetricsHandler):
    server: BaseServer
    timeout = _MOST_S
    server_version = "camfleet-node"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile = io.BufferedReader(_Bounded(self.connection, _MOST_BYTES))

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        """Answer the two paths that there are."""
        assert isinstance(self.server, _Server)  # noqa: S101 - for the type alone
        match urlsplit(self.path).path:
            case "/metrics":
                self.registry = self.server.registry
                super().do_GET()
            case "/healthz":
                self._tell(self.server.health.problems(time.monotonic_ns()))
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _tell(self, problems: tuple[str, ...]) -> None:
        body = {"status": "problem" if problems else "ok", "problems": problems}
        content = json.dumps(body).encode() + b"\n"
        self.send_response(HTTPStatus.SERVICE_UNAVAILABLE if problems else HTTPStatus.OK)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
