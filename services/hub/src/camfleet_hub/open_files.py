"""How many files and connections the process may have open: as many as it is allowed to ask for."""

from __future__ import annotations

import resource
from typing import Final

_ENOUGH: Final = 65_536


def raise_open_files() -> int:
    """Raise the soft limit towards the hard one, for a connection a node; return what it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
