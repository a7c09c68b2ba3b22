"""A thread that takes the newest picture of a camera. It holds none while it waits."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from typing import Final

from camfleet.mailbox import Mailbox
from camfleet_node.sources import Content, Picture
from camfleet_node.unfit_log import UnfitLog

WAIT_S: Final = 0.2  # how soon the thread notices that it is to stop


class Reader(ABC):
    """Works on pictures, one after the other, until it is stopped.

    Args:
        thread: its name.
        camera: its name, for the log.
    """

    def __init__(self, thread: str, camera: str) -> None:
        self._log = UnfitLog(camera)
        self._pictures: Mailbox[tuple[int, Picture[Content]]] = Mailbox()  # with a number
        self._thread = threading.Thread(target=self._run, name=thread, daemon=True)
        self._thread.start()

    @abstractmethod
    def work(self, number: int, picture: Picture[Content], /) -> None:
        """Do what is to do with a picture and the number that was left with it, on the thread."""

    def is_ready(self) -> bool:
        """Wait for what else is needed, on the thread; False where that has not come in time."""
        return True

    def give_up(self) -> None:  # noqa: B027 - not every reader owes something
        """Count a picture whose work has failed, on the thread."""

    def _put(self, number: int, picture: Picture[Content]) -> bool:
        """Leave a picture for the thread; return whether one that nobody took was replaced."""
        return self._pictures.put((number, picture)) is not None

    def stop(self) -> None:
        """Tell the thread to end, and wait for nothing."""
        self._pictures.close()

    def join(self, deadline_s: float) -> None:
        """Wait for the thread until a monotonic time."""
        self._thread.join(max(0.0, deadline_s - time.monotonic()))

    # On its own thread.

    def _run(self) -> None:
        while not self._pictures.is_closed:
            if self.is_ready():
                self._step()

    def _step(self) -> None:
        """Take a picture and work on it; nothing holds it once this has returned."""
        taken = self._pictures.take(WAIT_S)
        if taken is None:
            return
        try:
            self.work(*taken)
        except Exception as error:  # noqa: BLE001 - a supervision boundary: the next one may fit
            self.give_up()
            self._log.tell(error)
