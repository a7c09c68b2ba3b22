"""A hub that a browser test plays: a fleet is there at once, and does what is wanted."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, WebSocketRoute

CAMERAS: Final = ("attic/roof", "barn/hens", "garden/gate", "garden/pond", "porch/door")
DEADLINE_S: Final = 45.0
_KIND: Final = b"\x01\x01"
_UNTIMED: Final = bytes(16)
_, _ENCODED = cv2.imencode(".jpg", np.full((48, 64, 3), 99, np.uint8))
_JPEG: Final = _ENCODED.tobytes()


class FakeHub:
    """Tells of cameras, answers each list of shown tiles with a frame of each, keeps the lists."""

    def __init__(self, page: Page, cameras: tuple[str, ...] = CAMERAS, **about: Any) -> None:  # noqa: ANN401 - JSON
        self.cameras = {name: camera(name) for name in cameras}
        self.about = about
        self.shown: list[list[str]] = []
        self._page = page
        self._routes: list[WebSocketRoute] = []
        page.route_web_socket("**/ws/wall", self._open)

    def tell(self, **about: Any) -> None:  # noqa: ANN401 - JSON
        """Tell of the fleet as it is now."""
        self.about |= about
        message = {"type": "fleet", "hub": "test", "cameras": list(self.cameras.values())}
        self._routes[-1].send(json.dumps(message | self.about))

    def wait_shown(self, cameras: list[str]) -> None:
        """Wait until the page asks for exactly these, in any order."""
        deadline = time.monotonic() + DEADLINE_S
        while not self.shown or sorted(self.shown[-1]) != sorted(cameras):
            assert time.monotonic() < deadline, f"asked for {self.shown[-1:]}, want {cameras}"
            self._page.wait_for_timeout(50)  # it lets the events in that are waited for

    def _open(self, route: WebSocketRoute) -> None:
        self._routes.append(route)
        route.on_message(lambda text: self._take(route, json.loads(text)))
        self.tell()

    def _take(self, route: WebSocketRoute, message: dict[str, Any]) -> None:
        if message["type"] != "show":
            return
        self.shown.append([tile["camera"] for tile in message["tiles"]])
        for shown in message["tiles"]:
            numbers = shown["tile"].to_bytes(2, "little") + len(self.shown).to_bytes(4, "little")
            route.send(_KIND + numbers + _UNTIMED + _JPEG)


def camera(name: str, **told: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """A camera that is online, as a hub tells of it."""
    node, _, short = name.partition("/")
    known: dict[str, Any] = {
        "id": name,
        "node": node,
        "camera": short,
        "state": "online",
        "fps": 25.0,
        "latency_ms": 12.0,
        "uncertainty_ms": 1.0,
        "age_ms": 20,
        "width": 64,
        "height": 48,
    }
    return known | told


def tile(page: Page, name: str) -> Locator:
    """A camera's tile."""
    return page.locator(f'.tile[data-camera="{name}"]')


def picture(page: Page, name: str) -> Locator:
    """A tile's button, which is its whole picture."""
    return tile(page, name).locator(".open")
