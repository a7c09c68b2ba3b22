"""One camera: its source, read on one thread, and whoever gets its pictures on threads of theirs.

It never waits for any of them, and what hangs in a driver is left behind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from camfleet.backoff import Backoff
from camfleet.liveness import usual_interval_s
from camfleet_node.capture import Capture
from camfleet_node.detectors import Lookout
from camfleet_node.reader import Reader
from camfleet_node.sources import Content, Picture, Source
from camfleet_node.stream import Stream

_NS: Final = 1_000_000_000
_STOP_S: Final = 0.5  # how long one may hang in a driver before it is left behind
_MOST_HANGING: Final = 4  # threads left behind, each with its device and its memory


def close_all(cameras: Iterable[Camera], timeout_s: float = _STOP_S) -> None:
    """Stop cameras together, so that many take no longer than one; none is awaited for longer."""
    cameras = list(cameras)
    for camera in cameras:
        camera.stop()
    deadline_s = time.monotonic() + timeout_s
    for camera in cameras:
        camera.join(deadline_s)


class Camera:
    """Captures until it is closed, for its streams and its detectors.

    Args:
        name: of the camera, for the log.
        streams: its own from now on.
        opens: opens its source.
        backoff: between two tries to open the source.
        lookout: shows pictures to its detectors, where it has any; its own from now on.
        source: already open, to begin with.
        interval_s: between two pictures, as far as that is known beforehand; else 0.
        start_s: how long its source may take until its first picture, though all is well.
        monotonic_ns: for tests; the clock that silences are measured on.

    Attributes:
        name: of the camera.
        restarts: how often it was reopened because it hung.
    """

    def __init__(
        self,
        name: str,
        streams: Sequence[Stream],
        opens: Callable[[], Source],
        backoff: Backoff,
        *,
        lookout: Lookout | None = None,
        source: Source | None = None,
        interval_s: float = 0.0,
        start_s: float = 0.0,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.name = name
        self.restarts = 0
        self._streams = streams
        self._lookout = lookout
        self._opens = opens
        self._backoff = backoff
        self._monotonic_ns = monotonic_ns
        self._gaps_s = (interval_s,) if interval_s else ()
        self._start_s = start_s
        self._pictured_ns: int | None = None
        self._left: list[Capture] = []  # that may still hang
        self._capture = self._open(source)

    def close(self) -> None:
        """Stop all threads; one that hangs in a driver is left behind."""
        close_all([self])

    def stop(self) -> None:
        """Tell all threads to end, and wait for nothing."""
        self._capture.leave()
        for reader in self._readers:
            reader.stop()

    def join(self, deadline_s: float) -> None:
        """Wait for the threads until a monotonic time; for those left behind not at all."""
        self._capture.join(deadline_s)
        for reader in self._readers:
            reader.join(deadline_s)

    def spare(self, is_hot: bool) -> None:  # noqa: FBT001 - it has no other argument
        """Leave out every other picture that would be sent, or none any more."""
        for stream in self._streams:
            stream.is_hot = is_hot

    # For its supervisor, which may be any one thread.

    @property
    def interval_s(self) -> float:
        """Usually between two of its pictures; 0 where that is not known yet."""
        return usual_interval_s(self._gaps_s)

    @property
    def start_s(self) -> float:
        """How long it may take until its first picture, or the first one after an error; else 0.

        Who was reopened because it hung is not given that time again.
        """
        capture = self._capture
        is_first = not capture.has_pictured and not self.restarts
        return self._start_s if is_first or capture.problem else 0.0

    def silence_s(self, monotonic_ns: int) -> float:
        """Since its last sign of life: a picture, or an error that it recovers from by itself.

        While a thread that was left behind still hangs, an error may be due to that, for it
        holds the device. Then only a picture is a sign of life.
        """
        capture = self._capture
        heard_ns = capture.pictured_ns if self._is_held else capture.answered_ns
        return (monotonic_ns - heard_ns) / _NS

    @property
    def failures(self) -> int:
        """How often its source gave an error, or could not be opened."""
        return self._capture.failures

    @property
    def problem(self) -> str:
        """Why it gives no picture, as far as its source has told; else empty."""
        return self._capture.problem

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
        self._capture = self._open(failures=self._capture.failures)

    @property
    def _is_held(self) -> bool:
        return bool(self._hanging())

    def _hanging(self) -> list[Capture]:
        return [capture for capture in self._left if capture.is_running]

    def _open(self, source: Source | None = None, failures: int = 0) -> Capture:
        return Capture(
            self.name,
            self._opens,
            self._take,
            self._backoff,
            source=source,
            failures=failures,
            monotonic_ns=self._monotonic_ns,
        )

    @property
    def _readers(self) -> list[Reader]:
        return [*self._streams, *([self._lookout] if self._lookout else [])]

    # On the capture's thread.

    def _take(self, picture: Picture[Content]) -> None:
        now_ns = self._monotonic_ns()
        if self._pictured_ns is not None:
            self._gaps_s = (*self._gaps_s[-2:], (now_ns - self._pictured_ns) / _NS)
        self._pictured_ns = now_ns
        for stream in self._streams:
            stream.put(picture)
        if self._lookout:
            self._lookout.offer(picture, now_ns)
