"""What was rejected, as the wall tells it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from camfleet.errors import Reason, RemoteProtocolError
from camfleet_hub.permission import ANYBODY, Identity, Role, Sight, parse_cameras
from camfleet_hub.rejections import RECENT_NS, Rejections, describe
from camfleet_hub.web import models

if TYPE_CHECKING:
    from tests.unit.conftest import Feed

VIEWER = Identity("neighbour", Role.VIEWER, parse_cameras("*/pond"))


def error(reason: Reason = Reason.NOT_JPEG, stream: str = "") -> RemoteProtocolError:
    made = RemoteProtocolError(reason, "found this, want that")
    made.stream = stream
    return made


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words(reason: Reason) -> None:
    assert describe("pi", "front", error(reason), 0).reason


def test_the_last_one_of_each_sender_is_told_while_it_is_recent() -> None:
    rejections = Rejections()
    rejections.take(describe("pi", "", error(Reason.KEY), 1))
    rejections.take(describe("pi", "", error(Reason.NAME), 2))
    rejections.take(describe("", "", error(), 3))
    assert [one.at_ns for one in rejections.recent(4)] == [3, 2]
    assert [one.at_ns for one in rejections.recent(2 + RECENT_NS)] == [3]
    assert rejections.recent(3 + RECENT_NS) == []


def test_however_many_senders_there_are_it_remembers_few() -> None:
    rejections = Rejections()
    for number in range(1000):
        rejections.take(describe(f"pi{number}", "", error(), number))
    assert len(rejections.recent(1000)) == 64
    assert rejections.recent(1000)[-1].node == "pi999"


def test_a_cameras_is_told_with_it_and_any_others_with_its_sender(feed: Feed) -> None:
    feed.send("front/main")
    feed.fleet.reject("pi", error(stream="front/main"))
    feed.fleet.reject("pi", error(Reason.STREAM, "pond/main"))
    now_ns = feed.clock.monotonic_ns()
    told = models.camera(Sight(feed.fleet, ANYBODY), feed.stream("pi/front"), now_ns).rejection
    assert told is not None
    assert json.loads(told.model_dump_json()) == {
        "reason": "what it sends is no picture",
        "problem": "found this, want that",
        "age_ms": 0,
    }
    (other,) = Sight(feed.fleet, ANYBODY).rejections()
    assert models.rejected_sender(other, now_ns).sender == "pi/pond"


def test_who_may_not_see_a_camera_is_not_told_of_it_nor_of_strangers(feed: Feed) -> None:
    feed.fleet.reject("", error(Reason.UNKNOWN_PEER))
    feed.fleet.reject("pi", error(Reason.STREAM, "front/main"))
    feed.fleet.reject("pi", error(Reason.STREAM, "pond/main"))
    assert [one.camera for one in Sight(feed.fleet, VIEWER).rejections()] == ["pond"]
    assert [one.camera for one in Sight(feed.fleet, ANYBODY).rejections()] == ["", "front", "pond"]
