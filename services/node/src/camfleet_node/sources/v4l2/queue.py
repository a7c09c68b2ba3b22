"""The driver's buffers, in and out. It hands over what the driver wrote, and never copies it."""

from __future__ import annotations

import errno
import mmap
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from camfleet_node.sources.picture import SourceError
from camfleet_node.sources.v4l2 import kernel as k
from camfleet_node.sources.v4l2.device import Device
from camfleet_node.sources.v4l2.refusal import explain

BUFFERS: Final = 4  # one being filled, one being read, and room for a reader that comes late
_LEAST: Final = 2


class Queue:
    """Buffers of a device that streams, from here on until it is closed.

    Raises:
        SourceError: the device is in use, or has no memory or no bus for it.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self._maps: list[mmap.mmap] = []
        request = k.BufferRequest(count=BUFFERS, type=k.CAPTURE, memory=k.MMAP)
        device.ask(k.REQBUFS, request)
        try:
            self._begin(int(request.count))
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """How many there are: so many pictures can wait in the driver."""
        return len(self._maps)

    def filled(self) -> Iterator[k.Buffer]:
        """Take the buffers that are filled, the oldest first; each must be given back.

        Raises:
            SourceError: the device failed, or is gone.
        """
        while True:
            buffer = k.Buffer(type=k.CAPTURE, memory=k.MMAP)
            try:
                self._device.kernel.ask(self._device.descriptor, k.DQBUF, buffer)
            except BlockingIOError:
                return
            except OSError as error:
                raise SourceError(f"{self._device.path} {_explain(self._device, error)}") from error
            yield buffer

    def memory(self, buffer: k.Buffer) -> memoryview:
        """Look at what the driver wrote; only until the buffer is given back."""
        mapped = self._maps[buffer.index]
        return memoryview(mapped)[: min(buffer.used_bytes, len(mapped))]

    def give_back(self, buffer: k.Buffer) -> None:
        """Let the driver fill it anew."""
        self._device.ask(k.QBUF, k.Buffer(type=k.CAPTURE, memory=k.MMAP, index=buffer.index))

    def close(self) -> None:
        """End the stream and let go of the memory, whatever has become of the device."""
        with suppress(SourceError):
            self._device.ask(k.STREAMOFF, k.Switch(k.CAPTURE))
        for mapped in self._maps:
            with suppress(BufferError):  # an error on its way out still holds a part of it
                mapped.close()
        self._maps.clear()
        with suppress(SourceError):
            self._device.ask(k.REQBUFS, k.BufferRequest(count=0, type=k.CAPTURE, memory=k.MMAP))

    def _begin(self, count: int) -> None:
        if count < _LEAST:
            raise SourceError(f"{self._device.path} gives {count} buffers, want {_LEAST} or more")
        for index in range(count):
            buffer = k.Buffer(type=k.CAPTURE, memory=k.MMAP, index=index)
            self._device.ask(k.QUERYBUF, buffer)
            self._maps.append(self._map(buffer))
            self.give_back(buffer)
        self._device.ask(k.STREAMON, k.Switch(k.CAPTURE))

    def _map(self, buffer: k.Buffer) -> mmap.mmap:
        device = self._device
        try:
            return device.kernel.map(device.descriptor, buffer.length, buffer.place.offset)
        except OSError as error:
            raise SourceError(f"{device.path} {explain(device.path, error)}") from error


def _explain(device: Device, error: OSError) -> str:
    if error.errno in {errno.EINVAL, errno.EIO, errno.EPIPE}:
        return f"stopped giving pictures: {error.strerror}"
    return explain(device.path, error)
