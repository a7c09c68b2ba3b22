"""Where cameras' threads leave frames for the sender's thread, newest wins. Touches no socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from camfleet.clock import Offset
from camfleet.detection import DetectionDraft
from camfleet.draft import Draft, check_draft
from camfleet.errors import RemoteProtocolError
from camfleet.line import End
from camfleet.machine_health import MachineHealth
from camfleet.node_link import LinkState, NodeLink
from camfleet.payload import Payload
from camfleet.wire import Box, Counters, DetectionCounters


class Outbox(End):
    """A node's link behind a lock: one pending frame per stream, sent when a credit is there.

    Args:
        link: the state machine, from now on only used through this object.
        wake: called when the sender has something to do; it must not block.
    """

    def __init__(self, link: NodeLink, wake: Callable[[], None]) -> None:
        self._link = link
        self._wake = wake
        self._pending: dict[str, Draft] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self.rejected = 0
        self._problem = ""

    def declare(self, stream: str, asked_fps: float = 0.0) -> Outlet:
        """Add a stream and return its way out.

        Raises:
            LocalProtocolError: for a bad name or rate, or when there would be too many.
        """
        with self._changed:
            self._link.declare(stream, asked_fps)
        self._wake()
        return Outlet(self, stream)

    def capture(self, stream: str) -> int:
        """Count one captured picture and return its sequence."""
        with self._changed:
            return self._link.capture(stream)

    def drop(self, stream: str, reason: str) -> None:
        """Count a captured picture as dropped."""
        with self._changed:
            self._link.drop(stream, reason)

    def wait_credit(self, stream: str, timeout_s: float) -> bool:
        """Wait until a frame offered now would be sent now."""

        def has_credit() -> bool:
            is_free = stream not in self._pending and self._link.credit(stream) > 0
            return is_free or self._is_closed

        with self._changed:
            return self._changed.wait_for(has_credit, timeout_s) and not self._is_closed

    def wait_online(self, timeout_s: float) -> bool:
        """Wait until the hub has welcomed this node."""

        def is_settled() -> bool:
            return self._is_closed or self.state is LinkState.ONLINE

        with self._changed:
            return self._changed.wait_for(is_settled, timeout_s) and not self._is_closed

    def offer(self, stream: str, draft: Draft) -> None:
        """Leave a frame; it replaces one that still waits for its credit.

        Raises:
            LocalProtocolError: for a draft that the hub would reject.
        """
        check_draft(draft)
        with self._changed:
            if stream in self._pending:
                self._link.drop(stream, "newer")
            self._pending[stream] = draft
        self._wake()

    def is_wanted(self, stream: str) -> bool:
        """Whether somebody is known to want a stream's frames now."""
        return self._link.is_wanted(stream)

    def detect(self, stream: str, draft: DetectionDraft) -> None:
        """Leave a detection; it waits for the hub, among the 64 newest of this node.

        Raises:
            LocalProtocolError: for a draft that the hub would reject.
        """
        with self._changed:
            self._link.detect(stream, draft, time.time_ns(), time.monotonic_ns())
        self._wake()

    def report(self, health: MachineHealth, restarts: Mapping[str, int]) -> None:
        """Tell the hub of this machine and its cameras with every heartbeat from now on.

        Raises:
            LocalProtocolError: for values that the hub would reject.
        """
        with self._changed:
            self._link.report(health, restarts)

    def take(self, unix_ns: int, monotonic_ns: int) -> list[tuple[bytes, Payload]]:
        """Return what may go out now as (header part, payload part).

        Control goes first, and what was detected before the frames.
        """
        with self._changed:
            parts: list[tuple[bytes, Payload]] = [
                (header, b"") for header in self._link.poll(unix_ns, monotonic_ns)
            ]
            parts.extend(self._link.detections(unix_ns, monotonic_ns))
            for stream in [name for name in self._pending if self._link.credit(name) > 0]:
                draft = self._pending.pop(stream)
                parts.append((self._link.send(stream, draft, unix_ns), draft.payload))
                self._changed.notify_all()
        return parts

    def receive(self, header: bytes, _payload: Payload, unix_ns: int, monotonic_ns: int) -> None:
        """Take one message of the hub; one that it does not send is counted and dropped."""
        with self._changed:
            try:
                self._link.receive(header, unix_ns, monotonic_ns)
            except RemoteProtocolError:
                self.rejected += 1
            self._changed.notify_all()

    def reject(self) -> None:
        """Count a message that is none."""
        self.rejected += 1

    def begin(self) -> None:
        """Introduce ourselves anew, as on every new connection."""
        with self._changed:
            self._link.begin()

    def notice_silence(self, monotonic_ns: int) -> bool:
        """Let the link find out that nobody answers; return whether it has just now."""
        with self._changed:
            return self._link.notice_silence(monotonic_ns)

    def tell(self, problem: str) -> None:
        """Take why there is no connection, for whoever asks; empty where nothing is wrong."""
        if problem != self._problem:
            with self._changed:
                self._problem = problem
                self._changed.notify_all()

    def due_ns(self) -> int:
        """Monotonic time at which `take` has something to say by itself."""
        return self._link.due_ns()

    def bye(self) -> bytes:
        """Return the header part that ends the link in order."""
        return self._link.bye()

    @property
    def state(self) -> LinkState:
        """Where the link stands; refused also where no connection comes about by its keys."""
        return LinkState.REFUSED if self._problem else self._link.state

    @property
    def refusal(self) -> str:
        """Why there is no connection, or what the hub said when it last refused this node."""
        return self._problem or self._link.refusal

    def clock(self, unix_ns: int) -> Offset | None:
        """The hub's clock minus ours, and how sure that is; None before it is known."""
        with self._changed:
            return self._link.clock(unix_ns)

    def counters(self) -> tuple[Counters, ...]:
        """What was captured, sent and dropped on each stream."""
        with self._changed:
            return self._link.counters()

    def detection_counters(self) -> DetectionCounters:
        """What became of this node's detections."""
        return self._link.detection_counters()

    def close(self) -> None:
        """Wake whoever waits for a credit; none will come. What was left before may still go."""
        with self._changed:
            self._is_closed = True
            self._link.leave()
            self._changed.notify_all()


