"""Waits on a host until a container is healthy or will not be, and tells how it is, as JSON.

It counts seconds, by a clock that nobody sets meanwhile, and says nothing until its end.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from datetime import datetime
from typing import Any

_LOOK_S = 1.0
# A hub needs a moment to hear of new keys, and to let the session before go.
_REFUSED_S = 20.0
# Who has run for so long has ended some day and come back; who ends at once never gets there.
_SETTLED_S = 120.0


def main() -> None:
    """Wait for the container that is named, for so many seconds at most."""
    container, within_s = sys.argv[1], float(sys.argv[2])
    begun_s = time.monotonic()
    accepted_s = begun_s
    while True:
        found = judge(_inspect(container), time.time())
        now_s = time.monotonic()
        if not found["is_refused"]:
            accepted_s = now_s
        is_over = found["is_healthy"] or not found["is_up"] or now_s - begun_s >= within_s
        if is_over or now_s - accepted_s >= _REFUSED_S:
            break
        time.sleep(_LOOK_S)
    found["waited_s"] = round(now_s - begun_s)
    found["last_words"] = "" if found["is_healthy"] else _last_words(container)
    json.dump(found, sys.stdout)


def judge(inspected: dict[str, Any], now_s: float) -> dict[str, Any]:
    """Tell what counts out of what Docker tells of a container; of none, an empty mapping.

    It is not up where it has ended by itself and begun anew a moment ago; `now_s` is Unix time.
    """
    state = inspected.get("State", {})
    health = state.get("Health") or {}
    looks = health.get("Log") or [{}]
    restarts, started_at = inspected.get("RestartCount", 0), state.get("StartedAt", "")
    is_settled = restarts == 0 or now_s - _unix_s(started_at) >= _SETTLED_S
    is_up = bool(state.get("Running")) and is_settled
    said = " ".join(str(looks[-1].get("Output", "")).split())
    return {
        "is_up": is_up,
        "is_healthy": is_up and health.get("Status") == "healthy",
        "is_refused": is_up and "link: refused" in said,
        "health": health.get("Status", "none"),
        "said": said,
        "restarts": restarts,
        "started_at": started_at,
    }


def _unix_s(time_text: str) -> float:
    """Read an engine's time, in which a second has nine digits behind its point."""
    whole = re.sub(r"\.\d+", "", time_text).replace("Z", "+00:00")
    return datetime.fromisoformat(whole).timestamp()


def _inspect(container: str) -> dict[str, Any]:
    command = ["docker", "inspect", "--type", "container", container]
    done = subprocess.run(command, capture_output=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
    return found[0] if found else {}


def _last_words(container: str) -> str:
    command = ["docker", "logs", "--tail", "20", container]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = done.stdout.decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


if __name__ == "__main__":
    main()
