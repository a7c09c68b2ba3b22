"""Fakes for programs that use this library: a clock, and links without a network. No I/O.

clock = FakeClock()
node = NodeLink("pi-1", session=1, backoff=Backoff(0.25, 5.0, lambda: 0.5))
node.declare("front/main")
link = PairedLink(clock, node, delay_s=0.02)
link.run(0.1)
assert node.credit("front/main") == 3
"""

from __future__ import annotations

from camfleet.testing.clock import FakeClock
from camfleet.testing.lossy_link import LossyLink, cycled
from camfleet.testing.paired_link import PairedLink

__all__ = ["FakeClock", "LossyLink", "PairedLink", "cycled"]
