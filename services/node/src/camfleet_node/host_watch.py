"""Watches a node's machine: spares a processor that is hot, and ends the node before memory ends.

It reads a few small files every two seconds, and writes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import structlog

from camfleet.allowance import Allowance
from camfleet.machine_health import KNOWS_NOTHING
from camfleet_node.host.machine import Machine
from camfleet_node.host.memory import Memory, read_memory
from camfleet_node.host.temperature import read_temperature
from camfleet_node.host.text import ROOT
from camfleet_node.host.throttling import read_throttling

_EVERY_NS: Final = 2_000_000_000
_COOLER_C: Final = 5.0  # than hot: so that it is not told again and again at the bound
_MIB: Final = 1 << 20
# A supply at its limit trips every few seconds, for days.
_BURST: Final = 8
_LINES_A_SECOND: Final = 1 / 300
_log = structlog.get_logger()


class Spared(Protocol):
    """What can do with fewer pictures."""

    def spare(self, is_hot: bool) -> None:  # noqa: FBT001 - it has no other argument
        """Leave every other picture out, or none any more."""
        ...


class HostWatch:
    """Looks at temperature, throttling and memory.

    Args:
        cameras: all of a node.
        hot_c: from this temperature on they are spared, until it is 5 degrees less.
        memory_share: percent of what this process may use, from which on it must end.
        root: for tests; where `proc` and `sys` are.

    Attributes:
        temperature_c: of the processor; None where that is not known.
        throttling: what holds the machine back; None where that is not known.
        memory: what is used, and what may be.
        is_hot: cameras are spared.
        health: of the whole machine, for its hub.
    """

    def __init__(
        self, cameras: Sequence[Spared], hot_c: float, memory_share: float, root: Path = ROOT
    ) -> None:
        self._cameras = cameras
        self._hot_c = hot_c
        self._memory_share = memory_share
        self._root = root
        self._due_ns = 0
        self.temperature_c: float | None = None
        self.throttling: tuple[str, ...] | None = None
        self.memory = Memory(0, 0, 0)
        self.is_hot = False
        self._told: tuple[str, ...] | None = None  # of throttling
        self._lines = Allowance(_BURST, _LINES_A_SECOND)
        self._machine = Machine(root)
        self.health = KNOWS_NOTHING

    def look(self, monotonic_ns: int) -> str:
        """Look, every two seconds at most.

        Returns:
            Why only a new process may help: too little memory is left. Else an empty text.
        """
        if monotonic_ns < self._due_ns:
            return ""
        self._due_ns = monotonic_ns + _EVERY_NS
        self._look_at_heat()
        self._look_at_throttling(monotonic_ns)
        self.memory = read_memory(self._root)
        self.health = self._machine.read(self.memory, self.temperature_c)
        if self.memory.share < self._memory_share:
            return ""
        used, limit = (f"{size / _MIB:.0f} MiB" for size in self.memory[:2])
        return f"memory: {used} used of {limit}, want less than {self._memory_share:g} %"

    def _look_at_heat(self) -> None:
        self.temperature_c = degrees = read_temperature(self._root)
        if degrees is None:
            return
        bound_c = self._hot_c - _COOLER_C if self.is_hot else self._hot_c
        if (degrees >= bound_c) is self.is_hot:
            return
        self.is_hot = not self.is_hot
        for camera in self._cameras:
            camera.spare(self.is_hot)
        if self.is_hot:
            _log.warning("hot: every other picture is left out", celsius=degrees, hot=self._hot_c)
        else:
            _log.info("cool again: no picture is left out", celsius=degrees)

    def _look_at_throttling(self, monotonic_ns: int) -> None:
        self.throttling = flags = read_throttling(self._root)
        if flags == self._told or not self._lines.take(monotonic_ns):
            return
        is_first, self._told = self._told is None, flags
        if flags:
            _log.warning("the machine is held back", by=list(flags))
        elif not is_first:
            _log.info("the machine is not held back any more")
