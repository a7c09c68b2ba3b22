"""Prometheus metrics of nodes as a whole: whether they are there, and what runs on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from camfleet.liveness import Liveness
from camfleet_hub.expiry import Expiry
from camfleet_hub.fleet import Fleet

_NODE: Final = ["node"]
_NS: Final = 1e9


class NodeCollector(Collector):
    """Every node that is there, was of late, or is enrolled.

    Args:
        fleet: every node that the hub heard of.
        expiry: which of them are still told of.
        enrolled: returns the names that are enrolled as nodes. One that was never heard, or that
            is gone for long, is still expected until its key is revoked.
    """

    def __init__(
        self, fleet: Fleet, expiry: Expiry, enrolled: Callable[[], Iterable[str]] = tuple
    ) -> None:
        self._fleet = fleet
        self._expiry = expiry
        self._enrolled = enrolled

    def describe(self) -> list[Metric]:
        """Nothing in advance: the series depend on who is there."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all nodes."""
        yield self._online()
        heard = GaugeMetricFamily(
            "camfleet_node_last_heard_timestamp_seconds",
            "Unix time at which the hub heard a node last.",
            labels=_NODE,
        )
        joined = CounterMetricFamily(
            "camfleet_node_joins",
            "How often a node was let in: each start, and each return after an interruption.",
            labels=_NODE,
        )
        info = GaugeMetricFamily(
            "camfleet_node_info",
            "Always 1; what runs on a node that is here, as it says itself.",
            labels=["node", "software"],
        )
        now_ns, now_s = self._fleet.now_ns(), time.time()
        for node in self._expiry.nodes():
            heard.add_metric([node.name], now_s - (now_ns - node.heard_ns) / _NS)
            if node.has_heartbeat:
                joined.add_metric([node.name], node.joined)
            if node.software and node.liveness(now_ns) is not Liveness.OFFLINE:
                info.add_metric([node.name, node.software], 1)
        yield from (heard, joined, info)

    def _online(self) -> Metric:
        online = GaugeMetricFamily(
            "camfleet_node_online",
            "1 while a node is heard, else 0; of those that are enrolled also where the hub has "
            "not heard them since it started.",
            labels=_NODE,
        )
        now_ns = self._fleet.now_ns()
        found = dict.fromkeys(self._enrolled(), False)
        for node in self._expiry.nodes():
            found[node.name] = node.liveness(now_ns) is not Liveness.OFFLINE
        for name, is_online in sorted(found.items()):
            online.add_metric([name], is_online)
        return online
