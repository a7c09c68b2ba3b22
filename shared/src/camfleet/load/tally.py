"""What a load generator counts about itself, as it tells it to the process that started it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

_decoder: Final = msgspec.msgpack.Decoder


class Tally(msgspec.Struct, array_like=True):
    """Counts since the start.

    Attributes:
        sent: frames that were handed to a socket, by camera.
        dropped: pictures that were not, by reason: `newer` and `no_credit` for want of credit,
            `unwanted` where nobody wants the stream, `missed` where the generator was a whole
            interval behind its schedule.
        late: ticks that came more than 5 ms late, missed ones among them.
        ticks: pictures that were due.
        nodes: how many there are.
        online: how many of them the hub has welcomed.
        cpu_s: user and system time of the generator's process, all threads.
        problem: why a node is not welcomed, as far as that is known.
    """

    sent: list[int]
    dropped: dict[str, int]
    late: int = 0
    ticks: int = 0
    nodes: int = 0
    online: int = 0
    cpu_s: float = 0.0
    problem: str = ""

    def encode(self) -> bytes:
        """Build what `decode` reads."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, told: bytes) -> Tally:
        """Read what `encode` built, in a process of ours."""
        return _decoder(cls).decode(told)

    @classmethod
    def sum(cls, tallies: Iterable[Tally]) -> Tally:
        """All generators' counts as one; the cameras stand one after the other."""
        total, dropped = cls([], {}), Counter[str]()
        for tally in tallies:
            total.sent += tally.sent
            dropped.update(tally.dropped)
            total.late += tally.late
            total.ticks += tally.ticks
            total.nodes += tally.nodes
            total.online += tally.online
            total.cpu_s += tally.cpu_s
            total.problem = total.problem or tally.problem
        total.dropped = dict(dropped)
        return total

    def since(self, before: Tally) -> Tally:
        """What was counted after another tally of the same generators."""
        dropped = {
            reason: count - before.dropped.get(reason, 0) for reason, count in self.dropped.items()
        }
        return Tally(
            [now - then for now, then in zip(self.sent, before.sent, strict=True)],
            {reason: count for reason, count in dropped.items() if count},
            self.late - before.late,
            self.ticks - before.ticks,
            self.nodes,
            self.online,
            self.cpu_s - before.cpu_s,
            self.problem,
        )
