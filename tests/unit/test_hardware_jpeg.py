from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from camfleet_node.sources import Planes
from camfleet_node.sources.hardware_jpeg import Encoder, JpegChoice, why_no_hardware

PLANES = Planes(*(np.zeros(shape, np.uint8) for shape in [(2, 2), (1, 1), (1, 1)]))
MS = 1_000_000


class Cpu:
    """CPU time that passes only where a test says so."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


class FakeEncoder:
    """Takes so much CPU time a picture, and fails where a test says so."""

    def __init__(self, cpu: Cpu, cost_ms: float) -> None:
        self.cpu, self.cost_ms = cpu, cost_ms
        self.fails = False
        self.is_closed = False
        self.size_bytes = 0

    def start(self, size_bytes: int) -> Encoder:
        self.size_bytes = size_bytes
        return self

    def encode(self, request: object) -> bytes:
        if self.fails:
            raise OSError(errno.EIO, "gave no JPEG for 1 s")
        self.cpu.now_ns += round(self.cost_ms * MS)
        return f"hardware {request}".encode()

    def close(self) -> None:
        self.is_closed = True


def choice_of(hardware: FakeEncoder, **options: Any) -> JpegChoice:  # noqa: ANN401 - JpegChoice's
    def by_software(_: Planes) -> bytes:
        hardware.cpu.now_ns += 10 * MS
        return b"software" * 100

    return JpegChoice("front", by_software, hardware.start, cpu_ns=hardware.cpu, **options)


def encode_some(choice: JpegChoice, count: int = 12) -> Iterator[str]:
    for number in range(count):
        yield choice.encode(PLANES, number)[:8].decode()


def test_both_are_tried_and_the_cheaper_is_taken() -> None:
    hardware = FakeEncoder(Cpu(), 1)
    choice = choice_of(hardware)
    with capture_logs() as logs:
        assert list(encode_some(choice)) == ["software"] * 5 + ["hardware"] * 7
    assert not choice.is_software
    told = {key: logs[0][key] for key in ("encoder", "software_ms", "hardware_ms", "camera")}
    assert told == {
        "encoder": "hardware",
        "software_ms": 10.0,
        "hardware_ms": 1.0,
        "camera": "front",
    }


def test_hardware_that_is_dearer_is_given_back() -> None:
    hardware = FakeEncoder(Cpu(), 11)
    choice = choice_of(hardware)
    assert list(encode_some(choice)) == ["software"] * 5 + ["hardware"] * 5 + ["software"] * 2
    assert choice.is_software
    assert hardware.is_closed


def test_hardware_that_is_asked_for_is_taken_whatever_it_costs() -> None:
    hardware = FakeEncoder(Cpu(), 11)
    choice = choice_of(hardware, is_forced=True)
    assert list(encode_some(choice))[-2:] == ["hardware"] * 2
    assert not choice.is_software


def test_hardware_is_asked_for_jpegs_as_large_as_those_of_software() -> None:
    hardware = FakeEncoder(Cpu(), 1)
    list(encode_some(choice_of(hardware)))
    assert hardware.size_bytes == 800


@pytest.mark.parametrize("after", [5, 8, 11])
def test_hardware_that_fails_costs_no_picture_and_is_asked_no_more(after: int) -> None:
    hardware = FakeEncoder(Cpu(), 1)
    choice = choice_of(hardware)
    list(encode_some(choice, after))
    hardware.fails = True
    with capture_logs() as logs:
        assert list(encode_some(choice, 3)) == ["software"] * 3
    assert [log["event"] for log in logs] == ["hardware encoder failed"]
    assert choice.is_software
    assert hardware.is_closed


def test_hardware_that_cannot_be_started_costs_no_picture() -> None:
    def refuse(_: int) -> Encoder:
        raise RuntimeError("Hardware MJPEG not available on this platform")

    choice = JpegChoice("front", lambda _: b"software", refuse)
    assert list(encode_some(choice)) == ["software"] * 12


def test_a_closed_choice_still_encodes() -> None:
    hardware = FakeEncoder(Cpu(), 1)
    choice = choice_of(hardware)
    list(encode_some(choice))
    choice.close()
    assert hardware.is_closed
    assert list(encode_some(choice, 1)) == ["software"]


def answer(driver: str, card: str) -> bytes:
    return driver.encode().ljust(16, b"\0") + card.encode().ljust(32, b"\0") + bytes(56)


def test_the_encoder_of_a_pi_is_known_by_its_name(tmp_path: Path) -> None:
    device = tmp_path / "video11"
    device.touch()
    found = answer("bcm2835-codec", "bcm2835-codec-encode")
    assert why_no_hardware(device, lambda _: found) == ""


def test_another_device_in_its_place_is_no_encoder(tmp_path: Path) -> None:
    device = tmp_path / "video11"
    device.touch()
    found = answer("uvcvideo", "HD Webcam")
    assert why_no_hardware(device, lambda _: found) == f"{device} is HD Webcam"


def test_what_is_no_device_at_all_is_no_encoder(tmp_path: Path) -> None:
    device = tmp_path / "video11"
    assert why_no_hardware(device) == f"there is no {device}"
    device.touch()
    assert why_no_hardware(device) == f"{device}: Inappropriate ioctl for device"
    assert why_no_hardware(tmp_path) == f"{tmp_path}: Is a directory"
