"""Publishes chosen streams for stock imagezmq hubs (SUB): one thread around one XPUB.

It never holds up an ingest thread, and does nothing while nobody listens.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import numpy as np
import zmq

from camfleet.codec import encode_jpeg
from camfleet.errors import Reason, RemoteProtocolError
from camfleet.frame import Frame
from camfleet.imagezmq.message import encode_header
from camfleet.pattern import parse_pattern
from camfleet.payload import Payload
from camfleet.sockets import POLL_MS
from camfleet_hub.demand import Demand
from camfleet_hub.pubsub import publish
from camfleet_hub.stream import Stream
from camfleet_hub.worker import Worker

Format = Literal["jpeg", "raw"]

_NS: Final = 1_000_000_000
_PLACE: Final = "republish"  # of a dropped frame
_LOOK_NS: Final = _NS // 4  # how soon a new camera is republished
_SUBSCRIBED: Final = b"\x01"  # the first byte of what an XPUB receives; the topic follows
_UNSUBSCRIBED: Final = b"\x00"


class Republisher(Worker):
    """Sends the newest frame of each chosen stream to whoever listens, under the stream's id.

    A listener is an `ImageHub("tcp://hub:5558", REQ_REP=False)`: stock imagezmq's, or ours.

    What waits for a listener here is bounded: two messages, and what its connection holds. One
    that is full misses frames, and no other one does: XPUB would rather wait for it
    (XPUB_NODROP), but with it all others wait as well. That option only serves to learn of it.
    A stock listener that is too slow queues 1000 messages of its own, which no publisher can
    see; `fps`, or `zmq_socket.rcvhwm` in the listener's program, is what bounds them.

    What is not sent is counted by the stream as dropped at `republish`, with the reason `newer`
    (overtaken before it was sent), `rate` (above `fps`), `not_jpeg` (could not be decoded or
    encoded) or `slow` (a listener was full; ZeroMQ tells that once, and again when the listener
    has read since, so it may have missed more).

    Args:
        address: where to bind, for example `tcp://127.0.0.1:5558`; port 0 takes any free one.
        patterns: of the streams to send, as `garden/*`.
        streams: returns all streams; called on this thread.
        demand: where frames are asked for while somebody listens.
        format: `jpeg` for listeners that call `recv_jpg`, `raw` for `recv_image`.
        fps: most frames per second of a stream; None for all.
        quality: of JPEGs that are made of raw pictures, 1 to 100.

    Attributes:
        address: as bound.

    Raises:
        LocalProtocolError: when the address cannot be bound.
        RemoteProtocolError: with reason `pattern`, for a pattern that is none.
    """

    def __init__(
        self,
        address: str,
        patterns: Sequence[str],
        streams: Callable[[], Sequence[Stream]],
        demand: Demand,
        *,
        format: Format = "jpeg",  # noqa: A002 - the setting's name
        fps: float | None = None,
        quality: int = 80,
    ) -> None:
        self._patterns = [parse_pattern(pattern) for pattern in patterns]
        self._streams = streams
        self._format = format
        self._interval_ns = int(_NS / fps) if fps else 0
        self._quality = quality
        self._demand = demand
        context, xpub = publish(address)
        self.address = xpub.get_string(zmq.LAST_ENDPOINT)
        xpub.setsockopt(zmq.XPUB_NODROP, 1)
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._poller = zmq.Poller()
        self._poller.register(xpub, zmq.POLLIN)
        self._poller.register(self._woken, zmq.POLLIN)
        # Written by ingest threads, one by one, and taken out one by one: never swapped.
        self._noticed: set[Stream] = set()
        self._is_on_its_way = False
        # Replaced and never changed, since ingest threads look into it.
        self._wanted: frozenset[str] = frozenset()
        self._topics = 0
        self._looks_at_ns = 0
        self._pending: dict[Stream, None] = {}  # in the order in which they were noticed
        self._sent: dict[Stream, int] = {}  # the number of the arrival sent last
        self._due_ns: dict[Stream, int] = {}
        super().__init__(context, xpub)

    def notice(self, stream: Stream) -> None:
        """Say that a stream has a newer frame; from any thread, at the cost of a look-up."""
        if stream.id not in self._wanted:
            return
        self._noticed.add(stream)
        if not self._is_on_its_way:
            self._is_on_its_way = True
            with contextlib.suppress(OSError):  # then it is awake already, or closed
                self._waker.send(b"\0")

    @property
    def waiting(self) -> int:
        """How many streams have a frame that is to be sent."""
        return len(self._noticed | self._pending.keys())

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return self._topics > 0

    def close(self) -> None:
        """Stop within a second, whatever the listeners do."""
        super().close()
        self._waker.close()
        self._woken.close()

    # From here on only the republisher's own thread, which alone touches the socket.

    def go_round(self) -> None:
        """Notice who listens and what is new, and send one frame."""
        self._look()
        self._await()
        self._collect()
        stream = self._next_due()
        if stream is not None:
            del self._pending[stream]
            self._send(stream)

    def end(self) -> None:
        """Ask for no more frames."""
        self._want(frozenset())

    def _look(self) -> None:
        """See which streams are to be sent, now and then: cameras come and go."""
        now_ns = time.monotonic_ns()
        if now_ns < self._looks_at_ns:
            return
        self._looks_at_ns = now_ns + _LOOK_NS
        streams = self._streams() if self.is_heard else ()
        chosen = [stream for stream in streams if self._chooses(stream)]
        self._want(frozenset(stream.id for stream in chosen))
        for gone in self._sent.keys() - set(chosen):
            del self._sent[gone]
            self._due_ns.pop(gone, None)
            self._pending.pop(gone, None)

    def _chooses(self, stream: Stream) -> bool:
        name = f"{stream.camera}/{stream.profile}"
        return any(pattern.matches(stream.node.name, name) for pattern in self._patterns)

    def _want(self, wanted: frozenset[str]) -> None:
        before, self._wanted = self._wanted, wanted
        self._demand.change(before, wanted)

    def _await(self) -> None:
        """Sleep until a frame or a listener comes, or a frame that waits may go."""
        ready = dict(self._poller.poll(self._wait_ms()))
        if self._woken.fileno() in ready:
            self._woken.recv(4096)
        if self._socket in ready:
            self._read_topics()

    def _wait_ms(self) -> int:
        if not self._pending:
            return POLL_MS
        due_ns = min(self._due_ns.get(stream, 0) for stream in self._pending)
        return min(POLL_MS, max(0, -(-(due_ns - time.monotonic_ns()) // 1_000_000)))

    def _read_topics(self) -> None:
        """Count topics. XPUB tells of each once, however many listeners it has."""
        with contextlib.suppress(zmq.Again):
            while True:
                first = self._socket.recv(zmq.NOBLOCK)[:1]
                self._topics += (first == _SUBSCRIBED) - (first == _UNSUBSCRIBED)
                self._looks_at_ns = 0

    def _collect(self) -> None:
        self._is_on_its_way = False  # first, so that a notice from now on wakes us again
        while self._noticed:
            self._pending.setdefault(self._noticed.pop())

    def _next_due(self) -> Stream | None:
        now_ns = time.monotonic_ns()
        return next((one for one in self._pending if self._due_ns.get(one, 0) <= now_ns), None)

    def _send(self, stream: Stream) -> None:
        """Send the newest frame, and count those that it overtook."""
        arrival = stream.arrival
        if arrival is None or not self.is_heard:
            return
        overtaken = arrival.number - self._sent.get(stream, arrival.number - 1) - 1
        if overtaken < 0:  # it has been sent: two notices, one frame
            return
        if overtaken:
            stream.drop(_PLACE, "rate" if self._interval_ns else "newer", overtaken)
        self._sent[stream] = arrival.number
        now_ns = time.monotonic_ns()
        due_ns = self._due_ns.get(stream, 0) + self._interval_ns
        # A stream that was late is not to catch up, so the rate is kept over two frames at most.
        self._due_ns[stream] = due_ns if due_ns > now_ns else now_ns + self._interval_ns
        try:
            header, data = _message(stream.id, arrival.frame, self._format, self._quality)
        except (ValueError, RemoteProtocolError):
            stream.drop(_PLACE, Reason.NOT_JPEG.value)
            return
        self._transmit(stream, header, data)

    def _transmit(self, stream: Stream, header: bytes, data: Any) -> None:  # noqa: ANN401 - any buffer
        message = (header, data)
        try:
            self._socket.send_multipart(message, zmq.NOBLOCK, copy=False)
        except zmq.Again:  # somebody is full, so nobody got it
            stream.drop(_PLACE, "slow")
            self._socket.setsockopt(zmq.XPUB_NODROP, 0)
            self._socket.send_multipart(message, zmq.NOBLOCK, copy=False)  # to all but those
            self._socket.setsockopt(zmq.XPUB_NODROP, 1)


def _message(
    stream_id: str, frame: Frame, wanted: Format, quality: int
) -> tuple[bytes, Payload | np.ndarray[Any, Any]]:
    """A frame's two parts as imagezmq's; a raw picture goes as it came where raw is wanted."""
    header = frame.header
    if wanted == "jpeg":
        is_jpeg = header.codec == "jpeg"
        data = frame.payload if is_jpeg else encode_jpeg(frame.image(), quality)
        return encode_header(stream_id, None), data
    if header.codec == "raw":
        image = np.frombuffer(frame.payload, header.dtype).reshape(header.shape)
        return encode_header(stream_id, image), frame.payload
    image = np.ascontiguousarray(frame.image())
    return encode_header(stream_id, image), image
