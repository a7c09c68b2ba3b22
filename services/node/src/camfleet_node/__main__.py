"""Composes the node, top to bottom: settings, sender, cameras. Runs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import random
import signal
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
from camfleet.logs import configure_logs
from camfleet.sender import Sender
from camfleet.settings import load_settings, read_command_line, refuse
from camfleet_node.camera import Camera, close_all
from camfleet_node.link_log import LinkLog
from camfleet_node.opener import open_source
from camfleet_node.settings import PREFIX, NodeSettings, OpenCVCamera
from camfleet_node.sources import Source, SourceError

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
            )
            for name, camera in settings.cameras.items()
        ]
        stack.callback(close_all, cameras)
        _watch(sender, settings.hub, stopping)
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
    try:
        return Sender(settings.hub, settings.name, software=_SOFTWARE)
    except LocalProtocolError as error:
        refuse([f"{PREFIX}HUB: {error}"])


def _watch(sender: Sender, hub: str, stopping: SimpleQueue[int]) -> None:
    """Log how the link stands until the node is to stop.

    A sender that broke ends the program, so that its supervisor starts it anew.
    """
    link_log = LinkLog(hub)
    while not _is_heard(stopping):
        if not sender.is_alive:
            raise SystemExit(EXIT_BROKEN)
        link_log.look(sender.state, sender.refusal, time.monotonic())


def _is_heard(stopping: SimpleQueue[int]) -> bool:
    try:
        stopping.get(timeout=_WATCH_S)
    except Empty:
        return False
    return True


if __name__ == "__main__":
    main()
