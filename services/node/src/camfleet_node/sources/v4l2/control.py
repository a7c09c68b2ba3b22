"""The controls of a device, and the check of what is wanted of them. It asks no device."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from camfleet_node.sources.picture import SettingError
from camfleet_node.sources.v4l2.kernel import IS_DISABLED, IS_INACTIVE, IS_READ_ONLY, RULES_OTHERS

KINDS: Final = {1: "integer", 2: "boolean", 3: "menu", 4: "button", 8: "bits", 9: "menu"}


@dataclass(frozen=True)
class Control:
    """One thing that can be set.

    Attributes:
        id: the kernel's number for it.
        name: as `v4l2-ctl` writes it: `power_line_frequency`.
        kind: one of KINDS.
        least: its bounds; likewise `most`, with `step` between.
        default: where it is when nobody sets it.
        flags: of the kernel.
        menu: what the values of a menu stand for.
    """

    id: int
    name: str
    kind: str
    least: int
    most: int
    step: int
    default: int
    flags: int = 0
    menu: tuple[tuple[int, str], ...] = ()

    @property
    def is_settable(self) -> bool:
        """Whether it is ever ours to set."""
        return not self.flags & (IS_DISABLED | IS_READ_ONLY)

    @property
    def is_inactive(self) -> bool:
        """Whether another control has it in hand, as an automatic has."""
        return bool(self.flags & IS_INACTIVE)

    def __str__(self) -> str:
        """As `brightness 0 to 255 (128)`, the default in brackets."""
        return f"{self.name} {self.bounds} ({self.default})"

    @property
    def bounds(self) -> str:
        """What it takes, in words."""
        if self.menu:
            return ", ".join(f"{value} = {meaning}" for value, meaning in self.menu)
        step = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{self.least} to {self.most}{step}"

    def takes(self, value: int) -> bool:
        """Whether a value is one of those that it takes."""
        if self.menu:
            return value in dict(self.menu)
        if self.kind == "bits":
            return value >= 0 and not value & ~self.most
        return self.least <= value <= self.most and (value - self.least) % max(self.step, 1) == 0


def variable(name: str) -> str:
    """Name a control as `v4l2-ctl` does: `White Balance, Auto` is `white_balance_auto`."""
    return re.sub("[^0-9a-z]+", "_", name.lower()).strip("_")


def check(wanted: Mapping[str, int], controls: Sequence[Control]) -> list[tuple[Control, int]]:
    """Find the controls that are wanted; those first that rule others, such as an automatic.

    Raises:
        SettingError: the device has no such control, or it does not take the value.
    """
    known = {control.name: control for control in controls if control.is_settable}
    for name, value in wanted.items():
        control = known.get(name)
        if control is None:
            names = get_close_matches(name, known, n=1) or sorted(known)
            raise SettingError("CONTROLS", name, ", ".join(names) or "none: it has no controls")
        if not control.takes(value):
            raise SettingError("CONTROLS", f"{name}={value}", control.bounds)
    pairs = [(known[name], value) for name, value in wanted.items()]
    return sorted(pairs, key=lambda pair: not pair[0].flags & RULES_OTHERS)
