"""Prometheus metrics of the ports that peers connect to: who is there, and who was not let in."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from camfleet_hub.ports import Ports


class PortCollector(Collector):
    """Connections and handshakes of the ports that let only keys in, and who subscribes.

    Args:
        ports: all of them.
    """

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    def describe(self) -> list[Metric]:
        """Nothing in advance: a registry asks twice otherwise."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all counters."""
        there = GaugeMetricFamily("camfleet_connections", "Peers connected now.", labels=["port"])
        away = CounterMetricFamily(
            "camfleet_connections_turned_away",
            "Connections above the bound, which were ended at once.",
            labels=["port"],
        )
        failed = CounterMetricFamily(
            "camfleet_handshakes_failed",
            "Connections that ended before they were let in: `key` is not enrolled or revoked, "
            "`other` is whoever speaks something else, or had no time.",
            labels=["port", "reason"],
        )
        for name, port in self._ports.keyed.items():
            there.add_metric([name], len(port.connections))
            away.add_metric([name], port.connections.turned_away)
            failed.add_metric([name, "key"], port.refused)
            failed.add_metric([name, "other"], max(0, port.connections.failed - port.refused))
        yield from (there, away, failed)
        subscribers = self._ports.subscribers.subscribers
        yield GaugeMetricFamily(
            "camfleet_subscribers", "Programs that read frames just now.", value=subscribers
        )
