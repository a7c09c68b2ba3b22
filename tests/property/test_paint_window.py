"""On any link and with any pictures a viewer's frames stay young and never stop."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.paint_link import REFRESH_MS, PaintLink


@settings(max_examples=15, deadline=None)
@given(
    rate=st.floats(25, 100_000),
    delay_ms=st.integers(0, 200),
    size_bytes=st.integers(500, 100_000),
    decode_ms=st.floats(0, 20),
    fps=st.floats(1, 500),
)
def test_what_is_sent_is_painted_soon_and_something_always_is(
    rate: float, delay_ms: int, size_bytes: int, decode_ms: float, fps: float
) -> None:
    link = PaintLink(rate, delay_ms, size_bytes, decode_ms, fps)
    link.run(4000)
    link.run(12_000)
    service_ms = size_bytes / rate + decode_ms
    alone_ms = 2 * delay_ms + service_ms + REFRESH_MS
    assert link.ages_ms
    assert max(link.ages_ms) <= 4 * (alone_ms + 2 * REFRESH_MS)
    rate_fps = len(link.ages_ms) / 12
    assert rate_fps >= 0.5 * min(fps, 1000 / (service_ms + alone_ms)) - 1
