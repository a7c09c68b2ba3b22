"""Where somebody who is enrolled finds this hub, and which names nobody may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from camfleet.keyring import Keyring
from camfleet.keys import Role
from camfleet_hub.fleet import IMAGEZMQ_NODE

RESERVED: Final = frozenset({IMAGEZMQ_NODE})


@dataclass(frozen=True)
class Enrolment:
    """The hub's keys, and the ports that they open.

    Attributes:
        keyring: who is enrolled.
        nodes_port: where a node comes in.
        subscribers_port: where a subscriber comes in.
    """

    keyring: Keyring
    nodes_port: int
    subscribers_port: int

    def address(self, role: Role, host: str) -> str:
        """Where somebody finds this hub, by a host that `check_host` has seen."""
        port = self.subscribers_port if role is Role.SUBSCRIBER else self.nodes_port
        return f"tcp://{host}:{port}"
