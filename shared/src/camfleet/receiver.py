"""The hub's port for nodes, which touches a frame for microseconds.

It never decodes a picture, and nobody who takes its frames can hold it up.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import zmq

from camfleet.errors import LocalProtocolError, RemoteProtocolError
from camfleet.events import Event, NodeJoined, NodeLeft
from camfleet.frame import Frame
from camfleet.gate import Gate
from camfleet.hub_link import Flight, HubLink
from camfleet.keyring import Keyring
from camfleet.keys import Role
from camfleet.mailbox import Mailbox
from camfleet.port import Port, header_and_payload
from camfleet.window import MAX_WINDOW

_HIGH_WATER_MARK: Final = 96  # messages per node; the widest window, and what is said beside it
_EXPIRE_NS: Final = 500_000_000

OnEvent = Callable[[Event], None]
OnReject = Callable[[str, RemoteProtocolError], None]


class Receiver(Port):
    """Receives the frames of any number of nodes.

    Iterate it for the newest frame of each stream, or pass `on_event` to be called for every
    one. Use it as a context manager, or call `close`.

    Args:
        address: where to bind, for example `tcp://*:5556`; port 0 takes any free one.
        keyring: the hub's keys, and whose nodes may come in.
        plain: True in place of a keyring takes everybody, unencrypted: for a trusted network.
        on_event: called on the receiver's thread with every frame and detection, and with every
            node that joined, reported or left; it must return within microseconds and must not
            raise.
        on_reject: called on the same thread with a node's name (empty for a stranger) and
            what was wrong with its message.
        window: frames of one stream that may be in flight at most.
        reserved: names that no node may have.
        on_demand: only streams that are wanted send more than a frame a heartbeat; else all do.
        io_threads: libzmq's own, over which connections and their encryption are spread.

    Attributes:
        dropped: frames that a newer one replaced before the iteration came to them.

    Raises:
        LocalProtocolError: when the address cannot be bound, or there is neither a keyring nor
            `plain`.
    """

    def __init__(
        self,
        address: str,
        *,
        keyring: Keyring | None = None,
        plain: bool = False,
        on_event: OnEvent | None = None,
        on_reject: OnReject | None = None,
        window: int = MAX_WINDOW,
        reserved: frozenset[str] = frozenset(),
        on_demand: bool = False,
        io_threads: int = 1,
    ) -> None:
        if plain == (keyring is not None):
            found = "both" if plain else "neither"
            text = f"found {found}, want a keyring, or plain=True on a network that you trust"
            raise LocalProtocolError(text)
        self.dropped = 0
        self._mailbox: Mailbox[Frame] = Mailbox()
        self._on_event = on_event or self._keep_newest
        self._on_reject = on_reject or _forget
        self._link = HubLink(
            random.getrandbits(63), window, reserved=reserved, wants_all=not on_demand
        )
        self._expired_ns = time.monotonic_ns()
        gate = Gate(keyring, Role.NODE) if keyring is not None else None
        super().__init__(address, _HIGH_WATER_MARK, gate, io_threads=io_threads)

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames, of each stream only the newest, until the receiver is closed.

        Raises:
            LocalProtocolError: when its thread has broken.
        """
        while not self._mailbox.is_closed:
            frame = self._mailbox.take(1.0)
            if frame is not None:
                yield frame
            elif not (self.is_alive or self._mailbox.is_closed):
                raise LocalProtocolError("the receiver's thread has ended by an error of ours")

    def want(self, node: str, stream: str) -> None:
        """Let a stream's frames come from now on, also if it appears later; from any thread."""
        self.post(lambda: self._link.want(node, stream, time.monotonic_ns()))

    def release(self, node: str, stream: str) -> None:
        """Let a stream send a frame a heartbeat and no more; from any thread."""
        self.post(lambda: self._link.release(node, stream, time.monotonic_ns()))

    def cut(self, node: str) -> None:
        """Let go of a node whose key was revoked, and end its connection; from any thread."""
        self.post(lambda: self._cut(node))

    def flights(self) -> list[Flight]:
        """What may be under way of each stream; from any thread, of a moment ago."""
        return self._link.flights()

    def close(self) -> None:
        """Stop, let the address go, and end the iteration."""
        super().close()
        self._mailbox.close()

    def take(self, identity: bytes, parts: list[zmq.Frame]) -> None:
        """Give one message to the link, and what it means to whoever wants it."""
        caller = None
        try:
            header, payload = header_and_payload(parts)
            caller = self.caller(header)
            now_ns = time.time_ns(), time.monotonic_ns()
            event = self._link.receive(
                identity, header.bytes, payload.buffer, *now_ns, caller=caller
            )
        except RemoteProtocolError as error:
            # Who is not welcome is known by its key all the same.
            self._on_reject(self._link.rejecting(identity) or caller or "", error)
        else:
            if type(event) is NodeJoined:
                self.note(event.node, header)
                event = replace(event, address=str(header.get("Peer-Address")))
            elif type(event) is NodeLeft:
                self.forget(event.node)
            if event is not None:
                self._on_event(event)

    def after_burst(self) -> None:
        """Send the credits of the burst as one message per node, and let silent nodes go."""
        for identity, header in self._link.drain():
            self.send(identity, header, b"")
        now_ns = time.monotonic_ns()
        if now_ns - self._expired_ns > _EXPIRE_NS:
            self._expired_ns = now_ns
            for left in self._link.expire(now_ns):
                self.forget(left.node)
                self._on_event(left)

    def _cut(self, node: str) -> None:
        left = self._link.cut(node)
        if left is not None:
            self._on_event(left)
        self.shut(node)

    def _keep_newest(self, event: Event) -> None:
        if isinstance(event, Frame):
            replaced = self._mailbox.put(event, f"{event.node}/{event.header.stream}")
            self.dropped += replaced is not None


def _forget(_node: str, _error: RemoteProtocolError) -> None:
    """Drop what was rejected: a small program has nobody to tell."""
