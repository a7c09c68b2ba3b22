"""What one browser is shown: its tiles, and what each may still be sent. It does no I/O.

A tile has at most two frames that the browser has not painted yet, and all together no more than
the viewer's window; so a slow browser gets fewer frames, and always fresh ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, NamedTuple

from camfleet.liveness import Liveness
from camfleet.names import PREVIEW
from camfleet_hub.paintings import Shown
from camfleet_hub.stream import Arrival, Stream
from camfleet_hub.web.messages import PaintedFrame, TileChoice
from camfleet_hub.web.size import EIGHTHS, eighths, suits
from camfleet_hub.web.window import Window

WINDOW: Final = 2  # one being painted, one under way
_FRAME: Final = Struct("<BBHIdd")  # version, kind, tile, number, captured_ms, uncertainty_ms
_SEVERAL: Final = Struct("<BBH")  # version, kind, count
_SIZE: Final = Struct("<I")
_VERSION: Final = 1
_JPEG: Final = 1
_JPEGS: Final = 2
_NS_PER_MS: Final = 1e6
_NUMBERS: Final = 2**32

Find = Callable[[str], Stream | None]


class Due(NamedTuple):
    """A frame that a tile may be sent, as so many eighths of its sides."""

    tile: int
    stream: Stream
    arrival: Arrival
    eighths: int


@dataclass(eq=False)
class _Tile:
    """What a tile shows.

    Attributes:
        camera: its id.
        main: the stream that its numbers are counted for.
        shown: the stream that its frames come from: this one, or the preview.
        eighths: of that stream's sides.
        sent: what it was sent last.
        sent_of: and of which stream that was.
    """

    camera: str
    width: int = 0
    height: int = 0
    main: Stream | None = None
    shown: Stream | None = None
    eighths: int = EIGHTHS
    sent: Arrival | None = None
    sent_of: Stream | None = None
    unpainted: dict[int, Shown] = field(default_factory=dict)

    def choose(self, find: Find, now_ns: int) -> set[str]:
        """Find the streams of its camera; return the ids of those that are wanted for it.

        The preview is wanted beside the main stream until it comes, so that there is no gap.
        """
        self.main = main = find(self.camera)
        preview = find(f"{self.camera}/{PREVIEW}") if self.width and self.height else None
        newest = preview.newest if preview else None
        if preview and newest and suits(newest.header.shape, self.width, self.height):
            if preview.liveness(now_ns) is Liveness.ONLINE:
                self.shown, self.eighths = preview, EIGHTHS
                return {preview.id}
        elif newest:
            preview = None  # it is too small
        self.shown = main
        frame = main.newest if main else None
        self.eighths = eighths(frame.header.shape, self.width, self.height) if frame else EIGHTHS
        return {self.camera, preview.id} if preview else {self.camera}

    def next(self) -> Arrival | None:
        """The newest frame, if it is newer than what was sent, of whichever stream that was."""
        arrival = self.shown.arrival if self.shown else None
        if arrival is None or arrival is self.sent:
            return None
        is_older = self.sent is not None and arrival.frame.received_ns < self.sent.frame.received_ns
        return None if is_older and self.sent_of is not self.shown else arrival


class Viewer:
    """The tiles of one browser, their credits, and the window of all of them."""

    def __init__(self) -> None:
        self._tiles: dict[int, _Tile] = {}  # who was sent something last comes last
        self._number = 0
        self.window = Window()
        self._tile_of: dict[int, tuple[int, _Tile]] = {}  # by number of an unpainted frame
        self.wanted: set[str] = set()

    @property
    def cameras(self) -> set[str]:
        """Ids of the cameras that are shown."""
        return {tile.camera for tile in self._tiles.values()}

    @property
    def misses_any(self) -> bool:
        """Whether the camera of a tile was not there when it was looked for."""
        return any(tile.main is None for tile in self._tiles.values())

    def show(self, choices: Iterable[TileChoice]) -> None:
        """Take the list of visible tiles; one that stays keeps its unpainted frames and place."""
        before = self._tiles
        self._tiles = {}
        chosen = {choice.tile: choice for choice in choices}
        for number in [*(one for one in before if one in chosen), *chosen]:
            if number in self._tiles:
                continue
            choice, tile = chosen[number], before.get(number)
            if tile is None or tile.camera != choice.camera:
                tile = _Tile(choice.camera)
            tile.width, tile.height = choice.width, choice.height
            self._tiles[number] = tile

    def choose(self, find: Find, now_ns: int) -> set[str]:
        """Choose each tile's stream anew; return the ids of all streams that are wanted.

        Args:
            find: finds a stream by its id.
            now_ns: on the fleet's clock for silences.
        """
        self.wanted = set().union(*(one.choose(find, now_ns) for one in self._tiles.values()))
        return self.wanted

    def painted(
        self, frames: Iterable[PaintedFrame], monotonic_ns: int, acknowledged_ns: int
    ) -> None:
        """Take acknowledgements; of a frame that was never sent, or twice, they mean nothing.

        Args:
            frames: as the browser tells them.
            monotonic_ns: now.
            acknowledged_ns: now, on the hub's clock (Unix ns).
        """
        for number, frame_number, painted_ms, uncertainty_ms in frames:
            told, tile = self._tile_of.get(frame_number, (None, None))
            if tile is None or told != number:
                continue
            del self._tile_of[frame_number]
            shown = tile.unpainted.pop(frame_number)
            self.window.acknowledge(frame_number, monotonic_ns)
            if painted_ms is not None and uncertainty_ms is not None and tile.main is not None:
                tile.main.paintings.take(shown, painted_ms, uncertainty_ms, acknowledged_ns)
        self.window.measure(monotonic_ns)

    def due(self) -> Iterator[Due]:
        """Yield a frame for every tile with a credit and a newer frame; first who waits longest."""
        for number in list(self._tiles):
            tile = self._tiles.get(number)
            if tile is None or len(tile.unpainted) >= WINDOW:
                continue
            arrival = tile.next()
            if arrival is not None and tile.shown is not None:
                yield Due(number, tile.shown, arrival, tile.eighths)

    def send(self, due: Due, size_bytes: int, monotonic_ns: int, sent_ns: int) -> bytes | None:
        """Spend a credit of a tile; return the header before the JPEG, None if it is gone.

        Args:
            due: what is sent.
            size_bytes: of the JPEG.
            monotonic_ns: now.
            sent_ns: now, on the hub's clock (Unix ns).
        """
        number, stream, arrival, _ = due
        tile = self._tiles.get(number)
        if tile is None or tile.shown is not stream:
            return None
        if tile.sent is not None and tile.sent_of is stream:
            camera = tile.main or stream
            camera.drop("wall", "newer", max(0, arrival.number - tile.sent.number - 1))
        is_first = tile.sent is None
        tile.sent, tile.sent_of = arrival, stream
        self._tiles[number] = self._tiles.pop(number)
        self._number = (self._number + 1) % _NUMBERS
        shown = Shown.of(arrival.frame, sent_ns)
        # The first one lay here before anybody looked, for days perhaps: no latency of the link.
        tile.unpainted[self._number] = shown._replace(captured_ns=None) if is_first else shown
        self._tile_of[self._number] = number, tile
        self.window.send(self._number, size_bytes, monotonic_ns)
        return _FRAME.pack(_VERSION, _JPEG, number, self._number, *_captured(shown))

    def pass_over(self, due: Due) -> None:
        """Send a tile nothing of a frame that is no picture, and do not find it due again."""
        tile = self._tiles.get(due.tile)
        if tile is not None and tile.shown is due.stream:
            tile.sent, tile.sent_of = due.arrival, due.stream


def join(frames: list[tuple[bytes, bytes | memoryview]]) -> bytes:
    """Make one message of one or several frames (header and JPEG): each costs a browser much."""
    if len(frames) == 1:
        return b"".join(frames[0])
    parts: list[bytes | memoryview] = [_SEVERAL.pack(_VERSION, _JPEGS, len(frames))]
    for header, jpeg in frames:
        parts += _SIZE.pack(len(header) + len(jpeg)), header, jpeg
    return b"".join(parts)


def _captured(shown: Shown) -> tuple[float, float]:
    """Capture time on the hub's clock in Unix ms and its uncertainty; 0 and -1 for unknown."""
    if shown.captured_ns is None:
        return 0.0, -1.0
    return shown.captured_ns / _NS_PER_MS, shown.uncertainty_ns / _NS_PER_MS
