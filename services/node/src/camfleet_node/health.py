"""Judges whether frames flow: from every camera, and to the hub. It reads no clock itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from camfleet.names import MAIN
from camfleet.node_link import LinkState
from camfleet.wire import Counters
from camfleet_node.supervisor import longest_silence_s

_NS: Final = 1_000_000_000
_LOOK_S: Final = 10.0  # between two looks, which come twice a second


class Watched(Protocol):
    """A camera, as far as its health goes."""

    name: str

    @property
    def interval_s(self) -> float:
        """Usually between two of its pictures; 0 where that is not known yet."""
        ...

    @property
    def problem(self) -> str:
        """Why it gives no picture, as far as that is known; else empty."""
        ...


class Health:
    """Looks at the counters now and then, and remembers when each last grew.

    Args:
        cameras: all of a node.
        stall_s: so long a camera may give no picture; or three of its usual intervals, where
            that is longer.
    """

    def __init__(self, cameras: Sequence[Watched], stall_s: float) -> None:
        self._cameras = cameras
        self._stall_s = stall_s
        self._captured: dict[str, int] = {}
        self._grew_ns: dict[str, int] = {}
        self._looked_ns: int | None = None
        self._problems: tuple[str, ...] = ("it has only just started",)

    def look(
        self, counters: Sequence[Counters], state: LinkState, refusal: str, monotonic_ns: int
    ) -> None:
        """Take what was counted, how the link stands and why, and the time; twice a second."""
        for stream in counters:
            camera, _, profile = stream.stream.partition("/")
            if profile == MAIN and stream.captured > self._captured.get(camera, 0):
                self._captured[camera] = stream.captured
                self._grew_ns[camera] = monotonic_ns
        problems = [self._judge(camera, monotonic_ns) for camera in self._cameras]
        if state is not LinkState.ONLINE:
            why = refusal if state is LinkState.REFUSED else "the hub does not answer"
            problems.append(f"link: {state.value}: {why}")
        self._looked_ns = monotonic_ns
        self._problems = tuple(problem for problem in problems if problem)

    def problems(self, monotonic_ns: int) -> tuple[str, ...]:
        """What is wrong, from any thread; nothing where frames flow."""
        if self._looked_ns is not None and monotonic_ns - self._looked_ns > _LOOK_S * _NS:
            silent_s = (monotonic_ns - self._looked_ns) / _NS
            return (*self._problems, f"supervisor: it has not looked for {silent_s:.0f} s")
        return self._problems

    def _judge(self, camera: Watched, monotonic_ns: int) -> str:
        why = f": {camera.problem}" if camera.problem else ""
        grew_ns = self._grew_ns.get(camera.name)
        if grew_ns is None:
            return f"camera {camera.name}: no picture yet{why}"
        limit_s = longest_silence_s(self._stall_s, camera.interval_s)
        silence_s = (monotonic_ns - grew_ns) / _NS
        if silence_s < limit_s:
            return ""
        return f"camera {camera.name}: no picture for {silence_s:.0f} s{why}"
