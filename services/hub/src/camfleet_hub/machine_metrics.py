"""Prometheus metrics of the nodes' machines, as they report them with their heartbeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from camfleet.liveness import Liveness
from camfleet.machine_health import MachineHealth
from camfleet_hub.fleet import Fleet

_GAUGES: Final[tuple[tuple[str, str, Callable[[MachineHealth], float | None]], ...]] = (
    (
        "camfleet_node_cpu_ratio",
        "Of all processors of the node's machine, how much was busy lately.",
        attrgetter("cpu_share"),
    ),
    (
        "camfleet_node_machine_memory_used_bytes",
        "That the node's machine cannot give to programs.",
        attrgetter("memory_used_bytes"),
    ),
    (
        "camfleet_node_machine_memory_bytes",
        "That the node's machine has.",
        attrgetter("memory_total_bytes"),
    ),
    (
        "camfleet_node_temperature_celsius",
        "Of the node's processor.",
        attrgetter("temperature_c"),
    ),
    (
        "camfleet_node_under_voltage",
        "1 while the node's power supply is too weak, else 0.",
        attrgetter("is_under_voltage"),
    ),
    (
        "camfleet_node_throttled",
        "1 while the node's processor is held back, else 0.",
        attrgetter("is_throttled"),
    ),
    (
        "camfleet_node_under_voltage_since_start",
        "1 where that was so since the node's machine was started, else 0.",
        attrgetter("was_under_voltage"),
    ),
    (
        "camfleet_node_throttled_since_start",
        "1 where that was so since the node's machine was started, else 0.",
        attrgetter("was_throttled"),
    ),
    (
        "camfleet_node_wifi_signal_dbm",
        "Of the node's strongest Wi-Fi link.",
        attrgetter("wifi_signal_dbm"),
    ),
    (
        "camfleet_node_disk_free_ratio",
        "Of the node's disk.",
        attrgetter("disk_free_share"),
    ),
    (
        "camfleet_node_uptime_seconds",
        "Since the node's machine was started.",
        attrgetter("uptime_s"),
    ),
)


class MachineCollector(Collector):
    """How each node's machine does. What it does not tell has no sample, and is never 0.

    Args:
        fleet: every node.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def describe(self) -> list[Metric]:
        """Nothing in advance: the series depend on who is there."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read what each node said last; of one that is away nothing is known."""
        now_ns = self._fleet.now_ns()
        found = [
            (node.name, node.health)
            for node in self._fleet.nodes()
            if node.health is not None and node.liveness(now_ns) is not Liveness.OFFLINE
        ]
        for name, text, read in _GAUGES:
            gauge = GaugeMetricFamily(name, text, labels=["node"])
            for node, health in found:
                value = read(health)
                if value is not None:
                    gauge.add_metric([node], value)
            yield gauge
