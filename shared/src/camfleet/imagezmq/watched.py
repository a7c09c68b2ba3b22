"""A socket that tells of the connections it loses. Never outlived by the socket that listens."""

from __future__ import annotations

import zmq

from camfleet.imagezmq.serializing import SerializingSocket

_ADDRESS = "inproc://monitor"  # each endpoint has a context of its own, so it is free


class WatchedSocket(SerializingSocket):
    """A socket with a monitor for lost connections, which closes with it."""

    _losses: zmq.Socket[bytes] | None = None

    def watch(self) -> zmq.Socket[bytes]:
        """Return a socket that receives a message for each connection lost from now on."""
        self.monitor(_ADDRESS, zmq.EVENT_DISCONNECTED)
        losses: zmq.Socket[bytes] = self.context.socket(zmq.PAIR)
        self._losses = losses
        # Unbounded, unlike every other queue here: a full one would block ZeroMQ's thread. It
        # grows by some 100 bytes per lost connection, until the next picture is sent.
        losses.rcvhwm = 0
        losses.connect(_ADDRESS)
        return losses

    def close(self, linger: int | None = None) -> None:
        """Close the socket and what watches it: the context's `term` waits for both.

        Programs close the bare socket too, so this cannot be left to the endpoint.
        """
        if self._losses is not None and not self.closed:
            self.monitor(None, 0)  # first: an event without a reader blocks ZeroMQ's thread
            self._losses.close(0)
        super().close(linger)
