"""Writes Prometheus' configuration and rules for another place, or in a hurry.

    render.py OUT --hub hub.example.org:9101 --grafana https://grafana.example.org
    render.py OUT --hurry 20        for a trial: what takes ten minutes takes half a minute

`--hurry` divides every duration of the rules (`for`, and the ranges in square brackets) and the
intervals of the configuration; bounds stay as they are, so what fires is what would have fired.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
HUB: Final = "hub:9101"
GRAFANA: Final = "http://127.0.0.1:3000"
ALERTMANAGER: Final = "alertmanager:9093"
_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION: Final = re.compile(
    r"(?P<before>\bfor: |interval: |\[)(?P<count>\d+)(?P<unit>ms|[smhd])(?=\]|\s)"
)


def main() -> None:
    """Render everything into a folder."""
    parser = argparse.ArgumentParser(
        prog="render.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write into")
    parser.add_argument("--hub", default=HUB, help="host and port of the hub's metrics")
    parser.add_argument("--grafana", default=GRAFANA, help="where people find Grafana")
    parser.add_argument("--alertmanager", default=ALERTMANAGER, help="its host and port")
    parser.add_argument("--hurry", type=float, default=1.0, help="divide every duration by this")
    options = parser.parse_args()
    if options.hurry < 1:
        parser.error(f"--hurry is {options.hurry:g}, want 1 or more")
    for source in (HERE / "prometheus.yml", *sorted((HERE / "rules").glob("*.yml"))):
        text = hurry(source.read_text(), options.hurry)
        text = text.replace(HUB, options.hub).replace(GRAFANA, options.grafana)
        target = options.out / source.relative_to(HERE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text.replace(ALERTMANAGER, options.alertmanager))


def hurry(text: str, times: float) -> str:
    """Divide every duration."""

    def shorter(found: re.Match[str]) -> str:
        milliseconds = int(found["count"]) * _MS[found["unit"]] / times
        return f"{found['before']}{max(1, round(milliseconds))}ms"

    return _DURATION.sub(shorter, text) if times != 1 else text


if __name__ == "__main__":
    main()
