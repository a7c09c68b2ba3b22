"""`camfleet bench fleet`: loads a running hub with simulated cameras, and tells what they sent.

It counts what left the generator; what became of it, the hub's metrics say.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from camfleet.cli.hub import CommandError, seconds
from camfleet.keyring import Keyring
from camfleet.keys import Bundle, Role
from camfleet.load import MAX_CAMERAS, Plan, Tally, generate, spread
from camfleet.subscriber import Subscriber

_PER_NODE: Final = 15
_MOST: Final = 10_000
_WELCOME_S: Final = 15.0  # a hub that lets many in at once, encrypted
_WARM_UP_S: Final = 2.0
_DEMAND: Final = "load-demand"
_SUBSCRIBERS_PORT: Final = 5557
_TELL_S: Final = 1.0


@dataclass(frozen=True)
class _Keys:
    """Who is simulated; bundles are None where the links are plain."""

    names: Sequence[str]
    bundles: Sequence[Bundle | None]
    subscriber: Bundle | None = None


def main(words: Sequence[str]) -> int:
    """Obey the rest of a command line; return the exit code.

    Raises:
        CommandError: when the hub does not welcome all nodes.
        LocalProtocolError: for numbers that no hub would take, and for bad keys.
    """
    options = _parser().parse_args(words)
    with ExitStack() as stack:
        keys = stack.enter_context(_keys(options))
        nodes = spread(options.cameras, keys.names, keys.bundles)
        plans = [
            Plan(options.hub, part, options.fps, options.size, number / options.processes)
            for number in range(options.processes)
            if (part := nodes[number :: options.processes])
        ]
        pipes = [stack.enter_context(_running(plan)) for plan in plans]
        fleet = _Generators(pipes)
        first = fleet.await_online(_WELCOME_S)
        if options.plain or keys.subscriber is not None:
            stack.enter_context(_demand(options, keys))
        sys.stdout.write(f"{first.online} nodes are online with {options.cameras} cameras\n")
        fleet.pause(_WARM_UP_S)
        sys.stdout.write(_measure(fleet, options))
    return 0


def report(tally: Tally, span_s: float, fps: float) -> str:
    """Say in three lines what was sent, what was not and why, and how late the generator was."""
    sent, offered = sum(tally.sent), len(tally.sent) * fps
    slowest = min(tally.sent) / span_s
    reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(tally.dropped.items()))
    late = 100 * tally.late / max(1, tally.ticks)
    kept = "kept its schedule" if not tally.late else f"{late:.2f} % of its ticks came late"
    return (
        f"sent {sent / span_s:.1f} of {offered:.1f} frames/s; slowest camera {slowest:.2f} fps\n"
        f"dropped at the generator: {reasons or 'none'}\n"
        f"generator: {kept}, {100 * tally.cpu_s / span_s:.0f} % of a core\n"
    )


class _Generators:
    """All generators' processes, by what they tell."""

    def __init__(self, pipes: Sequence[Connection[bytes, bytes]]) -> None:
        self._pipes = pipes
        self._told: list[Tally | None] = [None] * len(pipes)

    def await_online(self, timeout_s: float) -> Tally:
        """Wait until every node is welcomed."""
        deadline_s = time.monotonic() + timeout_s
        while True:
            tally = self.listen()
            if tally.online == tally.nodes:
                return tally
            if time.monotonic() > deadline_s:
                why = tally.problem or "the hub does not answer, or these keys are not its own"
                raise CommandError(f"{tally.online} of {tally.nodes} nodes are welcome: {why}")

    def listen(self) -> Tally:
        """Wait for every generator's next tally, a second or so; return their sum.

        Raises:
            CommandError: when one has ended.
        """
        try:
            return Tally.sum(Tally.decode(pipe.recv_bytes()) for pipe in self._pipes)
        except (EOFError, ConnectionError) as error:
            raise CommandError("a generator's process has ended by an error of ours") from error

    def pause(self, span_s: float) -> None:
        """Let time pass, and forget what was told meanwhile."""
        begun_s = time.monotonic()
        while time.monotonic() - begun_s < span_s:
            self.listen()


def _measure(fleet: _Generators, options: argparse.Namespace) -> str:
    first = before = fleet.listen()
    begun_s = told_s = time.monotonic()
    while told_s - begun_s < options.seconds:
        now = fleet.listen()
        span_s, told_s = time.monotonic() - told_s, time.monotonic()
        last = now.since(before)
        before = now
        sys.stderr.write(
            f"{told_s - begun_s:3.0f} s: {sum(last.sent) / span_s:.0f} frames/s, "
            f"{sum(last.dropped.values())} dropped, {last.late} late, {last.online} online\n"
        )
    return report(before.since(first), told_s - begun_s, options.fps)


