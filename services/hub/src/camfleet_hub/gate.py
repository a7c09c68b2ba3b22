"""Judges whether a node does what was asked, by two readings of the hub. It reads no clock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from camfleet_hub.readings import Reading, Readings


@dataclass(frozen=True)
class Wanted:
    """What is asked of a node.

    Attributes:
        fps: pictures per second that each camera must capture at least, by camera.
        quiet: cameras that need not send, because they were told when to.
        latency_s: the most that frames may take from capture to hub, on average.
    """

    fps: Mapping[str, float]
    quiet: frozenset[str] = frozenset()
    latency_s: float = math.inf


@dataclass(frozen=True)
class Pace:
    """What a camera did between two readings.

    Attributes:
        captured_fps: pictures captured per second.
        received_fps: frames that arrived per second.
        latency_s: their average way from capture to the hub; None where it is not known.
    """

    captured_fps: float
    received_fps: float
    latency_s: float | None


def pace(before: Reading, after: Reading, elapsed_s: float) -> Pace:
    """Compare two readings of a camera that are so many seconds apart."""
    timed = after.timed - before.timed
    return Pace(
        (after.captured - before.captured) / elapsed_s,
        (after.received - before.received) / elapsed_s,
        (after.latency_s - before.latency_s) / timed if timed > 0 else None,
    )


def judge(
    node: str, wanted: Wanted, before: Readings, after: Readings, elapsed_s: float
) -> list[str]:
    """Say what is wrong with a node, one sentence per camera; nothing where all is well."""
    problems = [
        (
            camera,
            _judge(
                camera, wanted, before.get((node, camera)), after.get((node, camera)), elapsed_s
            ),
        )
        for camera in wanted.fps
    ]
    return [f"camera {camera}: {problem}" for camera, problem in problems if problem]


def _judge(
    camera: str, wanted: Wanted, before: Reading | None, after: Reading | None, elapsed_s: float
) -> str:
    if after is None:
        return "the hub has never heard of it"
    if not after.online:
        return "it is not online at the hub"
    found = pace(before, after, elapsed_s) if before else Pace(0, 0, None)
    if found.captured_fps < wanted.fps[camera]:
        return f"{found.captured_fps:.1f} fps captured, want {wanted.fps[camera]:.1f}"
    return "" if camera in wanted.quiet else _judge_frames(found, wanted.latency_s)


def _judge_frames(found: Pace, latency_s: float) -> str:
    if found.received_fps <= 0:
        return "no frame arrived at the hub"
    if found.latency_s is not None and found.latency_s > latency_s:
        return f"{found.latency_s:.2f} s from capture to hub, want {latency_s:g} s"
    return ""
