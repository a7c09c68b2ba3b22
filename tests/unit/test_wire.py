from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from camfleet import wire
from camfleet.errors import LocalProtocolError, Reason, RemoteProtocolError
from camfleet.frame import FrameHeader, Stages
from camfleet.machine_health import MachineHealth
from camfleet.names import MAX_NAMES_BYTES, MAX_STREAMS

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wire-v1.json").read_text("utf-8"))
KINDS = {kind.__name__: kind for kind in wire._KINDS.values()}
BIG = 2**62
WORST_DETECTIONS = wire.DetectionCounters(BIG, BIG)


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"])


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=named)
def test_a_golden_header_decodes_to_its_fields(vector: dict[str, Any]) -> None:
    wanted = msgspec.convert(vector["fields"], KINDS[vector["kind"]])
    assert wire.decode(bytes.fromhex(vector["header"])) == wanted


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS["messages"] if not v.get("decode_only")], ids=named
)
def test_golden_fields_encode_to_their_header(vector: dict[str, Any]) -> None:
    message = msgspec.convert(vector["fields"], KINDS[vector["kind"]])
    assert wire.encode(message).hex() == vector["header"]


def test_every_kind_has_a_golden_message() -> None:
    assert {vector["kind"] for vector in VECTORS["messages"]} == KINDS.keys()


@pytest.mark.parametrize("vector", VECTORS["rejected"], ids=named)
def test_a_bad_header_is_rejected_under_its_reason(vector: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        wire.decode(bytes.fromhex(vector["header"]))
    assert caught.value.reason == vector["reason"]


def test_a_header_of_a_page_is_taken_and_one_more_byte_is_not() -> None:
    page = wire.encode(wire.Bye("x" * (4096 - 4 - 1 - 3)))
    assert len(page) == 4096
    assert wire.decode(page) == wire.Bye("x" * 4088)
    with pytest.raises(LocalProtocolError, match="header of Bye is 4097 bytes, want at most 4096"):
        wire.encode(wire.Bye("x" * 4089))


def test_an_error_says_what_was_found_and_what_was_wanted() -> None:
    with pytest.raises(RemoteProtocolError, match="header starts with 50 4b, want 43 46"):
        wire.decode(b"PK\3\4")


def streams() -> list[str]:
    """As many as a node may have, with names as long as they may be."""
    side = MAX_NAMES_BYTES // MAX_STREAMS
    return [f"{n:02}{'x' * (side - 4)}/m" for n in range(MAX_STREAMS)]


def worst_counters() -> tuple[wire.Counters, ...]:
    reasons = {f"{chr(ord('a') + n) * wire.MAX_REASON_BYTES}": BIG for n in range(8)}
    return tuple(wire.Counters(name, BIG, BIG, reasons) for name in streams())


def worst_header(label: str = "") -> FrameHeader:
    return FrameHeader(
        stream="c" * 128 + "/" + "p" * 128,
        session=2**64 - 1,
        sequence=BIG,
        sent=BIG,
        captured_ns=BIG,
        codec="jpeg",
        shape=(65_535, 65_535, 65_535),
        dtype="float64",
        stages=Stages(BIG, BIG, BIG, BIG),
        clock_offset_ns=-BIG,
        clock_uncertainty_ns=BIG,
        label=label,
    )


@pytest.mark.parametrize(
    "message",
    [
        wire.Hello(
            "n" * 128,
            2**64 - 1,
            worst_counters(),
            "s" * 64,
            WORST_DETECTIONS,
            65_535,
            tuple(65_535 for _ in streams()),
        ),
        wire.Welcome(2**64 - 1, 1000, tuple(wire.Grant(name, BIG) for name in streams())),
        wire.Credit(tuple(wire.Grant(name, BIG) for name in streams())),
        wire.Heartbeat(
            BIG,
            worst_counters(),
            60_000_000_000,
            WORST_DETECTIONS,
            (-123.456,) * wire.MAX_FACTS,
            (2**32 - 1,) * MAX_STREAMS,
        ),
        wire.Detection(
            "c" * 128 + "/" + "p" * 128,
            2**64 - 1,
            BIG,
            "d" * 12,
            "s" * 12,
            BIG,
            "r" * 128,
            -BIG,
            BIG,
            (99.9, 99.9, 0.1, 0.1),
        ),
        wire.Delivery(BIG, BIG, "n" * 128, BIG, worst_header("l" * 3068)),
        wire.Ask(BIG, BIG, BIG),
        wire.Listing(BIG),
        wire.HeartbeatReply(BIG, BIG, BIG, tuple(wire.Grant(name, BIG) for name in streams())),
    ],
    ids=lambda message: type(message).__name__,
)
def test_the_largest_message_that_the_bounds_allow_fits_a_header(message: wire.Message) -> None:
    assert wire.decode(wire.encode(message)) == message


def test_the_largest_frame_header_leaves_room_for_label_and_metadata() -> None:
    assert len(wire.encode(worst_header())) <= wire.MAX_HEADER_BYTES - 3072


def test_a_listings_payload_comes_back_as_it_went() -> None:
    states = (
        wire.StreamState("pi", "front/main", "online", 20.5, -3, 9, (480, 640, 3)),
        wire.StreamState("pi", "back/main", "offline", 0.0),
    )
    assert wire.decode_states(wire.encode_states(states)) == states


@pytest.mark.parametrize("payload", [b"", b"\xc1", b"\x91\x05", b"\x91" * 5000, b"\x90\x00"])
def test_a_listings_payload_that_is_none_is_rejected(payload: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        wire.decode_states(payload)
    assert caught.value.reason == Reason.PAYLOAD


PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")


@pytest.mark.parametrize("reason", Reason)
def test_the_protocols_page_explains_every_reason(reason: Reason) -> None:
    assert f"| `{reason}` | " in PAGE.partition("## What is rejected")[2]


@pytest.mark.parametrize(("number", "kind"), wire._KINDS.items())
def test_the_protocols_page_lists_every_field_in_its_order(
    number: int, kind: type[wire.Message]
) -> None:
    assert f"| {number} | [{kind.__name__}](" in PAGE
    assert listed(kind.__name__) == kind.__struct_fields__


@pytest.mark.parametrize(
    "part",
    [wire.Counters, wire.DetectionCounters, wire.Grant, wire.StreamState, MachineHealth],
)
def test_it_lists_every_field_of_what_messages_hold_too(part: type[msgspec.Struct]) -> None:
    assert listed(part.__name__) == part.__struct_fields__


def listed(name: str) -> tuple[str, ...]:
    section = PAGE.partition(f"### {name}\n")[2].partition("\n#")[0]
    return tuple(re.findall(r"^\| \d+ \| (\w+) \|", section, re.MULTILINE))


def test_the_protocols_pages_example_is_a_golden_message() -> None:
    shown = re.search(r"the welcome `([0-9a-f ]+)`", PAGE)
    assert shown is not None
    assert shown[1].replace(" ", "") in {vector["header"] for vector in VECTORS["messages"]}
