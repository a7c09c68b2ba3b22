"""The text that Prometheus reads of one node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from camfleet.sender import Sender
from camfleet_node.host_watch import HostWatch
from camfleet_node.metrics import NodeCollector

if TYPE_CHECKING:
    from collections.abc import Iterator

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class FakeCamera:
    name = "front"
    restarts = 2
    failures = 3


@pytest.fixture
def sender() -> Iterator[Sender]:
    with Sender("tcp://127.0.0.1:1", "pi", plain=True) as made:
        yield made


@pytest.fixture
def host(tmp_path: Path) -> HostWatch:
    zone = tmp_path / "sys/class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("51500")
    return HostWatch([], 80, 90, tmp_path)


def scrape(sender: Sender, host: HostWatch) -> Samples:
    registry = CollectorRegistry()
    registry.register(NodeCollector(sender, [FakeCamera()], host, "camfleet-node 1.2.3"))
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_frames_are_counted_by_camera_profile_and_reason(sender: Sender, host: HostWatch) -> None:
    main, preview = sender.stream("front"), sender.stream("front", "preview")
    for _ in range(3):
        main.capture()
    main.drop("hot")
    preview.capture()
    preview.drop("newer")
    told = scrape(sender, host)
    front, profile = ("camera", "front"), ("profile", "main")
    assert told["camfleet_node_frames_captured_total", (front,)] == 3
    assert told["camfleet_node_frames_sent_total", (front, profile)] == 0
    dropped = "camfleet_node_frames_dropped_total"
    assert told[dropped, (front, profile, ("reason", "hot"))] == 1
    assert told[dropped, (front, ("profile", "preview"), ("reason", "newer"))] == 1


def test_a_cameras_troubles_are_counted(sender: Sender, host: HostWatch) -> None:
    told = scrape(sender, host)
    front = (("camera", "front"),)
    assert told["camfleet_node_camera_restarts_total", front] == 2
    assert told["camfleet_node_camera_failures_total", front] == 3


def test_what_runs_here_and_where_the_link_stands_is_told(sender: Sender, host: HostWatch) -> None:
    told = scrape(sender, host)
    assert told["camfleet_node_build_info", (("version", "1.2.3"),)] == 1
    assert told["camfleet_node_link_online", ()] == 0


def test_what_nobody_knows_is_not_told(sender: Sender, host: HostWatch) -> None:
    names = {name for name, _ in scrape(sender, host)}
    assert "camfleet_node_temperature_celsius" not in names, "nobody has looked yet"
    assert "camfleet_node_clock_offset_seconds" not in names
    assert "camfleet_node_throttling" not in names
    host.look(0)
    assert scrape(sender, host)["camfleet_node_temperature_celsius", ()] == 51.5
