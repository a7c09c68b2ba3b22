"""Prometheus metrics of one node, read out of its counters when scraped; nothing per frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from camfleet.names import MAIN
from camfleet.node_link import LinkState
from camfleet.sender import Sender
from camfleet_node.host_watch import HostWatch

_NS = 1e9


class Restarted(Protocol):
    """A camera, as far as it is counted here."""

    name: str
    restarts: int

    @property
    def failures(self) -> int:
        """How often its source gave an error."""
        ...


class NodeCollector(Collector):
    """What a node's cameras, its link and its machine do.

    Args:
        sender: of all cameras.
        cameras: all of a node.
        host: its machine.
        software: name and version.
    """

    def __init__(
        self, sender: Sender, cameras: Sequence[Restarted], host: HostWatch, software: str
    ) -> None:
        self._sender = sender
        self._cameras = cameras
        self._host = host
        self._version = software.rpartition(" ")[2]

    def describe(self) -> list[Metric]:
        """Nothing in advance: a registry asks twice otherwise."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all counters."""
        yield from self._frames()
        yield from self._restarts()
        yield from self._link()
        yield from self._machine()
        info = GaugeMetricFamily(
            "camfleet_node_build_info", "Always 1; what runs here.", labels=["version"]
        )
        info.add_metric([self._version], 1)
        yield info

    def _frames(self) -> Iterator[Metric]:
        captured = CounterMetricFamily(
            "camfleet_node_frames_captured", "Pictures that were captured.", labels=["camera"]
        )
        sent = CounterMetricFamily(
            "camfleet_node_frames_sent",
            "Frames that were sent.",
            labels=["camera", "profile"],
        )
        dropped = CounterMetricFamily(
            "camfleet_node_frames_dropped",
            "Pictures that were discarded by choice, by reason.",
            labels=["camera", "profile", "reason"],
        )
        for counters in self._sender.counters():
            camera, _, profile = counters.stream.partition("/")
            if profile == MAIN:
                captured.add_metric([camera], counters.captured)
            sent.add_metric([camera, profile], counters.sent)
            for reason, count in counters.dropped.items():
                dropped.add_metric([camera, profile, reason], count)
        yield from (captured, sent, dropped)

    def _restarts(self) -> Iterator[Metric]:
        restarts = CounterMetricFamily(
            "camfleet_node_camera_restarts",
            "How often a camera that hung was reopened.",
            labels=["camera"],
        )
        failures = CounterMetricFamily(
            "camfleet_node_camera_failures",
            "How often a camera gave an error, or could not be opened.",
            labels=["camera"],
        )
        for camera in self._cameras:
            restarts.add_metric([camera.name], camera.restarts)
            failures.add_metric([camera.name], camera.failures)
        yield from (restarts, failures)

    def _link(self) -> Iterator[Metric]:
        is_online = self._sender.state is LinkState.ONLINE
        yield GaugeMetricFamily(
            "camfleet_node_link_online", "1 while the hub lets this node in, else 0.", is_online
        )
        if clock := self._sender.clock:
            yield GaugeMetricFamily(
                "camfleet_node_clock_offset_seconds",
                "Hub's clock minus this node's.",
                clock.offset_ns / _NS,
            )
            yield GaugeMetricFamily(
                "camfleet_node_clock_uncertainty_seconds",
                "How far that offset may be off.",
                clock.uncertainty_ns / _NS,
            )

    def _machine(self) -> Iterator[Metric]:
        host = self._host
        if host.temperature_c is not None:
            yield GaugeMetricFamily(
                "camfleet_node_temperature_celsius", "Of the processor.", host.temperature_c
            )
        yield GaugeMetricFamily(
            "camfleet_node_hot", "1 while every other picture is left out, else 0.", host.is_hot
        )
        if host.throttling is not None:
            yield GaugeMetricFamily(
                "camfleet_node_throttling",
                "1 where the firmware tells of under-voltage or throttling since the start.",
                bool(host.throttling),
            )
        yield GaugeMetricFamily(
            "camfleet_node_memory_used_bytes",
            "Of this process, without pages of files.",
            host.memory.used,
        )
        yield GaugeMetricFamily(
            "camfleet_node_memory_limit_bytes",
            "That this process may use: its control group's limit, or all.",
            host.memory.limit,
        )
