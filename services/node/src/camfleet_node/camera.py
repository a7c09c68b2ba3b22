"""One camera's way from its source to the outlet: capture and encode overlap, newest wins.

It never encodes a picture that the hub has no room for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Final

import structlog

from camfleet.backoff import Backoff
from camfleet.draft import Draft
from camfleet.errors import LocalProtocolError
from camfleet.frame import Stages
from camfleet.mailbox import Mailbox
from camfleet.outbox import Outlet
from camfleet_node.sources import Image, Picture, Source, SourceError

_WAIT_S: Final = 0.2  # how soon a thread notices that it is to stop
_TELL_S: Final = 1.0  # between two events of one cause
_STOP_S: Final = 0.5  # how long one may hang in a driver before it is left behind
_log = structlog.get_logger()


def close_all(cameras: Iterable[Camera], timeout_s: float = _STOP_S) -> None:
    """Stop cameras together, so that many take no longer than one; none is awaited for longer."""
    cameras = list(cameras)
    for camera in cameras:
        camera.stop()
    deadline_s = time.monotonic() + timeout_s
    for camera in cameras:
        camera.join(deadline_s)


class Camera:
    """Captures on one thread and encodes on another until it is closed.

    Args:
        name: of the camera, for the log.
        outlet: where its frames go.
        opens: opens its source.
        encode: makes a JPEG of a picture; a `ValueError` of it says that the picture is unfit.
        backoff: between two tries to open the source.
        source: already open, to begin with.
    """

    def __init__(
        self,
        name: str,
        outlet: Outlet,
        opens: Callable[[], Source],
        encode: Callable[[Image], bytes],
        backoff: Backoff,
        *,
        source: Source | None = None,
    ) -> None:
        self._name = name
        self._outlet = outlet
        self._opens = opens
        self._to_jpeg = encode
        self._backoff = backoff
        self._source = source
        self._told_s: dict[str, float] = {}  # monotonic, by cause
        self._pictures: Mailbox[tuple[int, Picture]] = Mailbox()
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=f"{work.__name__[1:]}-{name}", daemon=True)
            for work in (self._capture, self._encode)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop both threads; one that hangs in a driver is left behind."""
        close_all([self])

    def stop(self) -> None:
        """Tell both threads to end, and wait for nothing."""
        self._closed.set()
        self._pictures.close()
        source = self._source
        if source is not None:  # on a thread of its own, for closing may hang as well
            closer = threading.Thread(target=source.close, name=f"close-{self._name}", daemon=True)
            closer.start()
            self._threads.append(closer)

    def join(self, deadline_s: float) -> None:
        """Wait for the threads until a monotonic time."""
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def _capture(self) -> None:
        while not self._closed.is_set():
            problem = self._use_source()
            if not self._closed.is_set():
                self._pause(problem)

    def _use_source(self) -> str:
        """Read a source for as long as it lasts; return what was wrong with it."""
        try:
            self._source = self._source or self._opens()
            with closing(self._source) as source:
                self._read(source)
        except SourceError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a supervision boundary: opening anew may help
            _log.exception("source broke", camera=self._name)
            return f"{type(error).__name__}: {error}"
        finally:
            self._source = None
        return "its pictures have ended"

    def _read(self, source: Source) -> None:
        while not self._closed.is_set() and (picture := source.read()):
            self._backoff.reset()
            for _ in range(picture.passed_over):
                self._outlet.capture()
                self._outlet.drop("newer")
            sequence = self._outlet.capture()
            if self._pictures.put((sequence, picture)):
                self._outlet.drop("newer")

    def _pause(self, problem: str) -> None:
        delay_s = self._backoff.next_s()
        _log.warning("camera failed", camera=self._name, problem=problem, retry_s=round(delay_s, 1))
        self._closed.wait(delay_s)

    def _encode(self) -> None:
        while not self._closed.is_set():
            # The credit first: the picture that is encoded then is the newest one.
            if not self._outlet.wait_credit(_WAIT_S):
                continue
            taken = self._pictures.take(_WAIT_S)
            if taken is not None:
                self._hand_over(*taken)

    def _hand_over(self, sequence: int, picture: Picture) -> None:
        try:
            self._outlet.send(self._draft(sequence, picture))
        except Exception as error:  # noqa: BLE001 - a supervision boundary: the next one may fit
            self._outlet.drop("unfit")
            self._tell(error)

    def _tell(self, error: Exception) -> None:
        """Log why a picture was unfit; with a traceback unless libjpeg or the link refused it."""
        cause = type(error).__name__
        now_s = time.monotonic()
        if now_s - self._told_s.get(cause, -_TELL_S) < _TELL_S:
            return
        self._told_s[cause] = now_s
        is_foreseen = isinstance(error, (ValueError, LocalProtocolError))
        trace = {} if is_foreseen else {"exc_info": error}
        _log.warning("unfit picture", camera=self._name, problem=f"{cause}: {error}", **trace)

    def _draft(self, sequence: int, picture: Picture) -> Draft:
        captured_ns = picture.captured_ns + picture.capture_ns
        begun_ns = time.time_ns()
        jpeg = self._to_jpeg(picture.image)
        ready_ns = time.time_ns()
        stages = Stages(
            capture_ns=picture.capture_ns,
            process_ns=max(0, begun_ns - captured_ns),
            encode_ns=max(0, ready_ns - begun_ns),
        )
        return Draft(
            sequence=sequence,
            captured_ns=picture.captured_ns,
            ready_ns=ready_ns,
            payload=jpeg,
            codec="jpeg",
            shape=picture.image.shape,
            stages=stages,
        )
