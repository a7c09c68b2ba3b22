"""Tells the log how the link stands: each change, and ever more rarely that it is still down."""

from __future__ import annotations

from typing import Final

import structlog

from camfleet.allowance import Allowance
from camfleet.node_link import LinkState

_FIRST_S: Final = 5.0
_MOST_S: Final = 300.0
# A link at the edge of Wi-Fi comes and goes for hours; that it is down is told all the same.
_BURST: Final = 32
_LINES_A_SECOND: Final = 1 / 60
_NS: Final = 1e9
_log = structlog.get_logger()


class LinkLog:
    """Looks at the link now and then.

    Args:
        hub: the address that the node was given.
    """

    def __init__(self, hub: str) -> None:
        self._hub = hub
        self._told: tuple[LinkState, str] | None = None
        self._pause_s = _FIRST_S
        self._remind_s = 0.0
        self._lines = Allowance(_BURST, _LINES_A_SECOND)

    def look(self, state: LinkState, refusal: str, now_s: float) -> None:
        """Take the link's state, what the hub said if it refused, and a monotonic time."""
        refusal = refusal if state is LinkState.REFUSED else ""
        if (state, refusal) != self._told:
            self._told = state, refusal
            self._pause_s = _FIRST_S
            self._remind_s = now_s + _FIRST_S
            if not self._lines.take(int(now_s * _NS)):
                return
            tell = _log.warning if refusal else _log.info
            tell("link", state=state.value, hub=self._hub, refusal=refusal)
        elif state is not LinkState.ONLINE and now_s >= self._remind_s:
            self._pause_s = min(2 * self._pause_s, _MOST_S)
            self._remind_s = now_s + self._pause_s
            wanted = refusal or "a camfleet hub there, on its port for nodes"
            _log.warning("still no link", state=state.value, hub=self._hub, want=wanted)
