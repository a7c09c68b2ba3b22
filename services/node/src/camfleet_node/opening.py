"""A source that is opened on a thread of its own: a file may lie on a network drive that is dead.

It never waits longer than it is told to.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from camfleet_node.sources import Source, SourceError
from camfleet_node.sources.picture import SettingError


class Opening:
    """Opens a source at once; afterwards a camera opens it by this, the first time and anew.

    Args:
        name: of the camera.
        opens: opens its source.
        is_device: it may be plugged in later, so that only its settings can be wrong for ever.
    """

    def __init__(self, name: str, opens: Callable[[], Source], *, is_device: bool = True) -> None:
        self.name = name
        self.is_device = is_device
        self._opens = opens
        self._source: Source | None = None
        self._problem: Exception | None = None
        self._is_answered = threading.Event()
        self._is_taken = False
        threading.Thread(target=self._open, name=f"open-{name}", daemon=True).start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is known how the first try ended; False after the timeout."""
        return self._is_answered.wait(timeout_s)

    @property
    def problem(self) -> str:
        """Why it can never be opened, as far as the first try has found that; else empty.

        It is put behind the camera's variable: `__FPS: found 9, want 1 to 5`, or `: no such file`.
        """
        match self._problem:
            case SettingError() as error:
                return f"__{error}"
            case SourceError() as error if not self.is_device:
                return f": {error}"
        return ""

    def __call__(self) -> Source:
        """Return the source of the first try, which may take as long as it takes; later, another.

        Raises:
            SourceError: saying what was found and what was wanted.
        """
        if self._is_taken:
            return self._opens()
        self._is_taken = True
        self._is_answered.wait()
        source, self._source = self._source, None
        if source is None:
            raise self._problem or SourceError("it was not opened")
        return source

    def _open(self) -> None:
        try:
            self._source = self._opens()
        except Exception as error:  # noqa: BLE001 - a supervision boundary: it is raised by a call
            self._problem = error
        finally:
            self._is_answered.set()
