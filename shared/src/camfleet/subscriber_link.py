"""A subscriber's side of its link to a hub as a state machine. It does no I/O.

It gives credit only when its program asks for a frame, so that nothing waits and grows old
while the program works.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from camfleet.backoff import Backoff
from camfleet.clock import Offset
from camfleet.delivered_frame import DeliveredFrame
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.lack import Lack
from camfleet.liveness import STALE_AFTER_S
from camfleet.node_link import LinkState
from camfleet.pattern import parse_pattern
from camfleet.payload import Payload, check_payload
from camfleet.pulse import Pulse
from camfleet.window import MAX_WINDOW, DeliveryRate, window
from camfleet.wire import (
    MAX_PATTERNS,
    Ask,
    Bye,
    Delivery,
    DeliveryMode,
    Grants,
    Heartbeat,
    HeartbeatReply,
    Listing,
    Look,
    Refuse,
    StreamState,
    Subscribe,
    Welcome,
    decode,
    decode_states,
    encode,
)

_NS: Final = 1_000_000_000
_LOOK_AGAIN_NS: Final = _NS
_LONG_NS: Final = 4_000_000  # a round trip that is more than threads that have to run
# Frames on a link too short to hold one. Of the newest ones the next is asked for when it is
# wanted; where all are, it may as well wait here as at the hub, while the program works.
_LEAST: Final[dict[DeliveryMode, int]] = {"newest": 1, "all": 2}

Listed = tuple[StreamState, ...]


@dataclass
class SubscriberCounters:
    """What a subscriber counted since it was made.

    Attributes:
        delivered: frames that arrived.
        skipped: frames of its streams that the hub passed over, as it was not ready for them.
        dropped: frames that arrived and were replaced by a newer one before they were taken.
        lost: frames that the hub sent and that never arrived.
        rejected: messages that could not be accepted.
    """

    delivered: int = 0
    skipped: int = 0
    dropped: int = 0
    lost: int = 0
    rejected: int = 0


class SubscriberLink:
    """Subscribes when a frame is first asked for, again to a new hub, and gives credit.

    Args:
        patterns: of the streams that are wanted.
        session: random id of this run, 0 to 2**64 - 1.
        backoff: delays between subscribing again while nobody answers.
        delivery: `newest`, or `all` as far as the hub's bounded queue reaches.
        software: name and version, for the hub's log: up to 64 ASCII characters.

    Raises:
        LocalProtocolError: for a bad pattern, too many of them, or another delivery.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        session: int,
        backoff: Backoff,
        delivery: DeliveryMode = "newest",
        software: str = "",
    ) -> None:
        _check(patterns, delivery)
        self.patterns = tuple(patterns)
        self.state = LinkState.CONNECTING
        self.counters = SubscriberCounters()
        self._subscribe = encode(Subscribe(session, self.patterns, delivery, software))
        self._backoff = backoff
        self._least = _LEAST[delivery]
        self._pulse = Pulse()
        self._lack = Lack(self.patterns)
        self._refused = ""  # what the hub said
        self._rate = DeliveryRate()
        self._is_wanted = False
        self._due_ns = 0  # monotonic; at once
        self._look_due_ns: int | None = None
        self._heard_ns = 0
        self._noticed_ns = 0  # when its silence was noticed, or it began to want something
        self._done = 0  # frames that the program took, or will never see
        self._waiting = 0  # frames that arrived and are neither taken nor replaced
        self._asked_ns: int | None = None  # since the last frame was taken
        self._taken_ns = 0
        self._waited_ns = 0
        self._is_starved = False
        self._arrived = 0  # these four in this subscription
        self._arrived_ns = 0
        self._limit = 0
        self._told = 0

    def ask(self, monotonic_ns: int) -> bool:
        """Let a frame come, and as many behind it as the link holds; True where that is news."""
        round_trip_ns = self._pulse.round_trip_ns
        fps = self._rate.add(self._done, monotonic_ns, round_trip_ns)
        if self._asked_ns is None:
            self._asked_ns = monotonic_ns
            self._lack.begin(monotonic_ns)
            self._is_starved = self._waited_ns > monotonic_ns - self._taken_ns
        # Who waits for longer than it works on a long link would go on at the rate of a window
        # that is too small, since that is what it is made of.
        is_held_up = self._is_starved and round_trip_ns > _LONG_NS
        most = window(fps, round_trip_ns, MAX_WINDOW, self._least + is_held_up)
        self._limit = max(self._limit, self._arrived - self._waiting + most)
        is_first, self._is_wanted = not self._is_wanted, True
        if is_first:
            self._noticed_ns = monotonic_ns
        return is_first or self._owes_ask

    def take(self, monotonic_ns: int) -> None:
        """Note that the program took a frame that waited."""
        self._waiting -= 1
        self._done += 1
        asked_ns, self._asked_ns = self._asked_ns, None
        self._waited_ns = 0 if asked_ns is None else monotonic_ns - asked_ns
        self._taken_ns = monotonic_ns

    def replace(self) -> None:
        """Note that a newer frame took the place of one that waited."""
        self._waiting -= 1
        self._done += 1
        self.counters.dropped += 1

    def look(self) -> None:
        """Ask for a listing, until one comes."""
        self._look_due_ns = 0

    def receive(
        self, header: bytes, payload: Payload, unix_ns: int, monotonic_ns: int
    ) -> DeliveredFrame | Listed | None:
        """Take one message of the hub; return a frame, or the streams that are there.

        Raises:
            RemoteProtocolError: for a message that a hub does not send.
        """
        message = decode(header)
        self._heard_ns = monotonic_ns
        match message:
            case Delivery():
                self._lack.begin(monotonic_ns)
                return self._deliver(message, payload, unix_ns)
            case HeartbeatReply():
                self._pulse.answer(message, unix_ns, monotonic_ns)
                self._settle(message.grants)
            case Listing():
                listed = decode_states(payload)
                self._look_due_ns = None
                self._lack.judge(listed)
                return listed
            case Welcome():
                self._welcome(message, monotonic_ns)
            case Refuse(reason, text):
                self._refuse(reason, text)
            case _:
                kind = type(message).__name__
                raise RemoteProtocolError(Reason.KIND, f"a hub sent {kind}, want its own kinds")
        return None

    def begin(self) -> None:
        """Subscribe at once, if anything is wanted."""
        self.state = LinkState.CONNECTING
        self._backoff.reset()
        self._due_ns = 0

    def notice_silence(self, monotonic_ns: int) -> bool:
        """Begin anew when the hub has not been heard for too long; return whether that is so.

        Who wants nothing hears nothing, so that is no silence.
        """
        silence_s = (monotonic_ns - max(self._heard_ns, self._noticed_ns)) / _NS
        if not self._is_wanted or silence_s < STALE_AFTER_S:
            return False
        self._noticed_ns = monotonic_ns
        if self.state is LinkState.ONLINE:
            self.begin()
        return True

    def poll(self, unix_ns: int, monotonic_ns: int) -> list[bytes]:
        """Return the header parts that are due now."""
        headers = []
        if self._is_in_lack and monotonic_ns >= self._lack.due_ns:
            self._lack.look(monotonic_ns)
            self._look_due_ns = monotonic_ns
        if self._look_due_ns is not None and monotonic_ns >= self._look_due_ns:
            self._look_due_ns = monotonic_ns + _LOOK_AGAIN_NS
            headers.append(encode(Look(self.patterns)))
        if self.state is LinkState.ONLINE:
            headers += self._speak(unix_ns, monotonic_ns)
        elif self._is_wanted and monotonic_ns >= self._due_ns:
            self._due_ns = monotonic_ns + int(self._backoff.next_s() * _NS)
            headers.append(self._subscribe)
        return headers

    def due_ns(self) -> int | None:
        """Monotonic time at which `poll` has something to say; None where nothing is wanted."""
        times = [] if self._look_due_ns is None else [self._look_due_ns]
        if self.state is LinkState.ONLINE:
            times.append(0 if self._owes_ask else self._pulse.due_ns)
            if self._is_in_lack:
                times.append(self._lack.due_ns)
        elif self._is_wanted:
            times.append(self._due_ns)
        return min(times, default=None)

    def bye(self) -> bytes:
        """Return the header part that ends the link in order."""
        return encode(Bye())

    def clock(self, unix_ns: int) -> Offset | None:
        """The hub's clock minus ours, and how sure that is; None before the first heartbeat."""
        return self._pulse.offset(unix_ns)

    @property
    def refusal(self) -> str:
        """Why nothing comes, for a person: what the hub said, or lists while it is here."""
        is_here = self.state is LinkState.ONLINE
        return self._refused or (self._lack.reason if is_here else "")

    @property
    def round_trip_ns(self) -> int:
        """The least one of late; -1 before the first."""
        return self._pulse.round_trip_ns

    @property
    def _is_in_lack(self) -> bool:
        return self.state is LinkState.ONLINE and self._asked_ns is not None and not self._waiting

    @property
    def _owes_ask(self) -> bool:
        is_news = self._limit > self._told and not self._pulse.is_draining
        return is_news and self.state is LinkState.ONLINE

    def _speak(self, unix_ns: int, monotonic_ns: int) -> list[bytes]:
        """A heartbeat comes first: no delivery of a later credit can hold its answer up."""
        headers = []
        is_due = monotonic_ns >= self._pulse.due_ns
        if is_due:
            round_trip_ns = self._pulse.beat(unix_ns, monotonic_ns)
            headers.append(encode(Heartbeat(unix_ns, (), round_trip_ns)))
        if self._owes_ask or (is_due and self._arrived):  # also to tell what has arrived since
            if not self._pulse.is_draining:
                self._told = self._limit
            headers.append(encode(Ask(self._told, self._arrived, self._arrived_ns)))
        return headers

    def _deliver(self, message: Delivery, payload: Payload, unix_ns: int) -> DeliveredFrame:
        number = message.number
        if not self._arrived <= number < self._limit:
            raise RemoteProtocolError(
                Reason.NO_CREDIT,
                f"delivery {number} came, want {self._arrived} up to {self._limit}",
            )
        self._pulse.disturb()
        self._catch_up(number)
        self._arrived += 1
        offset = self._pulse.offset(unix_ns)
        self._arrived_ns = max(0, unix_ns + offset.offset_ns) if offset else 0
        header = message.header
        try:
            check_payload(header.codec, header.shape, header.dtype, payload)
        except RemoteProtocolError:
            self._done += 1  # its credit is spent
            raise
        self.counters.delivered += 1
        self.counters.skipped += message.skipped
        self._waiting += 1
        return DeliveredFrame(
            message.node,
            header,
            payload,
            message.received_ns,
            self._arrived_ns,
            offset.uncertainty_ns if offset else -1,
            message.skipped,
        )

    def _settle(self, grants: Grants) -> None:
        """All that the hub had sent by its answer has arrived by now, or never will."""
        for grant in grants:
            self._catch_up(min(grant.limit, self._limit))

    def _catch_up(self, number: int) -> None:
        lost = max(0, number - self._arrived)
        self.counters.lost += lost
        self._done += lost
        self._arrived += lost

    def _welcome(self, welcome: Welcome, monotonic_ns: int) -> None:
        """Count anew: deliveries are numbered from 0 after each welcome."""
        wanted = self._limit - self._arrived
        self.state = LinkState.ONLINE
        self._refused = ""
        self._lack.begin(monotonic_ns)
        self._backoff.reset()
        self._arrived = self._arrived_ns = self._told = 0
        self._limit = wanted
        self._pulse.begin(monotonic_ns, welcome.heartbeat_ms * _NS // 1000, is_idle=True)

    def _refuse(self, reason: str, text: str) -> None:
        if reason == Reason.UNKNOWN_PEER:
            if self.state is LinkState.ONLINE:  # the hub was restarted
                self.begin()
            return
        self.state = LinkState.REFUSED
        self._refused = text


def _check(patterns: Sequence[str], delivery: str) -> None:
    if not 1 <= len(patterns) <= MAX_PATTERNS:
        raise LocalProtocolError(f"patterns are {len(patterns)}, want 1 to {MAX_PATTERNS}")
    if delivery not in _LEAST:
        raise LocalProtocolError(f"delivery is {delivery!r}, want 'newest' or 'all'")
    try:
        for pattern in patterns:
            parse_pattern(pattern)
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from error
