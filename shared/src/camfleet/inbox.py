"""Where a subscriber's thread leaves frames for its program. Touches no socket."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from camfleet.delivered_frame import DeliveredFrame
from camfleet.errors import RemoteProtocolError
from camfleet.line import End
from camfleet.node_link import LinkState
from camfleet.payload import Payload
from camfleet.subscriber_link import Listed, SubscriberCounters, SubscriberLink
from camfleet.wire import DeliveryMode

Call = Callable[[], None]
_log = logging.getLogger(__name__)


class Inbox(End):
    """A subscriber's link behind a lock, and the few frames that its program has not taken yet.

    Args:
        link: the state machine, from now on only used through this object.
        delivery: `newest`: a stream's newer frame replaces the one that waits; or `all`.
        wake: called when the link has something to say; it must not block.
    """

    def __init__(self, link: SubscriberLink, delivery: DeliveryMode, wake: Call) -> None:
        self._link = link
        self._is_newest = delivery == "newest"
        self._wake = wake
        self._frames: dict[object, DeliveredFrame] = {}
        self._listed: Listed | None = None
        self._calls: list[Call] = []
        self._changed = threading.Condition()
        self._is_closed = False
        self._problem = ""

    def next(self, timeout_s: float) -> DeliveredFrame | None:
        """Ask for a frame and wait for it; None after the timeout, or when this was closed."""
        with self._changed:
            self._ask()
            self._changed.wait_for(lambda: self._frames or self._is_closed, timeout_s)
            return self._pop()

    def next_or_call(self, call: Call) -> DeliveredFrame | None:
        """Ask for a frame; where none is there, have `call` called when that has changed.

        It is called once, on the subscriber's thread, and must neither block nor raise.
        """
        with self._changed:
            self._ask()
            if self._is_closed:
                call()
            elif not self._frames:
                self._calls.append(call)
            return self._pop()

    def forget(self, call: Call) -> None:
        """Do not call it any more."""
        with self._changed:
            if call in self._calls:
                self._calls.remove(call)

    def look(self, timeout_s: float) -> Listed | None:
        """Ask which streams are there; None after the timeout, or when this was closed."""
        with self._changed:
            self._listed = None
            self._link.look()
            self._wake()
            self._changed.wait_for(lambda: self._listed is not None or self._is_closed, timeout_s)
            return self._listed

    def receive(self, header: bytes, payload: Payload, unix_ns: int, monotonic_ns: int) -> None:
        """Take one message of the hub; one that it does not send is counted and dropped."""
        with self._changed:
            before = self.refusal
            try:
                found = self._link.receive(header, payload, unix_ns, monotonic_ns)
            except RemoteProtocolError:
                self._link.counters.rejected += 1
                return
            if isinstance(found, DeliveredFrame):
                self._put(found)
            elif found is not None:
                self._listed = found
            self._tell()
        self._warn(before)

    def reject(self) -> None:
        """Count a message that is none."""
        with self._changed:
            self._link.counters.rejected += 1

    def take(self, unix_ns: int, monotonic_ns: int) -> list[tuple[bytes, Payload]]:
        """Return what is to be sent now; a subscriber has no payloads."""
        with self._changed:
            return [(header, b"") for header in self._link.poll(unix_ns, monotonic_ns)]

    def begin(self) -> None:
        """Introduce ourselves anew, as on every new connection."""
        with self._changed:
            self._link.begin()

    def notice_silence(self, monotonic_ns: int) -> bool:
        """Let the link find out that nobody answers; return whether it has just now."""
        with self._changed:
            return self._link.notice_silence(monotonic_ns)

    def tell(self, problem: str) -> None:
        """Take why there is no connection; empty where nothing is wrong."""
        before, self._problem = self.refusal, problem
        self._warn(before)

    def due_ns(self) -> int | None:
        """Monotonic time at which `take` has something to say by itself."""
        with self._changed:
            return self._link.due_ns()

    def bye(self) -> bytes:
        """Return the header part that ends the link in order."""
        return self._link.bye()

    def close(self) -> None:
        """Let whoever waits go; nothing more will come."""
        with self._changed:
            self._is_closed = True
            self._tell()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more will come."""
        return self._is_closed

    @property
    def state(self) -> LinkState:
        """Where the link stands."""
        return self._link.state

    @property
    def refusal(self) -> str:
        """Why nothing comes: no connection, a hub that refuses this, or that has nothing for it."""
        return self._problem or self._link.refusal

    @property
    def counters(self) -> SubscriberCounters:
        """What was counted so far."""
        with self._changed:
            return replace(self._link.counters)

    def _warn(self, before: str) -> None:
        """Tell who only waits for frames, once for each reason."""
        if self.refusal and self.refusal != before:
            _log.warning("no frames: %s", self.refusal)

    def _ask(self) -> None:
        if self._link.ask(time.monotonic_ns()):
            self._wake()

    def _pop(self) -> DeliveredFrame | None:
        if not self._frames or self._is_closed:
            return None
        self._link.take(time.monotonic_ns())
        return self._frames.pop(next(iter(self._frames)))

    def _put(self, frame: DeliveredFrame) -> None:
        key: object = (frame.node, frame.header.stream) if self._is_newest else id(frame)
        if key in self._frames:
            self._link.replace()
        self._frames[key] = frame

    def _tell(self) -> None:
        self._changed.notify_all()
        calls, self._calls = self._calls, []
        for call in calls:
            call()
