"""What every browser is told of the fleet: written once for all who see the same."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Final

from camfleet.names import MAIN
from camfleet.pattern import StreamPattern
from camfleet_hub.permission import ALL_CAMERAS, Sight
from camfleet_hub.web import models
from camfleet_hub.web.assets import load_assets
from camfleet_hub.web.bell import NEW_CAMERAS, Bell

_RENEWED_S: Final = 1.0
_SOONEST_S: Final = 0.1  # between two, however fast new cameras come


class Bulletin:
    """The state of all cameras, renewed while `run` runs.

    Args:
        hub_name: shown on the wall.
        ports: where cameras connect to, by `nodes` and `imagezmq`.
        bell: rings when there is a new camera.

    Attributes:
        readers: browsers that are told of it now.
    """

    def __init__(self, hub_name: str, ports: dict[str, int], bell: Bell) -> None:
        page = load_assets().version
        self._about = {"type": "fleet", "hub": hub_name, "ports": ports, "page": page}
        self._bell = bell
        self._texts: dict[tuple[StreamPattern, ...], str] = {}  # by what may be seen
        self._renewed = asyncio.Event()
        self.readers = 0

    async def run(self) -> None:
        """Renew it once a second, and at once when there is a new camera."""
        with self._bell.listening(NEW_CAMERAS) as changed:
            while True:
                changed.clear()
                self._texts.clear()  # who reads it first writes it
                self._renewed.set()
                self._renewed = asyncio.Event()
                await asyncio.sleep(_SOONEST_S)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), _RENEWED_S - _SOONEST_S)

    async def editions(self, sight: Sight) -> AsyncIterator[str]:
        """Yield the text as it is now, and whenever it was renewed; who is slow misses some."""
        identity = sight.identity
        seen = ALL_CAMERAS if identity.sees_everything else identity.cameras
        while True:
            renewed = self._renewed
            text = self._texts.get(seen) or self._write(sight)
            self._texts[seen] = text
            yield text
            await renewed.wait()

    def _write(self, sight: Sight) -> str:
        now_ns = sight.now_ns()
        cameras = [
            models.camera(sight, stream, now_ns).model_dump()
            for stream in sight.streams()
            if stream.profile == MAIN
        ]
        rejected = [models.rejected_sender(one, now_ns).model_dump() for one in sight.rejections()]
        message = self._about | {"cameras": cameras, "rejected": rejected}
        return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
