"""Composes the hub, top to bottom: settings, fleet, ports, web. Runs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from importlib.metadata import version
from typing import Final

import structlog
import uvloop
from prometheus_client import CollectorRegistry, ProcessCollector

from camfleet.errors import LocalProtocolError
from camfleet.keyring import Keyring
from camfleet.logs import configure_logs
from camfleet.settings import load_settings, refuse
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
from camfleet_hub.key_metrics import KeyCollector
from camfleet_hub.loop_lag import LoopLag
from camfleet_hub.machine_metrics import MachineCollector
from camfleet_hub.metrics import FleetCollector
from camfleet_hub.node_metrics import NodeCollector
from camfleet_hub.open_files import raise_open_files
from camfleet_hub.port_metrics import PortCollector
from camfleet_hub.ports import Ports, open_keyring, open_ports
from camfleet_hub.settings import HubSettings
from camfleet_hub.signals import SIGNALS, hear_signals
from camfleet_hub.tokens import Tokens
from camfleet_hub.users import ADMIN, Users
from camfleet_hub.web.app import Hub, create_app, create_metrics_app
from camfleet_hub.web.bell import Bell
from camfleet_hub.web.bulletin import Bulletin
from camfleet_hub.web.certificate import Certificate
from camfleet_hub.web.certificate_metrics import CertificateCollector
from camfleet_hub.web.host import HostCheck
from camfleet_hub.web.login import Login
from camfleet_hub.web.login_metrics import LoginCollector
from camfleet_hub.web.pictures import Pictures
from camfleet_hub.web.problems import Problems
from camfleet_hub.web.rejected_metrics import RejectedCollector
from camfleet_hub.web.server import Server
from camfleet_hub.web.tls_only import TlsOnly

EXIT_BROKEN: Final = 1
_WATCH_S: Final = 0.5
_SAMPLE_S: Final = 1.0
_TELL_S: Final = 10.0  # between two lines about keys that were refused
_REFRESH_S: Final = 0.5  # a revoked node is cut off within a second
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
    loop = asyncio.get_running_loop()
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    fleet = Fleet(settings.max_cameras, max_picture_bytes=settings.max_picture_bytes)
    viewers_rejected: Counter[str] = Counter()
    expiry = Expiry(fleet, settings.metrics_expire_s)
    registry.register(FleetCollector(fleet, viewers_rejected, expiry))
    bell = Bell(loop)
    fleet.listeners, fleet.on_camera = (bell.ring,), bell.announce
    demand = Demand()
    journal = Journal()
    fleet.on_node, fleet.on_reject = journal.node, journal.rejected
    detections = Detections()
    fleet.watchers = (detections.take, journal.detected)
    pictures = Pictures(settings.quality)
    addresses = {"nodes": settings.nodes_port, "imagezmq": settings.imagezmq_port}
    bulletin = Bulletin(settings.name, addresses, bell)
    with contextlib.ExitStack() as stack:
        stack.callback(pictures.close)
        keyring = open_keyring(settings)
        ports = open_ports(
            settings, keyring, fleet, demand, on_subscriber=journal.subscriber, stack=stack
        )
        registry.register(PortCollector(ports))
        registry.register(MachineCollector(fleet))
        keys = _count_keys(keyring, fleet, expiry, registry)
        login = _open_login(settings, registry, stack)
        certificate = _open_certificate(settings)
        web, metrics = _open_web(settings, stack)
        flow = Flow()
        history = History()
        hub = Hub(
            bulletin,
            fleet,
            detections,
            bell,
            demand,
            pictures,
            registry,
            viewers_rejected,
            problems=lambda: ports.problems() + flow.problems(),
            login=login,
            enrolment=None
            if keyring is None
            else Enrolment(keyring, settings.nodes_port, settings.subscribers_port),
            state=settings.state if login else None,
            history=history,
        )
        app = create_app(hub)
        rejected: Counter[str] = Counter()
        registry.register(RejectedCollector(rejected))
        served = HostCheck(TlsOnly(app) if certificate else app, settings.hosts)
        tls = certificate.context if certificate else None
        servers = [
            Server(Problems(served), web, tls=tls, proxies=settings.proxies, rejected=rejected),
            Server(create_metrics_app(registry, expiry), metrics, rejected=rejected),
        ]
        lag = LoopLag()
        registry.register(
            HubCollector(
                _SOFTWARE,
                lag,
                state=settings.state,
                viewers=lambda: bulletin.readers,
                queues={"pictures": lambda: pictures.waiting, **ports.queues},
                problems=hub.problems,
            )
        )
        _log.info(
            "ready",
            wall=f"{'https' if certificate else 'http'}://{authority(*web.getsockname()[:2])}/",
        )
        chores = [_sample(fleet, flow, history), bulletin.run(), lag.run()]
        if login is not None:
            chores.append(login.run())
        if certificate is not None:
            registry.register(CertificateCollector(certificate))
            chores.append(certificate.follow())
        if keyring is not None and keys is not None:
            chores.append(_watch_keys(keyring, ports, keys))
        code = await _serve(servers, ports, chores, bell)
    _log.info("stopped", code=code)
    return code


def _count_keys(
    keyring: Keyring | None, fleet: Fleet, expiry: Expiry, registry: CollectorRegistry
) -> KeyCollector | None:
    """Tell of nodes, and of keys where there are some; who is enrolled is expected to be there."""
    if keyring is None:
        registry.register(NodeCollector(fleet, expiry))
        return None
    keys = KeyCollector(keyring)
    registry.register(keys)
    registry.register(NodeCollector(fleet, expiry, keys.nodes))
    return keys


def _open_login(
    settings: HubSettings, registry: CollectorRegistry, stack: contextlib.ExitStack
) -> Login | None:
    """Read who may log in, or make the first password and tell it, once; None where all may."""
    if settings.auth == "none":
        return None
    try:
        users, tokens = Users(settings.state), Tokens(settings.state)
    except LocalProtocolError as error:
        refuse([f"CAMFLEET_HUB_STATE: {error}"])
    if users.first_password is not None:
        # It is told whatever else is not: nobody can ask for it later.
        level = max(logging.WARNING, logging.getLevelNamesMapping()[settings.log_level])
        _log.log(level, "first password", user=ADMIN, password=users.first_password)
    login = Login(users, tokens)
    stack.callback(login.close)
    registry.register(LoginCollector(login))
    return login


def _open_certificate(settings: HubSettings) -> Certificate | None:
    """Read the certificate, where there is one to be; end the program where it cannot be used."""
    if settings.tls_certificate is None and settings.tls_key is None:
        return None
    if settings.tls_certificate is None or settings.tls_key is None:
        missing = "TLS_KEY" if settings.tls_key is None else "TLS_CERTIFICATE"
        refuse([f"CAMFLEET_HUB_{missing}: found none, want a certificate and its key, or neither"])
    try:
        certificate = Certificate(settings.tls_certificate, settings.tls_key)
    except LocalProtocolError as error:
        refuse([f"CAMFLEET_HUB_TLS_CERTIFICATE: {error}"])
    certificate.warn()
    return certificate


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


async def _watch_keys(keyring: Keyring, ports: Ports, keys: KeyCollector) -> None:
    """Cut off whose key was revoked, and tell of keys that knock in vain.

    A file that cannot be read changes nothing.
    """
    told, tells_s = 0, 0.0
    while True:
        refused = sum(port.refused for port in ports.keyed.values())
        if refused > told and time.monotonic() >= tells_s:
            _log.warning("keys refused: not enrolled or revoked", handshakes=refused - told)
            told, tells_s = refused, time.monotonic() + _TELL_S
        try:
            gone = keyring.refresh()
            keys.is_readable = True
        except LocalProtocolError as error:
            gone = frozenset()
            if keys.is_readable:
                _log.error("keys cannot be read, the old ones stay in force", problem=str(error))
            keys.is_readable = False
        if gone:
            ports.subscribers.judge()
        # Who has new keys is told by the old ones at the next message, which may be the new one's.
        for name in gone - {entry.name for entry in keyring.entries()}:
            ports.cut(name)
        await asyncio.sleep(_REFRESH_S)


async def _sample(fleet: Fleet, flow: Flow, history: History) -> None:
    while True:
        fleet.sample()
        flow.sample(fleet.streams(), fleet.now_ns())
        history.sample(fleet)
        await asyncio.sleep(_SAMPLE_S)


if __name__ == "__main__":
    main()
