"""Who may come in under which name. It knows no connection; the hub's link asks it."""

from __future__ import annotations

from collections import deque
from typing import Final, NamedTuple

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.liveness import STALE_AFTER_S
from camfleet.names import check_name, check_streams
from camfleet.wire import Hello

_NS: Final = 1_000_000_000
_DISPLACED: Final = 8  # sessions remembered per name


class Holder(NamedTuple):
    """Who has a name now, and when it was heard last, on a monotonic clock."""

    session: int
    heard_ns: int


class Admission:
    """Checks hellos.

    Args:
        max_nodes: how many nodes are welcomed at once.
        reserved: names that no node may have, because the hub uses them itself.
    """

    def __init__(self, max_nodes: int, reserved: frozenset[str]) -> None:
        self._max_nodes = max_nodes
        self._reserved = reserved
        self._displaced: dict[str, deque[int]] = {}

    def check(
        self,
        hello: Hello,
        monotonic_ns: int,
        *,
        caller: str | None,
        known_as: str | None,
        holder: Holder | None,
        nodes: int,
    ) -> None:
        """See that a node may come in.

        Args:
            hello: what it said.
            monotonic_ns: now.
            caller: the name that its key stands for; None where there are no keys.
            known_as: the name of this connection's first hello, where there was one.
            holder: who has its name already.
            nodes: how many are here.

        Raises:
            RemoteProtocolError: with reason `name`, `stream`, `too_many`, `key` or
                `name_taken`.
        """
        node = hello.node
        check_name(node, "node")
        check_streams(counted.stream for counted in hello.counters)
        if caller is not None and node != caller:
            text = f"this key is that of {caller!r}, want a key of its own for {node!r}"
            raise RemoteProtocolError(Reason.KEY, text)
        if caller is None and known_as not in {None, node}:
            text = f"this connection is {known_as!r}, want another one for {node!r}"
            raise RemoteProtocolError(Reason.NAME, text)
        if node in self._reserved:
            text = f"the hub itself uses the name {node!r}, want another one"
            raise RemoteProtocolError(Reason.NAME_TAKEN, text)
        if holder is None and nodes >= self._max_nodes:
            text = f"{nodes} nodes are here, want at most {self._max_nodes}"
            raise RemoteProtocolError(Reason.TOO_MANY, text)
        if holder is not None and self._is_taken(hello, holder, monotonic_ns):
            text = f"another node calls itself {node!r}, want a name of its own"
            if caller is not None:
                text = f"another machine uses the keys of {node!r} too, want a bundle for each"
            raise RemoteProtocolError(Reason.NAME_TAKEN, text)

    def displace(self, node: str, session: int) -> None:
        """Remember that a session had to give its name to a later one."""
        self._displaced.setdefault(node, deque(maxlen=_DISPLACED)).append(session)

    def forget(self, node: str) -> None:
        """Remember nothing of a name any more: who had it has left."""
        self._displaced.pop(node, None)

    def _is_taken(self, hello: Hello, holder: Holder, monotonic_ns: int) -> bool:
        """Whether the name's holder displaced this session and is still there.

        A node that was restarted takes its name over at once; of two nodes that were given
        the same name the later one keeps it, instead of both taking turns.
        """
        return (
            hello.session != holder.session
            and hello.session in self._displaced.get(hello.node, ())
            and monotonic_ns - holder.heard_ns < STALE_AFTER_S * _NS
        )
