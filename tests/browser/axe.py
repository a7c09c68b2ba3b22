"""What axe finds that keeps somebody from using a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from axe_playwright_python.sync_playwright import Axe

if TYPE_CHECKING:
    from playwright.sync_api import Page

_SERIOUS: Final = {"serious", "critical"}


def faults(page: Page) -> list[str]:
    """The serious ones, each with where it is."""
    found = Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {[node['html'][:120] for node in fault['nodes'][:3]]}"
        for fault in found
        if fault["impact"] in _SERIOUS
    ]
