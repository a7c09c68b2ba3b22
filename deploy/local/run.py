"""Runs a hub and a few nodes as processes of this machine: `make run`. Leaves none behind.

Their logs go to build/run, or to the folder that CAMFLEET_RUN_LOGS names: two runs need two.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import IO, Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from camfleet.errors import LocalProtocolError
from camfleet.keyring import Keyring
from camfleet.keys import Bundle, Role
from camfleet_hub.enrolment import RESERVED

ROOT: Final = Path(__file__).parents[2]
LOGS: Final = Path(os.environ.get("CAMFLEET_RUN_LOGS") or ROOT / "build" / "run")
NAMES: Final = (("garden", "pond"), ("gate", "street"), ("porch", "lantern"), ("workshop", "lathe"))
WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
PERSON: Final = "me"
BUNDLE: Final = LOGS / f"{PERSON}.json"
READY_S: Final = 30.0
STOP_S: Final = 3.0
QUIET_S: Final = 5  # between lines of status where nobody watches a terminal
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


@dataclass(frozen=True)
class Child:
    """One service that was started here."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass(frozen=True)
class Readings:
    """The hub's metrics at a monotonic time."""

    at_s: float
    samples: list[Sample]

    def values(self, name: str, **labels: str) -> list[float]:
        """The value of every sample of this name with these labels."""
        return [
            s.value for s in self.samples if s.name == name and labels.items() <= s.labels.items()
        ]

    def sum(self, name: str, **labels: str) -> float:
        """All of them together."""
        return sum(self.values(name, **labels))


def main() -> int:
    """Start everything, show a line of status until Ctrl-C, stop everything."""
    options = _parse()
    signal.signal(signal.SIGTERM, _interrupt)
    host = _host(options.bind)
    state = os.environ.get("CAMFLEET_HUB_STATE") or str(LOGS / "state")
    environment = os.environ | {
        "CAMFLEET_HUB_BIND": options.bind,
        "CAMFLEET_HUB_STATE": state,
        "CAMFLEET_HUB_PLAIN": "false",  # our nodes have keys
    }
    # Where no other machine reaches the wall, a log-in would only be in the way.
    environment.setdefault(
        "CAMFLEET_HUB_AUTH", "none" if _is_loopback(options.bind) else "password"
    )
    metrics = f"http://{host}:{environment.get('CAMFLEET_HUB_METRICS_PORT', '9101')}/metrics"
    with ExitStack() as stack:
        children: list[Child] = []
        stack.callback(_stop, children)
        try:
            keyring = Keyring(Path(environment["CAMFLEET_HUB_STATE"]), reserved=RESERVED)
            nodes = _nodes(options, host, keyring)
            children.append(_start("hub", "camfleet_hub", environment, stack))
            _wait_ready(children)
            for name, settings in nodes.items():
                children.append(_start(name, "camfleet_node", settings, stack))
            _announce(options.bind, host, _login(environment, children[0]), environment)
            return _watch(metrics, children)
        except KeyboardInterrupt:
            print("\nstopping", flush=True)
            return 0
        except LocalProtocolError as error:
            print(error, file=sys.stderr)
            return 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--cameras", type=int, default=4, help="synthetic cameras, 0 to 64")
    parser.add_argument("--source", help="a video or a folder of pictures, as one more camera")
    bind = os.environ.get("CAMFLEET_HUB_BIND", "127.0.0.1")
    parser.add_argument("--bind", default=bind, help="0.0.0.0 opens it to the network")
    options = parser.parse_args()
    if not 0 <= options.cameras <= 64:
        parser.error(f"CAMERAS is {options.cameras}, want 0 to 64")
    if options.source is not None and not _path(options.source).exists():
        parser.error(f"SOURCE is {options.source!r}, want a video or folder that is there")
    return options


def _path(source: str) -> Path:
    return Path(source).expanduser().resolve()


def _host(bind: str) -> str:
    """Where this machine finds the hub, as it stands in addresses."""
    host = WILDCARDS.get(bind, bind)
    return f"[{host}]" if ":" in host else host


def _is_loopback(bind: str) -> bool:
    try:
        return ip_address(bind).is_loopback
    except ValueError:
        return False  # the hub will say so


