"""Whether somebody is there: online, stale or offline by the time since the last sign of life."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final


class Liveness(StrEnum):
    """What is shown, counted and alerted on."""

    ONLINE = "online"
    STALE = "stale"
    OFFLINE = "offline"


HEARTBEAT_S: Final = 1.0
STALE_AFTER_S: Final = 3.0  # two heartbeats may be late or gone before anyone is alarmed
OFFLINE_AFTER_S: Final = 10.0
MAX_INTERVAL_S: Final = 3600.0  # a camera slower than that is not told from one that is gone


def liveness(silence_s: float, interval_s: float = HEARTBEAT_S) -> Liveness:
    """Judge a silence of so many seconds, measured on a monotonic clock.

    Who usually gives a sign of life less often than a heartbeat does is given as many of its
    own intervals: three until it is stale, ten until it is offline.
    """
    silence_s /= min(max(interval_s, HEARTBEAT_S), MAX_INTERVAL_S) / HEARTBEAT_S
    if silence_s < STALE_AFTER_S:
        return Liveness.ONLINE
    return Liveness.STALE if silence_s < OFFLINE_AFTER_S else Liveness.OFFLINE


def usual_interval_s(gaps_s: Sequence[float]) -> float:
    """The middle one of the last gaps between signs of life; 0 where there is none.

    One outage among three gaps changes nothing, while a mean would remember it for long.
    """
    return sorted(gaps_s)[(len(gaps_s) - 1) // 2] if gaps_s else 0.0
