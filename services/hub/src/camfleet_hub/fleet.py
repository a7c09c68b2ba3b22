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
from camfleet.events import Detected, Event, NodeJoined, NodeLeft, NodeReported
from camfleet.frame import Frame
from camfleet.liveness import Liveness
from camfleet.machine_health import from_facts
from camfleet.names import MAIN, PREVIEW
from camfleet.wire import Counters
from camfleet_hub.authority import authority
from camfleet_hub.rejections import Rejections, describe
from camfleet_hub.room import MAX_PICTURE_BYTES, Room
from camfleet_hub.stream import Node, Stream

IMAGEZMQ_NODE: Final = "imagezmq"  # stock senders have no node; their cameras stand under this one


class Fleet:
    """The hub's picture of all nodes.

    Places are only made by `sample`, so that who has none holds up no ingest thread.

    Args:
        max_cameras: cameras that are kept, each with its preview. A further one is rejected
            until, at the next `sample`, it can take the place of that which has been offline
            longest; so a sender whose label changes with every picture cannot fill the memory.
        max_picture_bytes: of all newest frames together; one that exceeds it is rejected.
        monotonic_ns: the clock that silences are measured on.
    """

    def __init__(
        self,
        max_cameras: int,
        *,
        max_picture_bytes: int = MAX_PICTURE_BYTES,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._room = Room(max_cameras, max_picture_bytes)
        self._monotonic_ns = monotonic_ns
        self._nodes: dict[str, Node] = {}
        self._streams: dict[str, Stream] = {}
        # Whoever adds or removes a node, a stream or a count holds it; a frame takes it never.
        self._changing = threading.RLock()
        self.rejected: Counter[tuple[str, str, Reason]] = Counter()
        self.rejections = Rejections()
        self.listeners: tuple[Callable[[Stream], None], ...] = ()
        self.on_camera: Callable[[Stream], None] = _ignore
        self.on_node: Callable[[NodeJoined | NodeLeft], None] = _ignore
        self.watchers: tuple[Callable[[Detected], None], ...] = ()
        self.on_reject: Callable[[str, RemoteProtocolError], None] = _ignore

    def take(self, event: Event) -> None:
        """Take what the receiver says; called on its thread."""
        if type(event) is Frame:
            try:
                self.accept(event)
            except RemoteProtocolError as error:
                self.reject(event.node, error)
            return
        match event:
            case NodeJoined():
                self._join(event)
                self.on_node(event)
            case NodeReported():
                self._report(event)
            case Detected():
                self._detect(event)
            case NodeLeft():
                self._leave(event)
                self.on_node(event)

    def accept(self, frame: Frame) -> None:
        """Account for a frame and make it its stream's newest.

        Raises:
            RemoteProtocolError: with reason `too_many` when there is no room for it.
        """
        name = frame.header.stream
        node = self._nodes.get(frame.node)
        stream = node.streams.get(name) if node else None
        newest = stream.newest if stream else None
        more_bytes = len(frame.payload) - (len(newest.payload) if newest else 0)
        self._room.want_bytes(frame, more_bytes)
        stream = stream or self._make_stream(frame.node, name, has_heartbeat=False)
        self._room.picture_bytes += more_bytes
        stream.take(frame, self._monotonic_ns())
        for listener in self.listeners:
            listener(stream)

    def reject(self, node: str, error: RemoteProtocolError) -> None:
        """Count a message that could not be accepted; a stranger's node is empty."""
        with self._changing:
            sender = self._nodes.get(node)
            stream = sender.streams.get(error.stream) if sender else None
            self.rejected[node, stream.camera if stream else "", error.reason] += 1
            camera = error.stream.partition("/")[0]
            rejection = describe(node, camera, error, self._monotonic_ns())
            if stream is not None:
                stream.rejection = rejection
            else:
                self.rejections.take(rejection)
                if sender and not camera:
                    sender.rejection = rejection
        if stream and error.sent is not None:  # it did arrive, so it is not lost as well
            stream.stats.reject(error.sent)
        if sender and error.detection is not None:
            sender.detections.reject(error.detection)
        self.on_reject(node, error)

    def nodes(self) -> list[Node]:
        """All nodes, by name."""
        return sorted(self._nodes.copy().values(), key=lambda node: node.name)

    def streams(self) -> list[Stream]:
        """All streams, by id."""
        return sorted(self._streams.copy().values(), key=lambda stream: stream.id)

    def find(self, stream_id: str) -> Stream | None:
        """The stream with this id, or None."""
        return self._streams.get(stream_id)

    def sample(self) -> None:
        """Read every counter for its rate, and make room for who waits; once a second."""
        now_ns = self._monotonic_ns()
        for stream in self._streams.copy().values():
            stream.sample(now_ns)
        if self._room.is_awaited:
            self._make_room(now_ns)
        self._fold_strangers(now_ns)
        newest = [stream.newest for stream in self._streams.copy().values()]
        self._room.picture_bytes = sum(len(frame.payload) for frame in newest if frame)

    def now_ns(self) -> int:
        """Now, on the clock that silences are measured on."""
        return self._monotonic_ns()

    def _join(self, event: NodeJoined) -> None:
        with self._changing:
            node = self._make_node(event.node, has_heartbeat=True)
            node.software = event.software
            node.left = None
            node.heard_ns = self._monotonic_ns()
            node.joined += 1
            node.metrics_at = _metrics_at(event)
            node.detections.begin(event.session, event.detections)
            if event.session != node.session:
                node.session = event.session
                node.health = None
                _forget_detections(node)
            asked_fps = dict(zip(_names(event), event.asked_fps, strict=False))
            for counters in sorted(event.counters, key=_previews_last):
                try:
                    stream = self._make_stream(node.name, counters.stream, has_heartbeat=True)
                except RemoteProtocolError as error:
                    self.reject(event.node, error)
                else:
                    stream.stats.begin(event.session, counters)
                    stream.asked_fps = asked_fps.get(counters.stream, 0.0)
            declared = set(_names(event))
            for name, stream in node.streams.items():
                stream.is_declared = name in declared

    def _report(self, event: NodeReported) -> None:
        node = self._nodes[event.node]
        node.heard_ns = now_ns = self._monotonic_ns()
        node.round_trip_ns = event.round_trip_ns
        lost = node.detections.lost
        node.detections.report(event.detections)
        if node.detections.lost > lost:
            _forget_detections(node)
        names, told = _names(event), event.restarts
        if told and len(told) != len(names):  # whose they are is not known
            problem = f"restarts are {len(told)}, want {len(names)}, one of each stream"
            self.reject(event.node, RemoteProtocolError(Reason.HEALTH, problem))
            told = ()
        restarts = dict(zip(names, told, strict=False))
        for counters in event.counters:
            stream = node.streams.get(counters.stream)
            if stream is not None:
                stream.report(counters, now_ns)
                if counters.stream in restarts:
                    stream.stats.restart(restarts[counters.stream])
        try:
            node.health = from_facts(event.health)
        except RemoteProtocolError as error:  # the rest of the heartbeat is as good as ever
            node.health = None
            self.reject(event.node, error)

    def _detect(self, event: Detected) -> None:
        """Account for a detection, and tell who looks out for them."""
        node, name = self._nodes[event.node], event.header.stream
        stream = node.streams.get(f"{event.camera}/{MAIN}") or node.streams.get(name)
        if stream is None:  # there was no room for its camera
            error = self._room.no_place()
            error.detection = event.header.number
            self.reject(event.node, error)
            return
        lost = node.detections.lost
        node.detections.account(event.header.number)
        if node.detections.lost > lost:
            _forget_detections(node)
        stream.detect(event)
        for watcher in self.watchers:
            watcher(event)

    def _leave(self, event: NodeLeft) -> None:
        """Remember who left by its cameras; without any it would only fill the memory."""
        with self._changing:
            node = self._nodes[event.node]
            node.left = event
            self._forget_node_without_cameras(node)

    def _make_node(self, name: str, *, has_heartbeat: bool) -> Node:
        return self._nodes.setdefault(name, Node(name, has_heartbeat=has_heartbeat))

    def _make_stream(self, node_name: str, name: str, *, has_heartbeat: bool) -> Stream:
        """Return a node's stream; make both where they are not there."""
        with self._changing:
            node = self._make_node(node_name, has_heartbeat=has_heartbeat)
            if name in node.streams:
                return node.streams[name]
            camera, _, profile = name.partition("/")
            is_second = profile == PREVIEW and f"{camera}/{MAIN}" in node.streams
            if not is_second:
                self._room.want_place(node_name, name)
            stream = Stream(node, name, takes_place=not is_second)
            self._room.cameras += stream.takes_place
            node.streams = {**node.streams, name: stream}
            self._streams[stream.id] = stream
        self.on_camera(stream)
        return stream

    def _make_room(self, now_ns: int) -> None:
        """Forget as many cameras as wait, of those that have been offline longest."""
        with self._changing:
            count = self._room.take_waiting()
            streams = list(self._streams.values())
            offline = [
                one
                for one in streams
                if one.takes_place and one.liveness(now_ns) is Liveness.OFFLINE
            ]
            gone = sorted(offline, key=lambda stream: stream.heard_ns)[:count]
            gone += [second for stream in gone if (second := _second(stream))]
            for stream in gone:
                self._forget(stream)
        for stream in gone:
            for listener in self.listeners:
                listener(stream)  # whoever shows it looks, and does not find it

    def _forget(self, gone: Stream) -> None:
        node = gone.node
        del self._streams[gone.id]
        self._room.cameras -= gone.takes_place
        node.streams = {name: one for name, one in node.streams.items() if one is not gone}
        self._fold_rejected(node.name, gone.camera)
        self._forget_node_without_cameras(node)

    def _forget_node_without_cameras(self, node: Node) -> None:
        if node.left and not node.streams:
            del self._nodes[node.name]
            self._fold_rejected(node.name)

    def _fold_strangers(self, now_ns: int) -> None:
        """Keep no count of its own of who never joined and no more tries to."""
        with self._changing:
            known = {"", *self._nodes, *(one.node for one in self.rejections.recent(now_ns))}
            for stranger in {node for node, _, _ in self.rejected} - known:
                self._fold_rejected(stranger)

    def _fold_rejected(self, node: str, camera: str | None = None) -> None:
        """Count what was rejected of somebody who is forgotten as a stranger's."""
        for key in list(self.rejected):
            if key[0] == node and camera in {None, key[1]}:
                self.rejected["", "", key[2]] += self.rejected.pop(key)


def _names(event: NodeJoined | NodeReported) -> list[str]:
    return [counters.stream for counters in event.counters]


def _metrics_at(event: NodeJoined) -> str:
    if not event.metrics_port or not event.address:
        return ""
    host = event.address.removeprefix("::ffff:")  # IPv4 on a socket that takes both (RFC 4291)
    return authority(host, event.metrics_port)


def _previews_last(counters: Counters) -> bool:
    """A preview takes no place of its own where its main stream has one."""
    return counters.stream.endswith(f"/{PREVIEW}")


def _second(stream: Stream) -> Stream | None:
    """The preview that stands beside a main stream, and leaves with it."""
    second = stream.node.streams.get(f"{stream.camera}/{PREVIEW}")
    return second if second is not None and not second.takes_place else None


def _forget_detections(node: Node) -> None:
    for stream in node.streams.values():
        stream.forget_detections()


def _ignore(*_what: object) -> None:
    """Nobody looks yet."""
