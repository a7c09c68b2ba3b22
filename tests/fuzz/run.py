"""Feeds every parser with bytes that its coverage leads to, by atheris: `make fuzz`.

What breaks a target is left in build/fuzz, and the run ends with exit code 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "build" / "fuzz"
MOST_BYTES: Final = 8192


def main() -> int:
    """Run all targets one after another, or be one of them."""
    options = _parse()
    if options.only:
        _fuzz(options.only, options.inputs)
        return 0
    from targets import TARGETS, seeds

    share = -(-options.inputs // len(TARGETS))
    print(f"{len(TARGETS)} targets, {share:,} inputs each", flush=True)
    for name in TARGETS:
        corpus = FOLDER / name
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(seeds(name)):
            (corpus / f"seed-{number:03}").write_bytes(seed)
        begun_s = time.monotonic()
        command = [sys.executable, __file__, "--only", name, "--inputs", str(share)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        spent_s = time.monotonic() - begun_s
        if done.returncode:
            print(f"{name}: broken\n{done.stdout}\n{done.stderr}", flush=True)
            return 1
        print(f"{name}: {share:,} inputs, clean, {spent_s:.0f} s", flush=True)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for all targets together")
    parser.add_argument("--only", help="one target, in this process")
    return parser.parse_args()


def _fuzz(name: str, inputs: int) -> None:
    import atheris

    with atheris.instrument_imports(include=["camfleet", "camfleet_hub"]):
        from targets import TARGETS, attempt
    target = TARGETS[name]
    arguments = [
        name,
        f"-atheris_runs={inputs}",
        f"-max_len={MOST_BYTES}",
        "-timeout=10",
        "-rss_limit_mb=2048",
        f"-artifact_prefix={FOLDER}/{name}-broke-",
        "-verbosity=0",
        str(FOLDER / name),
    ]
    atheris.Setup(arguments, lambda data: attempt(target, data))
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
