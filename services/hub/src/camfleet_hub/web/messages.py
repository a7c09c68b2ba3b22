"""What a browser says over the wall's WebSocket. Nothing here acts on it."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.payload import MAX_SIDE

MAX_TILES: Final = 256

TileNumber = Annotated[int, msgspec.Meta(ge=0, le=65_535)]
Pixels = Annotated[int, msgspec.Meta(ge=0, le=MAX_SIDE)]
PaintedFrame = tuple[TileNumber, int, float | None, float | None]


class TileChoice(msgspec.Struct):
    """A tile that the browser shows, and the camera in it (`node/camera`).

    Attributes:
        width: in pixels of the display; 0 for the whole picture.
        height: likewise.
    """

    tile: TileNumber
    camera: str
    width: Pixels = 0
    height: Pixels = 0


class Show(msgspec.Struct, tag="show"):
    """All tiles that are visible now; replaces what was shown before."""

    tiles: Annotated[list[TileChoice], msgspec.Meta(max_length=MAX_TILES)]


class Painted(msgspec.Struct, tag="painted"):
    """Frames that are done with: (tile, number, Unix ms of the painting, its uncertainty).

    The times are the hub's, and null for a frame that was skipped.
    """

    frames: Annotated[list[PaintedFrame], msgspec.Meta(max_length=4 * MAX_TILES)]


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
