"""Fakes for programs that use this library: a clock, links without a network, and a bad network.

The clock and the links do no I/O. `LinkEmulator` does: it is a network that a test can delay,
slow down and cut, between two real ends.

clock = FakeClock()
node = NodeLink("pi-1", session=1, backoff=Backoff(0.25, 5.0, lambda: 0.5))
node.declare("front/main")
link = PairedLink(clock, node, delay_s=0.02)
link.run(0.1)
assert node.credit("front/main") == 2
"""

from __future__ import annotations

from camfleet.testing.clock import FakeClock
from camfleet.testing.emulator import LinkEmulator
from camfleet.testing.lossy_link import LossyLink, cycled
from camfleet.testing.paired_link import PairedLink
from camfleet.testing.paired_subscribers import PairedSubscribers

__all__ = ["FakeClock", "LinkEmulator", "LossyLink", "PairedLink", "PairedSubscribers", "cycled"]
