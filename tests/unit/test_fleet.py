"""The hub's picture of all nodes: who is there, what is newest, and what was counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.liveness import Liveness
from camfleet.wire import Counters
from camfleet_hub.fleet import IMAGEZMQ_NODE, Fleet

if TYPE_CHECKING:
    from tests.unit.conftest import Feed


def states(feed: Feed, stream_id: str, *silences_s: float) -> list[str]:
    """The camera's liveness after each of these further seconds of silence."""
    found = []
    for silence_s in silences_s:
        feed.clock.advance(silence_s)
        found.append(feed.stream(stream_id).liveness(feed.clock.monotonic_ns()).value)
    return found


# nodes and streams


def test_an_empty_fleet_has_nobody(feed: Feed) -> None:
    assert feed.fleet.nodes() == []
    assert feed.fleet.streams() == []
    assert feed.fleet.find("pi/front") is None


def test_a_hello_makes_a_node_and_its_cameras(feed: Feed) -> None:
    feed.hello("pi", "front/main", "back/main")
    assert [node.name for node in feed.fleet.nodes()] == ["pi"]
    assert [stream.id for stream in feed.fleet.streams()] == ["pi/back", "pi/front"]


def test_the_main_profile_is_not_in_a_streams_id_and_others_are(feed: Feed) -> None:
    feed.hello("pi", "front/main", "front/preview")
    assert [stream.id for stream in feed.fleet.streams()] == ["pi/front", "pi/front/preview"]


