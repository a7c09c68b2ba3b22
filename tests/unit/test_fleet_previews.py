"""A camera's preview beside its main stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from camfleet_hub.fleet import Fleet

if TYPE_CHECKING:
    from tests.unit.conftest import Feed


def limit(feed: Feed, max_cameras: int) -> None:
    feed.fleet = Fleet(max_cameras, monotonic_ns=feed.clock.monotonic_ns)


def test_a_preview_beside_its_main_stream_takes_no_cameras_place(feed: Feed) -> None:
    limit(feed, 2)
    feed.hello("pi", "front/preview", "front/main", "back/main", "back/preview")
    assert [stream.id for stream in feed.fleet.streams()] == [
        "pi/back",
        "pi/back/preview",
        "pi/front",
        "pi/front/preview",
    ]
    feed.hello("pi-2", "front/main")
    assert feed.fleet.find("pi-2/front") is None


def test_other_profiles_and_previews_alone_take_a_place(feed: Feed) -> None:
    limit(feed, 2)
    feed.hello("pi", "front/main", "front/large", "back/preview")
    assert [stream.id for stream in feed.fleet.streams()] == ["pi/front", "pi/front/large"]


def test_a_camera_that_makes_room_takes_its_preview_along(feed: Feed) -> None:
    limit(feed, 1)
    feed.hello("pi", "front/main", "front/preview")
    feed.goodbye("pi")
    feed.hello("pi-2", "front/main", "front/preview")
    feed.fleet.sample()
    feed.hello("pi-2", "front/main", "front/preview")
    assert [stream.id for stream in feed.fleet.streams()] == ["pi-2/front", "pi-2/front/preview"]
    assert [node.name for node in feed.fleet.nodes()] == ["pi-2"]
