"""What a program gets frames with, out of a running hub. Nothing waits here and grows old."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from camfleet.backoff import Backoff
from camfleet.closing import Closing
from camfleet.delivered_frame import DeliveredFrame
from camfleet.errors import LocalProtocolError
from camfleet.inbox import Inbox
from camfleet.keys import Bundle, Role
from camfleet.line import Line
from camfleet.node_link import LinkState
from camfleet.pattern import EVERYTHING
from camfleet.subscriber_link import SubscriberCounters, SubscriberLink
from camfleet.wire import DeliveryMode, StreamState

_FIRST_SUBSCRIBE_S: Final = 0.25
_MOST_SUBSCRIBE_S: Final = 5.0
_LOOK_S: Final = 1.0  # how soon an iteration notices that its thread is gone


class Subscriber(Closing):
    """Frames of any number of streams of one hub, by patterns.

    A program that waits in vain finds the reason in `refusal`, and in a warning of the logger
    `camfleet`.

    Iterate it, with `for` or `async for`, or call `take`. It subscribes when a frame is first
    asked for, so that until then no camera works for it, and returns by itself after an
    interruption. Use it as a context manager, or call `close`.

    Of each stream a program gets the newest frame, each time that it asks; one that is slow
    gets fewer, and fresh ones. With `delivery="all"` it gets every frame, in order, as long as
    it is fast enough: of what waits for it the hub keeps the last 256 frames and 64 MiB.

    Args:
        address: the hub's, for example `tcp://hub:5557`; by default the bundle's.
        patterns: `node/camera` or `node/camera/profile`, with `*` and `?`, for example
            `garden/*`; without any, everything.
        delivery: `newest` or `all`.
        bundle: the keys of this subscriber, or the path of their file, which `camfleet-hub
            enrol --subscriber` makes; by default `~/.config/camfleet/bundle.json`.
        plain: without keys and unencrypted, for a network that is trusted; then the address
            must be given.
        software: name and version, for the hub's log.

    Attributes:
        address: the hub's.

    Raises:
        LocalProtocolError: for a bad address or pattern, and for a bundle that is not there,
            bad or a node's.
    """

    def __init__(
        self,
        address: str | None = None,
        *patterns: str,
        delivery: DeliveryMode = "newest",
        bundle: Bundle | Path | str | None = None,
        plain: bool = False,
        software: str = "camfleet",
    ) -> None:
        if plain and bundle is not None:
            raise LocalProtocolError("found a bundle and plain=True, want one of them")
        keys = None if plain else Bundle.find(bundle, Role.SUBSCRIBER)
        address = address or (keys.address if keys else None)
        if address is None:
            raise LocalProtocolError("plain=True wants an address beside it")
        self.address = address
        backoff = Backoff(_FIRST_SUBSCRIBE_S, _MOST_SUBSCRIBE_S, random.random)
        link = SubscriberLink(
            patterns or (EVERYTHING,), random.getrandbits(63), backoff, delivery, software
        )
        self._line = Line(address, keys)
        self._inbox = Inbox(link, delivery, self._line.wake)
        self._line.start(self._inbox, "camfleet-subscriber")

    def take(self, timeout_s: float) -> DeliveredFrame | None:
        """Ask for a frame and wait for it; None after the timeout, or when this was closed.

        Raises:
            LocalProtocolError: when its thread has broken.
        """
        frame = self._inbox.next(timeout_s)
        if frame is None:
            self._check()
        return frame

    def streams(self, timeout_s: float) -> tuple[StreamState, ...] | None:
        """Ask which streams the patterns choose; None after the timeout.

        No camera works for that.

        Raises:
            LocalProtocolError: when its thread has broken.
        """
        listed = self._inbox.look(timeout_s)
        if listed is None:
            self._check()
        return listed

    def __iter__(self) -> Iterator[DeliveredFrame]:
        """Yield frames until this is closed.

        Raises:
            LocalProtocolError: when its thread has broken.
        """
        while not self._inbox.is_closed:
            frame = self.take(_LOOK_S)
            if frame is not None:
                yield frame

    async def __aiter__(self) -> AsyncIterator[DeliveredFrame]:
        """Yield frames until this is closed; no thread waits meanwhile.

        Raises:
            LocalProtocolError: when its thread has broken.
        """
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def call() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(changed.set)

        try:
            while not self._inbox.is_closed:
                changed.clear()
                frame = self._inbox.next_or_call(call)
                if frame is None:
                    await changed.wait()
                else:
                    yield frame
        finally:
            self._inbox.forget(call)
        self._check()

    @property
    def state(self) -> LinkState:
        """Where the link stands; connecting until a frame is first asked for."""
        return self._inbox.state

    @property
    def is_alive(self) -> bool:
        """Whether its thread is running: not after `close`, nor after a bug in it."""
        return self._line.is_alive

    @property
    def refusal(self) -> str:
        """Why nothing comes, for a person; empty where nothing is wrong.

        It is what is wrong with the keys, the hub's word, or that it has no camera that the
        patterns choose and this may read, or none that sends pictures now.
        """
        return self._inbox.refusal

    @property
    def counters(self) -> SubscriberCounters:
        """What was delivered, skipped, dropped, lost and rejected since it was made."""
        return self._inbox.counters

    def close(self) -> None:
        """Say goodbye and stop, within a second whatever the network does; ends iterations."""
        self._line.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self.close)

    def _check(self) -> None:
        if self._inbox.is_closed and not self._line.is_closing:
            raise LocalProtocolError("the subscriber's thread has ended by an error of ours")
