"""A process full of simulated nodes: one thread around all sockets, in rounds of a millisecond.

It waits for no credit and for no hub: what it cannot send it drops and counts.
"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Final

import zmq

from camfleet.load.node import NodeLoad
from camfleet.load.picture import jpeg
from camfleet.load.plan import Plan
from camfleet.load.schedule import Schedule
from camfleet.load.tally import Tally

# Long enough that what came meanwhile is read at once, short beside a frame's interval.
_ROUND_S: Final = 0.001
_SPEAK_ROUNDS: Final = 10  # heartbeats are a second apart
_TELL_NS: Final = 1_000_000_000
_SOFTWARE: Final = "camfleet bench fleet"


def generate(plan: Plan, pipe: Connection[bytes, bytes]) -> None:
    """Send until the other end of the pipe is closed; tell it a tally every second.

    Args:
        plan: what to send, and where to.
        pipe: to the process that wants the tallies. Anything that comes by it ends this, too.

    Raises:
        LocalProtocolError: for a bad name or size.
    """
    picture = jpeg(plan.size_bytes)
    shared = zmq.Frame(picture)
    with zmq.Context() as context:
        nodes = [
            NodeLoad(context, plan.address, node, (picture, shared), _SOFTWARE)
            for node in plan.nodes
        ]
        try:
            _Rounds(plan, nodes, pipe).run()
        finally:
            for node in nodes:
                node.close()


class _Rounds:
    """Sleep, read, speak, take the pictures that are due."""

    def __init__(
        self, plan: Plan, nodes: Sequence[NodeLoad], pipe: Connection[bytes, bytes]
    ) -> None:
        self._nodes = nodes
        self._pipe = pipe
        # Neighbours in the schedule are on different nodes, as they are in a house.
        most = max(node.cameras for node in plan.nodes)
        self._cameras = [
            (nodes[at], camera)
            for camera in range(most)
            for at, node in enumerate(plan.nodes)
            if camera < node.cameras
        ]
        step_ns = 1e9 / plan.fps / plan.cameras
        begun_ns = time.monotonic_ns() + int(step_ns * plan.phase)
        self._schedule = Schedule(plan.cameras, plan.fps, begun_ns)
        self._by_socket = {node.dealer: node for node in nodes}
        self._poller = zmq.Poller()
        for node in nodes:
            self._poller.register(node.dealer, zmq.POLLIN)
        self._ticks = self._late = 0
        self._told_ns = 0

    def run(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more
            while not self._pipe.poll():
                now_ns = time.monotonic_ns()
                for node in self._nodes:
                    node.speak(now_ns)
                for _ in range(_SPEAK_ROUNDS):
                    self._go_round()
                if now_ns - self._told_ns >= _TELL_NS:
                    self._told_ns = now_ns
                    self._pipe.send_bytes(self._tally().encode())

    def _go_round(self) -> None:
        time.sleep(_ROUND_S)
        for socket, _ in self._poller.poll(0):
            self._by_socket[socket].read()
        for tick in self._schedule.due(time.monotonic_ns()):
            node, camera = self._cameras[tick.camera]
            node.capture(camera, is_missed=tick.is_missed)
            self._ticks += 1
            self._late += tick.is_late

    def _tally(self) -> Tally:
        dropped = Counter[str]()
        for node in self._nodes:
            for reason, count in node.dropped():
                dropped[reason] += count
        return Tally(
            [count for node in self._nodes for count in node.sent],
            dict(dropped),
            self._late,
            self._ticks,
            len(self._nodes),
            sum(node.is_online for node in self._nodes),
            time.process_time(),
            next((node.refusal for node in self._nodes if node.refusal), ""),
        )
