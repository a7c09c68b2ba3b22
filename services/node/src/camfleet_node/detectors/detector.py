"""What every detector is: it looks at small gray pictures, and tells when its state changes."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from camfleet_node.processing import Region
from camfleet_node.sources import Image


class Change(NamedTuple):
    """What a detector has found out.

    Attributes:
        state: one word, for example `moving`.
        box: where, in percent of the whole picture; None where that is all of its region.
    """

    state: str
    box: Region | None = None


class Detector(Protocol):
    """A state machine for one region. One thread uses it.

    Attributes:
        kind: of detector, one word, for example `motion`.
        name: of its region.
        fps: pictures a second that it wants to see.
    """

    kind: str
    name: str
    fps: float

    @property
    def is_moving(self) -> bool:
        """Whether something moves in its region."""
        ...

    def look(self, image: Image, monotonic_ns: int) -> Change | None:
        """Look at a picture, HxW in gray; its first state is a change as well."""
        ...


class Steadiness:
    """Counts how often in a row the same was seen, until it may be believed.

    Args:
        frames: how often in a row a state must be seen, by its name.
    """

    def __init__(self, frames: dict[str, int]) -> None:
        self.state = ""  # not known yet
        self._frames = frames
        self._seen = ""
        self._count = 0

    def see(self, state: str) -> bool:
        """Take what one picture shows; return whether `state` has become this just now."""
        self._count = self._count + 1 if state == self._seen else 1
        self._seen = state
        if state == self.state or self._count < self._frames[state]:
            return False
        self.state = state
        return True
