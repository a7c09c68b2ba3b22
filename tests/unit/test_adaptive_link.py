"""A camera over links of every kind, in simulated time: the window follows the link."""

from __future__ import annotations

import pytest

from camfleet.backoff import Backoff
from camfleet.draft import Draft
from camfleet.frame import Frame
from camfleet.node_link import NodeLink
from camfleet.testing import FakeClock, PairedLink

FRONT = "front/main"
FRAME = bytes(60_000)
S = 1_000_000_000


class Film:
    """One camera, whose newest picture goes out as soon as there is a credit."""

    def __init__(self, fps: float, delay_s: float, rate_bytes_s: float | None) -> None:
        self.clock = FakeClock()
        self.node = NodeLink("pi", 1, Backoff(0.25, 2.0, lambda: 0.5))
        self.node.declare(FRONT)
        self.link = PairedLink(self.clock, self.node, delay_s=delay_s)
        self.link.rate_bytes_s = rate_bytes_s
        self.interval_ns = round(S / fps)
        self.waiting: Draft | None = None
        self.most_in_flight = 0
        self._captures_ns = self.clock.monotonic_ns()

    def run(self, seconds: float) -> list[float]:
        """Let the camera run; return each arrived frame's age in seconds."""
        self.link.events.clear()
        end_ns = self.clock.monotonic_ns() + round(seconds * S)
        while (now_ns := self.clock.monotonic_ns()) < end_ns:
            if now_ns >= self._captures_ns:
                self._captures_ns += self.interval_ns
                self._capture()
            self._send()
            self.link.run(0.0005)
        frames = [event for event in self.link.events if isinstance(event, Frame)]
        return [(frame.received_ns - frame.header.captured_ns) / S for frame in frames]

    def _capture(self) -> None:
        if self.waiting:
            self.node.drop(FRONT, "newer")
        now_ns = self.link.node_ns()
        shape = (100, 200, 3)
        self.waiting = Draft(self.node.capture(FRONT), now_ns, now_ns, FRAME, "raw", shape)

    def _send(self) -> None:
        if self.waiting and self.node.credit(FRONT):
            self.link.send(self.node, FRONT, self.waiting)
            self.waiting = None
        self.most_in_flight = max(self.most_in_flight, len(self.link.in_flight(self.node)))


@pytest.mark.parametrize("round_trip_s", [0.0, 0.01, 0.04, 0.15, 0.3])
def test_a_long_link_carries_every_picture_of_a_fast_camera(round_trip_s: float) -> None:
    film = Film(fps=60, delay_s=round_trip_s / 2, rate_bytes_s=None)
    film.run(3.0)  # the window grows
    ages_s = film.run(25.0)  # past two doubts about the round trip
    assert len(ages_s) >= 0.999 * 60 * 25
    assert max(ages_s) <= round_trip_s / 2 + 2 / 60


@pytest.mark.parametrize("round_trip_s", [0.0, 0.001, 0.01, 0.04])
@pytest.mark.parametrize("service_s", [1 / 30, 0.2])
def test_a_slow_link_is_full_and_nothing_waits_on_it(round_trip_s: float, service_s: float) -> None:
    film = Film(fps=2 / service_s, delay_s=round_trip_s / 2, rate_bytes_s=len(FRAME) / service_s)
    film.run(3.0)
    ages_s = sorted(film.run(30.0))
    assert len(ages_s) >= 0.97 * 30 / service_s
    assert ages_s[int(0.99 * len(ages_s))] <= 2.5 * service_s + round_trip_s


def test_a_link_that_becomes_slow_is_not_flooded() -> None:
    film = Film(fps=60, delay_s=0.02, rate_bytes_s=None)
    film.run(5.0)
    film.link.rate_bytes_s = 30 * len(FRAME)
    film.run(2.0)
    assert max(film.run(30.0)) <= 0.02 + 3.5 / 30
    film.link.rate_bytes_s = None
    film.run(2.0)
    assert len(film.run(10.0)) >= 0.99 * 600


def test_a_path_that_becomes_longer_is_measured_anew() -> None:
    film = Film(fps=60, delay_s=0.001, rate_bytes_s=None)
    film.run(5.0)
    film.link.delay_s = 0.1
    film.run(15.0)
    assert len(film.run(10.0)) >= 0.99 * 600


def test_an_overloaded_link_does_not_mistake_its_own_queue_for_distance() -> None:
    film = Film(fps=60, delay_s=0.001, rate_bytes_s=15 * len(FRAME))
    film.run(60.0)
    film.most_in_flight = 0
    film.run(60.0)
    assert film.most_in_flight <= 3


@pytest.mark.parametrize("round_trip_s", [0.02, 0.04, 0.3])
@pytest.mark.parametrize("service_s", [1 / 30, 0.2])
@pytest.mark.parametrize("stall_s", [0.3, 1.2, 2.5])
def test_frames_that_were_held_up_do_not_pass_for_a_fast_link(
    round_trip_s: float, service_s: float, stall_s: float
) -> None:
    film = Film(fps=30, delay_s=round_trip_s / 2, rate_bytes_s=len(FRAME) / service_s)
    film.run(10.0)
    for _ in range(3):
        film.link.stall(stall_s)
        film.run(stall_s)
        film.run(0.5)  # what waited meanwhile
        assert max(film.run(5.0), default=0) <= 4 * service_s + 1.5 * round_trip_s


@pytest.mark.parametrize("round_trip_s", [1.1, 1.5, 2.5])
def test_a_round_trip_longer_than_a_heartbeats_interval_stops_nothing(round_trip_s: float) -> None:
    film = Film(fps=10, delay_s=round_trip_s / 2, rate_bytes_s=None)
    film.run(15.0)
    assert len(film.run(20.0)) >= 0.9 * 200


def test_a_path_that_becomes_longer_than_a_heartbeats_interval_goes_on() -> None:
    film = Film(fps=10, delay_s=0.01, rate_bytes_s=None)
    film.run(20.0)
    film.link.delay_s = 0.6
    film.run(15.0)
    assert len(film.run(20.0)) >= 0.9 * 200


def test_demand_rises_within_one_round_trip() -> None:
    clock = FakeClock()
    node = NodeLink("pi", 1, Backoff(0.25, 2.0, lambda: 0.5))
    node.declare(FRONT)
    link = PairedLink(clock, node, delay_s=0.05, on_demand=True)
    link.run(3.5)
    draft = Draft(0, link.node_ns(), link.node_ns(), FRAME, "raw", (100, 200, 3))
    while node.credit(FRONT):  # what a heartbeat grants is spent, and the next one is far
        link.send(node, FRONT, draft)
    link.run(0.2)
    link.events.clear()
    assert node.credit(FRONT) == 0
    link.hub.want("pi", FRONT, clock.monotonic_ns())
    link.run(0.05)
    assert node.credit(FRONT) >= 1
    link.send(node, FRONT, draft)
    link.run(0.05)
    assert [type(event) for event in link.events] == [Frame]
