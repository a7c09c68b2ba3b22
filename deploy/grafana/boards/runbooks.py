"""What to do about each alert, for who has only Grafana before them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from boards.parts import HALF, HEIGHT, board
from grafana_foundation_sdk.builders import dashboard, text
from grafana_foundation_sdk.models.text import TextMode

RUNBOOKS: Final = Path(__file__).parents[3] / "docs" / "operations.md"


def build() -> dashboard.Dashboard:
    """What to do about each alert: the sections of docs/operations.md, numbered as the alerts."""
    made = board("runbooks", "camfleet runbooks")
    for number, (title, body) in enumerate(sections(RUNBOOKS.read_text()).items(), 1):
        panel = text.Panel().id(number).title(title).mode(TextMode.MARKDOWN).content(body)
        made = made.with_panel(panel.span(HALF).height(HEIGHT))
    return made


def sections(page: str) -> dict[str, str]:
    """Each alert's runbook, by its name."""
    parts = re.split(r"^### (\w+)\n", page, flags=re.MULTILINE)[1:]
    bodies = (re.split(r"^## ", body, flags=re.MULTILINE)[0].strip() for body in parts[1::2])
    return dict(zip(parts[::2], bodies, strict=True))
