"""Every node and camera that the hub knows, with each stream's newest frame and its counts.

The ingest threads write it, everybody else reads it; nobody who reads can hold them up.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from camfleet.errors import Reason, RemoteProtocolError
from camfleet.frame import Frame
from camfleet.hub_link import Event, NodeJoined, NodeLeft, NodeReported
from camfleet.liveness import Liveness, liveness
from camfleet.names import MAIN
from camfleet.stats import RateMeter, StreamStats

IMAGEZMQ_NODE: Final = "imagezmq"  # stock senders have no node; their cameras stand under this one
_NS: Final = 1e9


class Stream:
    """One camera's frames in one profile: the newest one, and what was counted.

    Attributes:
        id: `node/camera`, with the profile behind it where that is not `main`.
        newest: the last frame that arrived; None before the first.
        fps: arrivals per second over the last three seconds.
        skipped: frames that some viewer did not get because it had a newer one to get.
    """

    def __init__(self, node: Node, name: str) -> None:
        self.node = node
        self.camera, _, self.profile = name.partition("/")
        path = (node.name, self.camera) + ((self.profile,) if self.profile != MAIN else ())
        self.id = "/".join(path)
        self.newest: Frame | None = None
        self.stats = StreamStats()
        self.fps = 0.0
        self.skipped = 0
        self.heard_ns = 0
        self._rate = RateMeter()

    def silence_s(self, monotonic_ns: int) -> float | None:
        """Seconds since the last frame; None before the first."""
        return (monotonic_ns - self.heard_ns) / _NS if self.newest else None

    def liveness(self, monotonic_ns: int) -> Liveness:
        """Judge the camera: offline with its node, stale while its node sends no pictures."""
        silence_s = self.silence_s(monotonic_ns)
        if not self.node.has_heartbeat:
            return Liveness.OFFLINE if silence_s is None else liveness(silence_s)
        if self.node.liveness(monotonic_ns) is Liveness.OFFLINE:
            return Liveness.OFFLINE
        is_fresh = silence_s is not None and liveness(silence_s) is Liveness.ONLINE
        return Liveness.ONLINE if is_fresh else Liveness.STALE

    def sample(self, monotonic_ns: int) -> None:
        """Read the counter for the rate; called once a second."""
        self.fps = self._rate.sample(self.stats.received, monotonic_ns / _NS)


class Node:
    """One machine with cameras.

    Attributes:
        name: as it said in its hello.
        has_heartbeat: False for stock imagezmq senders, which are judged by their frames.
        software: name and version, where the node told them.
        has_left: it said goodbye, or was silent for too long.
    """

    def __init__(self, name: str, *, has_heartbeat: bool) -> None:
        self.name = name
        self.has_heartbeat = has_heartbeat
        self.software = ""
        self.streams: dict[str, Stream] = {}
        self.heard_ns = 0
        self.has_left = False

    def liveness(self, monotonic_ns: int) -> Liveness:
        """Judge the node by the time since it was heard."""
        if self.has_left:
            return Liveness.OFFLINE
        return liveness((monotonic_ns - self.heard_ns) / _NS)


class Fleet:
    """The hub's picture of all nodes.

    Args:
        max_cameras: streams that are kept. A further one takes the place of that which has
            been offline longest, or is rejected where none is; so a sender whose label
            changes with every picture cannot fill the memory.
        monotonic_ns: the clock that silences are measured on.
    """

    def __init__(
        self, max_cameras: int, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._max_cameras = max_cameras
        self._monotonic_ns = monotonic_ns
        self._nodes: dict[str, Node] = {}
        self._streams: dict[str, Stream] = {}
        self._making = threading.Lock()
        self.rejected: Counter[tuple[str, str, Reason]] = Counter()
        self.on_frame: Callable[[Stream], None] = _ignore
        self.on_camera: Callable[[Stream], None] = _ignore

    def take(self, event: Event) -> None:
        """Take what the receiver says; called on its thread."""
        if event.node == IMAGEZMQ_NODE:
            text = f"a node calls itself {IMAGEZMQ_NODE!r}, want a name of its own"
            self.reject("", "", RemoteProtocolError(Reason.NAME_TAKEN, text))
            return
        if type(event) is Frame:
            try:
                self.accept(event)
            except RemoteProtocolError as error:
                self.reject(event.node, "", error)
            return
        match event:
            case NodeJoined():
                self._join(event)
            case NodeReported():
                self._report(event)
            case NodeLeft(node):
                self._leave(node)

    def accept(self, frame: Frame) -> None:
        """Account for a frame and make it its stream's newest.

        Raises:
            RemoteProtocolError: with reason `too_many` when there is no room for its camera.
        """
        node = self._nodes.get(frame.node) or self._make_node(frame.node, has_heartbeat=False)
        name = frame.header.stream
        stream = node.streams.get(name) or self._make_stream(node, name)
        stream.stats.account(frame)
        stream.heard_ns = node.heard_ns = self._monotonic_ns()
        stream.newest = frame  # last, so that nobody sees it without its time
        self.on_frame(stream)

    def reject(self, node: str, camera: str, error: RemoteProtocolError) -> None:
        """Count a message that could not be accepted; a stranger's node and camera are empty."""
        sender = self._nodes.get(node)
        stream = sender.streams.get(error.stream or f"{camera}/{MAIN}") if sender else None
        self.rejected[node, stream.camera if stream else "", error.reason] += 1
        if stream and error.sent is not None:  # it did arrive, so it is not lost as well
            stream.stats.reject(error.sent)

    def nodes(self) -> list[Node]:
        """All nodes, by name."""
        return sorted(self._nodes.values(), key=lambda node: node.name)

    def streams(self) -> list[Stream]:
        """All streams, by id."""
        return sorted(self._streams.values(), key=lambda stream: stream.id)

    def find(self, stream_id: str) -> Stream | None:
        """The stream with this id, or None."""
        return self._streams.get(stream_id)

    def sample(self) -> None:
        """Read every counter for its rate; call it once a second."""
        now_ns = self._monotonic_ns()
        for stream in list(self._streams.values()):
            stream.sample(now_ns)

    def now_ns(self) -> int:
        """Now, on the clock that silences are measured on."""
        return self._monotonic_ns()

    def _join(self, event: NodeJoined) -> None:
        node = self._nodes.get(event.node) or self._make_node(event.node, has_heartbeat=True)
        node.software = event.software
        node.has_left = False
        node.heard_ns = self._monotonic_ns()
        for counters in event.counters:
            try:
                stream = node.streams.get(counters.stream) or self._make_stream(
                    node, counters.stream
                )
            except RemoteProtocolError as error:
                self.reject(event.node, "", error)
            else:
                stream.stats.begin(event.session, counters)

    def _report(self, event: NodeReported) -> None:
        node = self._nodes[event.node]
        node.heard_ns = self._monotonic_ns()
        for counters in event.counters:
            stream = node.streams.get(counters.stream)
            if stream is not None:
                stream.stats.report(counters)

    def _leave(self, name: str) -> None:
        """Remember who left by its cameras; without any it would only fill the memory."""
        if self._nodes[name].streams:
            self._nodes[name].has_left = True
            return
        del self._nodes[name]
        self._fold_rejected(name)

    def _make_node(self, name: str, *, has_heartbeat: bool) -> Node:
        with self._making:
            return self._nodes.setdefault(name, Node(name, has_heartbeat=has_heartbeat))

    def _make_stream(self, node: Node, name: str) -> Stream:
        with self._making:
            if len(self._streams) >= self._max_cameras:
                self._make_room()
            stream = node.streams[name] = Stream(node, name)
            self._streams[stream.id] = stream
        self.on_camera(stream)
        return stream

    def _make_room(self) -> None:
        """Forget the camera that has been offline for the longest time, if there is one."""
        now_ns = self._monotonic_ns()
        offline = [
            stream
            for stream in self._streams.values()
            if stream.liveness(now_ns) is Liveness.OFFLINE
        ]
        if not offline:
            raise RemoteProtocolError(
                Reason.TOO_MANY, f"{self._max_cameras} cameras are here, want no more"
            )
        gone = min(offline, key=lambda stream: stream.heard_ns)
        del self._streams[gone.id]
        gone.node.streams = {
            name: stream for name, stream in gone.node.streams.items() if stream is not gone
        }
        self._fold_rejected(gone.node.name, gone.camera)
        if gone.node.has_left and not gone.node.streams:
            del self._nodes[gone.node.name]

    def _fold_rejected(self, node: str, camera: str | None = None) -> None:
        """Count what was rejected of somebody who is forgotten as a stranger's."""
        for key in list(self.rejected):
            if key[0] == node and camera in {None, key[1]}:
                self.rejected["", "", key[2]] += self.rejected.pop(key)


def _ignore(_stream: Stream) -> None:
    """Nobody looks yet."""