def _nodes(options: argparse.Namespace, host: str, keyring: Keyring) -> dict[str, dict[str, str]]:
    """Name each node, and give it its settings and keys; a person gets keys to read frames."""
    base = {name: value for name, value in os.environ.items() if "CAMFLEET_NODE" not in name}
    port = os.environ.get("CAMFLEET_HUB_NODES_PORT", "5556")
    readers_port = os.environ.get("CAMFLEET_HUB_SUBSCRIBERS_PORT", "5557")
    nodes = {}
    for number in range(options.cameras):
        few = number < len(NAMES)
        name, camera = NAMES[number] if few else (f"node-{number + 1}", f"camera-{number + 1}")
        nodes[name] = _node(base, {camera: {"source": "synthetic"}})
    if options.source:
        path = _path(options.source)
        nodes["footage"] = _node(base, {path.stem: {"source": "file", "path": str(path)}})
    for name, settings in nodes.items():
        path = LOGS / "keys" / f"{name}.json"
        settings["CAMFLEET_NODE_BUNDLE"] = str(path)
        _enrol(keyring, name, Role.NODE, f"tcp://{host}:{port}", path)
    _enrol(keyring, PERSON, Role.SUBSCRIBER, f"tcp://{host}:{readers_port}", BUNDLE)
    return nodes


