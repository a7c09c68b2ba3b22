"""The JPEG encoder of a Pi up to the 4, and whether it is worth its use. The Pi 5 has none.

No part of it was seen running on a Pi yet: docs/hardware.md says what to look for.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from statistics import mean
from threading import Lock
from typing import Any, Final, Protocol

import structlog

from camfleet_node.sources.picture import Planes

_DEVICE: Final = Path("/dev/video11")  # the one that picamera2 opens as well
_VIDIOC_QUERYCAP: Final = 0x80685600  # videodev2.h: _IOR('V', 0, struct v4l2_capability)
_CAPABILITY_BYTES: Final = 104
_ANSWER_S: Final = 1.0  # for one picture, which takes 10 to 50 ms
_TAKEN_FPS: Final = 30  # the rate that the encoder's bit rate is shared out over
_TRIES: Final = 5  # pictures of either, of which the first warms up
_log = structlog.get_logger()


def why_no_hardware(device: Path = _DEVICE, ask: Callable[[int], bytes] | None = None) -> str:
    """Why there is no hardware encoder for JPEG here; empty where there is one.

    picamera2 is not asked: where it finds none, it takes libav's in its place and says nothing.

    Args:
        device: the encoder's.
        ask: for tests; reads the capabilities of an open device.
    """
    if not device.exists():
        return f"there is no {device}"
    try:
        file = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        return f"{device}: {error.strerror}"
    try:
        answer = (ask or _ask)(file)
    except OSError as error:
        return f"{device}: {error.strerror}"
    finally:
        os.close(file)
    driver, card = (part.rstrip(b"\0").decode("ascii", "replace") for part in _names(answer))
    if driver != "bcm2835-codec" or "encode" not in card:
        return f"{device} is {card or driver}"
    return ""


def _ask(file: int) -> bytes:
    return fcntl.ioctl(file, _VIDIOC_QUERYCAP, bytes(_CAPABILITY_BYTES))


def _names(answer: bytes) -> tuple[bytes, bytes]:
    return answer[:16], answer[16:48]


class Encoder(Protocol):
    """Makes JPEGs of requests."""

    def encode(self, request: Any) -> bytes:  # noqa: ANN401 - picamera2's, which has no types
        """Encode the main stream of a request.

        Raises:
            OSError: it failed, or gave nothing in time.
        """
        ...

    def close(self) -> None:
        """Free the device."""
        ...


class HardwareJpeg:
    """picamera2's encoder on `bcm2835-codec`, one picture at a time.

    It knows a bit rate and no quality; so it is given the one by which its JPEGs are as large
    as those that libjpeg makes with the quality wanted.

    Args:
        configuration: of the main stream, as picamera2 tells it.
        size_bytes: wanted of a JPEG.
    """

    def __init__(self, configuration: dict[str, Any], size_bytes: int) -> None:
        base = import_module("picamera2.outputs").Output
        made: SimpleQueue[bytes] = SimpleQueue()

        def collect(_: object, frame: bytes, *__: object, **___: object) -> None:
            made.put(bytes(frame))

        # picamera2 wants a child of its own class.
        collector = type("Collector", (base,), {"outputframe": collect})
        # By the module's name: by the package's, a Pi 5 gets libav's.
        encoder = import_module("picamera2.encoders.mjpeg_encoder").MJPEGEncoder
        self._made = made
        self._encoder = encoder(bitrate=size_bytes * 8 * _TAKEN_FPS)
        self._encoder.size = configuration["size"]
        self._encoder.stride = configuration["stride"]
        self._encoder.format = configuration["format"]
        self._encoder.output = collector()
        self._encoder.start()

    def encode(self, request: Any) -> bytes:  # noqa: ANN401 - see Encoder
        """Encode the main stream of a request.

        Raises:
            OSError: it gave nothing in time.
        """
        self._encoder.encode("main", request)
        try:
            return self._made.get(timeout=_ANSWER_S)
        except Empty:
            raise OSError(f"gave no JPEG for {_ANSWER_S:g} s") from None

    def close(self) -> None:
        """Free the device."""
        self._encoder.stop()


class JpegChoice:
    """Encodes the first pictures by both, and goes on with whom it costs less CPU time.

    Args:
        camera: its name, for the log.
        by_software: makes a JPEG of planes.
        starts_hardware: starts the other encoder, whose JPEGs are to be of so many bytes.
        is_forced: take the hardware whatever it costs.
        cpu_ns: for tests; the CPU time of this process. Other threads' work is in it as well, so
            the least of some tries is taken.

    Attributes:
        is_software: the hardware is not, or no longer, worth asking.
    """

    def __init__(
        self,
        camera: str,
        by_software: Callable[[Planes], bytes],
        starts_hardware: Callable[[int], Encoder],
        *,
        is_forced: bool = False,
        cpu_ns: Callable[[], int] = time.process_time_ns,
    ) -> None:
        self.is_software = False
        self._camera = camera
        self._by_software = by_software
        self._starts_hardware = starts_hardware
        self._is_forced = is_forced
        self._cpu_ns = cpu_ns
        self._hardware: Encoder | None = None
        self._is_decided = self._is_closed = False
        self._costs_ns: dict[str, list[int]] = {"software": [], "hardware": []}
        self._sizes: dict[str, list[int]] = {"software": [], "hardware": []}
        self._lock = Lock()

    def encode(self, planes: Planes, request: Any) -> bytes:  # noqa: ANN401 - see Encoder
        """Make a JPEG of a picture, which is given as planes and as picamera2's request."""
        with self._lock:
            if self.is_software or self._is_closed:
                return self._by_software(planes)
            try:
                return self._try(planes, request)
            except (OSError, RuntimeError) as error:
                problem = f"{type(error).__name__}: {error}"
                _log.warning("hardware encoder failed", camera=self._camera, problem=problem)
                self._drop_hardware()
                return self._by_software(planes)

    def close(self) -> None:
        """Free the hardware."""
        with self._lock:
            self._is_closed = True
            self._drop_hardware()

    def _try(self, planes: Planes, request: Any) -> bytes:  # noqa: ANN401 - see Encoder
        if self._is_decided and self._hardware is not None:
            return self._hardware.encode(request)
        if len(self._costs_ns["software"]) < _TRIES:
            return self._measure("software", lambda: self._by_software(planes))
        if self._hardware is None:
            self._hardware = self._starts_hardware(round(mean(self._sizes["software"])))
        hardware = self._hardware
        jpeg = self._measure("hardware", lambda: hardware.encode(request))
        if len(self._costs_ns["hardware"]) == _TRIES:
            self._decide()
        return jpeg

    def _measure(self, kind: str, encode: Callable[[], bytes]) -> bytes:
        begun_ns = self._cpu_ns()
        jpeg = encode()
        self._costs_ns[kind].append(self._cpu_ns() - begun_ns)
        self._sizes[kind].append(len(jpeg))
        return jpeg

    def _decide(self) -> None:
        self._is_decided = True
        software_ns, hardware_ns = (min(costs[1:]) for costs in self._costs_ns.values())
        is_cheaper = hardware_ns < software_ns
        _log.info(
            "encoder chosen",
            camera=self._camera,
            encoder="hardware" if is_cheaper or self._is_forced else "software",
            because="it was asked for" if self._is_forced else "it costs less CPU time",
            software_ms=round(software_ns / 1e6, 2),
            hardware_ms=round(hardware_ns / 1e6, 2),
            software_bytes=round(mean(self._sizes["software"])),
            hardware_bytes=round(mean(self._sizes["hardware"])),
        )
        if not is_cheaper and not self._is_forced:
            self._drop_hardware()

    def _drop_hardware(self) -> None:
        self.is_software = True
        hardware, self._hardware = self._hardware, None
        if hardware is not None:
            hardware.close()
