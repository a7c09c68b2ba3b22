"""A libcamera and a picamera2 of no hardware. A test completes each picture by itself.

What they refuse, adjust and leave out is what the real ones do: picamera2 0.3.38 on libcamera 0.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from camfleet_node.sources.libcamera_stack import LibcameraStack

# Those of a camera module 3 on a Pi 4, as far as they are limited.
CONTROLS: dict[str, tuple[Any, Any, Any]] = {
    "AeEnable": (False, True, True),
    "AfMode": (0, 2, 0),
    "AfTrigger": (0, 1, 0),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "AwbEnable": (False, True, None),
    "AwbMode": (0, 7, 0),
    "ColourGains": (0.0, 32.0, None),
    "ExposureTime": (60, 66_666, 20_000),
    "ExposureValue": (-8.0, 8.0, 0.0),
    "FrameDurationLimits": (8_000, 1_000_000, 33_333),
    "HdrMode": (0, 4, 0),
    "LensPosition": (0.0, 15.0, 1.0),
    "NoiseReductionMode": (0, 4, 0),
    "ScalerCrop": ((0, 0, 64, 64), (0, 0, 4608, 2592), (0, 0, 4608, 2592)),
    "Sharpness": (0.0, 16.0, 1.0),
}


@dataclass
class FakeDevice:
    """A camera as libcamera has it, and what it can do."""

    id: str = "/base/soc/i2c0mux/i2c@1/imx708@1a"
    model: str = "imx708"
    limits: dict[str, tuple[Any, Any, Any]] = field(default_factory=lambda: dict(CONTROLS))
    layout: str = "YUV420"
    largest: tuple[int, int] = (4608, 2592)
    modes: tuple[tuple[int, int, int], ...] = ((1536, 864, 10), (2304, 1296, 10), (4608, 2592, 10))
    has_lores: bool = True
    can_flip: bool = True
    is_busy: bool = False
    buffers: int = 0  # however many are asked for; 0 for as many
    start_error: Exception | None = None

    def acquire(self) -> None:
        """Take it, for one at a time."""
        if self.is_busy:
            raise RuntimeError("Failed to acquire camera: Device or resource busy")
        self.is_busy = True

    def release(self) -> None:
        """Give it back."""
        self.is_busy = False

    @property
    def controls(self) -> dict[Any, Any]:
        """What can be set, as libcamera tells it."""
        return {
            FakeControlId(name): SimpleNamespace(min=low, max=high, default=default)
            for name, (low, high, default) in self.limits.items()
        }

    def generate_configuration(self, _: object) -> Any:  # noqa: ANN401 - libcamera has no types
        """The raw modes; None for a camera that has none."""
        if not self.modes:
            return None
        bits = sorted({bits for *_, bits in self.modes})
        formats = SimpleNamespace(
            pixel_formats=[f"SRGGB{bit}_CSI2P" for bit in bits],
            sizes=lambda layout: [
                SimpleNamespace(width=w, height=h) for w, h, b in self.modes if f"B{b}_" in layout
            ],
        )
        return SimpleNamespace(at=lambda _: SimpleNamespace(formats=formats))


@dataclass(frozen=True)
class FakeControlId:
    """The name of a control, which can be a key."""

    name: str


class FakeAllocator:
    """Buffers in plain memory."""

    def __init__(self) -> None:
        self.mapped_buffers: dict[str, bytearray] = {}

    def buffers(self, stream: str) -> list[str]:
        """Those of a stream."""
        return [name for name in self.mapped_buffers if name.startswith(stream)]


class FakeRequest:
    """A completed request; the camera has its buffers back when all have released it."""

    def __init__(self, camera: FakePicamera2, number: int, metadata: dict[str, Any]) -> None:
        self._camera = camera
        self._number = number
        self._metadata = metadata
        self.references = 1
        self.stream_map = {name: name for name in ("main", "lores") if camera.streams.get(name)}
        buffers = {name: f"{name}{number}" for name in self.stream_map}
        self.request = SimpleNamespace(buffers=buffers)

    def acquire(self) -> None:
        """Keep it."""
        self.references += 1

    def release(self) -> None:
        """Give it back."""
        self.references -= 1
        if self.references < 0:
            raise RuntimeError("CompletedRequest: lock now has negative ref_count")
        if not self.references:
            self._camera.free.append(self._number)

    def get_metadata(self) -> dict[str, Any]:
        """What libcamera says of this picture."""
        return self._metadata


class FakePicamera2:
    """A Picamera2 whose pictures a test completes.

    Attributes:
        free: numbers of the buffers that the camera may write to.
        set: the controls that were set.
        streams: `main` and `lores`, as they were configured.
    """

    def __init__(self, device: FakeDevice, allocator: FakeAllocator, tuning: str | None) -> None:
        device.acquire()
        self.camera = device
        self.tuning = tuning
        self.allocator = allocator
        self.pre_callback: Callable[[FakeRequest], None] | None = None
        self.free: list[int] = []
        self.set: dict[str, object] = {}
        self.streams: dict[str, Any] = {}
        self.stream_map = {"main": "main", "lores": "lores"}
        self.is_started = self.is_closed = False

    @property
    def camera_controls(self) -> dict[str, tuple[Any, Any, Any]]:
        """Controls with their limits."""
        return self.camera.limits

    def create_video_configuration(self, **wishes: object) -> dict[str, Any]:
        """What `configure` takes."""
        return dict(wishes)

    def configure(self, wishes: dict[str, Any]) -> None:
        """Take what was asked for, adjusted as libcamera does."""
        if wishes["lores"] and not self.camera.has_lores:
            raise RuntimeError("Invalid camera configuration")
        self.streams = dict(wishes)
        for name in ("main", "lores"):
            if not wishes[name]:
                continue
            width, height = wishes[name]["size"]
            size = (min(width, self.camera.largest[0]), min(height, self.camera.largest[1]))
            stride = -(-size[0] // 64) * 64  # as the image processor aligns rows
            stream = {"size": size, "format": self.camera.layout, "stride": stride}
            self.streams[name] = stream
            for number in range(self.camera.buffers or wishes["buffer_count"]):
                content = bytearray(stride * size[1] * 3 // 2)
                self.allocator.mapped_buffers[f"{name}{number}"] = content
        if not self.camera.can_flip:
            self.streams["transform"] = SimpleNamespace(hflip=0, vflip=0)
        self.streams["sensor"] = self._nearest_mode(wishes["sensor"])
        self.free = list(range(self.camera.buffers or wishes["buffer_count"]))

    def camera_configuration(self) -> dict[str, Any]:
        """What it was configured to."""
        return self.streams

    def set_controls(self, controls: dict[str, object]) -> None:
        """Remember them."""
        self.set |= controls

    def start(self) -> None:
        """Let pictures be completed."""
        if self.camera.start_error:
            raise self.camera.start_error
        self.is_started = True

    def close(self) -> None:
        """Let no more pictures come."""
        self.is_started, self.is_closed = False, True
        self.camera.release()

    def complete(self, level: int = 100, **metadata: object) -> bool:
        """Complete a picture whose planes have this level; False where no buffer is free."""
        if not (self.is_started and self.free):
            return False
        number = self.free.pop(0)
        for name in ("main", "lores"):
            if self.streams.get(name):
                buffer = self.allocator.mapped_buffers[f"{name}{number}"]
                buffer[:] = bytes([level]) * len(buffer)
        request = FakeRequest(self, number, metadata)
        if self.pre_callback:
            self.pre_callback(request)
        request.release()
        return True

    def _nearest_mode(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        if not self.camera.modes:
            return None
        size = wanted.get("output_size") or self.streams["main"]["size"]
        width, height, bits = min(self.camera.modes, key=lambda mode: abs(mode[0] - size[0]))
        return {"output_size": (width, height), "bit_depth": bits}


class FakeStack:
    """A machine with these cameras.

    Attributes:
        opened: every Picamera2 that was made.
        resets: how often libcamera was asked to look again.
        hdr: what the sensors were told.
    """

    def __init__(self, *devices: FakeDevice, heap: Exception | None = None) -> None:
        self.devices = list(devices)
        self.opened: list[FakePicamera2] = []
        self.resets = 0
        self.hdr: list[bool] = []
        self._heap = heap

    @property
    def stack(self) -> LibcameraStack:
        """As a source takes it."""
        manager = SimpleNamespace(
            get=lambda wanted: next(device for device in self.devices if device.id == wanted)
        )
        libcamera = SimpleNamespace(
            StreamRole=SimpleNamespace(Raw="raw"),
            CameraManager=SimpleNamespace(singleton=lambda: manager),
            ColorSpace=SimpleNamespace(Sycc=lambda: "sYCC"),
            Transform=lambda hflip, vflip: SimpleNamespace(hflip=int(hflip), vflip=int(vflip)),
        )
        return LibcameraStack(libcamera, _Picamera2Class(self), self._allocate, self._imx708)

    @property
    def camera(self) -> FakePicamera2:
        """The one that was opened last."""
        return self.opened[-1]

    def _allocate(self) -> FakeAllocator:
        if self._heap:
            raise self._heap
        return FakeAllocator()

    @contextmanager
    def _imx708(self, _: int) -> Iterator[Any]:
        yield SimpleNamespace(set_sensor_hdr_mode=self.hdr.append)


class _Picamera2Class:
    """Stands where the class stands: it is called, and asked what there is."""

    def __init__(self, machine: FakeStack) -> None:
        self._machine = machine
        self._cm = SimpleNamespace(cameras={}, reset=self._reset)

    def __call__(self, number: int, tuning: str | None, allocator: FakeAllocator) -> FakePicamera2:
        camera = FakePicamera2(self._machine.devices[number], allocator, tuning)
        self._machine.opened.append(camera)
        return camera

    def global_camera_info(self) -> list[dict[str, Any]]:
        """What there is."""
        return [
            {"Model": device.model, "Id": device.id, "Num": number, "Location": 2}
            for number, device in enumerate(self._machine.devices)
        ]

    def _reset(self) -> None:
        self._machine.resets += 1
