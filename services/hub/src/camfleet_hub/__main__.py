"""Composes the hub, top to bottom: settings, fleet, ports, web. Runs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final

import structlog
import uvloop
from prometheus_client import CollectorRegistry

from camfleet.errors import LocalProtocolError
from camfleet.logs import configure_logs
from camfleet.port import Port
from camfleet.receiver import Receiver
from camfleet.settings import load_settings, read_command_line, refuse
from camfleet_hub.fleet import IMAGEZMQ_NODE, Fleet
from camfleet_hub.imagezmq_port import ImagezmqPort
from camfleet_hub.journal import Journal
from camfleet_hub.metrics import FleetCollector
from camfleet_hub.settings import HubSettings
from camfleet_hub.web.app import Hub, create_app, create_metrics_app
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.host import HostCheck
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.server import Server

EXIT_BROKEN: Final = 1
_WATCH_S: Final = 0.5
_STUCK_NS: Final = 3_000_000_000
_SAMPLE_S: Final = 1.0
_SOFTWARE: Final = f"camfleet-hub {version('camfleet-hub')}"
_log = structlog.get_logger()


def main() -> None:
    """Run the hub."""
    read_command_line("Receives the frames of many cameras and shows them.", _SOFTWARE)
    settings = load_settings(HubSettings)
    configure_logs(settings.log_level)
    _log.info("settings", **settings.model_dump(mode="json"))
    if not settings.bind.is_loopback:
        _log.warning("open to the network: no login and no encryption yet", bind=str(settings.bind))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_run(settings))
    raise SystemExit(code)


async def _run(settings: HubSettings) -> int:
    """Run until a signal comes or a port breaks; return the exit code."""
    loop = asyncio.get_running_loop()
    registry = CollectorRegistry()
    fleet = Fleet(settings.max_cameras, max_picture_bytes=settings.max_picture_bytes)
    viewers_rejected: Counter[str] = Counter()
    registry.register(FleetCollector(fleet, viewers_rejected))
    bell = Bell(loop)
    fleet.on_frame, fleet.on_camera = bell.ring, bell.announce
    journal = Journal()
    fleet.on_node, fleet.on_reject = journal.node, journal.rejected
    pictures = Pictures(settings.quality)
    addresses = {"nodes": settings.nodes_port, "imagezmq": settings.imagezmq_port}
    bulletin = Bulletin(settings.name, addresses, fleet, bell)
    with contextlib.ExitStack() as stack:
        stack.callback(pictures.close)
        nodes_port, imagezmq_port = _open_ports(settings, fleet, stack)
        web, metrics = _open_web(settings, stack)

        def problems() -> list[str]:
            alive_ns = {"nodes": nodes_port.alive_ns, "imagezmq": imagezmq_port.alive_ns}
            oldest_ns = time.monotonic_ns() - _STUCK_NS
            stuck = [name for name, at_ns in alive_ns.items() if at_ns < oldest_ns]
            return [f"the {name} port's thread is stuck or dead" for name in stuck]

        hub = Hub(bulletin, fleet, bell, pictures, registry, viewers_rejected, problems)
        servers = [
            Server(HostCheck(create_app(hub), settings.hosts), web),
            Server(create_metrics_app(registry), metrics),
        ]
        _log.info("ready", wall=f"http://{_authority(*web.getsockname()[:2])}/")
        ports = [nodes_port, imagezmq_port]
        code = await _serve(servers, ports, fleet, bulletin, bell)
    _log.info("stopped", code=code)
    return code


def _open_ports(
    settings: HubSettings, fleet: Fleet, stack: contextlib.ExitStack
) -> tuple[Receiver, ImagezmqPort]:
    """Open both ports for cameras, or end the program naming the setting that is wrong."""
    try:
        setting = "NODES_PORT"
        nodes_port = Receiver(
            f"tcp://{_authority(settings.bind, settings.nodes_port)}",
            on_event=fleet.take,
            on_reject=fleet.reject,
            window=settings.window,
            reserved=frozenset({IMAGEZMQ_NODE}),
        )
        stack.enter_context(nodes_port)
        setting = "IMAGEZMQ_PORT"
        imagezmq_port = ImagezmqPort(
            f"tcp://{_authority(settings.bind, settings.imagezmq_port)}", fleet.accept, fleet.reject
        )
        stack.enter_context(imagezmq_port)
    except LocalProtocolError as error:
        refuse([f"CAMFLEET_HUB_{setting}: {error}"])
    return nodes_port, imagezmq_port


def _open_web(
    settings: HubSettings, stack: contextlib.ExitStack
) -> tuple[socket.socket, socket.socket]:
    """Bind the ports for the web and for metrics, or end the program likewise."""
    host = str(settings.bind)
    family = socket.AF_INET6 if settings.bind.version == 6 else socket.AF_INET
    try:
        setting, port = "WEB_PORT", settings.web_port
        web = stack.enter_context(socket.create_server((host, port), family=family))
        setting, port = "METRICS_PORT", settings.metrics_port
        metrics = stack.enter_context(socket.create_server((host, port), family=family))
    except OSError as error:
        refuse([f"CAMFLEET_HUB_{setting}: found {port}, {error.strerror}; want a free port"])
    return web, metrics


async def _serve(
    servers: list[Server], ports: Sequence[Port], fleet: Fleet, bulletin: Bulletin, bell: Bell
) -> int:
    """Serve until a signal comes; viewers are told before the servers wait for them.

    A port whose thread broke ends the program too, so that its supervisor starts it anew.
    Returns the exit code.
    """
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with asyncio.TaskGroup() as tasks:
        serving = [tasks.create_task(server.run_until_stopped()) for server in servers]
        renewing = [tasks.create_task(_sample(fleet)), tasks.create_task(bulletin.run())]
        while not stopping.is_set() and all(port.is_alive for port in ports):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _WATCH_S)
        bell.close()
        for server in servers:
            server.stop()
        await asyncio.gather(*serving)
        for task in renewing:
            task.cancel()
    return 0 if stopping.is_set() else EXIT_BROKEN


async def _sample(fleet: Fleet) -> None:
    while True:
        fleet.sample()
        await asyncio.sleep(_SAMPLE_S)


def _authority(host: object, port: int) -> str:
    """Write a host's address and a port as they stand in a URL (RFC 3986, 3.2)."""
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


if __name__ == "__main__":
    main()
