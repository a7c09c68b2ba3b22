"""Lets the real Picamera2 run on libcamera's virtual cameras, on a machine without any camera.

Python imports it at its start from a folder on PYTHONPATH; nothing of what is tested knows of it.
It changes three things in picamera2, once that is imported:

- buffers lie in memfd, for there is no /dev/dma_heap;
- pictures are paced, for the virtual cameras make as many as they are asked for;
- a camera without raw modes is taken, for the virtual ones have none.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import mmap
import os
import sys
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from queue import SimpleQueue
from types import ModuleType
from typing import Any

_PATCHED = "picamera2.picamera2"


class _Patcher(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module as everybody does, and changes it once it is loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != _PATCHED:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        assert spec is not None
        self._loader = spec.loader
        spec.loader = self
        return spec

    def create_module(self, _: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        assert self._loader is not None
        self._loader.exec_module(module)
        _patch(module)


def _patch(module: Any) -> None:  # noqa: ANN401 - picamera2 ships no types
    allocators: Any = sys.modules["picamera2.allocators"]
    allocators.DmaAllocator = module.DmaAllocator = _Allocator
    camera_class = module.Picamera2
    grab, raw_modes = camera_class._grab_camera, camera_class._get_raw_modes

    def has_raw(camera: Any) -> bool:  # noqa: ANN401 - the same
        return bool(camera.camera_properties_.get("PipelineHandler") != "virtual")

    def some_modes(self: Any) -> Any:  # noqa: ANN401 - the same
        if has_raw(self):
            return raw_modes(self)
        roles = [module.libcamera.StreamRole.Viewfinder]
        formats = self.camera.generate_configuration(roles).at(0).formats
        return [
            {"format": str(layout), "size": (size.width, size.height)}
            for layout in formats.pixel_formats
            for size in formats.sizes(layout)
        ]

    camera_class._grab_camera = lambda self, number: _Paced(grab(self, number))
    camera_class._get_raw_modes = some_modes


class _Paced:
    """A libcamera camera that hands each request on when the next picture is due."""

    def __init__(self, camera: Any) -> None:  # noqa: ANN401 - libcamera ships no types
        self._camera = camera
        self._interval_s = 1 / 30
        self._requests: SimpleQueue[Any] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the same
        return getattr(self._camera, name)

    def __eq__(self, other: object) -> bool:
        return bool(self._camera == getattr(other, "_camera", other))

    def __hash__(self) -> int:
        return hash(self._camera)

    def start(self, controls: dict[Any, Any]) -> None:
        for control, value in controls.items():
            if control.name == "FrameDurationLimits":
                self._interval_s = value[0] / 1e6
        self._camera.start(controls)
        self._requests = SimpleQueue()
        self._thread = threading.Thread(target=self._pace, args=(self._requests,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._requests.put(None)
        if self._thread is not None:
            self._thread.join()
        self._camera.stop()

    def queue_request(self, request: Any) -> None:  # noqa: ANN401 - the same
        self._requests.put(request)

    def _pace(self, requests: SimpleQueue[Any]) -> None:
        due_s = time.monotonic()
        while (request := requests.get()) is not None:
            due_s = max(due_s + self._interval_s, time.monotonic() - self._interval_s)
            time.sleep(max(0.0, due_s - time.monotonic()))
            self._camera.queue_request(request)


class _Allocator:
    """Allocates frame buffers that need no device, as picamera2's DmaAllocator else does."""

    needs_sync = False

    def __init__(self) -> None:
        self.mapped_buffers: dict[Any, mmap.mmap] = {}
        self.sync = _Mapped
        self._streams: dict[Any, list[Any]] = {}

    def allocate(self, configuration: Any, _: object) -> None:  # noqa: ANN401 - the same
        self.close()
        for stream in configuration:
            buffers = [self._make(stream) for _ in range(stream.buffer_count)]
            self._streams[stream.stream] = buffers

    def buffers(self, stream: Any) -> list[Any]:  # noqa: ANN401 - the same
        return self._streams[stream]

    def acquire(self, buffers: object) -> None:
        pass

    def release(self, buffers: object) -> None:
        pass

    def close(self) -> None:
        self.mapped_buffers, self._streams = {}, {}

    def _make(self, stream: Any) -> Any:  # noqa: ANN401 - the same
        libcamera = import_module("libcamera")
        luma = stream.stride * stream.size.height
        file = os.memfd_create("frame", os.MFD_CLOEXEC)
        os.ftruncate(file, stream.frame_size)
        planes = []
        for offset, length in ((0, luma), (luma, stream.frame_size - luma)):
            plane = libcamera.FrameBuffer.Plane()
            plane.fd, plane.offset, plane.length = file, offset, length
            planes.append(plane)
        buffer = libcamera.FrameBuffer(planes)
        self.mapped_buffers[buffer] = mmap.mmap(file, stream.frame_size)
        os.close(file)  # libcamera has its own of it
        return buffer


class _Mapped:
    """Memory that needs no synchronisation."""

    def __init__(self, allocator: _Allocator, buffer: object, _: object) -> None:
        self._memory = allocator.mapped_buffers[buffer]

    def __enter__(self) -> mmap.mmap:
        return self._memory

    def __exit__(self, *_: object) -> None:
        pass


sys.meta_path.insert(0, _Patcher())
