"""A picture as a source hands it over, and what every source can do. It never opens a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from camfleet.errors import CamfleetError

Image = NDArray[np.uint8]


class SourceError(CamfleetError):
    """A source cannot be opened, or has failed: close it, and open it again after a pause."""


class SettingError(SourceError):
    """One of the camera's settings asks for what the camera has not; it is wrong for ever.

    The message begins with the setting: `EXPOSURE_US: found 9, want 60 to 66666`.

    Args:
        field: the setting, as in the variable's name.
        found: its value.
        wanted: what would do.
    """

    def __init__(self, field: str, found: object, wanted: str) -> None:
        super().__init__(f"{field}: found {found}, want {wanted}")
        self.field = field


@dataclass(frozen=True, slots=True, eq=False)  # eq: comparing arrays gives no single truth
class Planes:
    """A picture in YUV 4:2:0 with the full range of BT.601, as JPEG has it (JFIF 1.02).

    Attributes:
        y: HxW, uint8. Rows may have room behind them; the samples of a row have none between.
        u: of half the height and width, rounded up; likewise `v`.
    """

    y: Image
    u: Image
    v: Image

    @property
    def shape(self) -> tuple[int, ...]:
        """As the picture would have in BGR: (height, width, 3)."""
        return (*self.y.shape, 3)


@dataclass(frozen=True, slots=True, eq=False)
class Jpeg:
    """A picture that its camera has encoded.

    Attributes:
        data: one whole JPEG.
        shape: (height, width, 3), or (height, width) in gray.
    """

    data: bytes
    shape: tuple[int, ...]


Content = Image | Planes | Jpeg
C_co = TypeVar("C_co", bound=Content, covariant=True)


@dataclass(frozen=True, slots=True, eq=False)
class Picture(Generic[C_co]):
    """One captured picture.

    Attributes:
        image: HxWx3 in BGR or HxW in gray, uint8; or planes, or a JPEG, as the camera gives it.
            Nobody may paint in it: several may be reading.
        captured_ns: start of exposure, Unix ns on this node's clock.
        capture_ns: from there until the picture was handed over.
        passed_over: how many the source captured since the one it gave before, each replaced
            by a newer one.
        preview: the same picture, small, where the camera makes one by itself.
        encode: makes a JPEG of `image` by the camera's own hardware, where it has such.
        lease: holds the driver's memory that `image` lies in; it is given back when the last
            holder of this picture forgets it.
    """

    image: C_co
    captured_ns: int
    capture_ns: int
    passed_over: int = 0
    preview: Planes | None = None
    encode: Callable[[], bytes] | None = None
    lease: object = None


class Source(Protocol):
    """Produces pictures. It opens in its constructor; one thread reads it, any may close it."""

    def read(self) -> Picture[Content] | None:
        """Wait for the next picture; None when the source was closed or has come to its end.

        Raises:
            SourceError: the source has failed, and this object will give no more pictures.
        """
        ...

    def close(self) -> None:
        """Free the device, and make a `read` that waits return None. Closing twice is fine."""
        ...
