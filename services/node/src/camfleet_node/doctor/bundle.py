"""The file with a node's keys: whether it is there, private, readable and this node's."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from camfleet.errors import LocalProtocolError
from camfleet.keys import DEFAULT_BUNDLE, Bundle, Role
from camfleet_node.doctor.finding import Finding, fail, ok
from camfleet_node.host.identity import Identity
from camfleet_node.settings import PREFIX, NodeSettings

_ENROL = "on the hub's machine: `camfleet-hub enrol NAME`, and bring its file here"


def look_at_bundle(settings: NodeSettings, identity: Identity) -> Iterator[Finding]:
    """Tell how the bundle is; without one nothing, where there is to be none."""
    if settings.plain:
        yield ok("bundle", f"none is needed: {PREFIX}PLAIN is set")
        return
    path = (settings.bundle or DEFAULT_BUNDLE).expanduser()
    try:
        bundle = Bundle.read(path)
    except LocalProtocolError as error:
        yield fail("bundle", str(error), _remedy(path, identity))
        return
    if bundle.role is not Role.NODE:
        yield fail("bundle", f"{path} is a {bundle.role}'s, want a node's", _ENROL)
    elif settings.name not in {None, bundle.name}:
        found = f"{path} is of {bundle.name!r}, {PREFIX}NAME says {settings.name!r}"
        yield fail("bundle", found, f"leave {PREFIX}NAME away, or enrol that name")
    else:
        yield ok("bundle", f"{path} of node {bundle.name!r}, for {bundle.address}")


def _remedy(path: Path, identity: Identity) -> str:
    """What to do about a file that is not there, another's, open to others, or none."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return _ENROL
    except OSError:
        return f"let user {identity.uid} enter its folder"
    if path.is_dir():
        return (
            "it is a folder, as Docker makes where a file to mount is missing: remove it, " + _ENROL
        )
    mode = stat.S_IMODE(there.st_mode)
    if there.st_uid != identity.uid and not os.access(path, os.R_OK):
        return f"it belongs to user {there.st_uid}: sudo chown {identity.uid} {path}"
    if mode & 0o077:
        return f"chmod 600 {path}"
    return _ENROL
