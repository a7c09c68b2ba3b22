"""Composes the hub, top to bottom: settings, fleet, ports, web. Runs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine, Sequence
from importlib.metadata import version
from typing import Final

import structlog
import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector

from camfleet.logs import configure_logs
from camfleet.settings import load_settings
from camfleet_hub.authority import authority
from camfleet_hub.commands import obey
from camfleet_hub.demand import Demand
from camfleet_hub.detections import Detections
from camfleet_hub.enrolment import Enrolment
from camfleet_hub.expiry import Expiry
from camfleet_hub.fleet import Fleet
from camfleet_hub.flow import Flow
from camfleet_hub.history import History
from camfleet_hub.hub_metrics import HubCollector
from camfleet_hub.journal import Journal
from camfleet_hub.key_watch import count_keys, watch_keys
from camfleet_hub.loop_lag import LoopLag
from camfleet_hub.machine_metrics import MachineCollector
from camfleet_hub.metrics import FleetCollector
from camfleet_hub.open_files import raise_open_files
from camfleet_hub.port_metrics import PortCollector
from camfleet_hub.ports import Ports, open_keyring, open_ports
from camfleet_hub.settings import HubSettings
from camfleet_hub.signals import SIGNALS, hear_signals
from camfleet_hub.web.app import Hub, create_app, create_metrics_app
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.certificate import Certificate
from camfleet_hub.web.entrance import Sockets, open_certificate, open_login, open_sockets
from camfleet_hub.web.host import HostCheck
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.problems import Problems
from camfleet_hub.web.rejected_metrics import RejectedCollector
from camfleet_hub.web.server import Server
from camfleet_hub.web.tls_only import TlsOnly

EXIT_BROKEN: Final = 1
_WATCH_S: Final = 0.5
_SAMPLE_S: Final = 1.0
_SOFTWARE: Final = f"camfleet-hub {version('camfleet-hub')}"
_log = structlog.get_logger()


def main() -> None:
    """Run the hub, or the command that was given."""
    obey(_SOFTWARE)
    settings = load_settings(HubSettings)
    configure_logs(settings.log_level)
    _log.info("settings", software=_SOFTWARE, **settings.model_dump(mode="json"))
    _warn(settings)
    raise_open_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_run(settings))
    raise SystemExit(code)


def _warn(settings: HubSettings) -> None:
    """Say at every start what is open to whom."""
    if settings.auth == "none":
        _log.warning("no log-in: whoever reaches the wall may watch", bind=str(settings.bind))
    elif not settings.bind.is_loopback and settings.tls_certificate is None:
        _log.warning(
            "open to the network: pictures and passwords of browsers are not encrypted without a "
            "certificate or a proxy for TLS",
            bind=str(settings.bind),
        )
    if not settings.imagezmq_bind.is_loopback:
        _log.warning(
            "open to the network: imagezmq has no keys and no encryption",
            bind=str(settings.imagezmq_bind),
        )
    if settings.plain:
        _log.warning("plain: nodes need no keys and nothing is encrypted; for a trusted network")


async def _run(settings: HubSettings) -> int:
    """Run until a signal comes or a port breaks; return the exit code."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    fleet = Fleet(settings.max_cameras, max_picture_bytes=settings.max_picture_bytes)
    expiry = Expiry(fleet, settings.metrics_expire_s)
    bell = Bell(asyncio.get_running_loop())
    demand, journal, detections = Demand(), Journal(), Detections()
    fleet.listeners, fleet.on_camera = (bell.ring,), bell.announce
    fleet.on_node, fleet.on_reject = journal.node, journal.rejected
    fleet.watchers = (detections.take, journal.detected)
    viewers_rejected: Counter[str] = Counter()
    registry.register(FleetCollector(fleet, viewers_rejected, expiry))
    registry.register(MachineCollector(fleet))
    pictures = Pictures(settings.quality)
    addresses = {"nodes": settings.nodes_port, "imagezmq": settings.imagezmq_port}
    with contextlib.ExitStack() as stack:
        stack.callback(pictures.close)
        keyring = open_keyring(settings)
        ports = open_ports(
            settings, keyring, fleet, demand, on_subscriber=journal.subscriber, stack=stack
        )
        registry.register(PortCollector(ports))
        keys = count_keys(keyring, fleet, expiry, registry)
        login = open_login(settings, registry, stack)
        certificate = open_certificate(settings, registry)
        sockets = open_sockets(settings, stack)
        flow, history, lag = Flow(), History(), LoopLag()
        hub = Hub(
            bulletin=Bulletin(settings.name, addresses, bell),
            fleet=fleet,
            detections=detections,
            bell=bell,
            demand=demand,
            pictures=pictures,
            registry=registry,
            viewers_rejected=viewers_rejected,
            problems=lambda: ports.problems() + flow.problems(),
            login=login,
            enrolment=Enrolment(keyring, settings.nodes_port, settings.subscribers_port)
            if keyring is not None
            else None,
            state=settings.state if login else None,
            history=history,
        )
        registry.register(_collector(settings, hub, ports, lag))
        servers = _make_servers(settings, hub, expiry, certificate, sockets)
        scheme = "https" if certificate else "http"
        _log.info("ready", wall=f"{scheme}://{authority(*sockets.web.getsockname()[:2])}/")
        chores = [_sample(fleet, flow, history), hub.bulletin.run(), lag.run()]
        if login is not None:
            chores.append(login.run())
        if certificate is not None:
            chores.append(certificate.follow())
        if keyring is not None and keys is not None:
            chores.append(watch_keys(keyring, ports, keys))
        code = await _serve(servers, ports, chores, bell)
    _log.info("stopped", code=code)
    return code


