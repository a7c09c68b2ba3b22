"""Loads libcamera and picamera2, once they are needed. No other module imports either."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Final

from camfleet_node.sources.picture import SettingError, SourceError

_TUNING: Final = "LIBCAMERA_RPI_TUNING_FILE"
_tunings: list[Path | None] = []  # the one that libcamera was started with
_loading = Lock()


@dataclass(frozen=True)
class LibcameraStack:
    """What is used of both. They ship no types.

    Attributes:
        libcamera: the module.
        picamera2: the class Picamera2.
        allocator: the class that allocates buffers out of /dev/dma_heap.
        imx708: the class that speaks to the sensor of a camera module 3.
    """

    libcamera: Any
    picamera2: Any
    allocator: Any
    imx708: Any


def load_stack() -> LibcameraStack:
    """Load both, quietly: warnings and errors of libcamera stay.

    Raises:
        SourceError: one is missing, or they do not fit together.
    """
    with _loading:
        os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")
        try:
            # picamera2 first tells more: it wants libcamera itself
            picamera2 = import_module("picamera2")
            return LibcameraStack(
                import_module("libcamera"),
                picamera2.Picamera2,
                import_module("picamera2.allocators").DmaAllocator,
                lambda number: import_module("picamera2.devices.imx708").IMX708(number),
            )
        except ModuleNotFoundError as error:
            remedy = "the node's container image, or `apt install python3-picamera2`"
            raise SourceError(f"{error.name} is not there: want {remedy}") from error
        except Exception as error:  # whatever two libraries that do not fit may raise
            problem = f"{type(error).__name__}: {error}"
            wanted = "libcamera and picamera2 from one place, and numpy and simplejpeg too"
            raise SourceError(f"picamera2 cannot be loaded: {problem}; want {wanted}") from error


def take_tuning(tuning: Path | None) -> None:
    """Choose the tuning file, or none: once for all cameras, before libcamera is started.

    Raises:
        SettingError: it cannot be read, or another one was taken before.
    """
    with _loading:
        if not _tunings:
            if tuning is not None:
                os.environ[_TUNING] = _read_tuning(tuning)
            _tunings.append(tuning)
        elif tuning != _tunings[0]:
            wanted = f"{_tunings[0] or 'none'}, as for the camera before: it is one for all"
            raise SettingError("TUNING_FILE", tuning or "none", wanted)


def _read_tuning(tuning: Path) -> str:
    try:
        json.loads(tuning.read_bytes())
    except OSError as error:
        wanted = "a file that this user can read"
        raise SettingError("TUNING_FILE", f"{tuning}: {error.strerror}", wanted) from error
    except ValueError as error:
        raise SettingError("TUNING_FILE", f"{tuning}: {error}", "JSON") from error
    return str(tuning)