class Outlet:
    """One stream's way out, used by its camera's threads.

    `capture` counts a picture, `wait_credit` tells when encoding is worth its while, and
    `send` or `drop` says what became of it. `detect` tells what a detector found.
    """

    def __init__(self, outbox: Outbox, stream: str) -> None:
        self._outbox = outbox
        self.stream = stream

    def capture(self) -> int:
        """Count one captured picture and return its sequence."""
        return self._outbox.capture(self.stream)

    def wait_credit(self, timeout_s: float) -> bool:
        """Wait until a frame handed over now would be sent now; False after the timeout."""
        return self._outbox.wait_credit(self.stream, timeout_s)

    def send(self, draft: Draft) -> None:
        """Hand a frame over; it replaces one that still waits for its credit.

        Raises:
            LocalProtocolError: for a draft that the hub would reject.
        """
        self._outbox.offer(self.stream, draft)

    def drop(self, reason: str) -> None:
        """Count a captured picture as dropped, for a short fixed reason such as `newer`."""
        self._outbox.drop(self.stream, reason)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody is known to want frames: of a hub that is away, nobody is."""
        return self._outbox.is_wanted(self.stream)

    def detect(  # noqa: PLR0917 - in the order of the wire; a box and a picture are often there
        self,
        detector: str,
        state: str,
        region: str,
        captured_ns: int,
        box: Box = (),
        picture: bytes = b"",
    ) -> None:
        """Tell the hub what a detector found. It needs no credit, and waits while the hub is away.

        Args:
            detector: which kind, 1 to 12 of `a` to `z` and `_`, for example `motion`.
            state: what it found, likewise, for example `moving`.
            region: its name; empty where there is none.
            captured_ns: of the picture that shows it, Unix ns on this machine's clock; 0 for now.
            box: where in the picture, as left, top, width and height in percent; or empty.
            picture: a small JPEG of at most 64 KiB and 2**20 pixels, or nothing.

        Raises:
            LocalProtocolError: for what the hub would reject.
        """
        sides = tuple(map(float, box))  # also numpy's own, which no header holds
        draft = DetectionDraft(detector, state, region, captured_ns, sides, picture)
        self._outbox.detect(self.stream, draft)
