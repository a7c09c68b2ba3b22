"""One node's samples: its link and its machine."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from camfleet.liveness import Liveness
from camfleet.machine_health import MachineHealth
from camfleet_hub.ring import Line, Ring, line
from camfleet_hub.stream import Node

_LINK: Final = ("uncertainty_ms", "round_trip_ms", "restarts")
_MACHINE: Final = (
    "cpu_percent",
    "memory_percent",
    "disk_free_percent",
    "temperature_c",
    "wifi_signal_dbm",
    "under_voltage",
    "throttled",
)
_PERCENT: Final = 100
_NS: Final = 1e9
_MS: Final = 1e3


class NodeTrack:
    """The samples of one node: its link and its machine."""

    def __init__(self, samples: int) -> None:
        self._names = (*_LINK, *_MACHINE)
        self._ring = Ring(self._names, samples)
        self._session: int | None = None

    def sample(self, node: Node, place: int, now_ns: int) -> None:
        """Set the sample at a place. Of a node that is away only its starts are known."""
        values: dict[str, float] = {}
        if node.session is not None:
            values["restarts"] = self._session not in {None, node.session}
            self._session = node.session
        if node.has_heartbeat and node.liveness(now_ns) is Liveness.ONLINE:
            if clock := node.clock:
                values["uncertainty_ms"] = clock.uncertainty_ns / _NS * _MS
            if node.round_trip_ns >= 0:
                values["round_trip_ms"] = node.round_trip_ns / _NS * _MS
            if node.health is not None:
                values |= _machine(node.health)
        self._ring.put(place, values)

    def read(self, order: NDArray[np.intp]) -> dict[str, Line]:
        """Tell all of it by name, in this order."""
        return {name: line(self._ring.row(name, order)) for name in self._names}


def _machine(health: MachineHealth) -> dict[str, float]:
    """What a node's machine tells, by the names of `_MACHINE`."""
    cpu, memory, disk = health.cpu_share, health.memory_share, health.disk_free_share
    found = {
        "cpu_percent": None if cpu is None else cpu * _PERCENT,
        "memory_percent": None if memory is None else memory * _PERCENT,
        "disk_free_percent": None if disk is None else disk * _PERCENT,
        "temperature_c": health.temperature_c,
        "wifi_signal_dbm": health.wifi_signal_dbm,
        "under_voltage": health.is_under_voltage,
        "throttled": health.is_throttled,
    }
    return {name: float(value) for name, value in found.items() if value is not None}
