"""What a listening socket asks whether a key may come in, before one byte of its peer is taken.

It decides by key alone; which name belongs to it, the hub's link compares.
"""

from __future__ import annotations

import logging
import os
import socket
from typing import Final

import zmq
from zmq.auth.thread import ThreadAuthenticator

from camfleet.keyring import Keyring
from camfleet.keys import Role

_DOMAIN: Final = "camfleet"
_STOP_MS: Final = 1_000
# A refused key is counted; libzmq's own words on each would let strangers fill a log.
_SILENT: Final = logging.getLogger("camfleet.gate")
_SILENT.setLevel(logging.CRITICAL + 1)


class Gate:
    """Lets enrolled keys of one role into one socket, by CURVE and ZAP (ZeroMQ RFC 26, 27).

    Args:
        keyring: who is enrolled.
        role: what a key must be enrolled for.

    Attributes:
        refused: handshakes that ended because the key was not enrolled.
    """

    def __init__(self, keyring: Keyring, role: Role) -> None:
        self._keyring = keyring
        self._role = role
        self._authenticator: ThreadAuthenticator | None = None
        self.refused = 0

    def guard(self, context: zmq.Context[zmq.Socket[bytes]], router: zmq.Socket[bytes]) -> None:
        """Let only enrolled keys in; called before the socket is bound, once a gate."""
        authenticator = ThreadAuthenticator(context, log=_SILENT)
        authenticator.configure_curve_callback(_DOMAIN, self)
        authenticator.start()
        authenticator.pipe.setsockopt(zmq.SNDTIMEO, _STOP_MS)
        self._authenticator = authenticator
        router.setsockopt(zmq.CURVE_SERVER, 1)
        router.setsockopt_string(zmq.CURVE_SECRETKEY, self._keyring.hub_keys.secret)
        router.setsockopt_string(zmq.ZAP_DOMAIN, _DOMAIN)
        # Without it libzmq lets any key in as soon as nobody answers its questions.
        router.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)

    def callback(self, _domain: str, key: bytes) -> bool:
        """Decide on a key, in Z85; called by pyzmq on the gate's thread."""
        is_known = self._keyring.admit(key.decode("ascii"), self._role) is not None
        self.refused += not is_known
        return is_known

    def name(self, user_id: str) -> str | None:
        """The name behind a message's `User-Id`, which is its peer's public key.

        None when that is no longer enrolled.
        """
        return self._keyring.find(user_id, self._role)

    @property
    def is_alive(self) -> bool:
        """Whether keys are decided on; when not, nobody new comes in."""
        return self._authenticator is not None and self._authenticator.is_alive()

    def close(self) -> None:
        """Stop, within a second or so; called after the socket is closed."""
        authenticator, self._authenticator = self._authenticator, None
        if authenticator is None:
            return
        try:
            authenticator.stop()
        except zmq.Again:  # its thread is gone, so nobody hears that it is to stop
            authenticator.pipe.close(0)
            authenticator.pipe = None  # type: ignore[assignment]  # as pyzmq itself does
            authenticator.stop()


def cut(descriptor: int, port: int) -> None:
    """Shut a connection of ours down, for its peer as for libzmq; harmless when it is gone.

    Args:
        descriptor: of its TCP socket: `frame.get(zmq.SRCFD)` of a message that came by it.
        port: that we listen on. A descriptor that has become another connection's by now is
            told by it, and left alone.
    """
    try:
        connection = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return
    with connection:
        try:
            if connection.getsockname()[1] == port:
                connection.shutdown(socket.SHUT_RDWR)
        except (OSError, IndexError):
            return
