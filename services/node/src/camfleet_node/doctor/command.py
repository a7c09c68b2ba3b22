"""Looks at everything in order and tells each thing as it is found. It changes nothing."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Iterator
from functools import partial
from http.client import HTTPException
from importlib.metadata import version
from typing import Final

from camfleet.clock import Offset
from camfleet.keys import DEFAULT_BUNDLE, Bundle
from camfleet.sender import Sender
from camfleet.settings import Refusal, load_settings
from camfleet_node.doctor.bundle import look_at_bundle
from camfleet_node.doctor.cameras import look_at_camera, look_at_libcamera, look_at_v4l2
from camfleet_node.doctor.devices import look_at_devices, look_at_udev
from camfleet_node.doctor.finding import Finding, Verdict, fail, ok, warn
from camfleet_node.doctor.link import ask_clock, look_at_clock, look_at_hub
from camfleet_node.doctor.machine import look_at_machine
from camfleet_node.doctor.patience import within
from camfleet_node.health_command import ask, fetch
from camfleet_node.host.identity import Identity
from camfleet_node.host.text import ROOT
from camfleet_node.settings import PLAIN_HUB, PREFIX, NodeSettings
from camfleet_node.settings.picamera2 import Picamera2Camera
from camfleet_node.settings.sources import FileCamera, SyntheticCamera
from camfleet_node.settings.v4l2 import V4L2Camera

_HOT_C: Final = 80.0  # where no settings tell
_MOST_S: Final = 4.0  # to read a file
_NOBODY: Final = ("no node answers", "nobody answers")  # as `ask` tells it
_ANOTHER: Final = "what answers"


def examine(*, as_json: bool) -> int:
    """Tell all findings on stdout; return the exit code, 0 where nothing is wrong, else 1."""
    findings = []
    for finding in _findings():
        findings.append(finding)
        if not as_json:
            sys.stdout.write(f"{finding.line}\n")
            sys.stdout.flush()
    is_well = all(finding.verdict is not Verdict.FAIL for finding in findings)
    if as_json:
        told = {"well": is_well, "findings": [finding.as_dict for finding in findings]}
        sys.stdout.write(json.dumps(told, indent=2) + "\n")
        sys.stdout.flush()
    return 0 if is_well else 1


def _findings() -> Iterator[Finding]:
    identity = Identity.of_this_process()
    settings = _load()
    hot_c = settings.hot_c if isinstance(settings, NodeSettings) else _HOT_C
    yield from look_at_machine(identity, f"camfleet-node {version('camfleet-node')}", hot_c)
    if isinstance(settings, NodeSettings):
        yield ok("settings", f"{len(settings.cameras)} cameras: {', '.join(settings.cameras)}")
        about_bundle = _look_at_bundle(settings, identity)
        yield from about_bundle
        running = _ask(settings)
        if running is not None and running.startswith(_ANOTHER):
            yield fail("node", running, f"a free port in {PREFIX}METRICS_PORT, or 0 for none")
            running = None
        if all(finding.verdict is Verdict.OK for finding in about_bundle):
            yield from _link(settings, running)
        yield from _cameras(settings, identity, is_running=running is not None)
    else:
        for problem in settings:
            yield fail("settings", problem, "docs/configuration.md has every variable")
        yield from look_at_devices(identity, is_wanted=False)
        yield from look_at_libcamera(is_wanted=False)
        yield from look_at_v4l2()


def _load() -> NodeSettings | tuple[str, ...]:
    """The settings, or what is wrong with them, which is told here and not on stderr."""
    stderr, sys.stderr = sys.stderr, open(os.devnull, "w")  # noqa: SIM115, PTH123 - closed below
    try:
        return load_settings(NodeSettings)
    except Refusal as refusal:
        return refusal.problems
    finally:
        sys.stderr.close()
        sys.stderr = stderr


def _look_at_bundle(settings: NodeSettings, identity: Identity) -> list[Finding]:
    told = within(_MOST_S, lambda: list(look_at_bundle(settings, identity)))
    if isinstance(told, Exception):
        raise told
    if told is None:
        found = f"{settings.bundle or DEFAULT_BUNDLE} hangs, nothing was read within {_MOST_S:g} s"
        return [fail("bundle", found, "bring it to a disk of this machine, not of the network")]
    return told


def _link(settings: NodeSettings, running: str | None) -> Iterator[Finding]:
    bundle = None if settings.plain else Bundle.read(settings.bundle or DEFAULT_BUNDLE)
    address = settings.hub or (bundle.address if bundle else PLAIN_HUB)
    findings = list(look_at_hub(address, bundle))
    yield from findings
    if running is not None:
        yield ok("node", "runs here, frames flow") if not running else warn("node", running)
    if all(finding.verdict is Verdict.OK for finding in findings):
        if running is None:  # two nodes of one name would disturb each other
            name = settings.name or (bundle.name if bundle else socket.gethostname())
            opens = partial(Sender, address, name, bundle=bundle, plain=settings.plain)
            yield look_at_clock(ask_clock(opens))
        else:
            yield look_at_clock(_clock_of_node(settings))


def _ask(settings: NodeSettings) -> str | None:
    """What is wrong with the node that runs here; None where none does, or it cannot be asked."""
    if not settings.metrics_port:
        return None
    said = ask(str(settings.metrics_bind), str(settings.metrics_port))
    return None if said.startswith(_NOBODY) else said


def _clock_of_node(settings: NodeSettings) -> Offset | None:
    """What the node that runs here knows of the hub's clock."""
    try:
        told = fetch(str(settings.metrics_bind), settings.metrics_port, "/metrics")
    except (OSError, HTTPException):
        return None
    text = told.decode("utf-8", "replace")
    found = [
        re.search(rf"^camfleet_node_clock_{name}_seconds (\S+)$", text, re.MULTILINE)
        for name in ("offset", "uncertainty")
    ]
    numbers = [round(float(one[1]) * 1e9) for one in found if one]
    return Offset(*numbers) if len(numbers) == len(found) else None


def _cameras(settings: NodeSettings, identity: Identity, *, is_running: bool) -> Iterator[Finding]:
    kinds = [type(camera) for camera in settings.cameras.values()]
    needs_libcamera = Picamera2Camera in kinds
    needs_devices = needs_libcamera or V4L2Camera in kinds
    yield from look_at_devices(identity, is_wanted=needs_devices)
    if needs_libcamera:
        yield look_at_udev(ROOT, identity)
    yield from look_at_libcamera(is_wanted=needs_libcamera)
    yield from look_at_v4l2()
    for name, camera in settings.cameras.items():
        if is_running and not isinstance(camera, FileCamera | SyntheticCamera):
            # a device has one user, and many a camera of the network has one reader
            yield ok("camera", f"{name}: {camera.source} is left to the node that runs here")
        else:
            yield look_at_camera(name, camera)
