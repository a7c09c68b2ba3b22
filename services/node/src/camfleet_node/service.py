"""Composes the node, top to bottom: settings, sender, cameras, health. Runs until it is to stop."""

from __future__ import annotations

import errno
import random
import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, ProcessCollector

from camfleet.backoff import Backoff
from camfleet.errors import LocalProtocolError
from camfleet.keys import DEFAULT_BUNDLE, Bundle
from camfleet.logs import configure_logs
from camfleet.sender import Sender
from camfleet.settings import load_settings, refuse
from camfleet_node.assembly import build_camera
from camfleet_node.camera import close_all
from camfleet_node.health import Health
from camfleet_node.host_watch import HostWatch
from camfleet_node.link_log import LinkLog
from camfleet_node.lost_thread import LostThread
from camfleet_node.metrics import NodeCollector
from camfleet_node.opener import open_source
from camfleet_node.opening import Opening
from camfleet_node.settings import PLAIN_HUB, PREFIX, NodeSettings
from camfleet_node.settings.sources import FileCamera, SyntheticCamera
from camfleet_node.stopping import Stopping
from camfleet_node.supervisor import Supervisor
from camfleet_node.watch_port import WatchPort

EXIT_BROKEN: Final = 1
_WATCH_S: Final = 0.5
_OPEN_S: Final = 3.0  # a video on a slow card, with all of OpenCV still to be loaded
_FIRST_RETRY_S: Final = 0.5
_MOST_RETRY_S: Final = 30.0
_log = structlog.get_logger()


def run(stopping: Stopping, software: str) -> None:
    """Run until the program is to stop; end it with exit code 1 or 2 where that is needed."""
    settings = load_settings(NodeSettings)
    configure_logs(settings.log_level)
    _log.info("settings", software=software, **settings.model_dump(mode="json"))
    lost = LostThread()
    openings = _open_sources(settings, stopping)
    with ExitStack() as stack:
        port = _open_port(settings, stack)
        sender = stack.enter_context(_open_sender(settings, software))
        cameras = [
            build_camera(
                name,
                camera,
                sender,
                openings[name],
                Backoff(_FIRST_RETRY_S, _MOST_RETRY_S, random.random),
            )
            for name, camera in settings.cameras.items()
        ]
        stack.callback(close_all, cameras)
        health = Health(cameras, settings.stall_s)
        host = HostWatch(cameras, settings.hot_c, settings.memory_share, settings.system_root)
        if port is not None:
            registry = CollectorRegistry()
            ProcessCollector(registry=registry)
            registry.register(NodeCollector(sender, cameras, host, software))
            stack.callback(port.close)
            port.serve(registry, health)
        _watch(
            sender,
            Supervisor(cameras, settings.stall_s),
            host,
            health,
            openings=openings.values(),
            lost=lost,
            stopping=stopping,
        )
    _log.info("stopped")


def _open_sources(settings: NodeSettings, stopping: Stopping) -> dict[str, Opening]:
    """Begin to open everything, and wait for files, which are right or wrong for ever.

    What is wrong ends the program with exit code 2. What gives no answer for long is its
    camera's affair, which has a supervisor.
    """
    openings = {
        name: Opening(
            name,
            partial(open_source, name, camera),
            is_device=not isinstance(camera, FileCamera | SyntheticCamera),
        )
        for name, camera in settings.cameras.items()
    }
    deadline_s = time.monotonic() + _OPEN_S
    for opening in (one for one in openings.values() if not one.is_device):
        while not (is_answered := opening.wait(0.1)):
            if stopping.is_heard:
                raise SystemExit(0)
            if time.monotonic() > deadline_s:
                break
        if not is_answered:
            _log.warning("camera is slow to open", camera=opening.name, waited_s=_OPEN_S)
    _refuse_wrong(openings.values())
    return openings


def _refuse_wrong(openings: Iterable[Opening]) -> None:
    """End the program with exit code 2 where a source can never be opened as it is set."""
    wrong = [opening for opening in openings if opening.problem]
    if wrong:
        refuse(f"{PREFIX}CAMERAS__{one.name}{one.problem}" for one in wrong)


def _open_port(settings: NodeSettings, stack: ExitStack) -> WatchPort | None:
    """Bind the port for metrics and health, unless there is to be none."""
    if not settings.metrics_port:
        return None
    try:
        port = WatchPort(str(settings.metrics_bind), settings.metrics_port)
    except OSError as error:
        address, number = settings.metrics_bind, settings.metrics_port
        if error.errno == errno.EADDRNOTAVAIL:
            refuse([f"{PREFIX}METRICS_BIND: found {address}, want an address of this machine"])
        found = f"{address} port {number}, {error.strerror}"
        refuse([f"{PREFIX}METRICS_PORT: found {found}; want a free port, or 0 for none"])
    stack.callback(port.close)
    return port


def _open_sender(settings: NodeSettings, software: str) -> Sender:
    """Connect with the node's bundle, or plain where that is chosen."""
    bundle = None if settings.plain else _read_bundle(settings)
    hub, name = settings.hub, settings.name
    if bundle is None:
        hub, name = hub or PLAIN_HUB, name or socket.gethostname()
        _log.warning("plain: no keys and no encryption; for a trusted network only", hub=hub)
    elif name not in {None, bundle.name}:
        refuse([f"{PREFIX}NAME: found {name!r}, want the bundle's {bundle.name!r}, or nothing"])
    try:
        return Sender(
            hub,
            name,
            bundle=bundle,
            plain=settings.plain,
            software=software,
            metrics_port=0 if settings.metrics_bind.is_loopback else settings.metrics_port,
        )
    except LocalProtocolError as error:
        refuse([f"{PREFIX}{'BUNDLE' if settings.hub is None and bundle else 'HUB'}: {error}"])


def _read_bundle(settings: NodeSettings) -> Bundle:
    path = settings.bundle or DEFAULT_BUNDLE
    try:
        return Bundle.read(path)
    except LocalProtocolError as error:
        refuse([f"{PREFIX}BUNDLE: {error}{lesson(path)}"])


def lesson(path: Path) -> str:
    """What to do where there is no bundle; empty where there is one."""
    if path.expanduser().exists():
        return ""
    return (
        "; want a bundle, made on the hub's machine by `camfleet-hub enrol NAME`, or "
        f"{PREFIX}PLAIN=true on a network that is trusted"
    )


def _watch(
    sender: Sender,
    supervisor: Supervisor,
    host: HostWatch,
    health: Health,
    *,
    openings: Iterable[Opening],
    lost: LostThread,
    stopping: Stopping,
) -> None:
    """Log how the link stands and look after everything until the node is to stop.

    A sender that broke, a camera that hangs whatever is done, or too little memory ends the
    program, so that systemd or Docker starts it anew.
    """
    link_log = LinkLog(sender.address)
    while not stopping.wait(_WATCH_S):
        now_ns = time.monotonic_ns()
        link_log.look(sender.state, sender.refusal, now_ns / 1e9)
        _refuse_wrong(openings)
        health.look(sender.counters(), sender.state, sender.refusal, now_ns)
        problem = "" if sender.is_alive else "the thread that sends has ended"
        problem = problem or lost.problem or supervisor.look(now_ns) or host.look(now_ns)
        sender.report(host.health, supervisor.restarts)
        if problem:
            _log.error("ends, to be started anew", problem=problem)
            stopping.insist(EXIT_BROKEN)
            raise SystemExit(EXIT_BROKEN)
