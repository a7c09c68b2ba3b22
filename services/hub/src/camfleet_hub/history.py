"""What each stream and node did in the last ten minutes: one sample every five seconds.

It is read out of their counters, never on the way of a frame, and forgotten with whom it is about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from camfleet_hub.fleet import Fleet
from camfleet_hub.node_track import NodeTrack
from camfleet_hub.ring import Line
from camfleet_hub.stream import Node, Stream
from camfleet_hub.track import Past, StreamTrack

INTERVAL_S: Final = 5.0
SAMPLES: Final = 120  # ten minutes
_EARLY_NS: Final = 500_000_000  # whoever asks once a second is never more than that too early
_NS: Final = 1e9


@dataclass(frozen=True)
class NodePast:
    """What a node did, oldest first.

    Attributes:
        ages_s: how long ago each sample was taken.
        node: of the machine and its link; None where nothing is known yet.
        streams: by stream id.
    """

    ages_s: list[float]
    node: Mapping[str, Line] | None
    streams: dict[str, Past]


class History:
    """Remembers ten minutes of every stream and node: some 13 KB of each stream."""

    def __init__(self) -> None:
        self._taken = 0
        self._at_ns: NDArray[np.int64] = np.zeros(SAMPLES, np.int64)
        # Weak, so that a camera that the fleet forgets takes its past along.
        self._streams: WeakKeyDictionary[Stream, StreamTrack] = WeakKeyDictionary()
        self._nodes: WeakKeyDictionary[Node, NodeTrack] = WeakKeyDictionary()

    def sample(self, fleet: Fleet) -> None:
        """Take a sample where one is due; called once a second."""
        now_ns = fleet.now_ns()
        last_ns = int(self._at_ns[(self._taken - 1) % SAMPLES])
        if self._taken and now_ns - last_ns < INTERVAL_S * _NS - _EARLY_NS:
            return
        place = self._taken % SAMPLES
        self._at_ns[place] = now_ns
        self._taken += 1
        rejected: Counter[tuple[str, str]] = Counter()
        for (sender, camera, _), count in fleet.rejected.copy().items():
            rejected[sender, camera] += count
        for node in fleet.nodes():
            if node not in self._nodes:
                self._nodes[node] = NodeTrack(SAMPLES)
            self._nodes[node].sample(node, place, now_ns)
        for stream in fleet.streams():
            if stream not in self._streams:
                self._streams[stream] = StreamTrack(SAMPLES)
            count = rejected[stream.node.name, stream.camera]
            self._streams[stream].sample(stream, place, now_ns, count)

    def read(self, node: Node, streams: list[Stream], now_ns: int) -> NodePast:
        """Tell what a node and these streams of it did."""
        order = self._order()
        track = self._nodes.get(node)
        pasts = {
            stream.id: known.read(order)
            for stream in streams
            if (known := self._streams.get(stream)) is not None
        }
        ages_s = [round(float(age), 2) for age in (now_ns - self._at_ns[order]) / _NS]
        return NodePast(ages_s, track.read(order) if track else None, pasts)

    def _order(self) -> NDArray[np.intp]:
        """Where the samples are, oldest first."""
        count = min(self._taken, SAMPLES)
        return np.arange(self._taken - count, self._taken) % SAMPLES
