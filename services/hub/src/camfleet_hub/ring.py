"""So many samples of named numbers, and how they are told. It knows nothing of what they mean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

Line = list[float | None]
_DIGITS: Final = 3


class Ring:
    """So many samples of named numbers; each is not a number before it was set."""

    def __init__(self, names: Sequence[str], samples: int) -> None:
        self._rows = {name: row for row, name in enumerate(names)}
        self._values: NDArray[np.float32] = np.full((len(names), samples), np.nan, np.float32)

    def put(self, place: int, values: Mapping[str, float]) -> None:
        """Set the sample at a place, and nothing of it that is not among the values."""
        self._values[:, place] = np.nan
        for name, value in values.items():
            self._values[self._rows[name], place] = value

    def row(self, name: str, order: NDArray[np.intp]) -> NDArray[np.float64]:
        """The samples of one name in this order."""
        values: NDArray[np.float64] = self._values[self._rows[name], order].astype(np.float64)
        return values


def line(values: NDArray[np.float64]) -> Line:
    """Numbers as they are told: rounded, and None for what is not one."""
    return [None if math.isnan(value) else round(value, _DIGITS) for value in values.tolist()]
