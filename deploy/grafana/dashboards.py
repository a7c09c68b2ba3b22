"""Writes Grafana's dashboards to deploy/grafana/dashboards: `make docs`.

The builders are typed as Grafana's schema is, so mypy finds what Grafana would not know.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from boards import fleet, hub, node, runbooks
from grafana_foundation_sdk.cog.encoder import JSONEncoder

OUT: Final = Path(__file__).parent / "dashboards"


def main() -> None:
    """Write all of them."""
    OUT.mkdir(exist_ok=True)
    for name, text in dashboards().items():
        (OUT / name).write_text(text)


def dashboards() -> dict[str, str]:
    """Each file's name and content."""
    boards = {"fleet": fleet, "node": node, "hub": hub, "runbooks": runbooks}
    return {
        f"{name}.json": JSONEncoder(sort_keys=True, indent=1).encode(module.build().build()) + "\n"
        for name, module in boards.items()
    }


if __name__ == "__main__":
    main()
