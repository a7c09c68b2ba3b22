"""What looks at a camera's pictures on the node and tells of changes. It never holds them up."""

from __future__ import annotations

from camfleet_node.detectors.detector import Change, Detector
from camfleet_node.detectors.light import Light
from camfleet_node.detectors.lookout import Lookout
from camfleet_node.detectors.motion import Motion
from camfleet_node.detectors.small import small_gray

__all__ = ["Change", "Detector", "Light", "Lookout", "Motion", "small_gray"]
