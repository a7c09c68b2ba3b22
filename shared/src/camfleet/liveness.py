"""Whether somebody is there: online, stale or offline by the time since the last sign of life."""

from __future__ import annotations

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


def liveness(silence_s: float) -> Liveness:
    """Judge a silence of so many seconds, measured on a monotonic clock."""
    if silence_s < STALE_AFTER_S:
        return Liveness.ONLINE
    return Liveness.STALE if silence_s < OFFLINE_AFTER_S else Liveness.OFFLINE
