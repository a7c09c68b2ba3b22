"""Where a node tells its metrics and health, unless it is told otherwise."""

from __future__ import annotations

from typing import Final

METRICS_BIND: Final = "127.0.0.1"
METRICS_PORT: Final = 9102
