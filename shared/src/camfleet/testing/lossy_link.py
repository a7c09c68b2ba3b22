"""A paired link on which chosen messages vanish, the same ones in every run. Rolls no dice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

from camfleet.errors import RemoteProtocolError
from camfleet.node_link import NodeLink
from camfleet.testing.clock import FakeClock
from camfleet.testing.paired_link import PairedLink
from camfleet.window import MAX_WINDOW
from camfleet.wire import Message, decode

Loses = Callable[[Message], bool]


class LossyLink(PairedLink):
    """Loses messages in either direction; the connection stays.

    TCP loses nothing inside a connection, but what is sent at the moment when it breaks is
    gone, and so is what a full queue refuses.

    Args:
        loses: asked for every message once, in the order of sending; may be set at any time.
    """

    def __init__(
        self,
        clock: FakeClock,
        *nodes: NodeLink,
        loses: Loses,
        delay_s: float = 0.0,
        window: int = MAX_WINDOW,
        on_demand: bool = False,
    ) -> None:
        self.loses = loses
        super().__init__(clock, *nodes, delay_s=delay_s, window=window, on_demand=on_demand)

    def is_lost(self, header: bytes) -> bool:
        """Whether this message vanishes."""
        try:
            return self.loses(decode(header))
        except RemoteProtocolError:  # what is no message is the hub's to reject
            return False


def cycled(pattern: str, kind: type[Message] | None = None) -> Loses:
    """Lose by a pattern that repeats: `..x` loses every third message.

    Args:
        pattern: a `x` for each message that vanishes, anything else for one that passes.
        kind: only messages of this kind count; None for every kind.
    """
    marks = cycle(pattern)

    def loses(message: Message) -> bool:
        return (kind is None or isinstance(message, kind)) and next(marks) == "x"

    return loses
