"""Takes a JPEG from a camera as it is, once it is seen to be whole. It never decodes one."""

from __future__ import annotations

import re
from typing import Final

from camfleet.payload import MAX_SIDE
from camfleet_node.sources.picture import Jpeg

# The tables K.3 to K.6 of ITU-T T.81, which cameras leave out that give Motion JPEG as the AVI
# format has it (`AVI1`): how many codes there are of each length from 1 to 16 bits, and their
# values. By class and number: luminance's DC and AC, chrominance's DC and AC.
_AC_LUMA: Final = """
    01 02 03 00 04 11 05 12 21 31 41 06 13 51 61 07 22 71 14 32 81 91 a1 08 23 42 b1 c1 15 52 d1 f0
    24 33 62 72 82 09 0a 16 17 18 19 1a 25 26 27 28 29 2a 34 35 36 37 38 39 3a 43 44 45 46 47 48 49
    4a 53 54 55 56 57 58 59 5a 63 64 65 66 67 68 69 6a 73 74 75 76 77 78 79 7a 83 84 85 86 87 88 89
    8a 92 93 94 95 96 97 98 99 9a a2 a3 a4 a5 a6 a7 a8 a9 aa b2 b3 b4 b5 b6 b7 b8 b9 ba c2 c3 c4 c5
    c6 c7 c8 c9 ca d2 d3 d4 d5 d6 d7 d8 d9 da e1 e2 e3 e4 e5 e6 e7 e8 e9 ea f1 f2 f3 f4 f5 f6 f7 f8
    f9 fa"""
_AC_CHROMA: Final = """
    00 01 02 03 11 04 05 21 31 06 12 41 51 07 61 71 13 22 32 81 08 14 42 91 a1 b1 c1 09 23 33 52 f0
    15 62 72 d1 0a 16 24 34 e1 25 f1 17 18 19 1a 26 27 28 29 2a 35 36 37 38 39 3a 43 44 45 46 47 48
    49 4a 53 54 55 56 57 58 59 5a 63 64 65 66 67 68 69 6a 73 74 75 76 77 78 79 7a 82 83 84 85 86 87
    88 89 8a 92 93 94 95 96 97 98 99 9a a2 a3 a4 a5 a6 a7 a8 a9 aa b2 b3 b4 b5 b6 b7 b8 b9 ba c2 c3
    c4 c5 c6 c7 c8 c9 ca d2 d3 d4 d5 d6 d7 d8 d9 da e2 e3 e4 e5 e6 e7 e8 e9 ea f2 f3 f4 f5 f6 f7 f8
    f9 fa"""
_TABLES: Final = (
    (
        0x00,
        "00 01 05 01 01 01 01 01 01 00 00 00 00 00 00 00",
        "00 01 02 03 04 05 06 07 08 09 0a 0b",
    ),
    (0x10, "00 02 01 03 03 02 04 03 05 05 04 04 00 00 01 7d", _AC_LUMA),
    (
        0x01,
        "00 03 01 01 01 01 01 01 01 01 01 00 00 00 00 00",
        "00 01 02 03 04 05 06 07 08 09 0a 0b",
    ),
    (0x11, "00 02 01 02 04 04 03 04 07 05 04 04 00 01 02 77", _AC_CHROMA),
)
_BODY: Final = b"".join(
    bytes([place]) + bytes.fromhex(lengths) + bytes.fromhex(values)
    for place, lengths, values in _TABLES
)

_START: Final = b"\xff\xd8"
_DHT, _END, _SCAN = 0xC4, 0xD9, 0xDA
_BARE: Final = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a segment
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {_DHT, 0xC8, 0xCC}
_MARKER_IN_SCAN: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
HUFFMAN: Final = b"\xff\xc4" + (len(_BODY) + 2).to_bytes(2) + _BODY


def read_jpeg(memory: memoryview) -> Jpeg:
    """Copy a JPEG out of a driver's or a stream's memory, without what stands behind its end.

    Where it has no Huffman tables, the usual ones are put in, for not every reader knows that
    it is to do that. Damage within the picture's codes is not seen.

    Raises:
        ValueError: it is cut off, or no JPEG.
    """
    data = memory.tobytes()
    if not data.startswith(_START):
        raise ValueError(f"begins with {data[:2].hex() or 'nothing'}, want ffd8")
    shape: tuple[int, ...] | None = None
    has_tables = False
    scan_at = 0
    at = 2
    while True:
        marker, at = _next_marker(data, at)
        if marker == _END:
            break
        if marker in _BARE:
            continue
        length = int.from_bytes(data[at : at + 2])
        if length < 2 or at + length > len(data):
            raise ValueError(f"JPEG is cut off after {len(data)} bytes")
        if marker in _FRAMES:
            shape = _shape(data[at : at + length])
        has_tables |= marker == _DHT
        at += length
        if marker == _SCAN:
            scan_at = scan_at or at - length - 2
            at = _end_of_scan(data, at)
    if shape is None or not scan_at:
        raise ValueError("JPEG has no picture in it")
    tables = b"" if has_tables else HUFFMAN
    return Jpeg(data[:at] if has_tables else data[:scan_at] + tables + data[scan_at:at], shape)


def _next_marker(data: bytes, at: int) -> tuple[int, int]:
    """Read a marker and the place behind it; fill bytes may stand before (T.81, B.1.1.2)."""
    if data[at : at + 1] != b"\xff":
        raise ValueError(f"JPEG is broken or cut off at byte {at} of {len(data)}")
    while data[at : at + 1] == b"\xff":
        at += 1
    if at >= len(data):
        raise ValueError(f"JPEG is cut off after {len(data)} bytes")
    return data[at], at + 1


def _end_of_scan(data: bytes, at: int) -> int:
    found = _MARKER_IN_SCAN.search(data, at)
    if found is None:
        raise ValueError(f"JPEG is cut off after {len(data)} bytes")
    return found.start()


def _shape(segment: bytes) -> tuple[int, ...]:
    """Read the size out of a frame's header (T.81, B.2.2)."""
    if len(segment) < 8:
        raise ValueError(f"JPEG's header is {len(segment)} bytes, want 8 or more")
    height, width = int.from_bytes(segment[3:5]), int.from_bytes(segment[5:7])
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise ValueError(f"JPEG is {width}x{height}, want 1 to {MAX_SIDE} a side")
    return (height, width) if segment[7] == 1 else (height, width, 3)
