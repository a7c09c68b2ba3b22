"""Asks the hub of this machine whether it is healthy, as Docker's health check does.

`python -m camfleet_hub.health` is the same as `camfleet-hub health`, in half of its time.
"""

from __future__ import annotations

import json
import signal
import ssl
import sys
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import IPv4Address, IPv6Address
from types import FrameType
from typing import Final

from camfleet.errors import CamfleetError, LocalProtocolError
from camfleet.settings import load_settings
from camfleet_hub.settings import HubSettings

TIMEOUT_S: Final = 3.0
_MOST_BYTES: Final = 65_536
_EXIT_FAILED: Final = 1


def main() -> None:
    """Ask, and end with exit code 0 where it is healthy, else 1 with one line that says why."""
    try:
        check_health(load_settings(HubSettings))
    except CamfleetError as error:
        sys.stderr.write(f"camfleet-hub health: {error}\n")
        raise SystemExit(_EXIT_FAILED) from error


def check_health(settings: HubSettings) -> None:
    """Ask the hub that these settings are for.

    Raises:
        LocalProtocolError: when it does not answer within three seconds, or has problems.
    """
    host, port = loopback(settings.bind), settings.web_port
    before = signal.signal(signal.SIGALRM, _time_out)
    signal.setitimer(signal.ITIMER_REAL, TIMEOUT_S)  # for the whole answer, however it trickles
    try:
        status, body = _ask(_connection(settings, host, port))
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise LocalProtocolError(f"{host} port {port}: {why}, want a hub's answer") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if status != 200:
        raise LocalProtocolError("; ".join(_problems(body)) or f"it answered {status}, want 200")


def _connection(settings: HubSettings, host: str, port: int) -> HTTPConnection:
    """To the hub of this machine, whose certificate is for other names than its address."""
    if settings.tls_certificate is None:
        return HTTPConnection(host, port, timeout=TIMEOUT_S)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)


def _ask(connection: HTTPConnection) -> tuple[int, bytes]:
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST_BYTES)
    finally:
        connection.close()


def loopback(bind: IPv4Address | IPv6Address) -> str:
    """Where this machine finds a hub that listens there."""
    if not bind.is_unspecified:
        return str(bind)
    return "127.0.0.1" if bind.version == 4 else "::1"


def _problems(body: bytes) -> list[str]:
    try:
        return [str(problem) for problem in json.loads(body)["problems"]]
    except (ValueError, TypeError, KeyError):
        return []


def _time_out(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError(f"no answer within {TIMEOUT_S:.0f} s")


if __name__ == "__main__":
    main()