def _collector(settings: HubSettings, hub: Hub, ports: Ports, lag: LoopLag) -> HubCollector:
    """Tell of the hub itself."""
    return HubCollector(
        _SOFTWARE,
        lag,
        state=settings.state,
        viewers=lambda: hub.bulletin.readers,
        queues={"pictures": lambda: hub.pictures.waiting, **ports.queues},
        problems=hub.problems,
    )


def _make_servers(
    settings: HubSettings,
    hub: Hub,
    expiry: Expiry,
    certificate: Certificate | None,
    sockets: Sockets,
) -> list[Server]:
    """Put the web application behind its checks; that for metrics needs none."""
    rejected, ignored = Counter[str](), Counter[str]()
    hub.registry.register(RejectedCollector(rejected, ignored))
    app = create_app(hub)
    served = Problems(HostCheck(TlsOnly(app) if certificate else app, settings.hosts))
    tls = certificate.context if certificate else None
    return [
        Server(
            served,
            sockets.web,
            tls=tls,
            proxies=settings.proxies,
            rejected=rejected,
            ignored=ignored,
        ),
        Server(create_metrics_app(hub.registry, expiry), sockets.metrics, rejected=rejected),
    ]


async def _serve(
    servers: list[Server],
    ports: Ports,
    chores: Sequence[Coroutine[None, None, None]],
    bell: Bell,
) -> int:
    """Serve until a signal comes; viewers are told before the servers wait for them.

    A port whose thread broke ends the program too, so that its supervisor starts it anew.
    Returns the exit code.
    """
    stopping = asyncio.Event()
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    hear_signals()
    async with asyncio.TaskGroup() as tasks:
        serving = [tasks.create_task(server.run_until_stopped()) for server in servers]
        renewing = [tasks.create_task(chore) for chore in chores]
        while not stopping.is_set() and ports.are_alive:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _WATCH_S)
        bell.close()
        for server in servers:
            server.stop()
        await asyncio.gather(*serving)
        for task in renewing:
            task.cancel()
    return 0 if stopping.is_set() else EXIT_BROKEN


async def _sample(fleet: Fleet, flow: Flow, history: History) -> None:
    while True:
        fleet.sample()
        flow.sample(fleet.streams(), fleet.now_ns())
        history.sample(fleet)
        await asyncio.sleep(_SAMPLE_S)


if __name__ == "__main__":
    main()
