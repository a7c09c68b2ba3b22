"""What the API says of nodes and cameras."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from fastapi.encoders import jsonable_encoder

from camfleet.errors import Reason
from camfleet.events import Leaving, NodeJoined
from camfleet.wire import Counters
from camfleet_hub.fleet import IMAGEZMQ_NODE
from camfleet_hub.permission import ANYBODY, Identity, Role, Sight, parse_cameras
from camfleet_hub.web import models

if TYPE_CHECKING:
    from tests.unit.conftest import Feed

NEIGHBOUR: Final = Identity("neighbour", Role.VIEWER, parse_cameras("pi/front"))


def camera(feed: Feed, stream_id: str = "pi/front") -> models.Camera:
    sight = Sight(feed.fleet, ANYBODY)
    return models.camera(sight, feed.stream(stream_id), feed.clock.monotonic_ns())


def test_a_camera_without_a_picture_says_that_it_knows_nothing(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    assert camera(feed).model_dump() == {
        "id": "pi/front",
        "node": "pi",
        "camera": "front",
        "state": "stale",
        "fps": 0.0,
        "captured_fps": 0.0,
        "asked_fps": None,
        "latency_ms": None,
        "uncertainty_ms": None,
        "age_ms": None,
        "width": None,
        "height": None,
        "marks": [],
        "rejection": None,
        "gone": None,
    }


def test_what_a_camera_is_set_to_give_is_told_as_its_node_does(feed: Feed) -> None:
    front = (Counters("front/main", 0, 0, {}),)
    feed.fleet.take(NodeJoined("pi", 7, front, "", asked_fps=(12.52,)))
    assert camera(feed).asked_fps == 12.5


def test_width_and_height_are_the_newest_frames(feed: Feed) -> None:
    feed.send()
    assert (camera(feed).width, camera(feed).height) == (8, 6)


def test_latency_comes_with_its_uncertainty(feed: Feed) -> None:
    feed.send(latency_ms=12.344)
    assert (camera(feed).latency_ms, camera(feed).uncertainty_ms) == (12.34, 1.0)


def test_an_unknown_latency_has_no_uncertainty(feed: Feed) -> None:
    feed.send()
    assert (camera(feed).latency_ms, camera(feed).uncertainty_ms) == (None, None)


def test_age_is_since_the_newest_frame_arrived(feed: Feed) -> None:
    feed.send()
    feed.clock.advance(1.2346)
    assert camera(feed).age_ms == 1235


def test_nodes_and_their_cameras_are_in_order(feed: Feed) -> None:
    feed.send("rpi1/main", node=IMAGEZMQ_NODE)
    feed.hello("b", "2/main", "1/main")
    feed.hello("a")
    nodes = models.nodes(Sight(feed.fleet, ANYBODY))
    assert [node.name for node in nodes] == ["a", "b", "imagezmq"]
    assert [one.camera for one in nodes[1].cameras] == ["1", "2"]


def test_a_node_tells_its_software_and_an_imagezmq_sender_cannot(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send("rpi1/main", node=IMAGEZMQ_NODE)
    software = {node.name: node.software for node in models.nodes(Sight(feed.fleet, ANYBODY))}
    assert software == {"imagezmq": "", "pi": "camfleet-node 0.1.0"}


def test_counters_are_told_per_camera(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.heartbeat("pi", Counters("front/main", 9, 0, {"newer": 4}))
    frame = feed.send(sent=2, label="gate open")
    [counts] = models.nodes(Sight(feed.fleet, ANYBODY))[0].cameras
    assert counts.label == "gate open"
    assert (counts.captured, counts.received, counts.lost) == (9, 1, 2)
    assert counts.received_bytes == len(frame.payload)
    assert counts.dropped == {"newer": 4}


def test_what_was_rejected_and_skipped_is_told_where_it_belongs(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.reject("pi", Reason.NOT_JPEG, "front/main", sent=0)
    feed.reject("pi", Reason.KIND)
    feed.reject("pi", Reason.KIND)
    feed.reject("", Reason.MAGIC)
    feed.stream().drop("wall", "newer", 3)
    [node] = models.nodes(Sight(feed.fleet, ANYBODY))
    [counts] = node.cameras
    assert (node.rejected, counts.rejected, counts.skipped) == ({"kind": 2}, {"not_jpeg": 1}, 3)


def test_all_of_it_can_be_written_as_json(feed: Feed) -> None:
    feed.send("k\u00fcche \U0001f4f7/main", node="\u5ead", label='"\n\x00', latency_ms=1e9)
    told = json.loads(json.dumps(jsonable_encoder(models.nodes(Sight(feed.fleet, ANYBODY)))))
    assert told[0]["cameras"][0]["label"] == '"\n\x00'


def test_a_camera_tells_what_its_detectors_find_while_it_is_online(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send()
    feed.detect(0)
    feed.detect(1, "dark", "light", region="gate")
    assert camera(feed).marks == ["motion", "dark"]
    feed.detect(2, "still")
    assert camera(feed).marks == ["dark"]
    feed.detect(3, "open", "gate")
    assert camera(feed).marks == ["dark"]
    feed.goodbye("pi")
    assert camera(feed).marks == []


def test_a_preview_is_told_with_its_camera_and_not_as_one(feed: Feed) -> None:
    feed.hello("pi", "front/main", "front/preview")
    feed.send()
    feed.send("front/preview")
    feed.send("front/preview")
    (found,) = models.nodes(Sight(feed.fleet, ANYBODY))[0].cameras
    assert (found.id, found.received) == ("pi/front", 1)
    (preview,) = found.profiles
    assert (preview.profile, preview.state, preview.received) == ("preview", "online", 2)
    assert (preview.width, preview.height) == (8, 6)


def test_a_camera_of_which_only_the_preview_is_looked_at_has_its_rate(feed: Feed) -> None:
    feed.hello("pi", "front/main", "front/preview")
    feed.send()
    for _ in range(4):
        feed.fleet.sample()
        feed.send("front/preview")
        feed.clock.advance(0.25)
    feed.fleet.sample()
    assert camera(feed).fps == pytest.approx(4)
    (found,) = models.nodes(Sight(feed.fleet, ANYBODY))[0].cameras
    assert found.profiles[0].fps == pytest.approx(4)


def test_a_stream_without_a_main_one_is_a_camera_by_itself(feed: Feed) -> None:
    feed.hello("pi", "front/preview")
    (found,) = models.nodes(Sight(feed.fleet, ANYBODY))[0].cameras
    assert (found.id, found.profiles) == ("pi/front/preview", [])


def test_lost_detections_are_told_per_node(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.detect(2)
    assert models.nodes(Sight(feed.fleet, ANYBODY))[0].detections_lost == 2


def gone(feed: Feed, identity: Identity = ANYBODY) -> tuple[str, str] | None:
    """Why the node is gone, as the node and each of its cameras tell it to somebody."""
    sight = Sight(feed.fleet, identity)
    (node,) = models.nodes(sight)
    stream = feed.stream("pi/front")
    assert models.camera(sight, stream, feed.clock.monotonic_ns()).gone == node.gone
    assert [one.gone for one in node.cameras] == [node.gone]
    return (node.gone.reason, node.gone.detail) if node.gone else None


def test_a_node_that_is_here_is_not_gone(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    assert gone(feed) is None
    feed.goodbye("pi")
    feed.hello("pi", "front/main")
    assert gone(feed) is None


@pytest.mark.parametrize(
    ("message", "why", "detail"),
    [
        ("", Leaving.GOODBYE, "it said goodbye"),
        ("too hot", Leaving.GOODBYE, "it said goodbye: too hot"),
        ("x" * 4000, Leaving.GOODBYE, f"it said goodbye: {'x' * 200}"),
        ("silent for 10 s", Leaving.SILENT, "nothing was heard of it for 10 s"),
        ("its key was revoked", Leaving.REVOKED, "its key was revoked"),
    ],
)
def test_a_node_that_left_says_why(feed: Feed, message: str, why: Leaving, detail: str) -> None:
    feed.hello("pi", "front/main")
    feed.goodbye("pi", message, why)
    assert gone(feed) == (why.value, detail)


def test_a_node_that_is_silent_is_gone_before_its_link_has_noticed(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.clock.advance(11)
    assert gone(feed) == ("silent", "nothing was heard of it for 10 s")


def test_a_node_that_knocks_in_vain_says_what_is_wrong_while_it_does(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.goodbye("pi")
    feed.reject("pi", Reason.VERSION)
    assert gone(feed) == ("rejected", "it speaks another version of the protocol")
    feed.clock.advance(20)
    assert gone(feed) == ("goodbye", "it said goodbye")


def test_who_sees_some_cameras_is_told_nothing_that_their_node_said(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.goodbye("pi", "the safe is open")
    assert gone(feed) == ("goodbye", "it said goodbye: the safe is open")
    assert gone(feed, NEIGHBOUR) == ("goodbye", "it said goodbye")
    feed.reject("pi", Reason.NAME_TAKEN)
    assert gone(feed) == ("rejected", "another machine has its name")
    assert gone(feed, NEIGHBOUR) == ("rejected", "what it says is rejected")


def test_a_second_machine_with_a_nodes_keys_is_told_to_who_sees_everything(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.reject("pi", Reason.NAME_TAKEN)
    assert gone(feed) is None
    (node,) = models.nodes(Sight(feed.fleet, ANYBODY))
    assert node.rejection is not None
    assert node.rejection.reason == "another machine has its name"
    (node,) = models.nodes(Sight(feed.fleet, NEIGHBOUR))
    assert node.rejection is None


def test_a_stock_sender_never_says_why(feed: Feed) -> None:
    feed.send("rpi1/main", node=IMAGEZMQ_NODE)
    feed.clock.advance(99)
    (node,) = models.nodes(Sight(feed.fleet, ANYBODY))
    assert (node.state, node.gone) == ("offline", None)
