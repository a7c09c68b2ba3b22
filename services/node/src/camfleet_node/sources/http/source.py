"""A camera that serves MJPEG over HTTP. Its JPEGs go through as they come, never an old one.

A thread of its own takes them as they come and keeps only the newest, so that none waits in the
network's buffers for a slow reader.
"""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from io import BufferedReader
from threading import Event, Thread, Timer
from typing import Final
from urllib.parse import unquote, urlsplit

from camfleet_node.address import is_http, without_credentials
from camfleet_node.sources.camera_jpeg import read_jpeg
from camfleet_node.sources.http.credentials import Credentials, best_of
from camfleet_node.sources.http.parts import boundary_of, parts
from camfleet_node.sources.newest import Newest
from camfleet_node.sources.picture import Jpeg, Picture, SettingError, SourceError

_OK, _UNAUTHORIZED = 200, 401
_JOIN_S: Final = 0.5


class _Reader(BufferedReader):
    """Reads no more than it is asked for: for a chunk of -1 bytes, http.client asks for all."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read so many bytes, or fewer at the end.

        Raises:
            ValueError: for all there are.
        """
        if size is None or size < 0:
            raise ValueError(f"has a chunk of {size} bytes, want 0 or more")
        return super().read(size)


class _Response(HTTPResponse):
    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str = ""
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp = _Reader(self.fp.detach())


class HttpSource:
    """The newest picture of a camera by URL; it tells how many before that were passed over.

    Args:
        url: `http` or `https`, with user and password where the camera wants them. It is read
            by no proxy, and follows the camera to no other address.
        timeout_s: the longest that it may take to connect, and the longest wait for a picture.

    Attributes:
        broken: pictures that were no whole JPEG, and were passed over.

    Raises:
        SettingError: it is no URL.
        SourceError: it cannot be reached, or gives no MJPEG. Credentials are not in the message.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        self.broken = 0
        self._name = _name_of(url)
        self._timeout_s = timeout_s
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._response: HTTPResponse | None = None
        self._pictures: Newest[Jpeg] = Newest(self._name, timeout_s)
        try:
            response = self._open(url)
            boundary = _check(response)
        except (OSError, HTTPException, ValueError) as error:
            self._hang_up()
            raise SourceError(f"{self._name} {_explain(error)}") from None  # it may show the URL
        name = f"capture {self._name}"
        args = response, boundary
        self._thread = Thread(target=self._run, name=name, args=args, daemon=True)
        self._thread.start()

    def read(self) -> Picture[Jpeg] | None:
        """Wait for a picture that was not read before; None when closed.

        Raises:
            SourceError: the stream has ended or failed, or gave no picture for `timeout_s`.
        """
        return self._pictures.read()

    def close(self) -> None:
        """End a `read` that waits, and hang up."""
        self._pictures.close()
        if self._socket is not None:
            _shut(self._socket)
        self._thread.join(_JOIN_S)

    def _open(self, url: str) -> HTTPResponse:
        """Ask for the stream, and once more with credentials where the camera wants them."""
        target = urlsplit(url)
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        response = self._ask(target.scheme, target.netloc, path)
        if response.status != _UNAUTHORIZED or target.username is None:
            return response
        self._hang_up()
        known = Credentials(unquote(target.username), unquote(target.password or ""))
        challenge = best_of(response.headers.get_all("WWW-Authenticate", []))
        answer = known.answer(challenge, "GET", path, secrets.token_hex(8))
        return self._ask(target.scheme, target.netloc, path, answer)

    def _ask(self, scheme: str, netloc: str, path: str, answer: str = "") -> HTTPResponse:
        kind = HTTPSConnection if scheme == "https" else HTTPConnection
        self._connection = kind(netloc.rpartition("@")[2], timeout=self._timeout_s)
        self._connection.response_class = _Response
        self._connection.connect()
        self._socket = self._connection.sock  # which the answer may take over
        headers = {"Authorization": answer} if answer else {}
        with _within(self._timeout_s, self._socket):
            self._connection.request("GET", path, headers={"Connection": "close", **headers})
            self._response = self._connection.getresponse()
        return self._response

    def _hang_up(self) -> None:
        """Close whatever is open of the connection."""
        if self._response is not None:
            self._response.close()
        if self._connection is not None:
            self._connection.close()

    def _run(self, response: HTTPResponse, boundary: bytes) -> None:
        problem = "failed"
        number = 0
        try:
            for body in parts(response, boundary):
                picture = self._picture(body)
                if picture is not None:
                    self._pictures.put(number, picture)
                number += 1
                if self._pictures.is_closed:
                    break
            problem = "has ended"
        except (OSError, HTTPException, ValueError) as error:
            problem = _explain(error)
        finally:  # whatever happened, a reader must learn of it rather than wait
            self._hang_up()
            self._pictures.end(problem)

    def _picture(self, body: bytes) -> Picture[Jpeg] | None:
        # A compromise: it was captured earlier, by exposure, the camera's encoder and the way
        # here. The stream does not tell, or tells the time of a clock that nobody has set.
        captured_ns = time.time_ns()
        try:
            jpeg = read_jpeg(memoryview(body))
        except ValueError:
            self.broken += 1
            return None
        return Picture(jpeg, captured_ns, time.time_ns() - captured_ns)


@contextmanager
def _within(timeout_s: float, connection: socket.socket) -> Iterator[None]:
    """Cut a connection off that takes longer: a socket's own timeout begins with each byte anew.

    Raises:
        TimeoutError: it did.
    """
    is_late = Event()

    def cut() -> None:
        is_late.set()
        _shut(connection)

    timer = Timer(timeout_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, HTTPException) as error:
        raise (TimeoutError() if is_late.is_set() else error) from None
    finally:
        timer.cancel()
    if is_late.is_set():
        raise TimeoutError


def _shut(connection: socket.socket) -> None:
    """End every read that waits."""
    with suppress(OSError):  # the camera has hung up before
        connection.shutdown(socket.SHUT_RDWR)


def _name_of(url: str) -> str:
    """What errors call it.

    Raises:
        SettingError: it is no URL of a web server.
    """
    if not is_http(url):
        raise SettingError("URL", "something else", "an http or https URL with a host")
    return without_credentials(url)


def _check(response: HTTPResponse) -> bytes:
    """Find the boundary between pictures.

    Raises:
        ValueError: it is no stream.
    """
    if response.status != _OK:
        raise ValueError(_refusal(response))
    return boundary_of(response.headers.get("Content-Type", ""))


def _refusal(response: HTTPResponse) -> str:
    if response.status == _UNAUTHORIZED:
        return "wants a user and a password, or others: http://user:password@host/"
    return f"answered {response.status} {response.reason[:40]}, want 200 and a stream"


def _explain(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "gave no answer in time"
    if isinstance(error, OSError):
        return f"cannot be reached: {error.strerror or type(error).__name__}"
    if isinstance(error, HTTPException):
        return f"speaks no HTTP: {type(error).__name__}"
    # A camera's own words are in it, and it may be shown on a terminal.
    return "".join(letter if letter.isprintable() else "?" for letter in str(error))
