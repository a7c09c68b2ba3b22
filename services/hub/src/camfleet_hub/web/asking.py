"""Who asks, and what of the fleet they may see: what routes depend on.

Only `Access` and `OpenAccess` say who it is; a request that came past neither is an error.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException
from starlette.requests import HTTPConnection
from starlette.types import Scope

from camfleet_hub.fleet import Fleet
from camfleet_hub.permission import Identity, Sight


def identity_of(connection: HTTPConnection) -> Identity:
    """Who asks, by HTTP or by a WebSocket."""
    identity: Identity = connection.scope["state"]["identity"]
    return identity


def identify(scope: Scope, identity: Identity) -> None:
    """Say who asks; whatever stood there does not count."""
    scope.setdefault("state", {})["identity"] = identity


def _sight(connection: HTTPConnection) -> Sight:
    fleet: Fleet = connection.app.state.fleet
    return Sight(fleet, identity_of(connection))


def _administrator(connection: HTTPConnection) -> Identity:
    identity = identity_of(connection)
    if not identity.is_administrator:
        raise HTTPException(403, "want an administrator")
    return identity


def _overseer(connection: HTTPConnection) -> Identity:
    identity = identity_of(connection)
    if not identity.sees_everything:
        raise HTTPException(403, "want somebody who may see every camera")
    return identity


Seen = Annotated[Sight, Depends(_sight)]
Administrator = Annotated[Identity, Depends(_administrator)]
Overseer = Annotated[Identity, Depends(_overseer)]
