"""What is done to a picture between its source and its encoder. It never changes the source's."""

from __future__ import annotations

from camfleet_node.processing.area import Area, Region, Size, area_of
from camfleet_node.processing.caption import Caption
from camfleet_node.processing.processing import Processing
from camfleet_node.processing.scaling import scale
from camfleet_node.processing.turn import UPRIGHT, Turn

__all__ = [
    "UPRIGHT",
    "Area",
    "Caption",
    "Processing",
    "Region",
    "Size",
    "Turn",
    "area_of",
    "scale",
]
