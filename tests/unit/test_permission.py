"""Who may see which camera, decided without a hub around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from camfleet.errors import LocalProtocolError, Reason
from camfleet.pattern import MOST_CAMERA_PATTERNS
from camfleet_hub.permission import (
    ANYBODY,
    Identity,
    Role,
    Sight,
    parse_cameras,
)

if TYPE_CHECKING:
    from tests.unit.conftest import Feed


def viewer(cameras: str) -> Identity:
    return Identity("neighbour", Role.VIEWER, parse_cameras(cameras))


@pytest.mark.parametrize(
    ("cameras", "node", "camera", "may"),
    [
        ("*", "garden", "pond", True),
        ("*/*", "garden", "pond", True),
        ("garden/*", "garden", "pond", True),
        ("garden/*", "garden2", "pond", False),
        ("garden/*", "Garden", "pond", False),
        ("garden/p?nd", "garden", "pond", True),
        ("garden/pond", "garden", "pond2", False),
        ("*/pond,house/door", "house", "door", True),
        ("*/pond,house/door", "house", "hall", False),
        ("garden/[p]ond", "garden", "pond", False),
        ("garden/*", "garden", "../house/door", True),  # a name that no camera can have
        ("garden/*", "", "", False),
        ("garden/*", "house/garden", "pond", False),
    ],
)
def test_patterns_decide_by_node_and_camera(
    cameras: str, node: str, camera: str, *, may: bool
) -> None:
    assert viewer(cameras).may_see(node, camera) is may


@pytest.mark.parametrize("cameras", ["*", "*/*", "garden/pond,*"])
def test_who_has_a_pattern_of_all_cameras_sees_everything(cameras: str) -> None:
    assert viewer(cameras).sees_everything


@pytest.mark.parametrize("cameras", ["garden/*", "*/pond", "?*/*", "*/**"])
def test_who_has_a_pattern_of_some_cameras_does_not(cameras: str) -> None:
    assert not viewer(cameras).sees_everything


@pytest.mark.parametrize("text", ["", " , ", "garden", "garden/pond/main", "a/b/c/d", "/", "a/"])
def test_what_is_no_pattern_of_cameras_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="want"):
        parse_cameras(text)


def test_patterns_have_a_bound() -> None:
    assert len(parse_cameras(",".join(["a/b"] * MOST_CAMERA_PATTERNS))) == MOST_CAMERA_PATTERNS
    with pytest.raises(LocalProtocolError, match="want 1 to 32"):
        parse_cameras(",".join(["a/b"] * (MOST_CAMERA_PATTERNS + 1)))


def test_a_role_says_nothing_of_cameras_and_cameras_nothing_of_a_role() -> None:
    gardener = Identity("gardener", Role.ADMINISTRATOR, parse_cameras("garden/*"))
    assert gardener.is_administrator
    assert not gardener.sees_everything
    assert not ANYBODY.is_administrator
    assert ANYBODY.sees_everything


def test_a_camera_that_may_not_be_seen_is_not_there_in_any_profile(feed: Feed) -> None:
    for name in ("pond/main", "pond/preview", "door/main", "door/preview"):
        feed.send(name)
    feed.send("hall/main", node="house")
    sight = Sight(feed.fleet, viewer("*/pond"))
    assert [stream.id for stream in sight.streams()] == ["pi/pond", "pi/pond/preview"]
    assert [node.name for node in sight.nodes()] == ["pi"]
    assert sight.find("pi/pond/preview") is feed.stream("pi/pond/preview")
    assert sight.find("pi/door") is sight.find("pi/door/preview") is None
    assert sight.node("house") is None
    node = sight.node("pi")
    assert node is not None
    assert [stream.id for stream in sight.streams_of(node)] == ["pi/pond", "pi/pond/preview"]


def test_who_sees_everything_sees_nodes_without_cameras(feed: Feed) -> None:
    feed.hello("bare")
    assert [node.name for node in Sight(feed.fleet, ANYBODY).nodes()] == ["bare"]
    assert not Sight(feed.fleet, viewer("bare/*")).nodes()


def test_a_camera_that_comes_later_is_judged_like_one_that_is_there(feed: Feed) -> None:
    sight = Sight(feed.fleet, viewer("garden/*"))
    feed.send("pond/main", node="garden")
    feed.send("pond/main", node="house")
    assert [stream.id for stream in sight.streams()] == ["garden/pond"]


def test_rejections_of_a_camera_that_may_not_be_seen_are_not_told(feed: Feed) -> None:
    for name in ("pond/main", "door/main"):
        feed.send(name)
        feed.reject("pi", Reason.SHAPE, name)
    assert set(Sight(feed.fleet, viewer("*/pond")).rejected()) == {("pi", "pond", Reason.SHAPE)}
