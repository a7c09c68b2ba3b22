"""Why a subscriber that asks for frames gets none, out of what its hub lists. It reads no clock.

A camera that is not there and one that it may not read are the same to it: neither is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from camfleet.liveness import Liveness
from camfleet.wire import StreamState

FIRST_NS: Final = 3_000_000_000  # a hub that was restarted has its nodes back within two seconds
AGAIN_NS: Final = 10_000_000_000
_MOST_NAMED: Final = 3


class Lack:
    """Says when to ask for a listing, because nothing has come for too long.

    Args:
        patterns: of the streams that are wanted.

    Attributes:
        reason: for a person; empty while frames come, and where they may come at any time.
        due_ns: when to ask, on a monotonic clock, as long as a frame is awaited.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self.reason = ""
        self.due_ns = 0
        self._is_looking = False

    def begin(self, monotonic_ns: int) -> None:
        """Count anew: a frame came, or is awaited from now on."""
        self.reason = ""
        self.due_ns = monotonic_ns + FIRST_NS
        self._is_looking = False

    def look(self, monotonic_ns: int) -> None:
        """Note that a listing was asked for."""
        self.due_ns = monotonic_ns + AGAIN_NS
        self._is_looking = True

    def judge(self, listed: Sequence[StreamState]) -> None:
        """Find the reason in a listing of what the patterns choose; its program's own tell none."""
        if not self._is_looking:
            return
        self._is_looking = False
        if not listed:
            text = f"no camera that may be read here is chosen by {_some(self._patterns)}"
            self.reason = f"{text}, want one of those that `camfleet view` lists"
        elif not any(state.liveness == Liveness.ONLINE for state in listed):
            states = [f"{one.node}/{one.stream} is {one.liveness}" for one in listed]
            self.reason = f"no camera that is chosen sends pictures now: {_some(states)}"
        else:
            self.reason = ""


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_NAMED
    return ", ".join(texts[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
