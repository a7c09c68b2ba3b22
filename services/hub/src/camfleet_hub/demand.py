"""Which streams somebody wants to see, so that no other costs its node more than a thumbnail."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from camfleet.names import MAIN

OnDemand = Callable[[str, str], None]


class Demand:
    """Counts who wants each stream, and tells when the first comes and the last goes.

    Everybody may use it, from any thread; what it tells must not block.

    Attributes:
        on_want: called with a node and a stream of it that somebody wants from now on.
        on_release: called with a node and a stream of it that nobody wants any more.
    """

    def __init__(self) -> None:
        self.on_want: OnDemand = _ignore
        self.on_release: OnDemand = _ignore
        self._wanted: Counter[tuple[str, str]] = Counter()  # by node and stream
        self._changing = threading.Lock()

    def want(self, stream_id: str) -> None:
        """Want a stream by its id (`node/camera` or `node/camera/profile`), there or not yet."""
        names = _names(stream_id)
        with self._changing:
            self._wanted[names] += 1
            if self._wanted[names] == 1:
                self.on_want(*names)

    def release(self, stream_id: str) -> None:
        """Want it no more, as often as it was wanted."""
        names = _names(stream_id)
        with self._changing:
            self._wanted[names] -= 1
            if not self._wanted[names]:
                del self._wanted[names]
                self.on_release(*names)

    def change(self, before: Iterable[str], after: Iterable[str]) -> None:
        """Want the streams of `after` in place of those of `before`; what stays is not touched."""
        before, after = set(before), set(after)
        for stream_id in after - before:
            self.want(stream_id)
        for stream_id in before - after:
            self.release(stream_id)

    @contextmanager
    def wanting(self, stream_id: str) -> Iterator[None]:
        """Want a stream for as long as the block runs."""
        self.want(stream_id)
        try:
            yield
        finally:
            self.release(stream_id)


def _names(stream_id: str) -> tuple[str, str]:
    """A stream's node, and its name there."""
    node, _, rest = stream_id.partition("/")
    return node, rest if "/" in rest else f"{rest}/{MAIN}"


def _ignore(_node: str, _stream: str) -> None:
    """Nobody listens yet."""