def _enrol(keyring: Keyring, name: str, role: Role, address: str, path: Path) -> None:
    """Give new keys, for the ports may be others than at the last run."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    keyring.enrol(name, role, address, replace=True, deliver=partial(_write, path))


def _write(path: Path, bundle: Bundle) -> None:
    bundle.write(path, replace=True)


def _node(base: dict[str, str], cameras: dict[str, dict[str, str]]) -> dict[str, str]:
    several = {"CAMFLEET_NODE_METRICS_PORT": "0"}  # on one machine
    return base | several | {"CAMFLEET_NODE_CAMERAS": json.dumps(cameras)}


def _start(name: str, module: str, environment: dict[str, str], stack: ExitStack) -> Child:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    log.unlink(missing_ok=True)  # another run that still writes to it keeps its own
    # For our own eyes alone: the hub's has its first password.
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    output: IO[bytes] = stack.enter_context(os.fdopen(descriptor, "wb"))
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C is for us alone; we stop our children in order
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - no threads here yet
    )
    return Child(name, process, log)


def _die_with_parent() -> None:
    """Ask the kernel to end this child should we be killed without a chance to stop it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_ready(children: list[Child]) -> None:
    """Wait for our own hub's word: on its port another one might answer."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        _check(children)
        if b'"event": "ready"' in children[0].log.read_bytes():
            return
        time.sleep(0.1)
    _fail(children[0], f"the hub was not ready within {READY_S:.0f} s")


def _login(environment: dict[str, str], hub: Child) -> str:
    """Say who may watch, and how."""
    if environment["CAMFLEET_HUB_AUTH"] == "none":
        if _is_loopback(environment["CAMFLEET_HUB_BIND"]):
            return "none, for only this machine reaches the wall (CAMFLEET_HUB_AUTH=password)"
        return "none: whoever reaches the wall may watch"
    for line in hub.log.read_text(errors="replace").splitlines():
        if '"event": "first password"' in line:
            told = json.loads(line)
            return f"{told['user']}, first password {told['password']}"
    state = environment["CAMFLEET_HUB_STATE"]
    command = f"CAMFLEET_HUB_STATE={state} .venv/bin/camfleet-hub password --generate"
    return f"admin, with the password that you know ({command} makes another)"


def _announce(bind: str, host: str, login: str, environment: dict[str, str]) -> None:
    if bind in WILDCARDS:
        host = socket.gethostname()
    ports = {"WEB": "8080", "IMAGEZMQ": "5555", "NODES": "5556"}
    web, imagezmq, nodes = (
        os.environ.get(f"CAMFLEET_HUB_{name}_PORT", port) for name, port in ports.items()
    )
    imagezmq_bind = os.environ.get("CAMFLEET_HUB_IMAGEZMQ_BIND", "127.0.0.1")
    scheme = "https" if os.environ.get("CAMFLEET_HUB_TLS_CERTIFICATE") else "http"
    print(f"wall            {scheme}://{host}:{web}/", flush=True)
    print(f"log-in          {login}")
    print(f"imagezmq port   tcp://{_host(imagezmq_bind)}:{imagezmq}")
    print(f"nodes' port     tcp://{host}:{nodes}")
    print(f"your keys       {_shown(BUNDLE)}  (.venv/bin/camfleet view --bundle FILE)")
    state = Path(environment["CAMFLEET_HUB_STATE"])
    print(f"hub's state     {_shown(state)}/  (CAMFLEET_HUB_STATE for .venv/bin/camfleet-hub)")
    print(f"logs            {_shown(LOGS)}/")
    print("Ctrl-C stops everything", flush=True)


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _watch(url: str, children: list[Child]) -> int:
    """Show one line of status until something ends."""
    is_terminal = sys.stdout.isatty()
    before = _read(url)
    while True:
        for _ in range(1 if is_terminal else QUIET_S):
            time.sleep(1.0)
            _check(children)
        now = _read(url)
        line = _status(before, now) if before and now else "the hub does not answer"
        before = now
        if is_terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{line[:width]:<{width}}", end="", flush=True)
        else:
            print(line, flush=True)


def _status(before: Readings, now: Readings) -> str:
    span_s = now.at_s - before.at_s
    online = now.values("camfleet_camera_online")
    received = "camfleet_frames_received_total"
    fps = (
        now.sum("camfleet_frames_captured_total") - before.sum("camfleet_frames_captured_total")
    ) / span_s
    wanted = (now.sum(received) - before.sum(received)) / span_s
    latencies_ms = _latencies_ms(before, now)
    worst = f"{max(latencies_ms):.1f} ms" if latencies_ms else "unknown"
    dropped = now.sum("camfleet_frames_dropped_total", place="node")
    # Of these it is no news: nobody looks, so they were not sent.
    dropped -= now.sum("camfleet_frames_dropped_total", place="node", reason="unwanted")
    lost = now.sum("camfleet_frames_lost_total")
    return (
        f"{sum(online):.0f} of {len(online)} cameras online, {fps:.1f} captured/s, "
        f"{wanted:.1f} sent/s, capture to hub {worst} on average in the slowest, "
        f"{dropped:.0f} dropped, {lost:.0f} lost"
    )


def _latencies_ms(before: Readings, now: Readings) -> list[float]:
    """Each camera's mean of late from capture to hub; none of one that sent nothing."""
    found = []
    for camera in {
        (s.labels["node"], s.labels["camera"]) for s in now.samples if "stage" in s.labels
    }:
        labels = {"node": camera[0], "camera": camera[1], "stage": "received"}
        seconds, count = (
            now.sum(f"camfleet_latency_seconds_{what}", **labels)
            - before.sum(f"camfleet_latency_seconds_{what}", **labels)
            for what in ("sum", "count")
        )
        if count > 0:
            found.append(1000 * seconds / count)
    return found


def _read(url: str) -> Readings | None:
    """Read the hub's metrics, which need no log-in; None where it does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own hub
            text = response.read().decode()
    except (OSError, urllib.error.URLError, ValueError):
        return None
    families = text_string_to_metric_families(text)
    return Readings(time.monotonic(), [sample for family in families for sample in family.samples])


def _check(children: list[Child]) -> None:
    for child in children:
        code = child.process.poll()
        if code is not None:
            _fail(child, f"{child.name} ended with exit code {code}")


def _fail(child: Child, problem: str) -> None:
    lines = child.log.read_text(errors="replace").splitlines()[-5:]
    print(f"\n{problem}; its last words:", *lines, sep="\n  ", file=sys.stderr)
    raise SystemExit(1)


def _stop(children: list[Child]) -> None:
    """Stop the nodes first, so that their goodbye is heard; then the hub."""
    for number in (signal.SIGINT, signal.SIGTERM):  # an impatient second Ctrl-C changes nothing
        signal.signal(number, signal.SIG_IGN)
    for group in (children[1:], children[:1]):
        for child in group:
            child.process.terminate()
        for child in group:
            try:
                child.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
