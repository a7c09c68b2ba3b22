"""Prometheus metrics of the hub itself: what runs, how late its loop is, what waits in it."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from camfleet_hub.loop_lag import LoopLag
from camfleet_hub.metrics import buckets


class HubCollector(Collector):
    """What the hub's own process does; processor, memory and files are `process_...`.

    Args:
        software: name and version.
        lag: of the event loop.
        state: folder of the hub's state, whose disk is looked at.
        viewers: returns how many browsers show the wall now.
        queues: returns how much waits, by queue.
        problems: returns what `/healthz` has to say.
    """

    def __init__(
        self,
        software: str,
        lag: LoopLag,
        *,
        state: Path,
        viewers: Callable[[], int],
        queues: Mapping[str, Callable[[], int]],
        problems: Callable[[], list[str]],
    ) -> None:
        self._version = software.rpartition(" ")[2]
        self._lag = lag
        self._state = state
        self._viewers = viewers
        self._queues = queues
        self._problems = problems

    def describe(self) -> list[Metric]:
        """Nothing in advance: a registry asks twice otherwise."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read everything."""
        info = GaugeMetricFamily(
            "camfleet_hub_build_info", "Always 1; what runs here.", labels=["version"]
        )
        info.add_metric([self._version], 1)
        yield info
        yield GaugeMetricFamily(
            "camfleet_hub_healthy",
            "1 while `/healthz` has nothing to complain of, else 0.",
            value=not self._problems(),
        )
        yield GaugeMetricFamily(
            "camfleet_viewers", "Browsers that show the wall now.", value=self._viewers()
        )
        waiting = GaugeMetricFamily(
            "camfleet_hub_queue_depth",
            "What waits in the hub: `pictures` to be encoded or made smaller for browsers, streams "
            "with frames for `subscribers`, and such to `republish`.",
            labels=["queue"],
        )
        for name, depth in self._queues.items():
            waiting.add_metric([name], depth())
        yield waiting
        disk = GaugeMetricFamily(
            "camfleet_hub_disk_free_ratio", "Of the disk that the hub's state is on."
        )
        with contextlib.suppress(OSError):  # the folder is gone, so nothing is known
            usage = shutil.disk_usage(self._state)
            disk.add_metric([], usage.free / usage.total)
        yield disk
        lag = HistogramMetricFamily(
            "camfleet_hub_loop_lag_seconds",
            "How late the hub's event loop, which serves HTTP and the walls, came to a timer.",
        )
        lag.add_metric([], buckets(self._lag.seconds), self._lag.seconds.sum)
        yield lag
