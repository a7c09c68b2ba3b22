"""One camera's way from its source to the outlet: capture and encode overlap, newest wins.

It never encodes a picture that the hub has no room for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from camfleet.backoff import Backoff
from camfleet.draft import Draft
from camfleet.errors import LocalProtocolError
from camfleet.frame import Stages
from camfleet.liveness import usual_interval_s
from camfleet.mailbox import Mailbox
from camfleet.outbox import Outlet
from camfleet_node.capture import Capture
from camfleet_node.sources import Image, Picture, Source

_NS: Final = 1_000_000_000
_WAIT_S: Final = 0.2  # how soon a thread notices that it is to stop
_TELL_S: Final = 1.0  # between two events of one cause
_STOP_S: Final = 0.5  # how long one may hang in a driver before it is left behind
_MOST_HANGING: Final = 4  # threads left behind, each with its device and its memory
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
        interval_s: between two pictures, as far as that is known beforehand; else 0.
        monotonic_ns: for tests; the clock that silences are measured on.

    Attributes:
        name: of the camera.
        restarts: how often it was reopened because it hung.
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
        interval_s: float = 0.0,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self.restarts = 0
        self._outlet = outlet
        self._opens = opens
        self._to_jpeg = encode
        self._backoff = backoff
        self._monotonic_ns = monotonic_ns
        self._gaps_s = (interval_s,) if interval_s else ()
        self._pictured_ns: int | None = None
        self._told_s: dict[str, float] = {}  # monotonic, by cause
        self._pictures: Mailbox[tuple[int, Picture]] = Mailbox()
        self._closed = threading.Event()
        self._left: list[Capture] = []  # that may still hang
        self._capture = self._open(source)
        self._encoder = threading.Thread(target=self._encode, name=f"encode-{name}", daemon=True)
        self._encoder.start()

    def close(self) -> None:
        """Stop both threads; one that hangs in a driver is left behind."""
        close_all([self])

    def stop(self) -> None:
        """Tell both threads to end, and wait for nothing."""
        self._closed.set()
        self._pictures.close()
        self._capture.leave()

    def join(self, deadline_s: float) -> None:
        """Wait for the threads until a monotonic time; for those left behind not at all."""
        self._capture.join(deadline_s)
        self._encoder.join(max(0.0, deadline_s - time.monotonic()))

    # For its supervisor, which may be any one thread.

    @property
    def interval_s(self) -> float:
        """Usually between two of its pictures; 0 where that is not known yet."""
        return usual_interval_s(self._gaps_s)

    def silence_s(self, monotonic_ns: int) -> float:
        """Since its last sign of life: a picture, or an error that it recovers from by itself.

        While a thread that was left behind still hangs, an error may be due to that, for it
        holds the device. Then only a picture is a sign of life.
        """
        capture = self._capture
        heard_ns = capture.pictured_ns if self._is_held else capture.answered_ns
        return (monotonic_ns - heard_ns) / _NS

    @property
    def is_beyond_help(self) -> bool:
        """Whether it gave no sign of life since it was reopened, or hangs too often."""
        capture = self._capture
        has_answered = capture.has_pictured or (capture.has_failed and not self._is_held)
        is_in_vain = self.restarts > 0 and not has_answered
        return is_in_vain or len(self._hanging()) >= _MOST_HANGING

    def reopen(self) -> None:
        """Leave the thread that hangs behind, and open the source on a new one."""
        self.restarts += 1
        self._left = [*self._hanging(), self._capture]
        self._capture.leave()
        self._capture = self._open()

    @property
    def _is_held(self) -> bool:
        return bool(self._hanging())

    def _hanging(self) -> list[Capture]:
        return [capture for capture in self._left if capture.is_running]

    def _open(self, source: Source | None = None) -> Capture:
        return Capture(
            self.name,
            self._opens,
            self._take,
            self._backoff,
            source=source,
            monotonic_ns=self._monotonic_ns,
        )

    # On the capture's thread.

    def _take(self, picture: Picture) -> None:
        now_ns = self._monotonic_ns()
        if self._pictured_ns is not None:
            self._gaps_s = (*self._gaps_s[-2:], (now_ns - self._pictured_ns) / _NS)
        self._pictured_ns = now_ns
        for _ in range(picture.passed_over):
            self._outlet.capture()
            self._outlet.drop("newer")
        sequence = self._outlet.capture()
        if self._pictures.put((sequence, picture)):
            self._outlet.drop("newer")

    # On the encoder's thread.

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
        _log.warning("unfit picture", camera=self.name, problem=f"{cause}: {error}", **trace)

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
