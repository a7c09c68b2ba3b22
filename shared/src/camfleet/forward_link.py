"""The hub's side of all subscriptions as a state machine: who gets which frame next.

It does no I/O: a port offers it what arrives, and sends what it decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple, NoReturn

from camfleet.answers import Answers, want_no_payload
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import Frame
from camfleet.liveness import HEARTBEAT_S, OFFLINE_AFTER_S
from camfleet.names import MAIN
from camfleet.pattern import StreamPattern, parse_pattern
from camfleet.payload import Payload
from camfleet.subscription import Subscription
from camfleet.wire import (
    Ask,
    Bye,
    Delivery,
    Grant,
    Heartbeat,
    HeartbeatReply,
    Look,
    Message,
    Subscribe,
    Welcome,
    encode,
)

MaySee = Callable[[str | None, str, str], bool]  # by caller, node and camera
MAX_PER_KEY: Final = 16  # programs of one person
MAX_SUBSCRIBERS: Final = 256
_NS: Final = 1_000_000_000
_UNFIT: Final = "unfit"  # a header that leaves no room for a delivery's own


@dataclass(frozen=True)
class SubscriberJoined:
    """Somebody subscribed, for the first time or anew."""

    identity: bytes
    caller: str | None
    session: int
    patterns: tuple[str, ...]
    software: str


@dataclass(frozen=True)
class SubscriberLeft:
    """A subscriber said goodbye, was silent for too long, or lost its key."""

    identity: bytes
    caller: str | None
    message: str


@dataclass(frozen=True)
class Looked:
    """Somebody wants to know which of these streams are there."""

    identity: bytes
    caller: str | None
    patterns: tuple[StreamPattern, ...]


@dataclass(frozen=True)
class FrameDelivered:
    """A frame arrived at a subscriber, so long after its capture, on the hub's clock."""

    stream_id: str
    latency_ns: int


ForwardEvent = SubscriberJoined | SubscriberLeft | Looked | FrameDelivered


class Parcel(NamedTuple):
    """A delivery that is to go out now."""

    identity: bytes
    header: bytes
    payload: Payload
    stream_id: str


