"""The drop-in's sender, stock's and our hubs, and every moment at which a hub can be lost."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing
from functools import partial
from select import select
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import imagezmq as stock
import numpy as np
import pytest
import zmq

from camfleet import imagezmq as ours

if TYPE_CHECKING:
    from tests.integration.conftest import Until

# stock has no types, so neither have the places where it may stand
Package: TypeAlias = Any
Hub: TypeAlias = Any

TIMEOUT_S: Final = 30.0  # a busy machine starts a program in some seconds
TIMEOUT_MS: Final = int(1000 * TIMEOUT_S)
SHORT_MS: Final = 100  # where nobody answers
ARRIVES_MS: Final = 3000  # in which a picture reaches a hub that is there, on a busy machine too
PICTURE: Final = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
JPEG: Final = b"\xff\xd8\xff and whatever else"
BOTH = pytest.mark.parametrize("package", [ours, stock], ids=["ours", "stock"])
KINDS = pytest.mark.parametrize(
    "send",
    [lambda s: s.send_image("rpi1", PICTURE), lambda s: s.send_jpg("rpi1", JPEG)],
    ids=["image", "jpg"],
)

# Tells of every picture, and replies to it with its text when told to.
HUB_PROGRAM: Final = """
import sys
{statement}
with imagezmq.ImageHub(sys.argv[1]) as hub:
    print("bound", flush=True)
    while True:
        msg, image = hub.recv_image()
        print(msg, flush=True)
        sys.stdin.readline()
        hub.send_reply(msg.encode())
