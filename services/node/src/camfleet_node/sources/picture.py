"""A picture as a source hands it over, and what every source can do. It never opens a device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from camfleet.errors import CamfleetError

Image = NDArray[np.uint8]


class SourceError(CamfleetError):
    """A source cannot be opened, or has failed: close it, and open it again after a pause."""


@dataclass(frozen=True, slots=True, eq=False)  # eq: comparing arrays gives no single truth
class Picture:
    """One captured picture.

    Attributes:
        image: HxWx3 in BGR or HxW in gray, uint8. It is the reader's own: it may paint in it.
        captured_ns: start of exposure, Unix ns on this node's clock.
        capture_ns: from there until the picture was handed over.
        passed_over: how many the source captured since the one it gave before, each replaced
            by a newer one.
    """

    image: Image
    captured_ns: int
    capture_ns: int
    passed_over: int = 0


class Source(Protocol):
    """Produces pictures. It opens in its constructor; one thread reads it, any may close it."""

    def read(self) -> Picture | None:
        """Wait for the next picture; None when the source was closed or has come to its end.

        Raises:
            SourceError: the source has failed, and this object will give no more pictures.
        """
        ...

    def close(self) -> None:
        """Free the device, and make a `read` that waits return None. Closing twice is fine."""
        ...
