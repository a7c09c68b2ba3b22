"""The command `camfleet-node health`: asks the node that runs here, for Docker's health check.

It is run every few seconds on a small machine, so it imports nothing heavy, not even the settings.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
from types import FrameType
from typing import Final

from camfleet_node.watch_address import METRICS_BIND, METRICS_PORT

_MOST_S: Final = 3.0
_MOST_BYTES: Final = 1 << 20
_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_PREFIX: Final = "CAMFLEET_NODE_"


def tell() -> int:
    """Say in one line how the node is; return the exit code, 0 where frames flow, else 1."""
    signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, _MOST_S)
    problem = ask(_setting("METRICS_BIND", METRICS_BIND), _setting("METRICS_PORT", METRICS_PORT))
    sys.stdout.write(f"{problem or 'ok'}\n")
    return 1 if problem else 0


def _give_up(_number: int, _frame: FrameType | None) -> None:
    raise TimeoutError


def ask(bind: str, port: str) -> str:
    """Ask a node that listens there; return what is wrong, or an empty text."""
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        return f"{_PREFIX}METRICS_PORT: found {port!r}, want 1 to 65535: health is told there"
    host = _LOOPBACK.get(bind, bind)
    try:
        answer = json.loads(fetch(bind, int(port), "/healthz"))
        return "; ".join(str(problem) for problem in answer["problems"])
    except TimeoutError:
        return f"nobody answers on {host} port {port} within {_MOST_S:g} s"
    except OSError as error:
        return f"no node answers on {host} port {port}: {error.strerror or error}"
    except (http.client.HTTPException, ValueError, KeyError, TypeError):
        return f"what answers on {host} port {port} is no camfleet node"


def fetch(bind: str, port: int, path: str) -> bytes:
    """Read what a node that listens there tells, through no proxy.

    Args:
        bind: address that it was told to listen on.
        port: likewise.
        path: `/healthz` or `/metrics`.

    Raises:
        OSError: nobody answers; a TimeoutError where nobody does in time.
        http.client.HTTPException: what answers speaks no HTTP.
    """
    connection = http.client.HTTPConnection(_LOOPBACK.get(bind, bind), port, timeout=_MOST_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().read(_MOST_BYTES)
    finally:
        connection.close()


def _setting(name: str, default: object) -> str:
    """As the node itself reads it: capitals or not."""
    wanted = _PREFIX + name
    found = (value for variable, value in os.environ.items() if variable.upper() == wanted)
    return next(found, str(default)).strip()
