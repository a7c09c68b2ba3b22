"""Whether frames flow: what nodes have for the hub must also arrive. It does no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from camfleet.liveness import Liveness
from camfleet_hub.stream import Stream

_NS: Final = 1_000_000_000
_PATIENCE_NS: Final = 10 * _NS
_GROWTH_NS: Final = 5 * _NS  # counters come by heartbeat; without any for so long they stand still
_FOR_WANT_OF_CREDIT: Final = frozenset({"newer", "no_credit"})
# A camera that sends now and then loses a picture to a newer one, too: that is no offer.
_MOST_CHOSEN: Final = 3  # pictures that the node itself left out, to one for the hub


class _Offer(NamedTuple):
    """What a node says of a stream."""

    pictures: int  # that it sent, or would have sent had the hub given credit
    chosen: int  # that it left out by choice: nothing moved, nobody wants them


class Flow:
    """Compares, once a second, what nodes have for the hub with what arrives."""

    def __init__(self) -> None:
        self._offers: dict[str, _Offer] = {}
        self._grew_ns: int | None = None
        self._since_ns = 0
        self._silent_ns = 0

    def sample(self, streams: Iterable[Stream], now_ns: int) -> None:
        """Read the counters of all streams at a monotonic time; called once a second."""
        streams = list(streams)
        if self._grew_ns is not None and now_ns - self._grew_ns > _GROWTH_NS:
            self._grew_ns = None
        if self._have_grown([stream for stream in streams if _is_told(stream, now_ns)]):
            if self._grew_ns is None:
                self._since_ns = now_ns
            self._grew_ns = now_ns
        heard_ns = max((stream.heard_ns for stream in streams), default=0)
        is_growing = self._grew_ns is not None
        self._silent_ns = now_ns - max(heard_ns, self._since_ns) if is_growing else 0

    def problems(self) -> list[str]:
        """Say that nothing arrives though nodes send; nothing where frames flow."""
        if self._silent_ns < _PATIENCE_NS:
            return []
        seconds = self._silent_ns // _NS
        return [f"nodes have pictures for the hub, but no frame has arrived for {seconds} s"]

    def _have_grown(self, streams: list[Stream]) -> bool:
        before, self._offers = self._offers, {}
        has_grown = False
        for stream in streams:
            now = _offer(stream)
            old = before.get(stream.id, now)
            # One that is in the encoder comes and goes, so what counts is more than ever.
            more = now.pictures - old.pictures
            has_grown |= more > 0 and now.chosen - old.chosen <= _MOST_CHOSEN * more
            self._offers[stream.id] = now if more > 0 else old
        return has_grown


def _is_told(stream: Stream, now_ns: int) -> bool:
    """Whether its node is there, and tells what it captures."""
    return stream.node.has_heartbeat and stream.node.liveness(now_ns) is Liveness.ONLINE


def _offer(stream: Stream) -> _Offer:
    """Of what nobody wants, one a heartbeat is sent; the others are `unwanted`, as all may be."""
    dropped = stream.stats.dropped
    left_out = sum(count for why, count in dropped.items() if why not in _FOR_WANT_OF_CREDIT)
    return _Offer(stream.stats.captured - left_out, left_out - dropped["unwanted"])
