from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from camfleet.errors import RemoteProtocolError
from camfleet.frame import Frame, FrameHeader
from camfleet.payload import check_jpeg, check_payload

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "wire-v1.json").read_text("utf-8"))
PAYLOADS = VECTORS["payloads"]
T = 1_800_000_000_000_000_000


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def check(vector: dict[str, Any]) -> None:
    payload = memoryview(bytes.fromhex(vector["payload"]))
    check_payload(vector["codec"], tuple(vector["shape"]), vector["dtype"], payload)


@pytest.mark.parametrize("vector", [v for v in PAYLOADS if not v["reason"]], ids=named)
def test_a_payload_that_is_what_its_header_says_is_taken(vector: dict[str, Any]) -> None:
    check(vector)


@pytest.mark.parametrize("vector", [v for v in PAYLOADS if v["reason"]], ids=named)
def test_a_payload_that_is_something_else_is_rejected(vector: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        check(vector)
    assert caught.value.reason == vector["reason"]


def test_the_size_of_a_jpeg_is_read_from_its_own_header() -> None:
    assert check_jpeg(bytes.fromhex(PAYLOADS[0]["payload"])) == (2, 3)


def frame(captured_ns: int = T, offset_ns: int = 0, uncertainty_ns: int = 1000) -> Frame:
    header = FrameHeader(
        stream="front/main",
        session=1,
        sequence=0,
        sent=0,
        captured_ns=captured_ns,
        codec="raw",
        shape=(2, 3),
        clock_offset_ns=offset_ns,
        clock_uncertainty_ns=uncertainty_ns,
    )
    return Frame("pi-1", header, bytes(range(6)), T + 5_000_000)


def test_latency_is_stated_on_the_hubs_clock() -> None:
    assert frame(captured_ns=T - 10**9, offset_ns=10**9).latency_ns == 5_000_000


@pytest.mark.parametrize("unknown", [{"captured_ns": 0}, {"uncertainty_ns": -1}])
def test_latency_is_none_where_it_cannot_be_known(unknown: dict[str, int]) -> None:
    assert frame(**unknown).latency_ns is None


def test_a_frame_knows_its_camera_and_its_picture() -> None:
    assert frame().camera == "front"
    assert frame().image().tolist() == [[0, 1, 2], [3, 4, 5]]
