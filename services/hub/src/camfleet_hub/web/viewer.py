"""What one browser is shown: its tiles, and what each may still be sent. It does no I/O.

A tile has at most two frames that the browser has not painted yet; so a slow browser gets
fewer frames, and always fresh ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from struct import Struct
from typing import Annotated, Final

import msgspec

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.frame import Frame
from camfleet_hub.stream import Arrival, Stream

WINDOW: Final = 2  # one being painted, one under way
MAX_TILES: Final = 256
_FRAME: Final = Struct("<BBHIdd")  # version, kind, tile, number, captured_ms, uncertainty_ms
_VERSION: Final = 1
_JPEG: Final = 1
_NS_PER_MS: Final = 1e6
_NUMBERS: Final = 2**32

TileNumber = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class TileChoice(msgspec.Struct):
    """A tile that the browser shows, and the camera in it (`node/camera`)."""

    tile: TileNumber
    camera: str


class Show(msgspec.Struct, tag="show"):
    """All tiles that are visible now; replaces what was shown before."""

    tiles: Annotated[list[TileChoice], msgspec.Meta(max_length=MAX_TILES)]


class Painted(msgspec.Struct, tag="painted"):
    """Frames that are done with: (tile, number, Unix ms of the painting or None)."""

    frames: Annotated[
        list[tuple[TileNumber, int, float | None]], msgspec.Meta(max_length=4 * MAX_TILES)
    ]


class Ping(msgspec.Struct, tag="ping"):
    """The browser's clock, for its offset to the hub's."""

    sent_ms: float


Message = Show | Painted | Ping
_decoder: Final[msgspec.json.Decoder[Message]] = msgspec.json.Decoder(Message)


def parse(text: str) -> Message:
    """Read one message of a browser.

    Raises:
        RemoteProtocolError: with reason `header`, saying what was found and wanted.
    """
    try:
        return _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError) as error:
        raise RemoteProtocolError(Reason.HEADER, f"message of a browser: {error}") from error


@dataclass
class _Tile:
    camera: str
    sent: Arrival | None = None
    unpainted: set[int] = field(default_factory=set)


class Viewer:
    """The tiles of one browser and their credits."""

    def __init__(self) -> None:
        self._tiles: dict[int, _Tile] = {}
        self._number = 0
        self._turn = 0

    @property
    def cameras(self) -> set[str]:
        """Ids of the cameras that are shown."""
        return {tile.camera for tile in self._tiles.values()}

    def show(self, choices: Iterable[TileChoice]) -> None:
        """Take the list of visible tiles; one that stays keeps its unpainted frames."""
        before = self._tiles
        self._tiles = {}
        for choice in choices:
            tile = before.get(choice.tile)
            is_same = tile is not None and tile.camera == choice.camera
            self._tiles[choice.tile] = tile if tile and is_same else _Tile(choice.camera)

    def painted(self, frames: Iterable[tuple[int, int, float | None]]) -> None:
        """Take acknowledgements; of a tile that is no longer shown they mean nothing."""
        for number, frame_number, _painted_ms in frames:
            tile = self._tiles.get(number)
            if tile is not None:
                tile.unpainted.discard(frame_number)

    def due(self, find: Callable[[str], Stream | None]) -> Iterator[tuple[int, Stream, Arrival]]:
        """Yield (tile, stream, arrival) for every tile with a credit and a newer frame.

        Each round begins one tile further, so that none is always the last.
        """
        numbers = list(self._tiles)
        self._turn += 1
        for at in range(len(numbers)):
            number = numbers[(at + self._turn) % len(numbers)]
            tile = self._tiles.get(number)
            stream = find(tile.camera) if tile else None
            if tile is None or stream is None or len(tile.unpainted) >= WINDOW:
                continue
            arrival = stream.arrival
            if arrival is not None and arrival is not tile.sent:
                yield number, stream, arrival

    def send(self, number: int, stream: Stream, arrival: Arrival) -> bytes | None:
        """Spend a credit of a tile; return the header before the JPEG, None if it is gone."""
        tile = self._tiles.get(number)
        if tile is None or tile.camera != stream.id:
            return None
        if tile.sent is not None:
            stream.drop("wall", "newer", max(0, arrival.number - tile.sent.number - 1))
        tile.sent = arrival
        self._number = (self._number + 1) % _NUMBERS
        tile.unpainted.add(self._number)
        return _FRAME.pack(_VERSION, _JPEG, number, self._number, *_captured(arrival.frame))


def _captured(frame: Frame) -> tuple[float, float]:
    """Capture time on the hub's clock in Unix ms and its uncertainty; 0 and -1 for unknown."""
    header = frame.header
    if frame.latency_ns is None:
        return 0.0, -1.0
    captured_ns = header.captured_ns + header.clock_offset_ns
    return captured_ns / _NS_PER_MS, header.clock_uncertainty_ns / _NS_PER_MS
