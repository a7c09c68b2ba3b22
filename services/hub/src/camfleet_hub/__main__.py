"""Composes the hub, top to bottom: settings, fleet, ports, web. Runs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from typing import Final

import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, start_http_server

from camfleet.errors import LocalProtocolError
from camfleet.receiver import Receiver
from camfleet.service import configure_logs, load_settings, refuse
from camfleet_hub.fleet import Fleet
from camfleet_hub.imagezmq_port import ImagezmqPort
from camfleet_hub.metrics import FleetCollector
from camfleet_hub.settings import HubSettings
from camfleet_hub.web.app import Hub, create_app
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.pictures import Pictures

_STUCK_NS: Final = 3_000_000_000
_SAMPLE_S: Final = 1.0
_STOP_S: Final = 0.3  # for viewers to go; with all else it stays below a second
_MAX_VIEWER_MESSAGE_BYTES: Final = 256 * 1024  # 256 tiles with the longest names, and room
_log = structlog.get_logger()


def main() -> None:
    """Run the hub."""
    settings = load_settings(HubSettings)
    configure_logs(settings.log_level)
    _log.info("settings", **settings.model_dump(mode="json"))
    if not settings.bind.is_loopback:
        _log.warning("open to the network: no login and no encryption yet", bind=str(settings.bind))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings))


async def _run(settings: HubSettings) -> None:
    loop = asyncio.get_running_loop()
    registry = CollectorRegistry()
    fleet = Fleet(settings.max_cameras)
    registry.register(FleetCollector(fleet))
    bell = Bell(loop)
    fleet.on_frame, fleet.on_camera = bell.ring, bell.announce
    pictures = Pictures(settings.quality)
    with contextlib.ExitStack() as stack:
        stack.callback(pictures.close)
        nodes_port, imagezmq_port = _open_ports(settings, fleet, stack)
        web = _open_web(settings, registry, stack)

        def problems() -> list[str]:
            alive_ns = {"nodes": nodes_port.alive_ns, "imagezmq": imagezmq_port.alive_ns}
            oldest_ns = time.monotonic_ns() - _STUCK_NS
            stuck = [name for name, at_ns in alive_ns.items() if at_ns < oldest_ns]
            return [f"the {name} port's thread is stuck or dead" for name in stuck]

        app = create_app(Hub(settings.name, fleet, bell, pictures, registry, problems))
        await _serve(app, web, fleet, bell)
    _log.info("stopped")


def _open_ports(
    settings: HubSettings, fleet: Fleet, stack: contextlib.ExitStack
) -> tuple[Receiver, ImagezmqPort]:
    """Open both ports for cameras, or end the program naming the setting that is wrong."""
    try:
        setting = "NODES_PORT"
        nodes_port = Receiver(
            f"tcp://{_authority(settings.bind, settings.nodes_port)}",
            on_event=fleet.take,
            on_reject=lambda node, error: fleet.reject(node, error.camera, error),
            window=settings.window,
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
    settings: HubSettings, registry: CollectorRegistry, stack: contextlib.ExitStack
) -> socket.socket:
    """Bind the web's port and serve metrics on theirs, or end the program likewise."""
    host = str(settings.bind)
    try:
        setting, port = "WEB_PORT", settings.web_port
        family = socket.AF_INET6 if settings.bind.version == 6 else socket.AF_INET
        web = stack.enter_context(socket.create_server((host, port), family=family))
        setting, port = "METRICS_PORT", settings.metrics_port
        start_http_server(port, host, registry)  # on a daemon thread, which ends with us
    except OSError as error:
        refuse([f"CAMFLEET_HUB_{setting}: found {port}, {error.strerror}; want a free port"])
    return web


async def _serve(app: FastAPI, web: socket.socket, fleet: Fleet, bell: Bell) -> None:
    """Serve until a signal comes; viewers are told before the server waits for them."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=_MAX_VIEWER_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # a JPEG does not get smaller, only later
        timeout_graceful_shutdown=_STOP_S,  # type: ignore[arg-type]  # asyncio takes parts
    )
    server = uvicorn.Server(config)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(_serve_quietly(server, web))
        sampling = tasks.create_task(_sample(fleet))
        _log.info("ready", wall=f"http://{_authority(*web.getsockname()[:2])}/")
        await stopping.wait()
        logging.getLogger("uvicorn.error").disabled = True  # to it, who is cut off now is an error
        bell.close()
        server.should_exit = True
        await serving
        sampling.cancel()


async def _serve_quietly(server: uvicorn.Server, web: socket.socket) -> None:
    """Serve without uvicorn's own signal handlers, which would end us by the signal itself."""
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    await server.serve(sockets=[web])


async def _sample(fleet: Fleet) -> None:
    while True:
        fleet.sample()
        await asyncio.sleep(_SAMPLE_S)


def _authority(host: object, port: int) -> str:
    """Write a host's address and a port as they stand in a URL (RFC 3986, 3.2)."""
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"


if __name__ == "__main__":
    main()
