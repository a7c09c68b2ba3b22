"""What a node's machine reports of itself with a heartbeat; whatever it cannot know stays out.

On the wire it is a short array of numbers, so that nonsense in it costs nobody a heartbeat.
"""

from __future__ import annotations

import math
from typing import Annotated, Final

import msgspec

from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import Count
from camfleet.wire import Facts

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Celsius = Annotated[float, msgspec.Meta(ge=-60, le=150)]
Dbm = Annotated[float, msgspec.Meta(ge=-150, le=30)]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e10)]


class MachineHealth(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A machine at one moment; None stands for what it does not tell.

    A field's place is for ever; a new one comes last.

    Attributes:
        cpu_share: of all processors together that was busy lately, 0 to 1.
        memory_used_bytes: that the machine cannot give to programs.
        memory_total_bytes: that it has.
        temperature_c: of its processor.
        is_under_voltage: its supply is too weak now.
        is_throttled: its processor is held back now: capped, throttled, or softly limited.
        was_under_voltage: its supply was too weak since its start.
        was_throttled: its processor was held back since its start.
        wifi_signal_dbm: of the strongest Wi-Fi link.
        disk_free_share: of its disk, 0 to 1.
        uptime_s: since its start.
    """

    cpu_share: Share | None = None
    memory_used_bytes: Count | None = None
    memory_total_bytes: Count | None = None
    temperature_c: Celsius | None = None
    is_under_voltage: bool | None = None
    is_throttled: bool | None = None
    was_under_voltage: bool | None = None
    was_throttled: bool | None = None
    wifi_signal_dbm: Dbm | None = None
    disk_free_share: Share | None = None
    uptime_s: Seconds | None = None

    @property
    def memory_share(self) -> float | None:
        """Used, of the total, 0 to 1."""
        if self.memory_used_bytes is None or not self.memory_total_bytes:
            return None
        return min(1.0, self.memory_used_bytes / self.memory_total_bytes)


KNOWS_NOTHING: Final = MachineHealth()


def to_facts(health: MachineHealth) -> Facts:
    """Make the array that a heartbeat carries; empty where nothing is known.

    Raises:
        LocalProtocolError: for values that a hub would reject.
    """
    facts: Facts = msgspec.structs.astuple(health)
    try:
        from_facts(facts)
    except RemoteProtocolError as error:
        raise LocalProtocolError(str(error)) from error
    return () if health == KNOWS_NOTHING else facts


def from_facts(facts: Facts) -> MachineHealth | None:
    """Read that array; None where it is empty. Fields that are unknown here are passed over.

    Raises:
        RemoteProtocolError: with reason `health`, for a value that no machine has.
    """
    if not facts:
        return None
    wrong = [fact for fact in facts if isinstance(fact, float) and not math.isfinite(fact)]
    if wrong:
        raise RemoteProtocolError(Reason.HEALTH, f"health holds {wrong[0]}, want finite numbers")
    try:
        return msgspec.convert(facts, MachineHealth)
    except msgspec.ValidationError as error:
        raise RemoteProtocolError(Reason.HEALTH, f"health: {error}") from error
