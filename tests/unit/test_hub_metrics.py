"""What the hub tells of itself, of its keys and of nodes as a whole."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.registry import Collector

from camfleet.events import NodeJoined
from camfleet.keyring import Keyring
from camfleet.keys import Role
from camfleet.thread_time import busy_s
from camfleet.wire import Counters
from camfleet_hub.expiry import Expiry
from camfleet_hub.hub_metrics import HubCollector
from camfleet_hub.key_metrics import KeyCollector
from camfleet_hub.loop_lag import LoopLag
from camfleet_hub.metrics import FleetCollector
from camfleet_hub.node_metrics import NodeCollector
from camfleet_hub.web.targets import find_targets

if TYPE_CHECKING:
    from tests.unit.conftest import Feed

Values = dict[tuple[str, ...], float]
FRONT = (Counters("front/main", 0, 0, {}),)


def values(collector: Collector) -> Values:
    """Each sample's value by its name and the values of its labels."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for metric in collector.collect()
        for sample in metric.samples
    }


def hub(tmp_path: Path, *problems: str, lag: LoopLag | None = None) -> Values:
    return values(
        HubCollector(
            "camfleet-hub 1.2.3",
            lag or LoopLag(),
            state=tmp_path,
            viewers=lambda: 3,
            queues={"pictures": lambda: 2},
            problems=lambda: list(problems),
        )
    )


def test_the_hub_tells_its_version_viewers_and_what_waits(tmp_path: Path) -> None:
    found = hub(tmp_path)
    assert found["camfleet_hub_build_info", "1.2.3"] == 1
    assert found[("camfleet_viewers",)] == 3
    assert found["camfleet_hub_queue_depth", "pictures"] == 2
    assert found[("camfleet_hub_healthy",)] == 1
    assert 0 < found[("camfleet_hub_disk_free_ratio",)] <= 1


def test_a_hub_with_problems_is_not_healthy(tmp_path: Path) -> None:
    assert hub(tmp_path, "the nodes port's thread is stuck")[("camfleet_hub_healthy",)] == 0


def test_how_full_a_disk_is_that_is_gone_is_not_pretended_to_be_known(tmp_path: Path) -> None:
    assert ("camfleet_hub_disk_free_ratio",) not in hub(tmp_path / "gone")


def test_a_loop_that_is_held_up_is_late() -> None:
    lag = LoopLag()

    async def hold_up() -> None:
        measuring = asyncio.create_task(lag.run())
        await asyncio.sleep(0)
        threading.Event().wait(0.3)  # as a coroutine that computes
        await asyncio.wait([measuring], timeout=0.01)
        measuring.cancel()

    asyncio.run(hold_up())
    assert lag.seconds.sum >= 0.1


def test_a_threads_time_grows_with_what_it_does() -> None:
    seen: list[float] = []

    def work() -> None:
        own = threading.current_thread()
        while busy_s(own) < 0.03:
            pass
        seen.append(busy_s(own))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen[0] >= 0.03
    assert busy_s(threading.Thread()) == 0  # it never began


def test_who_is_enrolled_is_counted_by_role(tmp_path: Path) -> None:
    keyring = Keyring(tmp_path / "state")
    keyring.enrol("pi", Role.NODE, "tcp://hub:5556")
    keyring.enrol("me", Role.SUBSCRIBER, "tcp://hub:5557")
    keyring.refresh()
    keys = KeyCollector(keyring)
    assert keys.nodes() == ["pi"]
    found = values(keys)
    assert found["camfleet_enrolled", "node"] == found["camfleet_enrolled", "subscriber"] == 1
    assert found[("camfleet_keys_readable",)] == 1
    keys.is_readable = False
    assert values(keys)[("camfleet_keys_readable",)] == 0


def test_a_node_that_returns_has_joined_twice(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.goodbye("pi")
    feed.hello("pi", "front/main")
    found = values(NodeCollector(feed.fleet, Expiry(feed.fleet)))
    assert found["camfleet_node_joins_total", "pi"] == 2
    assert found["camfleet_node_info", "pi", "camfleet-node 0.1.0"] == 1
    assert found["camfleet_node_online", "pi"] == 1


def test_an_enrolled_node_that_was_never_heard_is_offline(feed: Feed) -> None:
    collector = NodeCollector(feed.fleet, Expiry(feed.fleet), lambda: ["pi"])
    assert values(collector) == {("camfleet_node_online", "pi"): 0}


def test_what_a_camera_is_asked_for_stands_beside_what_it_captures(feed: Feed) -> None:
    feed.fleet.take(NodeJoined("pi", 7, FRONT, "", asked_fps=(12.5,)))
    found = values(FleetCollector(feed.fleet, feed.viewers_rejected))
    assert found["camfleet_camera_asked_fps", "pi", "front"] == 12.5


def test_what_was_sent_is_received_or_lost(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send(sent=0)
    feed.send(sent=3)
    found = values(FleetCollector(feed.fleet, feed.viewers_rejected))
    assert found["camfleet_frames_sent_total", "pi", "front"] == 4
    assert found["camfleet_frames_lost_total", "pi", "front"] == 2


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("10.0.0.7", "10.0.0.7:9102"),
        ("::ffff:10.0.0.7", "10.0.0.7:9102"),
        ("fd00::7", "[fd00::7]:9102"),
    ],
)
def test_a_node_with_open_metrics_is_a_target(feed: Feed, address: str, target: str) -> None:
    feed.fleet.take(NodeJoined("pi", 7, FRONT, "", metrics_port=9102, address=address))
    feed.fleet.take(NodeJoined("shed", 8, FRONT, "", address="10.0.0.8"))
    found = [one.model_dump() for one in find_targets(Expiry(feed.fleet))]
    assert found == [{"targets": [target], "labels": {"node": "pi"}}]
