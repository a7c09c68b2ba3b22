"""Lists what a V4L2 device has: pictures and controls. It sets nothing."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import Structure
from typing import Final, TypeVar

from camfleet_node.sources.v4l2 import kernel as k
from camfleet_node.sources.v4l2.control import KINDS, Control, variable
from camfleet_node.sources.v4l2.device import Device, letters, rate, text
from camfleet_node.sources.v4l2.offer import Offer, Span

_MOST: Final = 256  # of anything that a device lists: a broken driver must not list for ever
_SIDES: Final = Span(1, 65_535)  # where a driver lists no sizes
_NAMED_MENU: Final = 3  # of the kernel; the other kind of menu has numbers
S = TypeVar("S", bound=Structure)


def offers(device: Device, width: int, height: int) -> Iterator[Offer]:
    """List its pictures; where sizes are free, with the rates at the size that is wanted."""
    for form in _list(device, k.ENUM_FMT, k.FormatDescription(type=k.CAPTURE)):
        fourcc = int(form.fourcc)
        sizes = list(_sizes(device, fourcc)) or [(_SIDES, _SIDES)]
        for across, down in sizes:
            rates = _rates(device, fourcc, across.nearest(width), down.nearest(height))
            yield Offer(letters(fourcc), across, down, tuple(rates))


def controls(device: Device) -> Iterator[Control]:
    """List its controls, as far as a whole number sets them."""
    query = k.ControlQuery(id=k.NEXT_CONTROL)
    for _ in range(_MOST):
        if not device.has(k.QUERYCTRL, query):
            return
        kind = KINDS.get(query.type)
        if kind is not None:
            yield Control(
                query.id,
                variable(text(query.name)),
                kind,
                query.least,
                query.most & 0xFFFF_FFFF if kind == "bits" else query.most,
                query.step,
                query.default,
                query.flags,
                tuple(_menu(device, query)) if kind == "menu" else (),
            )
        query.id |= k.NEXT_CONTROL


def _list(device: Device, request: int, about: S) -> Iterator[S]:
    for index in range(_MOST):
        about.index = index
        if not device.has(request, about):
            return
        yield about


def _sizes(device: Device, fourcc: int) -> Iterator[tuple[Span, Span]]:
    for size in _list(device, k.ENUM_FRAMESIZES, k.FrameSize(fourcc=fourcc)):
        steps = size.steps
        if size.type == k.DISCRETE:
            width, height = steps.least_width, steps.most_width  # as they lie there
            yield Span(width, width), Span(height, height)
            continue
        yield (
            Span(steps.least_width, steps.most_width, max(steps.step_width, 1)),
            Span(steps.least_height, steps.most_height, max(steps.step_height, 1)),
        )
        return  # there is but one


def _rates(device: Device, fourcc: int, width: int, height: int) -> Iterator[Span]:
    asked = k.FrameInterval(fourcc=fourcc, width=width, height=height)
    for interval in _list(device, k.ENUM_FRAMEINTERVALS, asked):
        fastest = rate(interval.least)
        if interval.type == k.DISCRETE:
            yield Span(fastest, fastest)
            continue
        yield Span(rate(interval.most), fastest)
        return


def _menu(device: Device, query: k.ControlQuery) -> Iterator[tuple[int, str]]:
    for value in range(query.least, min(query.most, query.least + _MOST) + 1):
        asked = k.MenuQuery(id=query.id, index=value)
        if device.has(k.QUERYMENU, asked):
            is_named = query.type == _NAMED_MENU
            yield value, text(asked.item.name) if is_named else str(asked.item.value)
