"""Looks at everything in order and tells each thing as it is found. It changes nothing."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from typing import Final

from camfleet.clock import Offset
from camfleet.errors import LocalProtocolError
from camfleet.keys import DEFAULT_BUNDLE, Bundle
from camfleet.sender import Sender
from camfleet.settings import Refusal, load_settings
from camfleet_node.doctor.bundle import look_at_bundle
from camfleet_node.doctor.cameras import look_at_camera, look_at_libcamera, look_at_v4l2
from camfleet_node.doctor.devices import look_at_devices, look_at_udev
from camfleet_node.doctor.finding import Finding, Verdict, fail, ok, warn
from camfleet_node.doctor.link import ask_clock, look_at_clock, look_at_hub
from camfleet_node.doctor.machine import look_at_machine
from camfleet_node.health_command import ask
from camfleet_node.host.identity import Identity
from camfleet_node.host.text import ROOT
from camfleet_node.settings import PLAIN_HUB, NodeSettings
from camfleet_node.settings.picamera2 import Picamera2Camera
from camfleet_node.settings.sources import OpenCVCamera
from camfleet_node.settings.v4l2 import V4L2Camera

_HOT_C: Final = 80.0  # where no settings tell
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


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
        yield from look_at_bundle(settings, identity)
        yield from _link(settings)
        yield from _cameras(settings, identity)
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


def _link(settings: NodeSettings) -> Iterator[Finding]:
    bundle = None
    if not settings.plain:
        try:
            bundle = Bundle.read(settings.bundle or DEFAULT_BUNDLE)
        except LocalProtocolError:
            return  # told already
    address = settings.hub or (bundle.address if bundle else PLAIN_HUB)
    findings = list(look_at_hub(address, bundle))
    yield from findings
    running = _running(settings)
    if running is not None:
        yield ok("node", "runs here, frames flow") if not running else warn("node", running)
    if all(finding.verdict is Verdict.OK for finding in findings):
        if running is None:  # two nodes of one name would disturb each other
            name = settings.name or (bundle.name if bundle else socket.gethostname())
            opens = partial(Sender, address, name, bundle=bundle, plain=settings.plain)
            yield look_at_clock(ask_clock(opens))
        else:
            yield look_at_clock(_clock_of_node(settings))


def _running(settings: NodeSettings) -> str | None:
    """What is wrong with the node that runs here; None where none does, or it cannot be asked."""
    if not settings.metrics_port:
        return None
    said = ask(str(settings.metrics_bind), str(settings.metrics_port))
    return None if said.startswith(("no node answers", "nobody answers")) else said


def _clock_of_node(settings: NodeSettings) -> Offset | None:
    """What the node that runs here knows of the hub's clock."""
    host = str(settings.metrics_bind)
    url = f"http://{_LOOPBACK.get(host, host)}:{settings.metrics_port}/metrics"
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:
            text = answer.read(1_000_000).decode()
    except OSError:
        return None
    found = [
        re.search(rf"^camfleet_node_clock_{name}_seconds (\S+)$", text, re.MULTILINE)
        for name in ("offset", "uncertainty")
    ]
    numbers = [round(float(one[1]) * 1e9) for one in found if one]
    return Offset(*numbers) if len(numbers) == len(found) else None


def _cameras(settings: NodeSettings, identity: Identity) -> Iterator[Finding]:
    kinds = [type(camera) for camera in settings.cameras.values()]
    needs_libcamera = Picamera2Camera in kinds
    needs_devices = needs_libcamera or V4L2Camera in kinds
    yield from look_at_devices(identity, is_wanted=needs_devices)
    if needs_libcamera:
        yield look_at_udev(ROOT, identity)
    yield from look_at_libcamera(is_wanted=needs_libcamera)
    yield from look_at_v4l2()
    is_running = _running(settings) is not None
    for name, camera in settings.cameras.items():
        if is_running and isinstance(camera, Picamera2Camera | V4L2Camera | OpenCVCamera):
            yield ok("camera", f"{name}: {camera.source} is left to the node that runs here")
        else:
            yield look_at_camera(name, camera)
