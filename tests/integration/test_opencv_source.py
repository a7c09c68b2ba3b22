from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
import simplejpeg

from camfleet import timecode
from camfleet_node.sources import Image, OpenCVSource, Picture, SourceError
from camfleet_node.sources.card import Card

INTERVAL_S = 0.01
DEADLINE_S = 20.0


class MjpegServer(ThreadingHTTPServer):
    """Serves a test card as MJPEG until told to end it, or to hang without ending it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), MjpegHandler)
        self.card = Card(320, 240, "http")
        self.ends = Event()
        self.hangs = Event()
        self.served = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/cam?password=secret"


class MjpegHandler(BaseHTTPRequestHandler):
    server: MjpegServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=cut")
        self.end_headers()
        try:
            while not self.server.ends.wait(INTERVAL_S):
                if not self.server.hangs.is_set():
                    self.wfile.write(self.part())
                    self.server.served += 1
        except OSError:
            pass  # the client has closed, as clients of an endless stream do

    def part(self) -> bytes:
        image = self.server.card.paint(time.time_ns())
        jpeg: bytes = simplejpeg.encode_jpeg(image, 80, colorspace="BGR")
        head = f"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        return head.encode() + jpeg + b"\r\n"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- inherited name
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    with MjpegServer() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.ends.set()
        server.shutdown()
        thread.join(DEADLINE_S)


@contextmanager
def opened(server: MjpegServer, timeout_s: float = DEADLINE_S) -> Iterator[OpenCVSource]:
    source = OpenCVSource(server.url, timeout_s=timeout_s)
    try:
        yield source
    finally:
        source.close()


def read(source: OpenCVSource) -> Picture[Image]:
    picture = source.read()
    assert picture is not None
    return picture


def painted_ns(picture: Picture[Image]) -> int:
    time_ns = timecode.read(picture.image, picture.captured_ns)
    assert time_ns is not None
    return time_ns


def wait_until(claim: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline_s
        Event().wait(0.005)


def test_pictures_of_an_mjpeg_stream_are_read_in_order(server: MjpegServer) -> None:
    with opened(server) as source:
        pictures = [read(source) for _ in range(5)]
    assert pictures[0].image.shape == (240, 320, 3)
    painted = [painted_ns(picture) for picture in pictures]
    assert painted == sorted(set(painted))


def test_a_picture_is_captured_after_it_was_painted(server: MjpegServer) -> None:
    with opened(server) as source:
        picture = read(source)
    assert painted_ns(picture) <= picture.captured_ns <= time.time_ns()


def test_a_slow_reader_gets_the_newest_picture_and_learns_how_many_it_passed_over(
    server: MjpegServer,
) -> None:
    with opened(server) as source:
        taken = [read(source)]

        def has_passed_over_many() -> bool:  # FFmpeg, or the source's thread, may still hold some
            before = server.served
            wait_until(lambda: server.served >= before + 20)
            taken.append(read(source))
            return taken[-1].passed_over >= 10

        wait_until(has_passed_over_many)
    captured = sum(picture.passed_over + 1 for picture in taken)
    assert captured <= server.served + 1  # it may be counting the last one
    assert painted_ns(taken[-1]) - painted_ns(taken[-2]) > 10 * INTERVAL_S * 1e9


def test_the_end_of_the_stream_is_an_error(server: MjpegServer) -> None:
    with opened(server) as source:
        read(source)
        server.ends.set()
        with pytest.raises(SourceError, match="ended, or failed to give a picture"):
            wait_until(lambda: source.read() is None)


def test_a_stream_that_hangs_is_an_error(server: MjpegServer) -> None:
    with opened(server, timeout_s=3) as source:
        read(source)
        server.hangs.set()
        with pytest.raises(SourceError, match=r"gave no picture for 3 s|ended, or failed"):
            wait_until(lambda: source.read() is None)


def test_closing_ends_a_read_that_waits(server: MjpegServer) -> None:
    with opened(server) as source:
        read(source)
        server.hangs.set()
        ended: list[Picture[Image] | None] = []

        def drain() -> None:
            while (picture := source.read()) is not None:
                assert picture.image.size
            ended.append(None)

        reader = Thread(target=drain)
        reader.start()
        source.close()
        reader.join(DEADLINE_S / 2)
        assert ended == [None]


def test_a_closed_source_gives_none(server: MjpegServer) -> None:
    with opened(server) as source:
        source.close()
        assert source.read() is None


def test_an_address_where_nobody_listens_is_named_without_its_credentials(
    hold_port: Callable[[], int],
) -> None:
    port = hold_port()
    with pytest.raises(SourceError) as caught:
        OpenCVSource(f"http://user:secret@127.0.0.1:{port}/cam?password=secret")
    assert str(caught.value) == f"http://127.0.0.1:{port}/cam cannot be opened"
