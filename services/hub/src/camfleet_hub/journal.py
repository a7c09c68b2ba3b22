"""What the log tells of the fleet: who came and left, what was detected, and what was rejected.

Called on the ports' threads, and never per frame: a cause that repeats is told once in ten seconds,
with its count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import structlog

from camfleet.allowance import Allowance
from camfleet.errors import Reason, RemoteProtocolError
from camfleet.events import Detected, NodeJoined, NodeLeft
from camfleet.forward_link import SubscriberJoined, SubscriberLeft

_BURST: Final = 1024  # every node of a fleet that returns at once
_LINES_A_SECOND: Final = 2.0
_ONES_BURST: Final = 64  # of one peer, so that it leaves room for the others
_ONES_LINES_A_SECOND: Final = 0.1
_PAUSE_NS: Final = 10_000_000_000
_MOST_PEERS: Final = 1024  # remembered; all are forgotten then
_MOST_CAUSES: Final = 1024  # the same; they may be told anew
_log = structlog.get_logger()


class Journal:
    """Tells the log.

    Args:
        monotonic_ns: the clock that pauses are measured on.
    """

    def __init__(self, monotonic_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._monotonic_ns = monotonic_ns
        self._sessions: dict[str, int] = {}
        self._comes_and_goes = _Lines()
        self._detections = _Lines()
        self._told_ns: dict[tuple[str, Reason], int] = {}
        self._untold: dict[tuple[str, Reason], int] = {}

    def node(self, event: NodeJoined | NodeLeft) -> None:
        """Tell that a node came or left; not each time that it says hello again."""
        match event:
            case NodeLeft(node, message, _):
                self._sessions.pop(node, None)
                if self._comes_and_goes.take(node, self._monotonic_ns()):
                    _log.info("node left", node=node, why=message or "said goodbye")
            case NodeJoined(node, session, counters, software):
                if self._sessions.get(node) != session and self._comes_and_goes.take(
                    node, self._monotonic_ns()
                ):
                    streams = [counted.stream for counted in counters]
                    _log.info("node joined", node=node, streams=streams, software=software)
                self._sessions[node] = session

    def subscriber(self, event: SubscriberJoined | SubscriberLeft) -> None:
        """Tell that a program began to read frames, or ended."""
        name = event.caller or ""
        if not self._comes_and_goes.take(name, self._monotonic_ns()):
            return
        match event:
            case SubscriberLeft(_, _, message):
                _log.info("subscriber left", subscriber=name, why=message)
            case SubscriberJoined(_, _, _, patterns, software):
                _log.info("subscriber joined", subscriber=name, patterns=patterns, by=software)

    def detected(self, event: Detected) -> None:
        """Tell that a detector found something; where it does so all the time, not each."""
        if not self._detections.take(event.node, self._monotonic_ns()):
            return
        header = event.header
        _log.info(
            "detected",
            node=event.node,
            camera=event.camera,
            detector=header.detector,
            state=header.state,
            region=header.region,
        )

    def rejected(self, node: str, error: RemoteProtocolError) -> None:
        """Tell what was wrong with a message; a stranger's node is empty."""
        cause, now_ns = (node, error.reason), self._monotonic_ns()
        told_ns = self._told_ns.get(cause)
        if told_ns is not None and now_ns - told_ns < _PAUSE_NS:
            self._untold[cause] = self._untold.get(cause, 0) + 1
            return
        if len(self._told_ns) >= _MOST_CAUSES:
            self._told_ns.clear()
            self._untold.clear()
        self._told_ns[cause] = now_ns
        since = self._untold.pop(cause, 0)
        _log.warning(
            "message rejected",
            node=node,
            stream=error.stream,
            reason=error.reason.value,
            problem=str(error),
            like_it_before=since,
        )


class _Lines:
    """How many lines there may be: of one peer, and of all together."""

    def __init__(self) -> None:
        self._all = Allowance(_BURST, _LINES_A_SECOND)
        self._ones: dict[str, Allowance] = {}

    def take(self, peer: str, monotonic_ns: int) -> bool:
        """Take room for a line about a peer; False where there is none."""
        own = self._ones.get(peer)  # once: another port's thread may clear them meanwhile
        if own is None:
            if len(self._ones) >= _MOST_PEERS:
                self._ones.clear()
            own = self._ones[peer] = Allowance(_ONES_BURST, _ONES_LINES_A_SECOND)
        return own.take(monotonic_ns) and self._all.take(monotonic_ns)
