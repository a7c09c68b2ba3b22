"""What encryption costs the hub at a gigabit's worth of frames: 125 MB a second for some seconds.

The load is that of `camfleet bench fleet`: cameras of 30 fps on real links, as many as make
125 MB/s, once with 60 KB a picture and once with 300 KB. The hub's side is the product's receiver
and fleet with full accounting. Each runs with CURVE and plain; the peer is a bare CURVE ROUTER
loop of pyzmq under the same load. CPU is user and system time of the hub's process, libzmq's own
threads and the kernel's work for it included.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

from fleet import KEPT, Load, bare_hub, bare_load, camfleet_hub, measure
from harness import Row, Sample, alternate, arguments, bound, compare, finish

from camfleet.keyring import Keyring
from camfleet.keys import Role
from camfleet.load import generate

BYTES_S: Final = 125_000_000
FPS: Final = 30
SIZES: Final = (60_000, 300_000)
NODES: Final = 10
MOST_PERCENT: Final = 40


def main() -> None:
    """Measure, print, write."""
    options = arguments(__doc__)
    rounds, span_s = (1, 3.0) if options.quick else (5, 5.0)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        keyring = Keyring(state)
        address = "tcp://127.0.0.1:5556"  # of the bundles only; the load takes the hub's own
        names = [f"load-{number}" for number in range(NODES)]
        bundles = tuple(keyring.enrol(name, Role.NODE, address) for name in names)
        for size_bytes in SIZES:
            cameras = -(-BYTES_S // (FPS * size_bytes))
            plain = Load(cameras, NODES, FPS, size_bytes, span_s)
            curve = replace(plain, state=state, bundles=bundles)
            print(f"{cameras} cameras of {FPS} fps with {size_bytes} bytes, {rounds} rounds")
            rows += _rows(_measure(rounds, plain, curve), curve)
    finish(rows, options.json)


def _measure(rounds: int, plain: Load, curve: Load) -> dict[str, Sample]:
    return alternate(
        rounds,
        {
            "bare CURVE ROUTER": lambda: measure(bare_hub, bare_load, curve),
            "camfleet": lambda: measure(camfleet_hub, generate, curve),
            "camfleet, plain": lambda: measure(camfleet_hub, generate, plain),
        },
    )


def _rows(medians: dict[str, Sample], load: Load) -> list[Row]:
    ours, bare, plain = (
        medians[name] for name in ("camfleet", "bare CURVE ROUTER", "camfleet, plain")
    )
    what = f"CURVE, {load.size_bytes // 1000} KB"
    mb = load.size_bytes / 1e6
    wanted = round(KEPT * BYTES_S / 1e6, 1)
    return [
        bound(
            f"{what}: taken in", ours["fps"] * mb, bare["fps"] * mb, "MB/s", sign="≥", goal=wanted
        ),
        bound(
            f"{what}: hub CPU",
            ours["hub_percent"],
            bare["hub_percent"],
            "% of a core",
            sign="≤",
            goal=MOST_PERCENT,
        ),
        compare(
            f"{what}: hub CPU, beside plain",
            ours["hub_percent"],
            plain["hub_percent"],
            "% of a core",
            sign="≤",
            goal=3,
        ),
    ]


if __name__ == "__main__":
    main()
