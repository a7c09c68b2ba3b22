from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import numpy as np
import pytest
import simplejpeg

from camfleet_node.sources.http import HttpSource
from camfleet_node.sources.picture import Jpeg, Picture, SourceError

PICTURE: bytes = simplejpeg.encode_jpeg(np.full((48, 64, 3), 99, np.uint8), 80, "BGR")
DEADLINE_S = 20.0
Until = Callable[[Callable[[], bool]], None]
STREAM = "multipart/x-mixed-replace; boundary=cut"


class Camera(ThreadingHTTPServer):
    """A camera that serves what the test puts into `body`, a part for each step."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body: list[bytes] = [PICTURE]
        self.status, self.content_type = 200, STREAM
        self.challenge = ""
        self.asked: list[str] = []
        self.ends = Event()
        self.goes_on = True

    def url(self, credentials: str = "") -> str:
        return f"http://{credentials}127.0.0.1:{self.server_port}/cam?token=secret"


class Handler(BaseHTTPRequestHandler):
    server: Camera

    def do_GET(self) -> None:
        camera, known = self.server, self.headers.get("Authorization", "")
        camera.asked.append(known)
        if camera.challenge and not known:
            self.send_response(401)
            self.send_header("WWW-Authenticate", camera.challenge)
            self.end_headers()
            return
        self.send_response(camera.status)
        self.send_header("Content-Type", camera.content_type)
        self.end_headers()
        with suppress(OSError):  # the source has hung up
            self.serve()

    def serve(self) -> None:
        camera = self.server
        while not camera.ends.wait(0.01):
            for body in camera.body if camera.goes_on else ():
                head = b"--cut\r\nContent-Length: %d\r\n\r\n" % len(body)
                self.wfile.write(head + body + b"\r\n")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- inherited name
        """Print nothing."""


@pytest.fixture
def camera() -> Iterator[Camera]:
    with Camera() as camera:
        thread = Thread(target=camera.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield camera
        camera.ends.set()
        camera.shutdown()
        thread.join(DEADLINE_S)


@pytest.fixture
def opens(camera: Camera) -> Iterator[Callable[..., HttpSource]]:
    sources: list[HttpSource] = []

    def opened(credentials: str = "", timeout_s: float = DEADLINE_S) -> HttpSource:
        sources.append(HttpSource(camera.url(credentials), timeout_s=timeout_s))
        return sources[-1]

    yield opened
    for source in sources:
        source.close()


Opens = Callable[..., HttpSource]


def read(source: HttpSource) -> Picture[Jpeg]:
    picture = source.read()
    assert picture is not None
    return picture


def read_on(source: HttpSource) -> None:
    while True:
        read(source)


def test_pictures_go_through_as_they_come(opens: Opens) -> None:
    begun_ns = time.time_ns()
    picture = read(opens())
    assert (picture.image.data, picture.image.shape) == (PICTURE, (48, 64, 3))
    assert begun_ns <= picture.captured_ns <= time.time_ns()


def test_a_slow_reader_gets_the_newest_and_all_are_counted(
    camera: Camera, opens: Opens, until: Until
) -> None:
    camera.body = [PICTURE, PICTURE[:-99]]  # a broken one tells how far the source has read
    source = opens()
    read(source)
    broken = source.broken
    until(lambda: source.broken > broken + 10)
    assert read(source).passed_over > 10


def test_broken_pictures_are_passed_over_and_counted(camera: Camera, opens: Opens) -> None:
    camera.body = [PICTURE[:-99], b"", PICTURE]
    source = opens()
    read(source)
    assert read(source).passed_over >= 2
    assert source.broken >= 2


@pytest.mark.parametrize(
    "challenge", ['Basic realm="cam"', 'Digest realm="cam", nonce="abc", qop="auth"']
)
def test_credentials_are_given_where_they_are_wanted(
    camera: Camera, opens: Opens, challenge: str
) -> None:
    camera.challenge = challenge
    read(opens("me:p%40ss@"))
    assert camera.asked[0] == ""
    assert camera.asked[1].startswith(challenge[:5])


def test_missing_credentials_are_told(camera: Camera, opens: Opens) -> None:
    camera.challenge = 'Basic realm="cam"'
    with pytest.raises(SourceError, match=r"/cam wants a user and a password"):
        opens()


def test_an_answer_that_is_no_stream_is_told(camera: Camera, opens: Opens) -> None:
    camera.content_type = "image/jpeg"
    camera.ends.set()
    with pytest.raises(SourceError, match=r"/cam gives image/jpeg, want a multipart stream"):
        opens()
    camera.status = 404
    with pytest.raises(SourceError, match=r"/cam answered 404 Not Found, want 200 and a stream"):
        opens()


def test_what_a_camera_says_moves_no_terminal(camera: Camera, opens: Opens) -> None:
    camera.content_type = "\x1b[31mtext"
    camera.ends.set()
    with pytest.raises(SourceError, match=r"/cam gives \?\[31mtext, want"):
        opens()


def test_a_challenge_that_is_too_long_is_told(camera: Camera, opens: Opens) -> None:
    camera.challenge = "Digest " + 60_000 * "a"
    with pytest.raises(SourceError, match="asks for credentials in 60007 characters, want 4096"):
        opens("me:password@")


HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: {STREAM}\r\n"


@contextmanager
def endless(begin: bytes, piece: bytes, pause_s: float) -> Iterator[str]:
    """A camera that says the same for ever; give its URL."""
    ends = Event()

    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):  # the source has hung up
            connection.sendall(begin)
            while not ends.wait(pause_s):
                connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            ends.set()
            thread.join(5)


@pytest.mark.parametrize(
    ("begin", "piece"), [(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), (HEAD.encode() + b"X: ", b"x")]
)
def test_an_answer_that_never_begins_is_told(begin: bytes, piece: bytes) -> None:
    with (
        endless(begin, piece, 0.02) as url,
        pytest.raises(SourceError, match="gave no answer in time"),
    ):
        HttpSource(url, timeout_s=0.3)


def test_a_chunk_of_all_there_will_be_is_told() -> None:
    begin = HEAD.encode() + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n"
    with (
        endless(begin, bytes(1000), 0.001) as url,
        closing(HttpSource(url)) as source,
        pytest.raises(SourceError, match="has a chunk of -1 bytes, want 0 or more"),
    ):
        read(source)


def test_the_end_of_the_stream_is_told(camera: Camera, opens: Opens) -> None:
    source = opens()
    read(source)
    camera.ends.set()
    with pytest.raises(SourceError, match=r"/cam has ended"):
        read_on(source)


def test_a_camera_that_hangs_is_told(camera: Camera, opens: Opens) -> None:
    camera.goes_on = False
    with pytest.raises(SourceError, match="gave no "):
        read(opens(timeout_s=0.2))


def test_closing_ends_a_read_that_waits(camera: Camera, opens: Opens) -> None:
    camera.goes_on = False
    source = opens(timeout_s=5 * DEADLINE_S)
    reader = Thread(target=source.read)
    reader.start()
    source.close()
    reader.join(DEADLINE_S)
    assert not reader.is_alive()
    assert source.read() is None
