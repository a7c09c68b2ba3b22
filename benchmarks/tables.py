"""Rebuilds the tables of docs/performance.md out of benchmarks/results/*.json."""

from __future__ import annotations

import json
import re
from pathlib import Path

from harness import Row, table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "performance.md"


def main() -> None:
    """Put each result's table between its two markers."""
    page = PAGE.read_text()
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        page = insert(page, path.stem, json.loads(path.read_text()))
    PAGE.write_text(page)


def insert(page: str, name: str, report: dict[str, object]) -> str:
    """Replace what stands between the markers of one benchmark."""
    rows = [Row(**row) for row in report["rows"]]  # type: ignore[attr-defined]  # it is JSON
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    if begin not in page or end not in page:
        raise SystemExit(f"{PAGE.name} has no {begin} … {end}, want both")
    text = f"{begin}\n{table(rows)}\n\nMeasured on {report['machine']}.\n{end}"
    return re.sub(f"{begin}.*?{end}", lambda _: text, page, flags=re.DOTALL)


if __name__ == "__main__":
    main()
