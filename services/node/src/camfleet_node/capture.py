"""A thread that opens a source and reads it. It can be left behind, for a driver may hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from typing import Final

import structlog

from camfleet.allowance import Allowance
from camfleet.backoff import Backoff
from camfleet_node.sources import Content, Picture, Source, SourceError

_NS: Final = 1_000_000_000
_BURST: Final = 8  # lines about one camera
_LINES_A_SECOND: Final = 0.1
_log = structlog.get_logger()


class Capture:
    """Reads a source, and opens it anew after a pause when it has failed, until it is left.

    No thread can be ended from outside. One that hangs in a driver is left behind, and whatever
    it still does counts for nothing.

    Args:
        name: of the camera, for the log.
        opens: opens its source.
        take: called with each picture, on this thread, and never after `leave`.
        backoff: between two tries to open the source; used by one capture at a time.
        source: already open, to begin with.
        failures: of the captures before it, which it goes on counting from.
        monotonic_ns: the clock that silences are measured on.

    Attributes:
        pictured_ns: monotonic time of its last picture; of its begin before the first.
        answered_ns: of its last picture or error; after an error, of the next try.
        has_pictured: it gave a picture.
        has_failed: it gave an error.
        failures: how many errors it gave, and those before it.
        problem: the last one, until there is a picture again; else empty.
    """

    def __init__(
        self,
        name: str,
        opens: Callable[[], Source],
        take: Callable[[Picture[Content]], None],
        backoff: Backoff,
        *,
        source: Source | None = None,
        failures: int = 0,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._name = name
        self._opens = opens
        self._take = take
        self._backoff = backoff
        self._source = source
        self._monotonic_ns = monotonic_ns
        self._left = threading.Event()
        self._leaving = threading.Lock()  # so that nothing is taken once `leave` has returned
        self.pictured_ns = self.answered_ns = monotonic_ns()
        self.has_pictured = self.has_failed = False
        self.failures = failures
        self.problem = ""
        self._lines = Allowance(_BURST, _LINES_A_SECOND)
        self._traces = Allowance(_BURST, _LINES_A_SECOND)
        self._untold = 0
        self._threads = [threading.Thread(target=self._run, name=f"capture-{name}", daemon=True)]
        self._threads[0].start()

    @property
    def is_running(self) -> bool:
        """Whether a thread of it has not ended: after `leave`, one that hangs."""
        return any(thread.is_alive() for thread in self._threads)

    def leave(self) -> None:
        """Take nothing more, and have the source closed; it waits for nothing."""
        with self._leaving:
            self._left.set()
            source = self._source
        if source is not None:  # on a thread of its own, for closing may hang as well
            closer = threading.Thread(target=source.close, name=f"close-{self._name}", daemon=True)
            closer.start()
            self._threads.append(closer)

    def join(self, deadline_s: float) -> None:
        """Wait for its threads until a monotonic time."""
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    # From here on only the capture's own thread.

    def _run(self) -> None:
        while not self._left.is_set():
            problem = self._use_source()
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
            if not self._left.is_set() and self._traces.take(self._monotonic_ns()):
                _log.exception("source broke", camera=self._name)
            return f"{type(error).__name__}: {error}"
        finally:
            self._source = None
        return "its pictures have ended"

    def _read(self, source: Source) -> None:
        while not self._left.is_set() and self._read_one(source):
            pass

    def _read_one(self, source: Source) -> bool:
        """Pass a picture on; nothing holds it once this has returned, for its memory is lent.

        Returns:
            Whether there may be more.
        """
        picture = source.read()
        if picture is None:
            return False
        with self._leaving:
            if self._left.is_set():
                return False
            self.pictured_ns = self.answered_ns = self._monotonic_ns()
            self.has_pictured = True
            self.problem = ""
            self._backoff.reset()
            self._take(picture)
        return True

    def _pause(self, problem: str) -> None:
        with self._leaving:
            if self._left.is_set():
                return
            delay_s = self._backoff.next_s()
            self.answered_ns = self._monotonic_ns() + int(delay_s * _NS)
            self.has_failed = True
            self.failures += 1
            self.problem = problem
        self._tell(problem, delay_s)
        self._left.wait(delay_s)

    def _tell(self, problem: str, delay_s: float) -> None:
        """Tell the log; of one that gives a picture and fails, for hours, not each time."""
        if not self._lines.take(self._monotonic_ns()):
            self._untold += 1
            return
        untold, self._untold = self._untold, 0
        _log.warning(
            "camera failed",
            camera=self._name,
            problem=problem,
            retry_s=round(delay_s, 1),
            like_it_before=untold,
        )
