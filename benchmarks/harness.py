"""What every benchmark shares: alternating rounds, medians, one table and one JSON file.

A number is never judged by a clock alone: every row compares two contenders of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Literal

Sample = dict[str, float]


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        ratio: ours divided by the peer's; None where the peer's is 0.
        goal: what the ratio is to reach, as text with its direction; with a unit behind it,
            what ours is to reach by itself.
    """

    name: str
    ours: float
    peer: float | None
    ratio: float | None
    unit: str
    goal: str
    met: bool


def arguments(description: str | None, **paths: str) -> argparse.Namespace:
    """Read `--json PATH` and `--quick`, which every benchmark takes.

    Args:
        description: of the benchmark.
        **paths: its own options, each of which takes a path, with what they are for.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter rounds")
    for name, text in paths.items():
        parser.add_argument(f"--{name}", metavar="PATH", help=text)
    return parser.parse_args()


def alternate(rounds: int, contenders: Mapping[str, Callable[[], Sample]]) -> dict[str, Sample]:
    """Run each contender once a round, in turns; return the medians of what each measured.

    Taking turns spreads what else the machine does over all of them.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, run in contenders.items():
            samples[name].append(run())
            shown = ", ".join(f"{key} {value:,.1f}" for key, value in samples[name][-1].items())
            print(f"round {number + 1} of {rounds}: {name}: {shown}", flush=True)
    return {
        name: {key: median(sample[key] for sample in taken) for key in taken[0]}
        for name, taken in samples.items()
    }


def compare(
    name: str, ours: float, peer: float, unit: str, *, sign: Literal["≥", "≤"], goal: float
) -> Row:
    """Make a row; the goal is met when the ratio is on the right side of it."""
    ratio = ours / peer
    met = _is_met(ratio, sign, goal)
    return Row(name, round(ours, 2), round(peer, 2), round(ratio, 3), unit, f"{sign} {goal}", met)


def bound(
    name: str, ours: float, peer: float | None, unit: str, *, sign: Literal["≥", "≤"], goal: float
) -> Row:
    """Make a row whose goal is ours alone to meet, in its unit: a peer that fails is no measure.

    A peer that does not count this is None.
    """
    ratio = round(ours / peer, 3) if peer else None
    met = _is_met(ours, sign, goal)
    text = f"{sign} {goal:g} {unit}"
    shown = None if peer is None else round(peer, 2)
    return Row(name, round(ours, 2), shown, ratio, unit, text, met)


def finish(rows: list[Row], path: Path | None) -> None:
    """Print the table, and write the JSON file if one is wanted."""
    found = machine()
    print(f"\n{found}\n\n{table(rows)}")
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        report = {"machine": found, "rows": [asdict(row) for row in rows]}
        path.write_text(json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def table(rows: list[Row]) -> str:
    """Lay rows out as a Markdown table."""
    lines = ["| what | ours | peer | ratio | goal | met |", "|---|---:|---:|---:|---:|---|"]
    lines += [
        f"| {row.name} | {row.ours:,g} {row.unit} "
        f"| {'not counted' if row.peer is None else f'{row.peer:,g} {row.unit}'} "
        f"| {'' if row.ratio is None else f'{row.ratio:.2f}'} | {row.goal} "
        f"| {'yes' if row.met else 'no'} |"
        for row in rows
    ]
    return "\n".join(lines)


def _is_met(found: float, sign: Literal["≥", "≤"], goal: float) -> bool:
    return found >= goal if sign == "≥" else found <= goal


def machine() -> str:
    """Say what this was measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"