"""


class HubProcess:
    """A hub that can be killed with a picture in its hands."""

    def __init__(self, package: Package, address: str) -> None:
        statement = "from camfleet import imagezmq" if package is ours else "import imagezmq"
        program = HUB_PROGRAM.format(statement=statement)
        self._process = subprocess.Popen(
            [sys.executable, "-c", program, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # or a second line could wait where select does not see it
        )
        with ExitStack() as undo:
            undo.callback(self._end)
            assert self.said() == "bound"
            undo.pop_all()

    def said(self) -> str:
        assert self._process.stdout
        assert select([self._process.stdout], [], [], TIMEOUT_S)[0], "the hub said nothing"
        return self._process.stdout.readline().decode().strip()

    def reply(self) -> None:
        assert self._process.stdin
        self._process.stdin.write(b"\n")

    def kill(self) -> None:
        self._process.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self.kill()
        self._process.communicate(timeout=TIMEOUT_S)


class Bench:
    """One sender, on this thread or beside it, and one hub after another at its address."""

    def __init__(self, stack: ExitStack, until: Until, port: int) -> None:
        self._stack = stack
        self._until = until
        self._sending: list[Future[Any]] = []
        self.address = f"tcp://127.0.0.1:{port}"
        self.sender = ours.ImageSender(self.address)
        self.sender.zmq_socket.linger = 0
        stack.callback(self._close_sender)

    def hub(self, package: Package) -> Hub:
        """Open a hub as soon as the address is free."""
        hub: Hub = self._until(lambda: self._try_hub(package))
        self._stack.enter_context(closing(hub))
        hub.zmq_socket.rcvtimeo = TIMEOUT_MS
        hub.zmq_socket.linger = 0
        return hub

    def _try_hub(self, package: Package) -> Hub | None:
        try:
            return package.ImageHub(self.address)
        except zmq.ZMQError:
            return None

    def send(self, send: Callable[[ours.ImageSender], Any], time_out_ms: int = -1) -> Future[bytes]:
        """Send beside this thread, without a time-out as programs do, if none is given."""
        self.sender.zmq_socket.rcvtimeo = time_out_ms
        sent: Future[bytes] = Future()
        self._sending.append(sent)

        def run() -> None:
            try:
                sent.set_result(send(self.sender))
            except zmq.ZMQError as error:
                sent.set_exception(error)

        Thread(target=run, daemon=True).start()  # a hanging one must not hold up the others
        return sent

    def image(self, msg: str, time_out_ms: int = -1) -> Future[bytes]:
        return self.send(lambda sender: sender.send_image(msg, PICTURE), time_out_ms)

    def _close_sender(self) -> None:
        if all(sent.done() for sent in self._sending):  # never under the thread that uses it
            self.sender.close()


@pytest.fixture
def bench(until: Until, hold_port: Callable[[], int]) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(stack, until, hold_port())


def assert_exchange(bench: Bench, hub: Hub, msg: str) -> None:
    """See that the next picture is the next that the hub gets, and the reply its own."""
    sent = bench.image(msg)
    assert hub.recv_image()[0] == msg
    hub.send_reply(msg.encode())
    assert sent.result(TIMEOUT_S) == msg.encode()


@BOTH
@KINDS
def test_a_hub_that_closes_without_a_reply_gets_the_picture_again(
    bench: Bench, package: Package, send: Callable[[ours.ImageSender], Any]
) -> None:
    hub = bench.hub(package)
    sent = bench.send(send)
    before = hub.recv_jpg()
    hub.close()
    hub = bench.hub(package)
    after = hub.recv_jpg()
    assert (after[0], after[1].bytes) == (before[0], before[1].bytes)
    hub.send_reply(b"again")
    assert sent.result(TIMEOUT_S) == b"again"
    for msg in ("next", "and next"):
        assert_exchange(bench, hub, msg)


@BOTH
def test_a_hub_that_is_killed_without_a_reply_gets_the_picture_again(
    bench: Bench, package: Package
) -> None:
    with HubProcess(package, bench.address) as hub:
        sent = bench.image("rpi1")
        assert hub.said() == "rpi1"
        hub.kill()
    with HubProcess(package, bench.address) as hub:
        assert hub.said() == "rpi1"
        hub.reply()
        assert sent.result(TIMEOUT_S) == b"rpi1"
        sent = bench.image("next")
        assert hub.said() == "next"
        hub.reply()
        assert sent.result(TIMEOUT_S) == b"next"


@BOTH
def test_a_picture_survives_several_hubs(bench: Bench, package: Package) -> None:
    sent = bench.image("rpi1")
    for _ in range(3):
        hub = bench.hub(package)
        assert hub.recv_image()[0] == "rpi1"
        hub.close()
    hub = bench.hub(package)
    assert hub.recv_image()[0] == "rpi1"
    hub.send_reply()
    assert sent.result(TIMEOUT_S) == b"OK"


@BOTH
def test_a_hub_that_restarts_between_two_pictures_gets_each_once(
    bench: Bench, package: Package
) -> None:
    for number in range(3):
        hub = bench.hub(package)
        assert_exchange(bench, hub, f"first of {number}")
        assert_exchange(bench, hub, f"second of {number}")
        hub.zmq_socket.linger = -1
        hub.close()


def test_a_repeated_picture_has_the_same_bytes_on_the_wire(bench: Bench, until: Until) -> None:
    found = []
    with zmq.Context() as context:
        sent = bench.image("rpi1")
        for _ in range(2):
            with context.socket(zmq.ROUTER) as router:
                router.rcvtimeo = TIMEOUT_MS
                until(partial(is_bound, router, bench.address))
                identity, *parts = router.recv_multipart()
                found.append(parts)
                if len(found) == 2:
                    router.send_multipart([identity, b"", b"OK"])
                    assert sent.result(TIMEOUT_S) == b"OK"
    assert found[0] == found[1]
    assert found[0] == [
        b"",
        b'{"msg": "rpi1", "dtype": "uint8", "shape": [2, 4, 3]}',
        PICTURE.tobytes(),
    ]


def is_bound(socket: zmq.Socket[bytes], address: str) -> bool:
    try:
        socket.bind(address)
    except zmq.ZMQError:
        return False
    return True


@BOTH
def test_a_late_reply_is_not_taken_for_the_next_pictures(bench: Bench, package: Package) -> None:
    hub = bench.hub(package)
    socket = bench.sender.zmq_socket
    late = bench.image("late", ARRIVES_MS)
    assert hub.recv_image()[0] == "late"
    assert type(late.exception(TIMEOUT_S)) is zmq.Again
    hub.send_reply(b"late")
    for msg in ("next", "and next"):
        assert_exchange(bench, hub, msg)
    assert bench.sender.zmq_socket is socket


def test_a_program_may_wait_for_a_late_reply_itself(bench: Bench) -> None:
    hub = bench.hub(ours)
    late = bench.image("late", ARRIVES_MS)
    hub.recv_image()
    assert type(late.exception(TIMEOUT_S)) is zmq.Again
    hub.send_reply(b"late")
    bench.sender.zmq_socket.rcvtimeo = TIMEOUT_MS
    assert bench.sender.zmq_socket.recv() == b"late"
    assert_exchange(bench, hub, "next")


@BOTH
def test_a_picture_that_was_given_up_is_not_sent_when_a_hub_comes(
    bench: Bench, package: Package
) -> None:
    for _ in range(2):
        assert type(bench.image("nobody", SHORT_MS).exception(TIMEOUT_S)) is zmq.Again
    sent = bench.image("next")
    hub = bench.hub(package)
    assert hub.recv_image()[0] == "next"
    hub.send_reply(b"next")
    assert sent.result(TIMEOUT_S) == b"next"
    assert_exchange(bench, hub, "and next")


def test_the_programs_time_out_holds_while_no_hub_comes_back(bench: Bench) -> None:
    hub = bench.hub(ours)
    sent = bench.image("rpi1", ARRIVES_MS)
    hub.recv_image()
    hub.close()
    assert type(sent.exception(TIMEOUT_S)) is zmq.Again
    assert_exchange(bench, bench.hub(ours), "next")


def test_a_hub_that_hangs_up_on_every_picture_is_not_flooded(bench: Bench, until: Until) -> None:
    counts = []
    with zmq.Context() as context, context.socket(zmq.REP) as hub:
        hub.maxmsgsize = 1
        until(partial(is_bound, hub, bench.address))
        with hub.get_monitor_socket(zmq.EVENT_ACCEPTED) as accepted:

            def has_tried_again() -> bool:  # on a busy machine not within the first second
                assert type(bench.image("rpi1", 10 * SHORT_MS).exception(TIMEOUT_S)) is zmq.Again
                counts.append(0)
                while accepted.poll(0):
                    accepted.recv_multipart()
                    counts[-1] += 1
                return counts[-1] > 1

            until(has_tried_again)
            hub.disable_monitor()
    assert max(counts) < 20  # a loop without pauses makes hundreds


def test_the_programs_linger_outlives_a_repetition(bench: Bench) -> None:
    bench.sender.zmq_socket.linger = 1234
    hub = bench.hub(ours)
    sent = bench.image("rpi1")
    hub.recv_image()
    hub.close()
    hub = bench.hub(ours)
    hub.recv_image()
    hub.send_reply()
    sent.result(TIMEOUT_S)
    assert bench.sender.zmq_socket.linger == 1234


@pytest.mark.parametrize("is_owed_reply", [True, False])
@pytest.mark.parametrize(
    "close",
    [
        lambda sender: (sender.zmq_socket.close(), sender.zmq_context.term()),
        lambda sender: sender.zmq_context.destroy(),
        lambda sender: sender.close(),
    ],
    ids=["socket-then-context", "destroy", "close"],
)
def test_a_program_may_close_the_parts_itself(
    bench: Bench, close: Callable[[ours.ImageSender], object], *, is_owed_reply: bool
) -> None:
    hub = bench.hub(ours)
    if is_owed_reply:
        sent = bench.image("rpi1", ARRIVES_MS)
        hub.recv_image()
        sent.exception(TIMEOUT_S)
    closing_thread = Thread(target=close, args=[bench.sender], daemon=True)
    closing_thread.start()
    closing_thread.join(TIMEOUT_S)
    assert not closing_thread.is_alive()