def test_the_newest_frame_is_kept(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send()
    newest = feed.send()
    assert feed.stream().newest is newest
    assert feed.stream().stats.received == 2


def test_whoever_looks_is_told_of_each_frame_when_it_can_be_seen(feed: Feed) -> None:
    seen: list[tuple[str, object]] = []
    feed.fleet.listeners = (lambda stream: seen.append((stream.id, stream.newest)),)
    frame = feed.send()
    assert seen == [("pi/front", frame)]


def test_a_second_hello_makes_no_second_node(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    frame = feed.send()
    feed.hello("pi", "front/main", session=8)
    assert len(feed.fleet.nodes()) == 1
    assert feed.stream().newest is frame


def test_a_camera_without_a_picture_has_no_silence(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    assert feed.stream().silence_s(feed.clock.monotonic_ns()) is None


def test_the_rate_is_read_out_of_the_counter(feed: Feed) -> None:
    for second in range(4):
        feed.fleet.sample()
        if second < 3:
            for _ in range(25):
                feed.send()
            feed.clock.advance(1)
    assert feed.stream().fps == pytest.approx(25)


# liveness


def test_an_imagezmq_camera_is_judged_by_its_frames(feed: Feed) -> None:
    feed.send("rpi1/main", node=IMAGEZMQ_NODE)
    found = states(feed, "imagezmq/rpi1", 0, 2.9, 0.2, 6.8, 0.2)
    assert found == ["online", "online", "stale", "stale", "offline"]


def test_a_camera_that_hangs_on_a_living_node_is_stale_and_never_offline(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send()
    found = []
    for _ in range(20):
        feed.heartbeat("pi")
        found += states(feed, "pi/front", 1)
    assert found == ["online"] * 2 + ["stale"] * 18


def test_a_slow_camera_is_judged_by_how_often_it_usually_sends(feed: Feed) -> None:
    for _ in range(4):
        feed.send("rpi1/main", node=IMAGEZMQ_NODE)
        feed.clock.advance(15)
    found = states(feed, "imagezmq/rpi1", 0, 29, 1, 104, 1)
    assert found == ["online", "online", "stale", "stale", "offline"]


def test_an_outage_does_not_make_a_fast_camera_slow(feed: Feed) -> None:
    for pause_s in (0.1, 0.1, 0.1, 600, 0.1, 0):
        feed.send("rpi1/main", node=IMAGEZMQ_NODE)
        feed.clock.advance(pause_s)
    assert states(feed, "imagezmq/rpi1", 2.9, 0.2) == ["online", "stale"]


def test_stock_senders_node_is_as_its_best_camera(feed: Feed) -> None:
    def state() -> Liveness:
        return feed.fleet.nodes()[0].liveness(feed.clock.monotonic_ns())

    for _ in range(3):
        feed.send("slow/main", node=IMAGEZMQ_NODE)
        feed.clock.advance(30)
    assert state() is Liveness.ONLINE
    feed.clock.advance(600)
    assert state() is Liveness.OFFLINE


def test_a_camera_without_a_picture_yet_is_stale(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    assert states(feed, "pi/front", 0) == ["stale"]


def test_a_camera_is_offline_with_its_node(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send()
    assert states(feed, "pi/front", 5, 6) == ["stale", "offline"]


def test_a_node_that_says_goodbye_is_offline_at_once(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send()
    feed.goodbye("pi")
    assert states(feed, "pi/front", 0) == ["offline"]
    assert feed.fleet.nodes()[0].liveness(feed.clock.monotonic_ns()) is Liveness.OFFLINE


def test_a_node_that_comes_back_is_online_again(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.goodbye("pi")
    feed.clock.advance(60)
    feed.hello("pi", "front/main", session=8)
    feed.send()
    assert states(feed, "pi/front", 0) == ["online"]


def test_a_node_that_leaves_without_cameras_is_forgotten(feed: Feed) -> None:
    for number in range(100):
        feed.hello(f"passer-by {number}")
        feed.goodbye(f"passer-by {number}")
    assert feed.fleet.nodes() == []


def test_what_a_forgotten_node_did_wrong_is_counted_under_no_name(feed: Feed) -> None:
    for number in range(100):
        feed.hello(f"passer-by {number}")
        feed.reject(f"passer-by {number}", Reason.KIND)
        feed.goodbye(f"passer-by {number}")
    assert feed.fleet.rejected == {("", "", Reason.KIND): 100}


def test_a_camera_of_a_node_that_left_is_remembered(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    frame = feed.send()
    feed.goodbye("pi")
    assert feed.stream().newest is frame


# too many


def few(feed: Feed, max_cameras: int) -> Feed:
    feed.fleet = Fleet(max_cameras, monotonic_ns=feed.clock.monotonic_ns)
    return feed


def roomy(feed: Feed, max_picture_bytes: int) -> Feed:
    """The feed with memory for so many bytes of pictures."""
    feed.fleet = Fleet(
        99, max_picture_bytes=max_picture_bytes, monotonic_ns=feed.clock.monotonic_ns
    )
    return feed


def ids(feed: Feed) -> list[str]:
    return [stream.id for stream in feed.fleet.streams()]


def arrive(feed: Feed, stream: str, *, node: str = "pi", sent: int | None = None) -> None:
    """Let a frame be refused and come again when the fleet had time to make room."""
    feed.send(stream, node=node, sent=sent)
    feed.fleet.sample()
    feed.send(stream, node=node, sent=sent)


def test_a_frame_of_one_camera_too_many_is_refused(feed: Feed) -> None:
    few(feed, 1).send("front/main")
    with pytest.raises(RemoteProtocolError) as caught:
        feed.fleet.accept(feed.frame("back/main"))
    assert caught.value.reason is Reason.TOO_MANY


def test_a_frame_too_many_from_a_node_is_counted_and_not_raised(feed: Feed) -> None:
    few(feed, 1).send("front/main")
    feed.send("back/main")
    assert feed.fleet.rejected == {("pi", "", Reason.TOO_MANY): 1}


def test_the_cameras_that_are_there_go_on_when_there_are_too_many(feed: Feed) -> None:
    few(feed, 1).send("front/main")
    feed.send("back/main")
    feed.send("front/main")
    assert feed.stream().stats.received == 2


def test_of_a_hello_with_too_many_cameras_as_many_as_fit_are_taken(feed: Feed) -> None:
    few(feed, 2).hello("pi", "a/main", "b/main", "c/main", "d/main")
    assert [stream.id for stream in feed.fleet.streams()] == ["pi/a", "pi/b"]
    assert feed.fleet.rejected[("pi", "", Reason.TOO_MANY)] == 2


def test_a_heartbeat_about_a_camera_that_was_not_taken_means_nothing(feed: Feed) -> None:
    few(feed, 1).hello("pi", "a/main", "b/main")
    feed.heartbeat("pi", Counters("a/main", 9, 0, {}), Counters("b/main", 9, 0, {}))
    assert feed.stream("pi/a").stats.captured == 9


# what is rejected


def test_what_a_known_camera_sent_is_counted_under_its_name(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.reject("pi", Reason.NOT_JPEG, "front/main", sent=0)
    assert feed.fleet.rejected == {("pi", "front", Reason.NOT_JPEG): 1}


def test_the_name_of_an_unknown_camera_is_not_counted_under(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    for number in range(3):
        feed.reject("pi", Reason.STREAM, f"made up {number}/main")
    assert feed.fleet.rejected == {("pi", "", Reason.STREAM): 3}


def test_what_a_stranger_sent_is_counted_under_no_name(feed: Feed) -> None:
    feed.reject("", Reason.MAGIC)
    assert feed.fleet.rejected == {("", "", Reason.MAGIC): 1}


def test_who_never_joined_and_no_more_knocks_has_no_count_of_its_own(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.reject("pi", Reason.MAGIC)
    feed.reject("thief", Reason.KEY)
    feed.clock.advance(14)
    feed.fleet.sample()
    assert feed.fleet.rejected["thief", "", Reason.KEY] == 1
    feed.clock.advance(2)
    feed.fleet.sample()
    assert feed.fleet.rejected == {("pi", "", Reason.MAGIC): 1, ("", "", Reason.KEY): 1}


def test_a_rejected_frame_is_not_lost_as_well(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send(sent=0)
    feed.reject("pi", Reason.NOT_JPEG, "front/main", sent=1)
    feed.send(sent=2)
    assert feed.stream().stats.lost == 0


def test_a_gap_is_lost(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send(sent=0)
    feed.send(sent=4)
    assert feed.stream().stats.lost == 3


def test_a_rejection_in_another_profile_is_accounted_there(feed: Feed) -> None:
    feed.hello("pi", "front/preview")
    feed.reject("pi", Reason.NOT_JPEG, "front/preview", sent=0)
    feed.send("front/preview", sent=1)
    assert feed.stream("pi/front/preview").stats.lost == 0


# making room


def test_a_further_camera_takes_the_place_of_one_that_is_long_offline(feed: Feed) -> None:
    few(feed, 2).send("front/main", node="old")
    feed.clock.advance(5)
    feed.send("front/main", node="pi")
    feed.clock.advance(6)
    feed.send("front/main", node="pi")
    arrive(feed, "front/main", node="new")
    assert ids(feed) == ["new/front", "pi/front"]


def test_of_several_offline_cameras_the_longest_silent_one_goes(feed: Feed) -> None:
    few(feed, 2).send("late/main", node="imagezmq-like")
    feed.clock.advance(1)
    feed.send("later/main", node="imagezmq-like")
    feed.clock.advance(20)
    arrive(feed, "newest/main", node="imagezmq-like")
    assert ids(feed) == ["imagezmq-like/later", "imagezmq-like/newest"]


def test_offline_cameras_are_remembered_until_somebody_wants_their_place(feed: Feed) -> None:
    few(feed, 1).send("front/main")
    feed.clock.advance(10_000)
    feed.fleet.sample()
    assert ids(feed) == ["pi/front"]


def test_a_camera_that_is_refused_again_and_again_takes_one_place(feed: Feed) -> None:
    few(feed, 3)
    for camera in "abc":
        feed.send(f"{camera}/main")
    feed.clock.advance(20)
    for _ in range(30):
        feed.send("new/main", node="new")
    arrive(feed, "new/main", node="new")
    assert len(ids(feed)) == 3


def test_a_full_fleet_makes_room_for_nobody_where_all_are_there(feed: Feed) -> None:
    few(feed, 1).send("front/main")
    arrive(feed, "front/main", node="new")
    assert ids(feed) == ["pi/front"]


def test_a_node_that_left_is_forgotten_with_its_last_camera(feed: Feed) -> None:
    few(feed, 1).hello("pi", "front/main")
    feed.reject("pi", Reason.KIND)
    feed.goodbye("pi")
    arrive(feed, "front/main", node="new")
    assert [node.name for node in feed.fleet.nodes()] == ["new"]
    assert feed.fleet.rejected["", "", Reason.KIND] == 1


def test_whoever_looks_at_a_camera_is_told_when_it_is_forgotten(feed: Feed) -> None:
    few(feed, 1).send("front/main")
    found: list[object] = []
    feed.fleet.listeners = (lambda stream: found.append(feed.fleet.find(stream.id)),)
    feed.clock.advance(20)
    feed.send("front/main", node="new")
    feed.fleet.sample()
    assert found == [None]


def test_what_was_rejected_of_a_forgotten_camera_is_still_counted(feed: Feed) -> None:
    few(feed, 1).send("front/main")
    feed.reject("pi", Reason.NOT_JPEG, "front/main")
    feed.clock.advance(20)
    arrive(feed, "front/main", node="new")
    assert feed.fleet.rejected["", "", Reason.NOT_JPEG] == 1


def test_a_camera_that_returns_after_it_was_forgotten_has_lost_nothing(feed: Feed) -> None:
    few(feed, 1).hello("pi", "front/main")
    for sent in range(1000):
        feed.send(sent=sent)
    feed.goodbye("pi")
    arrive(feed, "front/main", node="new")
    feed.clock.advance(20)
    arrive(feed, "front/main", sent=1000)
    feed.heartbeat("pi", Counters("front/main", 1001, 1001, {"newer": 3000}))
    stats = feed.stream().stats
    assert (stats.received, stats.lost, stats.captured, stats.dropped) == (1, 0, 1, {"newer": 0})


# memory for pictures


def test_a_picture_beyond_the_memory_for_all_is_rejected_and_not_lost(feed: Feed) -> None:
    roomy(feed, 2 * len(feed.frame().payload)).hello("pi", "a/main", "b/main", "c/main")
    for camera in "abc":
        feed.send(f"{camera}/main", sent=0)
    feed.heartbeat("pi", Counters("c/main", 1, 1, {}))
    assert feed.fleet.rejected == {("pi", "c", Reason.TOO_MANY): 1}
    assert (feed.stream("pi/c").newest, feed.stream("pi/c").stats.lost) == (None, 0)


def test_a_newer_picture_takes_the_memory_of_the_one_before(feed: Feed) -> None:
    roomy(feed, len(feed.frame().payload))
    for _ in range(5):
        feed.send()
    assert feed.stream().stats.received == 5


def test_a_stock_sender_is_told_that_there_is_no_memory_for_its_picture(feed: Feed) -> None:
    roomy(feed, len(feed.frame().payload)).send("a/main", node=IMAGEZMQ_NODE)
    with pytest.raises(RemoteProtocolError, match="together at most") as caught:
        feed.send("b/main", node=IMAGEZMQ_NODE)
    assert caught.value.reason is Reason.TOO_MANY
    assert ids(feed) == ["imagezmq/a"]


def test_an_offline_cameras_memory_goes_to_one_that_is_there(feed: Feed) -> None:
    roomy(feed, len(feed.frame().payload)).send("front/main", node="old")
    feed.clock.advance(20)
    arrive(feed, "front/main", node="new")
    assert ids(feed) == ["new/front"]


# cameras that choose not to send


def beats(feed: Feed, seconds: int, *, captured: int = 20, **dropped: int) -> list[str]:
    """The camera's liveness after each second, in which so many more pictures were counted."""
    stats = feed.stream().stats
    found = []
    for _ in range(seconds):
        feed.clock.advance(1)
        now = {reason: stats.dropped[reason] + count for reason, count in dropped.items()}
        feed.heartbeat("pi", Counters("front/main", stats.captured + captured, 0, now))
        found += states(feed, "pi/front", 0)
    return found


@pytest.mark.parametrize("reason", ["still", "interval", "unwanted"])
def test_a_camera_that_captures_and_by_choice_does_not_send_is_alive(
    feed: Feed, reason: str
) -> None:
    feed.hello("pi", "front/main")
    feed.send(sent=0)
    assert beats(feed, 60, **{reason: 20}) == ["online"] * 60
    assert feed.stream().silence_s(feed.clock.monotonic_ns()) == 60  # its picture is old


@pytest.mark.parametrize("reason", ["newer", "no_credit", "unfit", "hot"])
def test_a_camera_that_cannot_send_goes_stale(feed: Feed, reason: str) -> None:
    feed.hello("pi", "front/main")
    feed.send(sent=0)
    assert beats(feed, 5, **{reason: 20}) == ["online"] * 2 + ["stale"] * 3


def test_a_still_camera_that_hangs_goes_stale_as_soon_as_any_other(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    feed.send(sent=0)
    beats(feed, 60, still=20)
    assert beats(feed, 5, captured=0) == ["online"] * 2 + ["stale"] * 3


def test_a_slow_cameras_hang_is_noticed_by_its_counts_and_not_by_its_pictures(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    for sent in range(4):
        feed.send(sent=sent)
        assert set(beats(feed, 60, interval=20)) == {"online"}
    assert beats(feed, 4, captured=0)[-1] == "stale"


def test_a_camera_that_was_always_still_is_alive_without_a_picture(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    assert states(feed, "pi/front", 0) == ["stale"]
    assert beats(feed, 2, still=20)[-1] == "online"
    assert feed.stream().silence_s(feed.clock.monotonic_ns()) is None


def test_a_still_camera_is_offline_with_its_node(feed: Feed) -> None:
    feed.hello("pi", "front/main")
    beats(feed, 5, still=20)
    feed.goodbye("pi")
    assert states(feed, "pi/front", 0) == ["offline"]
