"""Follows who is enrolled: counts them, and cuts off whose key was revoked."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from camfleet.errors import LocalProtocolError
from camfleet.keyring import Keyring
from camfleet_hub.expiry import Expiry
from camfleet_hub.fleet import Fleet
from camfleet_hub.key_metrics import KeyCollector
from camfleet_hub.node_metrics import NodeCollector
from camfleet_hub.ports import Ports

_TELL_S: Final = 10.0  # between two lines about keys that were refused
_REFRESH_S: Final = 0.5  # a revoked node is cut off within a second
_log = structlog.get_logger()


def count_keys(
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


async def watch_keys(keyring: Keyring, ports: Ports, keys: KeyCollector) -> None:
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