class ForwardLink:
    """Welcomes subscribers, takes their credit and decides what each gets next.

    Args:
        session: random id of this hub's run.
        max_subscribers: how many are welcomed at once.
        may_see: whether a caller may have a camera's frames, by its node and name. What may not
            be seen is neither delivered nor wanted, as if it were not there.
    """

    def __init__(
        self,
        session: int,
        max_subscribers: int = MAX_SUBSCRIBERS,
        *,
        may_see: MaySee | None = None,
    ) -> None:
        self._may_see = may_see or _everything
        self._session = session
        self._max_subscribers = max_subscribers
        self._subscriptions: dict[bytes, Subscription] = {}
        self._readers: dict[str, tuple[Subscription, ...]] = {}
        self._answers = Answers()

    def __len__(self) -> int:
        return len(self._subscriptions)

    def receive(
        self,
        identity: bytes,
        header: bytes,
        payload: Payload,
        unix_ns: int,
        monotonic_ns: int,
        *,
        caller: str | None = None,
    ) -> ForwardEvent | None:
        """Take one message of a subscriber and return what it means to the hub.

        Args:
            identity: of the connection.
            header: as it came.
            payload: as it came; none is wanted.
            unix_ns: now, on the hub's clock.
            monotonic_ns: now, on a clock that is never set.
            caller: the name that the connection's key stands for; None where there are no keys.

        Raises:
            RemoteProtocolError: when it is rejected; an answer may be in the outbox.
        """
        message = self._answers.read(identity, header)
        want_no_payload(message, payload)
        match message:
            case Subscribe():
                return self._subscribe(identity, message, monotonic_ns, caller)
            case Look(patterns):
                return Looked(identity, caller, self._parse(identity, patterns))
        subscription = self._subscriptions.get(identity)
        if subscription is None:
            self._stranger(identity, message)
            return None
        subscription.heard_ns = monotonic_ns
        return self._hear(subscription, message, unix_ns)

    def wants(self, stream_id: str) -> bool:
        """Whether anybody subscribed to a stream, by its id."""
        return bool(self._readers_of(stream_id))

    def wants_all(self, stream_id: str) -> bool:
        """Whether anybody wants all frames of a stream."""
        return any(one.delivery == "all" for one in self._readers_of(stream_id))

    def offer(self, stream_id: str, frame: Frame, number: int) -> None:
        """Take a frame for whoever wants it.

        Args:
            stream_id: `node/camera`, with the profile behind it where that is not `main`.
            frame: the frame.
            number: among all that arrived of its stream.
        """
        for subscription in self._readers_of(stream_id):
            subscription.offer(stream_id, frame, number)

    def deliver(self, unix_ns: int) -> Iterator[Parcel]:
        """Yield what goes out now, to each subscriber as many as it gave credit for."""
        for subscription in self._subscriptions.values():
            while subscription.is_ready:
                waiting, skipped = subscription.take()
                frame = waiting.frame
                delivery = Delivery(
                    subscription.sent, skipped, frame.node, frame.received_ns, frame.header
                )
                try:
                    header = encode(delivery)
                except LocalProtocolError:  # its node filled a header to the brim
                    subscription.refuse(waiting, skipped, _UNFIT)
                    continue
                subscription.deliver(waiting, unix_ns)
                yield Parcel(subscription.identity, header, frame.payload, waiting.stream_id)

    def dropped(self) -> Counter[tuple[str, str]]:
        """Frames that subscribers did not get since the last call, by stream and reason."""
        dropped: Counter[tuple[str, str]] = Counter()
        for subscription in self._subscriptions.values():
            if subscription.dropped:
                dropped += subscription.dropped
                subscription.dropped.clear()
        return dropped

    def keep(self, stream_ids: frozenset[str]) -> None:
        """Forget what was counted of streams that are gone."""
        for gone in self._readers.keys() - stream_ids:
            del self._readers[gone]
        for subscription in self._subscriptions.values():
            subscription.keep(stream_ids)

    def judge(self) -> None:
        """Look anew at who may see what, and deliver nothing of it that waits in vain."""
        self._readers.clear()
        for subscription in self._subscriptions.values():
            subscription.forbid(partial(self._is_seen, subscription.caller))

    def cut(self, caller: str) -> list[SubscriberLeft]:
        """Let go of every subscriber with a key that was revoked."""
        found = [one for one in self._subscriptions.values() if one.caller == caller]
        return [self._leave(one, "its key was revoked") for one in found]

    def expire(self, monotonic_ns: int) -> list[SubscriberLeft]:
        """Let go of the subscribers that were silent for too long."""
        limit_ns = monotonic_ns - int(OFFLINE_AFTER_S * _NS)
        silent = [one for one in self._subscriptions.values() if one.heard_ns < limit_ns]
        return [self._leave(one, f"silent for {OFFLINE_AFTER_S:.0f} s") for one in silent]

    def drain(self) -> list[tuple[bytes, bytes]]:
        """Return the answers that are to be sent, as (identity, header part), and forget them."""
        return self._answers.drain()

    def _subscribe(
        self, identity: bytes, message: Subscribe, monotonic_ns: int, caller: str | None
    ) -> SubscriberJoined:
        patterns = self._parse(identity, message.patterns)
        others = len(self._subscriptions.keys() - {identity})
        if others >= self._max_subscribers:
            text = f"subscribers here are {others}, want no more than {self._max_subscribers}"
            self._answers.refuse(identity, Reason.TOO_MANY, text)
        if caller is not None and self._count(caller, identity) >= MAX_PER_KEY:
            text = f"subscribers with this key are {MAX_PER_KEY}, want another key for one more"
            self._answers.refuse(identity, Reason.TOO_MANY, text)
        self._subscriptions[identity] = Subscription(
            identity, caller, patterns, message.delivery, monotonic_ns
        )
        self._readers.clear()
        self._answers.add(identity, Welcome(self._session, int(HEARTBEAT_S * 1000), ()))
        return SubscriberJoined(
            identity, caller, message.session, message.patterns, message.software
        )

    def _count(self, caller: str, identity: bytes) -> int:
        """How many others came by the same key."""
        subscriptions = self._subscriptions.items()
        return sum(one.caller == caller for other, one in subscriptions if other != identity)

    def _parse(self, identity: bytes, patterns: Iterable[str]) -> tuple[StreamPattern, ...]:
        try:
            return tuple(map(parse_pattern, patterns))
        except RemoteProtocolError as error:
            self._answers.refuse(identity, error.reason, str(error))

    def _hear(
        self, subscription: Subscription, message: Message, unix_ns: int
    ) -> ForwardEvent | None:
        match message:
            case Ask():
                return _delivered(subscription, message, unix_ns)
            case Heartbeat(subscriber_ns):
                sent = (Grant("", subscription.sent),)
                reply = HeartbeatReply(subscriber_ns, unix_ns, unix_ns, sent)
                self._answers.add(subscription.identity, reply)
                return None
            case Bye(text):
                return self._leave(subscription, text or "said goodbye")
            case _:
                return _not_a_subscribers(message)

    def _stranger(self, identity: bytes, message: Message) -> None:
        match message:
            case Bye():
                return
            case Ask() | Heartbeat():
                text = "it has not subscribed at this hub, want that first"
                self._answers.refuse(identity, Reason.UNKNOWN_PEER, text)
            case _:
                _not_a_subscribers(message)

    def _readers_of(self, stream_id: str) -> tuple[Subscription, ...]:
        readers = self._readers.get(stream_id)
        if readers is None:
            node, _, stream = stream_id.partition("/")
            stream = stream if "/" in stream else f"{stream}/{MAIN}"
            everybody = self._subscriptions.values()
            readers = tuple(
                one
                for one in everybody
                if one.wants(node, stream) and self._is_seen(one.caller, stream_id)
            )
            self._readers[stream_id] = readers
        return readers

    def _is_seen(self, caller: str | None, stream_id: str) -> bool:
        node, camera, *_ = stream_id.split("/")
        return self._may_see(caller, node, camera)

    def _leave(self, subscription: Subscription, message: str) -> SubscriberLeft:
        del self._subscriptions[subscription.identity]
        self._readers.clear()
        return SubscriberLeft(subscription.identity, subscription.caller, message)


def _everything(_caller: str | None, _node: str, _camera: str) -> bool:
    return True


def _delivered(subscription: Subscription, ask: Ask, unix_ns: int) -> FrameDelivered | None:
    sent = subscription.ask(ask)
    if sent is None or not (sent.captured_ns and ask.arrived_ns):
        return None
    # It arrived between its sending and now, whatever the subscriber believes of our clock.
    arrived_ns = min(max(ask.arrived_ns, sent.sent_ns), max(unix_ns, sent.sent_ns))
    return FrameDelivered(sent.stream_id, max(0, arrived_ns - sent.captured_ns))


def _not_a_subscribers(message: Message) -> NoReturn:
    kind = type(message).__name__
    raise RemoteProtocolError(Reason.KIND, f"a subscriber sent {kind}, want a subscriber's kinds")
