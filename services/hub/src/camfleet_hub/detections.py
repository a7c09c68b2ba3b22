"""The detections of late, of all nodes: so many, and so many bytes of pictures. The rest is gone.

One ingest thread writes it, everybody else reads it; nobody who reads can hold that up.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

from camfleet.events import Detected

MAX_DETECTIONS: Final = 4096
MAX_PICTURE_BYTES: Final = 64 * 2**20  # 4096 pictures of 16 KiB
_NS_PER_MS: Final = 1_000_000


def _all(_camera_id: str) -> bool:
    return True


@dataclass(frozen=True)
class Kept:
    """A detection with its number among all of this hub.

    Attributes:
        id: greater than that of every one before. It begins with the time, so that no number
            means something else after a restart of the hub.
    """

    id: int
    detected: Detected

    @property
    def camera_id(self) -> str:
        """Of whose picture: `node/camera`."""
        return f"{self.detected.node}/{self.detected.camera}"


class Detections:
    """Keeps the newest ones. Where it is full, the node that has the most gives up its oldest.

    So a node whose detector never rests, or that means ill, pushes only its own out.

    Args:
        most: how many are kept.
        most_bytes: of their pictures, all together.
    """

    def __init__(self, most: int = MAX_DETECTIONS, most_bytes: int = MAX_PICTURE_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._kept: dict[int, Kept] = {}  # in the order of their arrival
        self._of_node: defaultdict[str, deque[int]] = defaultdict(deque)
        self._bytes: defaultdict[str, int] = defaultdict(int)
        self._all_bytes = 0
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, detected: Detected) -> None:
        """Keep one; only ever called on the nodes' port's thread."""
        self._last_id = max(self._last_id + 1, detected.received_ns // _NS_PER_MS)
        kept = Kept(self._last_id, detected)
        self._of_node[detected.node].append(kept.id)
        self._count(detected.node, len(detected.picture))
        self._kept[kept.id] = kept
        while len(self._kept) > self._most:
            self._give_up(max(self._of_node, key=lambda node: len(self._of_node[node])))
        while self._all_bytes > self._most_bytes:
            self._give_up(max(self._bytes, key=self._bytes.__getitem__))

    def newest(
        self,
        limit: int,
        *,
        camera_id: str | None = None,
        before: int | None = None,
        is_seen: Callable[[str], bool] = _all,
    ) -> list[Kept]:
        """Return up to so many, the newest first.

        Args:
            limit: how many.
            camera_id: only of this camera (`node/camera`).
            before: only those with a smaller id.
            is_seen: whether those of a camera (`node/camera`) may be shown.
        """
        everything = list(self._kept.values())  # at once: a thread adds to it
        found = (
            kept
            for kept in reversed(everything)
            if (before is None or kept.id < before)
            and camera_id in {None, kept.camera_id}
            and is_seen(kept.camera_id)
        )
        return list(islice(found, limit))

    def find(self, number: int) -> Kept | None:
        """The one with this id, or None where it is gone or never was."""
        return self._kept.get(number)

    def _give_up(self, node: str) -> None:
        gone = self._kept.pop(self._of_node[node].popleft())
        self._count(node, -len(gone.detected.picture))
        if not self._of_node[node]:
            del self._of_node[node], self._bytes[node]

    def _count(self, node: str, size_bytes: int) -> None:
        self._bytes[node] += size_bytes
        self._all_bytes += size_bytes
