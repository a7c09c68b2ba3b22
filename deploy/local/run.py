"""Runs a hub and a few nodes as processes of this machine: `make run`. Leaves none behind.

Their logs go to build/run, or to the folder that CAMFLEET_RUN_LOGS names: two runs need two.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
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
from pathlib import Path
from types import FrameType
from typing import IO, Any, Final

from camfleet.errors import LocalProtocolError
from camfleet.keyring import Keyring
from camfleet.keys import Bundle, Role
from camfleet_hub.commands import RESERVED

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
    web = f"http://{host}:{environment.get('CAMFLEET_HUB_WEB_PORT', '8080')}"
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
            _announce(options.bind, host)
            return _watch(web, children)
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
    return base | {"CAMFLEET_NODE_CAMERAS": json.dumps(cameras)}


def _start(name: str, module: str, environment: dict[str, str], stack: ExitStack) -> Child:
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    log.unlink(missing_ok=True)  # another run that still writes to it keeps its own
    output: IO[bytes] = stack.enter_context(log.open("wb"))
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


def _announce(bind: str, host: str) -> None:
    if is_open := bind in WILDCARDS:
        host = socket.gethostname()
    ports = {"WEB": "8080", "IMAGEZMQ": "5555", "NODES": "5556"}
    web, imagezmq, nodes = (
        os.environ.get(f"CAMFLEET_HUB_{name}_PORT", port) for name, port in ports.items()
    )
    imagezmq_bind = os.environ.get("CAMFLEET_HUB_IMAGEZMQ_BIND", "127.0.0.1")
    print(f"wall            http://{host}:{web}/", flush=True)
    print(f"imagezmq port   tcp://{_host(imagezmq_bind)}:{imagezmq}")
    print(f"nodes' port     tcp://{host}:{nodes}")
    if is_open:
        print("whoever reaches the wall may watch: there is no login yet")
    print(f"your keys       {_shown(BUNDLE)}  (.venv/bin/camfleet view --bundle FILE)")
    print(f"logs            {_shown(LOGS)}/")
    print("Ctrl-C stops everything", flush=True)


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _watch(base: str, children: list[Child]) -> int:
    """Show one line of status until something ends."""
    is_terminal = sys.stdout.isatty()
    seconds = itertools.count(1)
    while True:
        time.sleep(1.0)
        _check(children)
        if not is_terminal and next(seconds) % QUIET_S:
            continue
        nodes = _get(f"{base}/api/nodes")
        line = _status(nodes) if nodes is not None else "the hub does not answer"
        if is_terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r{line[:width]:<{width}}", end="", flush=True)
        else:
            print(line, flush=True)


def _status(nodes: list[dict[str, Any]]) -> str:
    cameras = [camera for node in nodes for camera in node["cameras"]]
    online = sum(camera["state"] == "online" for camera in cameras)
    fps = sum(camera["captured_fps"] for camera in cameras)
    wanted = sum(camera["fps"] for camera in cameras)
    latencies = [camera["latency_ms"] for camera in cameras if camera["latency_ms"] is not None]
    worst = f"{max(latencies):.1f} ms" if latencies else "unknown"
    dropped = sum(
        count
        for camera in cameras
        for reason, count in camera["dropped"].items()
        if reason != "unwanted"  # nobody looks, so it was not sent
    )
    lost = sum(camera["lost"] for camera in cameras)
    return (
        f"{online} of {len(cameras)} cameras online, {fps:.1f} captured/s, {wanted:.1f} sent/s, "
        f"capture to hub at most {worst}, {dropped} dropped, {lost} lost"
    )


def _get(url: str) -> Any:  # noqa: ANN401 - JSON
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own hub
            return json.load(response)
    except (OSError, urllib.error.URLError, ValueError):
        return None


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
