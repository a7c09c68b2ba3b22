"""What stands before the web application, as the settings have it: sockets, certificate, log-in.

What cannot be used ends the program with exit code 2, and names the setting.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from typing import NamedTuple

import structlog
from prometheus_client import CollectorRegistry

from camfleet.errors import LocalProtocolError
from camfleet.settings import refuse
from camfleet_hub.settings import HubSettings
from camfleet_hub.tokens import Tokens
from camfleet_hub.users import ADMIN, Users
from camfleet_hub.web.certificate import Certificate
from camfleet_hub.web.certificate_metrics import CertificateCollector
from camfleet_hub.web.login import Login
from camfleet_hub.web.login_metrics import LoginCollector

_log = structlog.get_logger()


class Sockets(NamedTuple):
    """Bound already."""

    web: socket.socket
    metrics: socket.socket


def open_sockets(settings: HubSettings, stack: contextlib.ExitStack) -> Sockets:
    """Bind the ports for the web and for metrics."""
    host = str(settings.bind)
    family = socket.AF_INET6 if settings.bind.version == 6 else socket.AF_INET
    try:
        setting, port = "WEB_PORT", settings.web_port
        web = stack.enter_context(socket.create_server((host, port), family=family))
        setting, port = "METRICS_PORT", settings.metrics_port
        metrics = stack.enter_context(socket.create_server((host, port), family=family))
    except OSError as error:
        refuse([f"CAMFLEET_HUB_{setting}: found {port}, {error.strerror}; want a free port"])
    return Sockets(web, metrics)


def open_login(
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


def open_certificate(settings: HubSettings, registry: CollectorRegistry) -> Certificate | None:
    """Read the certificate, where there is one to be."""
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
    registry.register(CertificateCollector(certificate))
    return certificate
