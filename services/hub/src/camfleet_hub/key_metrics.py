"""Prometheus metrics of the hub's keys: whether they can be read, and who has some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from camfleet.keyring import Keyring
from camfleet.keys import Role


class KeyCollector(Collector):
    """Who is enrolled, by role.

    Args:
        keyring: of the hub.

    Attributes:
        is_readable: False while the list on the disk is damaged or gone; the last good one is
            in force then.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self.is_readable = True

    def describe(self) -> list[Metric]:
        """Nothing in advance: a registry asks twice otherwise."""
        return []

    def nodes(self) -> list[str]:
        """The names that are enrolled as nodes."""
        return [entry.name for entry in self._keyring.entries() if entry.role is Role.NODE]

    def collect(self) -> Iterator[Metric]:
        """Count them."""
        yield GaugeMetricFamily(
            "camfleet_keys_readable",
            "0 while the list of who is enrolled is damaged or gone; the last good one is in "
            "force then. Else 1.",
            value=self.is_readable,
        )
        enrolled = GaugeMetricFamily("camfleet_enrolled", "Who has keys, by role.", labels=["role"])
        roles = Counter(entry.role for entry in self._keyring.entries())
        for role in Role:
            enrolled.add_metric([role.value], roles[role])
        yield enrolled
