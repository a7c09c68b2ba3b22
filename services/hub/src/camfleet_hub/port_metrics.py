"""Prometheus metrics of the ports that peers connect to: who is there, and who was not let in."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from camfleet.names import MAIN
from camfleet_hub.ports import Ports

_NS: Final = 1e9


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
        yield from self._threads()
        yield from self._flights()
        subscribers = self._ports.subscribers.subscribers
        yield GaugeMetricFamily(
            "camfleet_subscribers", "Programs that read frames just now.", value=subscribers
        )

    def _threads(self) -> Iterator[Metric]:
        busy = CounterMetricFamily(
            "camfleet_port_busy_seconds",
            "Seconds of a processor that a port's thread has used; one a second is all it can.",
            labels=["port"],
        )
        silent = GaugeMetricFamily(
            "camfleet_port_silent_seconds",
            "Since a port's thread went round last, which it does ten times a second or more.",
            labels=["port"],
        )
        for name, port in self._ports.all.items():
            busy.add_metric([name], port.busy_s)
            silent.add_metric([name], max(0, time.monotonic_ns() - port.alive_ns) / _NS)
        yield from (busy, silent)

    def _flights(self) -> Iterator[Metric]:
        window = GaugeMetricFamily(
            "camfleet_window_frames",
            "Frames of a camera that its link needs under way, as of the last grant.",
            labels=["node", "camera"],
        )
        credit = GaugeMetricFamily(
            "camfleet_credit_frames",
            "Frames of a camera that may come before the next grant.",
            labels=["node", "camera"],
        )
        for flight in self._ports.nodes.flights():
            camera, _, profile = flight.stream.partition("/")
            if profile == MAIN:
                window.add_metric([flight.node, camera], flight.window)
                credit.add_metric([flight.node, camera], flight.credit)
        yield from (window, credit)
