"""What libcamera sees on this machine, and which camera a setting means. It opens none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from camfleet_node.sources.libcamera_stack import LibcameraStack, load_stack
from camfleet_node.sources.picture import SettingError, SourceError

# libcamera's property Location
_LOCATIONS: Final = {0: "front", 1: "back", 2: "external"}
_HEAPS: Final = ("vidbuf_cached", "linux,cma")


@dataclass(frozen=True)
class ControlView:
    """A control of a camera, in libcamera's units."""

    name: str
    low: object
    high: object
    default: object


@dataclass(frozen=True)
class CameraView:
    """A camera that libcamera sees.

    Attributes:
        number: as picamera2 counts; it may change when another camera is plugged in.
        model: of its sensor.
        id: the connector and address that it has.
        location: `front`, `back`, `external` or empty.
        controls: what can be set, by name.
        modes: sizes and bits that its sensor can be read with, as SENSOR_MODE takes them.
    """

    number: int
    model: str
    id: str
    location: str = ""
    controls: tuple[ControlView, ...] = ()
    modes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LibcameraView:
    """All that libcamera sees.

    Attributes:
        problem: why it sees nothing; else empty.
        cameras: what it sees.
    """

    problem: str = ""
    cameras: tuple[CameraView, ...] = ()


def look(stack: LibcameraStack | None = None) -> LibcameraView:
    """See what is there, for whoever looks for what is missing. It raises nothing.

    Args:
        stack: for tests.
    """
    try:
        stack = stack or load_stack()
        cameras = tuple(_describe(stack, entry) for entry in list_cameras(stack))
    except SourceError as error:
        return LibcameraView(str(error))
    except Exception as error:  # noqa: BLE001 - of a library that is looked into because it fails
        return LibcameraView(f"libcamera failed: {type(error).__name__}: {error}")
    return LibcameraView("" if cameras else why_none(), cameras)


def list_cameras(stack: LibcameraStack) -> list[CameraView]:
    """Numbers, models and ids, without the rest."""
    entries = stack.picamera2.global_camera_info()
    return [
        CameraView(
            number,
            str(entry.get("Model", "")),
            str(entry["Id"]),
            _LOCATIONS.get(entry.get("Location", -1), ""),
        )
        for number, entry in enumerate(entries)
    ]


def pick(wanted: str, cameras: Sequence[CameraView]) -> CameraView:
    """The camera that CAMERA means: a number, a model or an id.

    Raises:
        SourceError: none is there, or none such; the message lists what is.
        SettingError: it means several.
    """
    if not cameras:
        raise SourceError(f"libcamera sees no camera: {why_none()}")
    found = [
        camera
        for camera in cameras
        if wanted in {str(camera.number), camera.id} or wanted.lower() == camera.model.lower()
    ]
    if len(found) == 1:
        return found[0]
    listed = "; ".join(f"{c.number} is {c.model} at {c.id}" for c in found or cameras)
    if found:
        raise SettingError("CAMERA", wanted, f"a number or an id, for there are several: {listed}")
    # no SettingError: tomorrow its cable may sit
    raise SourceError(f"CAMERA: found {wanted}, want one that is there: {listed}")


def why_none(devices: Path = Path("/dev")) -> str:
    """Why libcamera sees no camera, as far as the devices tell; with the remedy."""
    media = sorted(devices.glob("media*"))
    if not media:
        return (
            f"found no {devices}/media*, want the camera's devices; in a container, by its list "
            "of devices"
        )
    shut = [str(device) for device in media if not os.access(device, os.R_OK | os.W_OK)]
    if shut:
        return f"found no permission for {', '.join(shut)}, want this user in their group"
    return (
        "found its devices, want a camera that is plugged in on both ends, and "
        "camera_auto_detect=1 or its dtoverlay in config.txt"
    )


def why_no_heap(devices: Path = Path("/dev")) -> str:
    """Why no memory for pictures can be had, as far as the devices tell; with the remedy."""
    heaps = [devices / "dma_heap" / name for name in _HEAPS]
    there = [str(heap) for heap in heaps if heap.exists()]
    if not there:
        return f"found none of {', '.join(map(str, heaps))}, want one; in a container, by its list"
    return f"found no permission for {', '.join(there)}, want this user in their group"


def list_modes(libcamera: Any, camera: Any) -> tuple[str, ...]:  # noqa: ANN401 - they ship no types
    """Sizes and bits that a camera's sensor can be read with; none where it is not known.

    Args:
        libcamera: the module.
        camera: its camera.
    """
    configuration = camera.generate_configuration([libcamera.StreamRole.Raw])
    if configuration is None:
        return ()
    formats = configuration.at(0).formats
    modes = {
        (size.width, size.height, _bits(str(layout)))
        for layout in formats.pixel_formats
        for size in formats.sizes(layout)
    }
    return tuple(f"{w}x{h}:{bits}" if bits else f"{w}x{h}" for w, h, bits in sorted(modes))


def _bits(layout: str) -> int:
    """Bits of a raw format such as SRGGB10_CSI2P; of another 0."""
    digits = "".join(c for c in layout.partition("_")[0] if c.isdigit())
    return int(digits) if digits else 16 * ("PISP_COMP" in layout)


def _describe(stack: LibcameraStack, camera: CameraView) -> CameraView:
    there = stack.libcamera.CameraManager.singleton().get(camera.id)
    controls = tuple(
        ControlView(key.name, _plain(info.min), _plain(info.max), _plain(info.default))
        for key, info in sorted(there.controls.items(), key=lambda item: item[0].name)
    )
    modes = list_modes(stack.libcamera, there)
    return CameraView(camera.number, camera.model, camera.id, camera.location, controls, modes)


def _plain(value: Any) -> object:  # noqa: ANN401 - libcamera's own types
    """A limit as numbers, also of a rectangle or a size."""
    if hasattr(value, "to_tuple"):
        return value.to_tuple()
    if isinstance(value, list | tuple):
        return tuple(_plain(part) for part in value)
    return value
