"""The bell: whoever listens is woken, however many threads ring at once."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, cast

import pytest

from camfleet_hub.web.bell import Bell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.conftest import Feed

    from camfleet_hub.stream import Stream


class FakeLoop:
    """Keeps what other threads ask it to call until the test turns it."""

    def __init__(self) -> None:
        self.asked: list[Callable[[], None]] = []
        self.wakes = 0

    def call_soon_threadsafe(self, callback: Callable[[], None]) -> None:
        self.asked.append(callback)

    def turn(self) -> None:
        while self.asked:  # never swapped: another thread may be about to add
            self.wakes += 1
            self.asked.pop(0)()


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


@pytest.fixture
def bell(loop: FakeLoop) -> Bell:
    return Bell(cast("asyncio.AbstractEventLoop", loop))


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let threads take turns as often as the interpreter can."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


def streams(feed: Feed, count: int) -> list[Stream]:
    for number in range(count):
        feed.send(f"{number}/main")
    return feed.fleet.streams()


def listening(bell: Bell, *stream_ids: str) -> asyncio.Event:
    event = asyncio.Event()
    bell.listen(stream_ids, event)
    return event


def ring_all(bell: Bell, streams: list[Stream]) -> None:
    for stream in streams:
        bell.ring(stream)


def test_a_ring_wakes_who_listens(bell: Bell, loop: FakeLoop, feed: Feed) -> None:
    [stream] = streams(feed, 1)
    event = listening(bell, stream.id)
    bell.ring(stream)
    loop.turn()
    assert event.is_set()


def test_a_ring_wakes_all_who_listen(bell: Bell, loop: FakeLoop, feed: Feed) -> None:
    [stream] = streams(feed, 1)
    events = [listening(bell, stream.id) for _ in range(3)]
    bell.ring(stream)
    loop.turn()
    assert all(event.is_set() for event in events)


def test_a_ring_wakes_nobody_who_listens_to_another_stream(
    bell: Bell, loop: FakeLoop, feed: Feed
) -> None:
    first, second = streams(feed, 2)
    event = listening(bell, first.id)
    listening(bell, second.id)
    bell.ring(second)
    loop.turn()
    assert not event.is_set()


def test_a_stream_that_nobody_listens_to_does_not_wake_the_loop(
    bell: Bell, loop: FakeLoop, feed: Feed
) -> None:
    [stream] = streams(feed, 1)
    bell.ring(stream)
    assert loop.asked == []


def test_many_rings_wake_the_loop_once(bell: Bell, loop: FakeLoop, feed: Feed) -> None:
    both = streams(feed, 2)
    events = [listening(bell, stream.id) for stream in both]
    for _ in range(100):
        for stream in both:
            bell.ring(stream)
    loop.turn()
    assert loop.wakes == 1
    assert all(event.is_set() for event in events)


def test_a_ring_after_the_loop_woke_wakes_it_again(bell: Bell, loop: FakeLoop, feed: Feed) -> None:
    [stream] = streams(feed, 1)
    event = listening(bell, stream.id)
    bell.ring(stream)
    loop.turn()
    event.clear()
    bell.ring(stream)
    loop.turn()
    assert event.is_set()


def test_who_forgets_is_not_woken(bell: Bell, loop: FakeLoop, feed: Feed) -> None:
    [stream] = streams(feed, 1)
    event = listening(bell, stream.id)
    bell.forget([stream.id], event)
    bell.ring(stream)
    loop.turn()
    assert not event.is_set()


def test_others_go_on_listening_when_one_forgets(bell: Bell, loop: FakeLoop, feed: Feed) -> None:
    [stream] = streams(feed, 1)
    gone, stays = listening(bell, stream.id), listening(bell, stream.id)
    bell.forget([stream.id], gone)
    bell.ring(stream)
    loop.turn()
    assert stays.is_set()


def test_forgetting_what_was_never_listened_to_is_fine(bell: Bell) -> None:
    bell.forget(["pi/front"], asyncio.Event())


def test_one_may_listen_before_there_is_a_stream(bell: Bell, loop: FakeLoop, feed: Feed) -> None:
    event = listening(bell, "pi/0")
    bell.ring(streams(feed, 1)[0])
    loop.turn()
    assert event.is_set()


def test_listening_ends_with_its_block(bell: Bell, loop: FakeLoop, feed: Feed) -> None:
    [stream] = streams(feed, 1)
    with bell.listening(stream.id) as event:
        pass
    bell.ring(stream)
    assert loop.asked == []
    assert not event.is_set()


def test_closing_wakes_everybody(bell: Bell) -> None:
    events = [listening(bell, "pi/front"), listening(bell, "pi/back")]
    bell.close()
    assert bell.is_closed
    assert all(event.is_set() for event in events)


@pytest.mark.usefixtures("hasty_threads")
def test_no_ring_is_lost_while_the_loop_wakes(bell: Bell, loop: FakeLoop, feed: Feed) -> None:
    rung = streams(feed, 40)
    events = {stream.id: listening(bell, stream.id) for stream in rung}
    for _ in range(200):
        threads = [
            threading.Thread(target=ring_all, args=[bell, part]) for part in (rung[:20], rung[20:])
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            loop.turn()
        loop.turn()
        assert all(event.is_set() for event in events.values())
        for event in events.values():
            event.clear()
