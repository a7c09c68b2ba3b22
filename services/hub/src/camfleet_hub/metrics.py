"""Prometheus metrics of the fleet, read out of its counters when scraped; nothing per frame."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from camfleet.liveness import Liveness
from camfleet.stats import Histogram
from camfleet_hub.expiry import Expiry
from camfleet_hub.fleet import Fleet
from camfleet_hub.stream import Node, Stream

_CAMERA = ["node", "camera"]
_NS = 1e9


class FleetCollector(Collector):
    """Every number of every node and camera, and of who was not let in.

    Args:
        fleet: every node and camera.
        viewers_rejected: browsers that were sent away, by reason.
        expiry: of whom there is still something to tell; by default for a day.
    """

    def __init__(
        self, fleet: Fleet, viewers_rejected: Counter[str], expiry: Expiry | None = None
    ) -> None:
        self._fleet = fleet
        self._expiry = expiry or Expiry(fleet)
        self._viewers_rejected = viewers_rejected

    def describe(self) -> list[Metric]:
        """Nothing in advance: the series depend on who is there."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read all counters."""
        yield from self._received()
        yield from self._sent()
        yield self._dropped()
        yield self._rejected()
        yield self._rejected_viewers()
        yield self._latency()
        yield from self._paintings()
        yield from self._detections()
        yield from self._clock()
        yield self._up()
        yield self._newest()

    def _streams(self) -> list[Stream]:
        return self._expiry.streams()

    def _nodes(self) -> list[Node]:
        return self._expiry.nodes()

    def _received(self) -> Iterator[Metric]:
        captured = CounterMetricFamily(
            "camfleet_frames_captured", "Pictures that the node captured.", labels=_CAMERA
        )
        received = CounterMetricFamily(
            "camfleet_frames_received", "Frames that arrived at the hub.", labels=_CAMERA
        )
        size = CounterMetricFamily(
            "camfleet_received_bytes", "Payload bytes of those frames.", labels=_CAMERA
        )
        lost = CounterMetricFamily(
            "camfleet_frames_lost", "Frames that were sent and never arrived.", labels=_CAMERA
        )
        forwarded = CounterMetricFamily(
            "camfleet_frames_forwarded",
            "Frames that were sent on to subscribers, each as often as it was.",
            labels=_CAMERA,
        )
        for stream in self._streams():
            labels, stats = [stream.node.name, stream.camera], stream.stats
            forwarded.add_metric(labels, stream.forwarded)
            if stream.node.has_heartbeat:
                captured.add_metric(labels, stats.captured)
            received.add_metric(labels, stats.received)
            size.add_metric(labels, stats.received_bytes)
            lost.add_metric(labels, stats.lost)
        yield from (captured, received, size, lost, forwarded)

    def _sent(self) -> Iterator[Metric]:
        sent = CounterMetricFamily(
            "camfleet_frames_sent",
            "Frames that the node sent: each was received, lost or rejected.",
            labels=_CAMERA,
        )
        asked = GaugeMetricFamily(
            "camfleet_camera_asked_fps",
            "Pictures per second that a camera is set to give, where its node tells.",
            labels=_CAMERA,
        )
        restarts = CounterMetricFamily(
            "camfleet_camera_restarts",
            "How often a node reopened a camera because it hung, where it tells.",
            labels=_CAMERA,
        )
        for stream in self._streams():
            labels = [stream.node.name, stream.camera]
            if stream.node.has_heartbeat:
                sent.add_metric(labels, stream.stats.sent)
            if stream.asked_fps:
                asked.add_metric(labels, stream.asked_fps)
            if stream.stats.restarts is not None:
                restarts.add_metric(labels, stream.stats.restarts)
        yield from (sent, asked, restarts)

    def _dropped(self) -> Metric:
        dropped = CounterMetricFamily(
            "camfleet_frames_dropped",
            "Frames that were discarded by choice, by place and reason.",
            labels=[*_CAMERA, "place", "reason"],
        )
        for stream in self._streams():
            labels = [stream.node.name, stream.camera]
            for reason, count in stream.stats.dropped.items():
                dropped.add_metric([*labels, "node", reason], count)
            for (place, reason), count in stream.dropped.copy().items():
                dropped.add_metric([*labels, place, reason], count)
        return dropped

    def _rejected(self) -> Metric:
        rejected = CounterMetricFamily(
            "camfleet_messages_rejected",
            "Messages that could not be accepted; node and camera are empty where unknown.",
            labels=[*_CAMERA, "reason"],
        )
        for (node, camera, reason), count in self._fleet.rejected.copy().items():
            rejected.add_metric([node, camera, reason.value], count)
        return rejected

    def _rejected_viewers(self) -> Metric:
        rejected = CounterMetricFamily(
            "camfleet_viewers_rejected",
            "Browsers that were sent away: from another page, with a bad message, one too many, or "
            "above the share of one account.",
            labels=["reason"],
        )
        for reason, count in self._viewers_rejected.copy().items():
            rejected.add_metric([reason], count)
        return rejected

    def _latency(self) -> Metric:
        latency = HistogramMetricFamily(
            "camfleet_latency_seconds",
            "From the start of exposure to a stage: encoded, sent, received by the hub, delivered "
            "to a subscriber, painted by a viewer. From `received` on they are on the hub's clock.",
            labels=[*_CAMERA, "stage"],
        )
        for stream in self._streams():
            stages = stream.stats.latency | {"painted": stream.paintings.latency}
            for stage, histogram in stages.items():
                labels = [stream.node.name, stream.camera, stage]
                if any(histogram.counts):
                    latency.add_metric(labels, buckets(histogram), histogram.sum)
        return latency

    def _paintings(self) -> Iterator[Metric]:
        painted = CounterMetricFamily(
            "camfleet_frames_painted",
            "Frames that viewers painted, each as often as it was.",
            labels=_CAMERA,
        )
        rejected = CounterMetricFamily(
            "camfleet_paintings_rejected",
            "Paintings that cannot have been when a browser says; they are in no other number.",
            labels=_CAMERA,
        )
        uncertainty = SummaryMetricFamily(
            "camfleet_painted_uncertainty_seconds",
            "How far the latency of a painted frame may be off: the node's and browser's clocks.",
            labels=_CAMERA,
        )
        for stream in self._streams():
            labels, paintings = [stream.node.name, stream.camera], stream.paintings
            painted.add_metric(labels, paintings.painted)
            rejected.add_metric(labels, paintings.rejected)
            if paintings.timed:
                uncertainty.add_metric(labels, paintings.timed, paintings.uncertainty_s)
        yield from (painted, rejected, uncertainty)

    def _detections(self) -> Iterator[Metric]:
        detections = CounterMetricFamily(
            "camfleet_detections",
            "What detectors reported, by detector and state; `other` is above eight of a camera.",
            labels=[*_CAMERA, "detector", "state"],
        )
        for stream in self._streams():
            labels = [stream.node.name, stream.camera]
            for words, count in stream.detections.copy().items():
                detections.add_metric([*labels, *words], count)
        lost = CounterMetricFamily(
            "camfleet_detections_lost",
            "Detections that were sent and never arrived.",
            labels=["node"],
        )
        dropped = CounterMetricFamily(
            "camfleet_detections_dropped",
            "Detections that a node discarded, because newer ones waited for the hub.",
            labels=["node"],
        )
        for node in self._nodes():
            if node.has_heartbeat:
                lost.add_metric([node.name], node.detections.lost)
                dropped.add_metric([node.name], node.detections.dropped)
        yield from (detections, lost, dropped)

    def _clock(self) -> Iterator[Metric]:
        offset = GaugeMetricFamily(
            "camfleet_clock_offset_seconds", "Hub's clock minus the node's.", labels=["node"]
        )
        uncertainty = GaugeMetricFamily(
            "camfleet_clock_uncertainty_seconds",
            "How far that offset, and so every latency from `received` on, may be off.",
            labels=["node"],
        )
        round_trip = GaugeMetricFamily(
            "camfleet_round_trip_seconds", "Least of late between node and hub.", labels=["node"]
        )
        for node in self._nodes():
            if clock := node.clock:
                offset.add_metric([node.name], clock.offset_ns / _NS)
                uncertainty.add_metric([node.name], clock.uncertainty_ns / _NS)
            if node.round_trip_ns >= 0:
                round_trip.add_metric([node.name], node.round_trip_ns / _NS)
        yield from (offset, uncertainty, round_trip)

    def _up(self) -> Metric:
        up = GaugeMetricFamily(
            "camfleet_camera_online",
            "1 while a camera sends frames, or captures and by choice sends none; else 0.",
            labels=_CAMERA,
        )
        now_ns = self._fleet.now_ns()
        for stream in self._streams():
            is_online = stream.liveness(now_ns) is Liveness.ONLINE
            up.add_metric([stream.node.name, stream.camera], is_online)
        return up

    def _newest(self) -> Metric:
        newest = GaugeMetricFamily(
            "camfleet_last_frame_timestamp_seconds",
            "Unix time at which a camera's last frame arrived at the hub.",
            labels=_CAMERA,
        )
        now_ns = self._fleet.now_ns()
        for stream in self._streams():
            silence_s = stream.silence_s(now_ns)
            if silence_s is not None:
                newest.add_metric([stream.node.name, stream.camera], time.time() - silence_s)
        return newest


def buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """A histogram's counts as Prometheus wants them: with those of all lower buckets."""
    bounds = [*(str(bound) for bound in histogram.bounds), "+Inf"]
    return list(zip(bounds, accumulate(histogram.counts), strict=True))
