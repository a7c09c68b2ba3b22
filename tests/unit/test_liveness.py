from __future__ import annotations

import pytest

from camfleet.liveness import Liveness, liveness


@pytest.mark.parametrize(
    ("silence_s", "judged"),
    [
        (-1, Liveness.ONLINE),
        (0, Liveness.ONLINE),
        (2.9, Liveness.ONLINE),
        (3, Liveness.STALE),
        (9.9, Liveness.STALE),
        (10, Liveness.OFFLINE),
        (float("inf"), Liveness.OFFLINE),
    ],
)
def test_a_silence_is_judged_by_its_length(silence_s: float, judged: Liveness) -> None:
    assert liveness(silence_s) is judged
