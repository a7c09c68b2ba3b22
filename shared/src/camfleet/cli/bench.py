"""`camfleet bench`: how many frames come, how old they are, and how sure that is."""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from camfleet.cli.hub import CommandError, add_hub, add_patterns, seconds, subscribe
from camfleet.cli.view import printable
from camfleet.delivered_frame import DeliveredFrame
from camfleet.node_link import LinkState
from camfleet.subscriber import Subscriber

_NS_PER_MS: Final = 1e6
_TELL_S: Final = 1.0
_PERCENTILES: Final = (50, 95, 99)


@dataclass
class Tally:
    """What came of one stream."""

    frames: int = 0
    skipped: int = 0
    latencies_ns: list[int] = field(default_factory=list)
    uncertainty_ns: int = 0

    def add(self, frame: DeliveredFrame) -> None:
        """Count one frame; what was skipped before the first one is not ours."""
        self.skipped += frame.skipped if self.frames else 0
        self.frames += 1
        latency_ns, uncertainty_ns = frame.latency_ns, frame.uncertainty_ns
        if latency_ns is not None and uncertainty_ns is not None:
            self.latencies_ns.append(latency_ns)
            self.uncertainty_ns = max(self.uncertainty_ns, uncertainty_ns)

    def percentile_ms(self, percent: int) -> float:
        """The least latency that so many percent do not exceed (nearest rank)."""
        ordered = sorted(self.latencies_ns)
        return ordered[max(0, -(-percent * len(ordered) // 100) - 1)] / _NS_PER_MS


def add_to(commands: Any) -> None:  # noqa: ANN401 - argparse has no public type for it
    """Add the command."""
    parser = commands.add_parser("bench", help="measure streams", description=__doc__)
    add_patterns(parser)
    parser.add_argument("--seconds", type=seconds, default=10.0, help="10")
    add_hub(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Take frames for so many seconds, counted from the first one, and print what came.

    Raises:
        CommandError: when none has come in time.
    """
    with subscribe(options, *options.patterns) as subscriber:
        first = subscriber.take(options.timeout)
        if first is None:
            why = subscriber.refusal or f"link {subscriber.state}"
            raise CommandError(f"no frame has come within {options.timeout:g} s: {why}")
        tallies = _measure(subscriber, first, options.seconds)
    sys.stdout.write(report(tallies, options.seconds))


def report(tallies: Mapping[str, Tally], span_s: float) -> str:
    """One line for each stream."""
    return "".join(f"{name}: {_line(tallies[name], span_s)}\n" for name in sorted(tallies))


def _measure(
    subscriber: Subscriber, first: DeliveredFrame, span_s: float
) -> defaultdict[str, Tally]:
    tallies: defaultdict[str, Tally] = defaultdict(Tally)
    tallies[_name(first)].add(first)
    begun_s = time.monotonic()
    told_s, told = begun_s, 0
    while (left_s := begun_s + span_s - time.monotonic()) > 0:
        frame = subscriber.take(min(left_s, _TELL_S))
        if frame is not None:
            tallies[_name(frame)].add(frame)
        elif subscriber.refusal and subscriber.state is not LinkState.ONLINE:
            raise CommandError(subscriber.refusal)
        now_s = time.monotonic()
        if now_s - told_s >= _TELL_S:
            count = sum(tally.frames for tally in tallies.values())
            fps = (count - told) / (now_s - told_s)
            sys.stderr.write(f"{now_s - begun_s:3.0f} s: {fps:.1f} fps of {len(tallies)} streams\n")
            told_s, told = now_s, count
    return tallies


def _line(tally: Tally, span_s: float) -> str:
    latency = "latency unknown"
    if tally.latencies_ns:
        found = "/".join(f"{tally.percentile_ms(percent):.1f}" for percent in _PERCENTILES)
        sure = tally.uncertainty_ns / _NS_PER_MS
        latency = f"latency p50/p95/p99 {found} ms ± {sure:.1f}"
    return f"{tally.frames / span_s:.1f} fps, {latency}, {tally.skipped} skipped"


def _name(frame: DeliveredFrame) -> str:
    return printable(f"{frame.node}/{frame.header.stream.removesuffix('/main')}")
