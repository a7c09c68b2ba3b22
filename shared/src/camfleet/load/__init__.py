"""A load generator: many simulated cameras on real links. It measures itself, never the hub."""

from __future__ import annotations

from camfleet.load.generator import generate
from camfleet.load.plan import MAX_CAMERAS, Plan, SimulatedNode, spread
from camfleet.load.schedule import Schedule
from camfleet.load.tally import Tally

__all__ = ["MAX_CAMERAS", "Plan", "Schedule", "SimulatedNode", "Tally", "generate", "spread"]
