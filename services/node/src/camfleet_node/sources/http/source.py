"""A camera that serves MJPEG over HTTP. Its JPEGs go through as they come, never an old one.

A thread of its own takes them as they come and keeps only the newest, so that none waits in the
network's buffers for a slow reader.
"""

from __future__ import annotations

import dataclasses
import secrets
import socket
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Thread
from typing import Final
from urllib.parse import unquote, urlsplit

from camfleet.mailbox import Mailbox
from camfleet_node.address import is_http, without_credentials
from camfleet_node.sources.camera_jpeg import read_jpeg
from camfleet_node.sources.http.credentials import Credentials
from camfleet_node.sources.http.parts import boundary_of, parts
from camfleet_node.sources.picture import Jpeg, Picture, SettingError, SourceError

_OK, _UNAUTHORIZED = 200, 401
_JOIN_S: Final = 0.5


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
        self._is_closed = False
        self._connection: HTTPConnection | None = None
        self._socket: socket.socket | None = None
        self._response: HTTPResponse | None = None
        self._pictures: Mailbox[tuple[int, Picture[Jpeg]]] = Mailbox()  # with their numbers
        self._next = 0  # the number that follows the last one read
        self._problem = f"gave no picture for {timeout_s:g} s"  # unless it is another
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
        taken = self._pictures.take(self._timeout_s)
        if self._is_closed:
            return None
        if taken is None:
            raise SourceError(f"{self._name} {self._problem}")
        number, picture = taken
        passed_over, self._next = number - self._next, number + 1
        return dataclasses.replace(picture, passed_over=passed_over)

    def close(self) -> None:
        """End a `read` that waits, and hang up."""
        self._is_closed = True
        self._pictures.close()
        if self._socket is not None:
            with suppress(OSError):  # the camera has hung up before
                self._socket.shutdown(socket.SHUT_RDWR)
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
        challenge = response.headers.get("WWW-Authenticate", "")
        answer = known.answer(challenge, "GET", path, secrets.token_hex(8))
        return self._ask(target.scheme, target.netloc, path, answer)

    def _ask(self, scheme: str, netloc: str, path: str, answer: str = "") -> HTTPResponse:
        kind = HTTPSConnection if scheme == "https" else HTTPConnection
        self._connection = kind(netloc.rpartition("@")[2], timeout=self._timeout_s)
        self._connection.connect()
        self._socket = self._connection.sock  # which the answer may take over
        headers = {"Authorization": answer} if answer else {}
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
                    self._pictures.put((number, picture))
                number += 1
                if self._is_closed:
                    break
            problem = "has ended"
        except (OSError, HTTPException, ValueError) as error:
            problem = _explain(error)
        finally:  # whatever happened, a reader must learn of it rather than wait
            self._hang_up()
            self._problem = problem
            self._pictures.close()

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
    return str(error)