@contextmanager
def _running(plan: Plan) -> Iterator[Connection[bytes, bytes]]:
    """Run one generator in a process of its own; it ends when its pipe is closed."""
    spawn = mp.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=generate, args=(plan, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        process.join(2)
        if process.is_alive():
            process.terminate()
            process.join()


@contextmanager
def _demand(options: argparse.Namespace, keys: _Keys) -> Iterator[None]:
    """Want every stream, or a hub lets none send more than a frame a second.

    It subscribes and takes one frame; then it gives no credit, so the hub forwards nothing.
    """
    address = options.subscribers or _beside(options.hub)
    with Subscriber(
        address, bundle=keys.subscriber, plain=keys.subscriber is None, software="camfleet bench"
    ) as subscriber:
        if subscriber.take(_WELCOME_S) is None:
            why = subscriber.refusal or f"link {subscriber.state}"
            raise CommandError(f"the port for subscribers at {address} gives no frame: {why}")
        yield


def _beside(hub: str) -> str:
    """The usual port for subscribers, on the hub's machine."""
    host = urlsplit(hub).hostname or ""
    return f"tcp://{f'[{host}]' if ':' in host else host}:{_SUBSCRIBERS_PORT}"


@contextmanager
def _keys(options: argparse.Namespace) -> Iterator[_Keys]:
    count = options.nodes or -(-options.cameras // _PER_NODE)
    names = [f"load-{number + 1}" for number in range(count)]
    if options.enrol is not None:
        keyring = Keyring(options.enrol)
        try:
            yield _enrol(keyring, names, options)
        finally:
            for entry in keyring.entries():
                if entry.name in {*names, _DEMAND}:
                    keyring.revoke(entry.name)
    elif options.bundles is not None:
        yield _read(options.bundles, count)
    else:
        yield _Keys(names, [None] * count)


def _enrol(keyring: Keyring, names: Sequence[str], options: argparse.Namespace) -> _Keys:
    bundles = [keyring.enrol(name, Role.NODE, options.hub, replace=True) for name in names]
    address = options.subscribers or _beside(options.hub)
    subscriber = keyring.enrol(_DEMAND, Role.SUBSCRIBER, address, replace=True)
    return _Keys(names, bundles, subscriber)


def _read(folder: Path, count: int) -> _Keys:
    bundles = [Bundle.read(path) for path in sorted(folder.glob("*.json"))]
    nodes = [bundle for bundle in bundles if bundle.role is Role.NODE][:count]
    if len(nodes) < count:
        raise CommandError(f"{folder} has bundles of {len(nodes)} nodes, want {count}")
    subscribers = [bundle for bundle in bundles if bundle.role is Role.SUBSCRIBER]
    subscriber = subscribers[0] if subscribers else None
    return _Keys([bundle.name for bundle in nodes], nodes, subscriber)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="camfleet bench fleet", description=__doc__)
    parser.add_argument("--hub", metavar="ADDRESS", default="tcp://127.0.0.1:5556")
    parser.add_argument("--subscribers", metavar="ADDRESS", help="port 5557 beside it by default")
    parser.add_argument("--cameras", type=_count, default=300, help="300")
    parser.add_argument("--nodes", type=_count, help="one for every 15 cameras by default")
    parser.add_argument("--fps", type=_rate, default=30.0, help="30, of each camera")
    parser.add_argument("--size", type=_count, default=30_000, metavar="BYTES", help="30000")
    parser.add_argument("--seconds", type=seconds, default=30.0, help="30")
    parser.add_argument("--processes", type=_count, default=1, help="1")
    keys = parser.add_mutually_exclusive_group(required=True)
    keys.add_argument("--plain", action="store_true", help="no keys: for a hub that is plain")
    text = f"bundles of nodes and one of a subscriber, *.json; {MAX_CAMERAS} cameras each at most"
    keys.add_argument("--bundles", type=Path, metavar="FOLDER", help=text)
    text = "the state folder of a hub on this machine, where nodes are enrolled meanwhile"
    keys.add_argument("--enrol", type=Path, metavar="FOLDER", help=text)
    return parser


def _count(text: str) -> int:
    found = int(text)
    if not 1 <= found <= _MOST * 1_000:
        raise argparse.ArgumentTypeError(f"found {text}, want 1 to {_MOST * 1_000}")
    return found


def _rate(text: str) -> float:
    found = float(text)
    if not 0 < found <= 1_000:
        raise argparse.ArgumentTypeError(f"found {text}, want more than 0 fps, 1000 at most")
    return found
