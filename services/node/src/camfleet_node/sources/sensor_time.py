"""Turns a sensor's time stamps into Unix time. It never remembers how far two clocks differ."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_NS_PER_US: Final = 1000
_OLDEST_NS: Final = 60_000_000_000  # beside its exposure; an older picture is a wrong stamp
_TIGHT_NS: Final = 50_000  # between two looks at one clock that nothing came between
_LOOKS: Final = 3
_MOST_BETWEEN: Final = 1000  # more is a stamp that cannot be right
_SLEPT_NS: Final = 1_000_000  # a machine that was suspended at all was so for longer


class SensorTime:
    """Tells when the exposure of a picture began.

    A stamp is turned into an age, on the clock that it was taken from, and the age into Unix
    time, by the wall clock of that moment. So a wall clock that was stepped since the camera
    was opened, as that of every Pi is which has no battery, is wrong for no picture, or for
    the one that is on its way: what the node says later of the same picture is by the same
    clock.

    libcamera documents CLOCK_BOOTTIME, and Linux's video drivers stamp with CLOCK_MONOTONIC.
    They differ on machines that were suspended; then the one is taken by which the picture is
    neither from the future nor very old.

    Args:
        unix_ns: the wall clock.
        boot_ns: CLOCK_BOOTTIME.
        monotonic_ns: CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        unix_ns: Callable[[], int] = time.time_ns,
        boot_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._unix_ns = unix_ns
        self._boot_ns = boot_ns
        self._monotonic_ns = monotonic_ns

    def capture(self, stamp_ns: int | None, exposure_us: int = 0) -> tuple[int, int]:
        """When the exposure began, Unix ns, and how long ago that is, ns.

        Args:
            stamp_ns: libcamera's SensorTimestamp. On a Pi that is when the first row was read
                out, and thus its exposure had ended, whatever the control's document says;
                picamera2 takes it so too.
            exposure_us: libcamera's ExposureTime.

        Without a stamp, or with one that cannot be right, it began now as far as anybody knows.
        """
        unix_ns, boot_ns = self._look()
        slept_ns = boot_ns - self._monotonic_ns()
        clocks_ns = [boot_ns, boot_ns - slept_ns] if slept_ns > _SLEPT_NS else [boot_ns]
        ages_ns = [clock_ns - stamp_ns for clock_ns in clocks_ns if stamp_ns is not None]
        age_ns = min((age for age in ages_ns if 0 <= age <= _OLDEST_NS), default=None)
        if age_ns is None:
            return unix_ns, 0
        age_ns += exposure_us * _NS_PER_US
        return unix_ns - age_ns, age_ns

    def _look(self) -> tuple[int, int]:
        """Read both clocks at one moment; another thread may run between two lines."""
        looks = []
        for _ in range(_LOOKS):
            before_ns, unix_ns, after_ns = self._boot_ns(), self._unix_ns(), self._boot_ns()
            looks.append((after_ns - before_ns, unix_ns, before_ns + (after_ns - before_ns) // 2))
            if after_ns - before_ns <= _TIGHT_NS:
                break
        _, unix_ns, boot_ns = min(looks)
        return unix_ns, boot_ns


def count_between(before_ns: int | None, stamp_ns: int | None, duration_us: int) -> int:
    """How many pictures a sensor took between two, by its time stamps; 0 where they are missing.

    Args:
        before_ns: stamp of the earlier one.
        stamp_ns: stamp of the later one.
        duration_us: from one to the next, as the sensor says (libcamera's FrameDuration).
    """
    if before_ns is None or stamp_ns is None or duration_us <= 0:
        return 0
    between = round((stamp_ns - before_ns) / (duration_us * _NS_PER_US)) - 1
    return min(max(0, between), _MOST_BETWEEN)
