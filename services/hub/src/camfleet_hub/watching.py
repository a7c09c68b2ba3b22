"""The commands `status` and `await`: how the cameras do, and whether a node does what it should."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from camfleet.errors import LocalProtocolError
from camfleet_hub.gate import Wanted, judge, pace
from camfleet_hub.readings import Reading, Readings, read
from camfleet_hub.settings import HubSettings

_LOOK_S: Final = 1.0


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: Callable[[str], str],
) -> None:
    """Teach the command line both; `name` checks a node's name."""
    status = commands.add_parser("status", help="measure what every camera does")
    status.add_argument("--json", action="store_true", help="for programs")
    status.add_argument("--seconds", type=_seconds, default=3.0, help="measured (default: 3)")
    gate = commands.add_parser("await", help="wait until a node's cameras do what they should")
    gate.add_argument("name", type=name, help="of the node")
    gate.add_argument(
        "--camera",
        type=_asked,
        action="append",
        required=True,
        metavar="NAME=FPS",
        help="and the pictures per second that it must capture at least",
    )
    gate.add_argument(
        "--quiet", action="append", default=[], metavar="NAME", help="a camera that need not send"
    )
    gate.add_argument(
        "--latency", type=_seconds, default=2.0, help="seconds from capture to hub (default: 2)"
    )
    gate.add_argument("--steady", type=_seconds, default=10.0, help="seconds long (default: 10)")
    gate.add_argument(
        "--within", type=_seconds, default=60.0, help="seconds from now (default: 60)"
    )


def show_status(settings: HubSettings, options: argparse.Namespace) -> str:
    """Measure all cameras for some seconds; return a line of each, or JSON.

    Raises:
        LocalProtocolError: when the hub of this machine does not answer.
    """
    before, begun_s = read(settings), time.monotonic()
    time.sleep(options.seconds)
    after, elapsed_s = read(settings), time.monotonic() - begun_s
    now_s = time.time()
    rows = [_row(key, before, after, elapsed_s, now_s) for key in sorted(after)]
    if options.json:
        return json.dumps(rows)
    return "\n".join(
        f"{row['node']}/{row['camera']}  {'online' if row['online'] else 'offline'}  "
        f"{row['captured_fps']} fps captured  {row['received_fps']} fps received"
        for row in rows
    )


def await_node(settings: HubSettings, options: argparse.Namespace) -> str:
    """Wait until a node's cameras did for some seconds what they should; say so in a line.

    Raises:
        LocalProtocolError: saying what is wrong, when they do not in time.
    """
    wanted = Wanted(dict(options.camera), frozenset(options.quiet), options.latency)
    return watch(
        lambda: read(settings),
        lambda before, after, elapsed_s: judge(options.name, wanted, before, after, elapsed_s),
        name=options.name,
        steady_s=options.steady,
        within_s=options.within,
    )


def watch(
    look: Callable[[], Readings],
    find_problems: Callable[[Readings, Readings, float], list[str]],
    *,
    name: str,
    steady_s: float,
    within_s: float,
    look_s: float = _LOOK_S,
) -> str:
    """Look now and then, until nothing was wrong over a span of `steady_s`.

    Raises:
        LocalProtocolError: with what was wrong last, after `within_s`.
    """
    deadline_s = time.monotonic() + within_s
    seen: deque[tuple[float, Readings]] = deque()
    problems = ["there was no time to look"]
    while True:
        now_s, readings = time.monotonic(), look()
        seen.append((now_s, readings))
        while len(seen) > 1 and now_s - seen[1][0] >= steady_s:
            seen.popleft()
        begun_s, before = seen[0]
        if now_s - begun_s >= steady_s:
            problems = find_problems(before, readings, now_s - begun_s)
            if not problems:
                return f"{name} did what it should for {now_s - begun_s:.0f} s"
        if now_s + look_s > deadline_s:
            raise LocalProtocolError(f"{name}: {'; '.join(problems)}")
        time.sleep(look_s)


def _row(
    key: tuple[str, str], before: Readings, after: Readings, elapsed_s: float, now_s: float
) -> dict[str, str | float | bool | None]:
    reading = after[key]
    found = pace(before.get(key, Reading()), reading, elapsed_s) if key in before else None
    latency_s = found.latency_s if found else None
    return {
        "node": key[0],
        "camera": key[1],
        "online": bool(reading.online),
        "captured_fps": round(found.captured_fps, 1) if found else None,
        "received_fps": round(found.received_fps, 1) if found else None,
        "latency_ms": None if latency_s is None else round(1000 * latency_s, 1),
        "last_frame_s": round(now_s - reading.newest_s, 1) if reading.newest_s else None,
        "lost": int(reading.lost),
    }


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"found {text!r}, want seconds from 0 to 3600")
    return seconds


def _asked(text: str) -> tuple[str, float]:
    camera, equals, fps = text.rpartition("=")
    try:
        asked = float(fps)
    except ValueError:
        asked = -1.0
    if not (camera and equals) or not 0 <= asked <= 240:
        raise argparse.ArgumentTypeError(f"found {text!r}, want NAME=FPS, such as front=24")
    return camera, asked


def obey_watching(settings: HubSettings, options: argparse.Namespace) -> None:
    """Run whichever of both was given."""
    show = show_status if options.command == "status" else await_node
    sys.stdout.write(f"{show(settings, options)}\n")
