"""What a device has to offer, and which of it suits best what is wanted. It asks no device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from camfleet_node.sources.picture import SettingError

# By the names of the settings; in the order in which `auto` tries them: those first that cost
# this machine least.
FOURCCS: Final = {
    "mjpeg": ("MJPG", "JPEG"),
    "yuv420": ("YU12",),
    "nv12": ("NV12",),
    "yuyv": ("YUYV",),
    "uyvy": ("UYVY",),
    "gray": ("GREY",),
}
_READABLE: Final = frozenset(fourcc for fourccs in FOURCCS.values() for fourcc in fourccs)
_SLACK: Final = 0.02  # 29.97 is 30 to whoever asks
_SHOWN: Final = 5  # offers in a message


@dataclass(frozen=True)
class Span:
    """From the least to the most, in steps; a single value where both are the same."""

    least: float
    most: float
    step: float = 1.0

    def has(self, value: float) -> bool:
        """Whether a whole number of steps leads there."""
        return self.least <= value <= self.most and (value - self.least) % (self.step or 1) == 0

    def nearest(self, value: float) -> int:
        """The value in it that is nearest to another."""
        within = min(max(value, self.least), self.most)
        steps = (within - self.least) // (self.step or 1)
        return round(self.least + steps * (self.step or 1))


@dataclass(frozen=True)
class Offer:
    """Pictures that a device can give.

    Attributes:
        fourcc: their format, as four letters.
        width: pixels; likewise `height`.
        rates: pictures a second at this size; empty where the device does not tell.
    """

    fourcc: str
    width: Span
    height: Span
    rates: tuple[Span, ...] = ()

    @property
    def is_readable(self) -> bool:
        """Whether its format is one of those that are read here."""
        return self.fourcc in _READABLE

    def has_size(self, width: int, height: int) -> bool:
        """Whether it has this size exactly."""
        return self.width.has(width) and self.height.has(height)

    def has_rate(self, fps: float) -> bool:
        """Whether it has this rate, as far as the device tells."""
        return not self.rates or any(
            rate.least * (1 - _SLACK) <= fps <= rate.most * (1 + _SLACK) for rate in self.rates
        )

    def __str__(self) -> str:
        """As `MJPG 1280x720 30, 15 fps`."""
        size = f"{self.width.least:g}x{self.height.least:g}"
        if self.width.least != self.width.most or self.height.least != self.height.most:
            size += f" to {self.width.most:g}x{self.height.most:g}"
        rates = ", ".join(_show(rate) for rate in self.rates)
        return f"{self.fourcc} {size}" + (f" {rates} fps" if rates else "")


def choose(offers: Sequence[Offer], name: str, width: int, height: int, fps: float) -> str:
    """Choose the format for a size and a rate.

    Args:
        offers: of the device.
        name: one of FOURCCS, or `auto`.
        width: pixels.
        height: pixels.
        fps: pictures a second.

    Returns:
        Its four letters.

    Raises:
        SettingError: the device has no such thing; with what it has, the nearest first.
    """
    fourccs = sum(FOURCCS.values(), ()) if name == "auto" else FOURCCS[name]
    by_format = [offer for fourcc in fourccs for offer in offers if offer.fourcc == fourcc]
    by_size = [offer for offer in by_format if offer.has_size(width, height)]
    for offer in by_size:
        if offer.has_rate(fps):
            return offer.fourcc
    if not by_format:
        raise SettingError("FORMAT", name, _nearest(offers, width, height))
    if not by_size:
        raise SettingError("WIDTH", f"{width}x{height}", _nearest(by_format, width, height))
    raise SettingError("FPS", f"{fps:g}", _nearest(by_format, width, height))


def _nearest(offers: Iterable[Offer], width: int, height: int) -> str:
    """What the camera has, those first that are nearest in size."""
    readable = [offer for offer in offers if offer.is_readable]
    if not readable:
        found = ", ".join(sorted({offer.fourcc for offer in offers})) or "nothing"
        return f"another camera: this one gives {found}, want {', '.join(FOURCCS)}"

    def distance(offer: Offer) -> int:
        across, down = offer.width.nearest(width), offer.height.nearest(height)
        return abs(across - width) + abs(down - height)

    shown = sorted(readable, key=distance)
    more = f"; and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return "what it has: " + "; ".join(map(str, shown[:_SHOWN])) + more


def _show(rate: Span) -> str:
    least, most = f"{round(rate.least, 2):g}", f"{round(rate.most, 2):g}"
    return most if least == most else f"{least} to {most}"
