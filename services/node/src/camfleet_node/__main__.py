"""Composes the node, top to bottom: settings, sender, cameras. Runs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import random
import signal
import socket
import time
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from queue import Empty, SimpleQueue
from typing import Final

import structlog

from camfleet.backoff import Backoff
from camfleet.codec import encode_jpeg
from camfleet.errors import LocalProtocolError
from camfleet.keys import DEFAULT_BUNDLE, Bundle
from camfleet.logs import configure_logs
from camfleet.sender import Sender
from camfleet.settings import load_settings, read_command_line, refuse
from camfleet_node.camera import Camera, close_all
from camfleet_node.link_log import LinkLog
from camfleet_node.opener import open_source
from camfleet_node.settings import PLAIN_HUB, PREFIX, NodeSettings, OpenCVCamera
from camfleet_node.sources import Source, SourceError
from camfleet_node.supervisor import Supervisor

EXIT_BROKEN: Final = 1
_WATCH_S: Final = 0.5
_FIRST_RETRY_S: Final = 0.5
_MOST_RETRY_S: Final = 30.0
_SOFTWARE: Final = f"camfleet-node {version('camfleet-node')}"
_log = structlog.get_logger()


def main() -> None:
    """Run the node."""
    stopping = _hear_signals()
    read_command_line("Sends the pictures of this machine's cameras to a hub.", _SOFTWARE)
    settings = load_settings(NodeSettings)
    configure_logs(settings.log_level)
    _log.info("settings", **settings.model_dump(mode="json"))
    sources = _open_sources(settings)
    with ExitStack() as stack:
        sender = stack.enter_context(_open_sender(settings))
        cameras = [
            Camera(
                name,
                sender.stream(name),
                opens=partial(open_source, name, camera),
                encode=partial(encode_jpeg, quality=camera.quality),
                backoff=Backoff(_FIRST_RETRY_S, _MOST_RETRY_S, random.random),
                source=sources.get(name),
                interval_s=1 / camera.fps if camera.fps else 0.0,
            )
            for name, camera in settings.cameras.items()
        ]
        stack.callback(close_all, cameras)
        _watch(sender, Supervisor(cameras, settings.stall_s), stopping)
    _log.info("stopped")


def _hear_signals() -> SimpleQueue[int]:
    """Collect the signals that ask for an end.

    In a SimpleQueue, because its `put` may interrupt its `get`; an Event's `set` that
    interrupts its `wait` can wait for ever.
    """
    heard: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: heard.put(number))
    return heard


def _open_sources(settings: NodeSettings) -> dict[str, Source]:
    """Open what is either right or wrong for ever; a device may be plugged in later."""
    sources: dict[str, Source] = {}
    for name, camera in settings.cameras.items():
        if isinstance(camera, OpenCVCamera):
            continue
        try:
            sources[name] = open_source(name, camera)
        except SourceError as error:
            refuse([f"{PREFIX}CAMERAS__{name}: {error}"])
    return sources


def _open_sender(settings: NodeSettings) -> Sender:
    """Connect with the node's bundle, or plain where that is chosen."""
    bundle = None if settings.plain else _read_bundle(settings)
    hub, name = settings.hub, settings.name
    if bundle is None:
        hub, name = hub or PLAIN_HUB, name or socket.gethostname()
        _log.warning("plain: no keys and no encryption; for a trusted network only", hub=hub)
    elif name not in {None, bundle.name}:
        refuse([f"{PREFIX}NAME: found {name!r}, want the bundle's {bundle.name!r}, or nothing"])
    try:
        return Sender(hub, name, bundle=bundle, plain=settings.plain, software=_SOFTWARE)
    except LocalProtocolError as error:
        refuse([f"{PREFIX}{'BUNDLE' if settings.hub is None and bundle else 'HUB'}: {error}"])


def _read_bundle(settings: NodeSettings) -> Bundle:
    path = settings.bundle or DEFAULT_BUNDLE
    try:
        return Bundle.read(path)
    except LocalProtocolError as error:
        lesson = (
            "; want a bundle, made on the hub's machine by `camfleet-hub enrol NAME`, or "
            f"{PREFIX}PLAIN=true on a network that is trusted"
        )
        is_there = path.expanduser().exists()
        refuse([f"{PREFIX}BUNDLE: {error}{'' if is_there else lesson}"])


def _watch(sender: Sender, supervisor: Supervisor, stopping: SimpleQueue[int]) -> None:
    """Log how the link stands and look after the cameras until the node is to stop.

    A sender that broke, or a camera that hangs whatever is done, ends the program, so that
    systemd or Docker starts it anew.
    """
    link_log = LinkLog(sender.address)
    while not _is_heard(stopping):
        if not sender.is_alive:
            raise SystemExit(EXIT_BROKEN)
        link_log.look(sender.state, sender.refusal, time.monotonic())
        problem = supervisor.look(time.monotonic_ns())
        if problem:
            _log.error("ends, to be started anew", problem=problem)
            raise SystemExit(EXIT_BROKEN)


def _is_heard(stopping: SimpleQueue[int]) -> bool:
    try:
        stopping.get(timeout=_WATCH_S)
    except Empty:
        return False
    return True


if __name__ == "__main__":
    main()
