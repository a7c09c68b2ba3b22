"""A fleet that is fed by hand, in time that a test controls."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Final

import numpy as np
import pytest

from camfleet.codec import encode_jpeg
from camfleet.errors import Reason, RemoteProtocolError
from camfleet.events import Detected, Leaving, NodeJoined, NodeLeft, NodeReported
from camfleet.frame import Frame, FrameHeader
from camfleet.testing import FakeClock
from camfleet.wire import NO_DETECTIONS, Counters, Detection, DetectionCounters, Facts
from camfleet_hub.fleet import IMAGEZMQ_NODE, Fleet
from camfleet_hub.stream import Stream

SESSION: Final = 7
JPEG: Final = encode_jpeg(np.full((6, 8, 3), 99, np.uint8))
MS: Final = 1_000_000


class Feed:
    """A fleet, its clock, and what its ingest threads would hand to it."""

    def __init__(self, max_cameras: int = 512) -> None:
        self.clock = FakeClock()
        self.fleet = Fleet(max_cameras, monotonic_ns=self.clock.monotonic_ns)
        self.viewers_rejected: Counter[str] = Counter()
        self._numbers = itertools.count()

    def hello(self, node: str, *streams: str, session: int = SESSION, captured: int = 0) -> None:
        counters = tuple(Counters(stream, captured, 0, {}) for stream in streams)
        self.fleet.take(NodeJoined(node, session, counters, "camfleet-node 0.1.0"))

    def heartbeat(
        self,
        node: str,
        *counters: Counters,
        round_trip_ns: int = -1,
        detections: DetectionCounters = NO_DETECTIONS,
        health: Facts = (),
        restarts: tuple[int, ...] = (),
    ) -> None:
        self.fleet.take(
            NodeReported(node, SESSION, counters, round_trip_ns, detections, health, restarts)
        )

    def detect(
        self,
        number: int,
        state: str = "moving",
        detector: str = "motion",
        *,
        region: str = "",
        stream: str = "front/main",
        node: str = "pi",
    ) -> None:
        """Let a detection arrive."""
        header = Detection(stream, SESSION, number, detector, state, 0, region)
        self.fleet.take(Detected(node, header, b"", self.clock.unix_ns()))

    def goodbye(self, node: str, message: str = "", why: Leaving = Leaving.GOODBYE) -> None:
        self.fleet.take(NodeLeft(node, message, why))

    def frame(
        self,
        stream: str = "front/main",
        *,
        node: str = "pi",
        sent: int | None = None,
        latency_ms: float | None = None,
        label: str = "",
        shape: tuple[int, ...] = (6, 8, 3),
    ) -> Frame:
        """Make a JPEG frame; without a latency its capture time is unknown."""
        received_ns = self.clock.unix_ns()
        number = next(self._numbers) if sent is None else sent
        header = FrameHeader(
            stream=stream,
            session=SESSION,
            sequence=number,
            sent=number,
            captured_ns=0 if latency_ms is None else received_ns - round(latency_ms * MS),
            codec="jpeg",
            shape=shape,
            clock_uncertainty_ns=-1 if latency_ms is None else MS,
            label=label,
        )
        return Frame(node, header, JPEG, received_ns)

    def send(
        self,
        stream: str = "front/main",
        *,
        node: str = "pi",
        sent: int | None = None,
        latency_ms: float | None = None,
        label: str = "",
        shape: tuple[int, ...] = (6, 8, 3),
    ) -> Frame:
        """Let a frame arrive."""
        frame = self.frame(
            stream, node=node, sent=sent, latency_ms=latency_ms, label=label, shape=shape
        )
        if node == IMAGEZMQ_NODE:  # their port hands frames over directly
            self.fleet.accept(frame)
        else:
            self.fleet.take(frame)
        return frame

    def reject(self, node: str, reason: Reason, stream: str = "", sent: int | None = None) -> None:
        """Let a message be rejected, as a port tells it."""
        error = RemoteProtocolError(reason, "found x, want y")
        error.stream, error.sent = stream, sent
        self.fleet.reject(node, error)

    def stream(self, stream_id: str = "pi/front") -> Stream:
        """The stream with this id, which must be there."""
        stream = self.fleet.find(stream_id)
        assert stream is not None
        return stream


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
