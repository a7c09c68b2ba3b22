"""The link emulator between real sockets: bytes unharmed, as late and as slow as was asked."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from camfleet.errors import LocalProtocolError
from camfleet.frame import Frame
from camfleet.receiver import Receiver
from camfleet.sender import Sender
from camfleet.testing import LinkEmulator

if TYPE_CHECKING:
    from tests.integration.conftest import Quickest, Until

DEADLINE_S: Final = 30.0
STOP_S: Final = 1.0
QUIET_S: Final = 0.2  # what has not come by then, of what takes a millisecond, does not come
DATA: Final = b"".join(n.to_bytes(4, "big") for n in range(75_000))  # no two places alike
IMAGE: Final = np.full((6, 8, 3), 99, np.uint8)


class Server:
    """Takes connections one after the other, for a test to talk on."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(DEADLINE_S)
        self.address = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._taken: list[socket.socket] = []

    def take(self) -> socket.socket:
        taken, _ = self._listener.accept()
        taken.settimeout(DEADLINE_S)
        self._taken.append(taken)
        return taken

    def close(self) -> None:
        for end in (*self._taken, self._listener):
            end.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def server(stack: ExitStack) -> Server:
    made = Server()
    stack.callback(made.close)
    return made


@pytest.fixture
def link(stack: ExitStack, server: Server) -> LinkEmulator:
    return stack.enter_context(LinkEmulator(server.address))


def connect(stack: ExitStack, link: LinkEmulator) -> socket.socket:
    host, _, port = link.address.removeprefix("tcp://").partition(":")
    return stack.enter_context(socket.create_connection((host, int(port)), DEADLINE_S))


def take_in(link: LinkEmulator) -> None:
    """Wait until what was sent is on its way: the emulator's loop has gone round twice."""
    link.mend()
    link.mend()


def read(end: socket.socket, size: int) -> bytes:
    """Read exactly so much."""
    data = bytearray()
    while len(data) < size and (more := end.recv(size - len(data))):
        data += more
    return bytes(data)


def is_silent(end: socket.socket) -> bool:
    """Whether neither a byte nor an end of the connection comes."""
    end.settimeout(QUIET_S)
    try:
        end.recv(1)
    except TimeoutError:
        return True
    finally:
        end.settimeout(DEADLINE_S)
    return False


def test_bytes_arrive_unharmed_and_in_order_both_ways(
    stack: ExitStack, server: Server, link: LinkEmulator, until: Until
) -> None:
    client, peer = connect(stack, link), server.take()
    sending = threading.Thread(target=client.sendall, args=(DATA,))
    sending.start()
    assert read(peer, len(DATA)) == DATA
    sending.join()
    peer.sendall(b"thanks")
    assert read(client, 6) == b"thanks"
    until(lambda: (link.up_bytes, link.down_bytes) == (len(DATA), 6))


def test_an_end_that_ends_is_seen_at_the_other_after_all_it_said(
    stack: ExitStack, server: Server, link: LinkEmulator
) -> None:
    client, peer = connect(stack, link), server.take()
    client.sendall(b"last words")
    client.shutdown(socket.SHUT_WR)
    assert read(peer, 100) == b"last words"
    peer.sendall(b"answer")  # the other direction is still open
    assert read(client, 6) == b"answer"


@pytest.mark.parametrize("delay_s", [0.01, 0.05])
def test_nothing_arrives_before_its_delay(stack: ExitStack, server: Server, delay_s: float) -> None:
    link = stack.enter_context(LinkEmulator(server.address, delay_s=delay_s))
    client, peer = connect(stack, link), server.take()
    for source, sink in ((client, peer), (peer, client)):
        begun_s = time.monotonic()
        source.sendall(b"x")
        assert read(sink, 1) == b"x"
        assert time.monotonic() - begun_s >= delay_s


def test_what_is_on_its_way_is_not_overtaken_when_the_delay_falls(
    stack: ExitStack, server: Server
) -> None:
    link = stack.enter_context(LinkEmulator(server.address, delay_s=0.3))
    client, peer = connect(stack, link), server.take()
    begun_s = time.monotonic()
    client.sendall(b"1")
    take_in(link)
    link.delay_s = 0
    client.sendall(b"2")
    assert read(peer, 2) == b"12"
    assert time.monotonic() - begun_s >= 0.3


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_rate_is_not_exceeded(stack: ExitStack, server: Server, direction: str) -> None:
    rate_bytes_s = len(DATA) / 0.3
    rate = {"rate_bytes_s" if direction == "up" else "down_rate_bytes_s": rate_bytes_s}
    link = stack.enter_context(LinkEmulator(server.address, **rate))
    client, peer = connect(stack, link), server.take()
    source, sink = (client, peer) if direction == "up" else (peer, client)
    begun_s = time.monotonic()
    sending = threading.Thread(target=source.sendall, args=(DATA,))
    sending.start()
    assert read(sink, len(DATA)) == DATA
    assert time.monotonic() - begun_s >= 0.3
    sending.join()


def test_connections_share_a_rate(stack: ExitStack, server: Server) -> None:
    link = stack.enter_context(LinkEmulator(server.address, rate_bytes_s=len(DATA) / 0.2))
    pairs = [(connect(stack, link), server.take()) for _ in range(2)]
    begun_s = time.monotonic()
    sending = [threading.Thread(target=client.sendall, args=(DATA,)) for client, _ in pairs]
    for thread in sending:
        thread.start()
    reading = [threading.Thread(target=read, args=(peer, len(DATA))) for _, peer in pairs]
    for thread in reading:
        thread.start()
    for thread in (*sending, *reading):
        thread.join()
    assert time.monotonic() - begun_s >= 0.4


def test_a_reader_that_stops_stops_the_writer(stack: ExitStack, server: Server) -> None:
    link = stack.enter_context(LinkEmulator(server.address, rate_bytes_s=1e9, delay_s=0.001))
    client, _peer = connect(stack, link), server.take()
    client.settimeout(QUIET_S)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(100_000_000))  # more than all buffers hold


def test_a_cut_connection_is_silent_and_stays_so(
    stack: ExitStack, server: Server, link: LinkEmulator
) -> None:
    client, peer = connect(stack, link), server.take()
    client.sendall(b"x")
    assert read(peer, 1) == b"x"
    link.cut()
    client.sendall(b"y")
    assert is_silent(peer)
    link.mend()
    assert is_silent(peer)
    assert is_silent(client)


def test_what_is_on_its_way_when_the_link_is_cut_never_arrives(
    stack: ExitStack, server: Server, until: Until
) -> None:
    link = stack.enter_context(LinkEmulator(server.address, delay_s=0.1))

    def is_cut_in_time() -> bool:
        client, peer = connect(stack, link), server.take()
        before, begun_s = link.up_bytes, time.monotonic()
        client.sendall(b"x")
        take_in(link)
        link.cut()
        if time.monotonic() - begun_s >= link.delay_s:  # a busy machine: it may have arrived
            link.mend()
            return False
        assert is_silent(peer)
        assert link.up_bytes == before
        return True

    until(is_cut_in_time)


def test_new_connections_wait_until_the_link_is_mended(
    stack: ExitStack, server: Server, link: LinkEmulator
) -> None:
    link.cut()
    client = connect(stack, link)
    client.sendall(b"x")
    assert is_silent(client)
    link.mend()
    assert read(server.take(), 1) == b"x"


def test_a_reset_is_told_to_both_ends(stack: ExitStack, server: Server, link: LinkEmulator) -> None:
    client, peer = connect(stack, link), server.take()
    link.cut(reset=True)
    for end in (client, peer):
        with pytest.raises(ConnectionResetError):
            end.recv(1)


def test_a_silent_cut_may_be_told_later(
    stack: ExitStack, server: Server, link: LinkEmulator
) -> None:
    client, _peer = connect(stack, link), server.take()
    link.cut()
    assert is_silent(client)
    link.cut(reset=True)
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_new_connections_follow_a_hub_that_moved(
    stack: ExitStack, server: Server, link: LinkEmulator
) -> None:
    moved = Server()
    stack.callback(moved.close)
    old, peer = connect(stack, link), server.take()
    link.retarget(moved.address)
    new = connect(stack, link)
    new.sendall(b"new")
    assert read(moved.take(), 3) == b"new"
    old.sendall(b"old")
    assert read(peer, 3) == b"old"


def test_a_target_that_is_not_there_resets_the_connection(stack: ExitStack) -> None:
    link = stack.enter_context(LinkEmulator("tcp://127.0.0.1:1"))
    with pytest.raises(ConnectionResetError):
        connect(stack, link).recv(1)


def test_a_target_that_dies_resets_the_connection(
    stack: ExitStack, server: Server, link: LinkEmulator
) -> None:
    client, peer = connect(stack, link), server.take()
    client.sendall(b"unread")
    assert peer.recv(1, socket.MSG_PEEK)
    peer.close()  # with a byte unread, so TCP resets it (RFC 2525, 2.17)
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_closing_in_the_middle_ends_both_sides_at_once(
    stack: ExitStack, server: Server, quickest: Quickest
) -> None:
    def close() -> float:
        link = stack.enter_context(LinkEmulator(server.address, delay_s=60, rate_bytes_s=1000))
        client, peer = connect(stack, link), server.take()
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.send(DATA)
        client.settimeout(DEADLINE_S)
        begun_s = time.monotonic()
        link.close()
        link.close()
        took_s = time.monotonic() - begun_s
        assert peer.recv(1) == b""
        with suppress(ConnectionResetError):  # it had sent what nobody read
            assert client.recv(1) == b""
        return took_s

    assert quickest(close) < STOP_S


def test_closing_while_cut_ends_both_sides(
    stack: ExitStack, server: Server, link: LinkEmulator
) -> None:
    client, peer = connect(stack, link), server.take()
    link.cut()
    link.close()
    assert (client.recv(1), peer.recv(1)) == (b"", b"")


def test_frames_flow_again_over_a_mended_link(stack: ExitStack, until: Until) -> None:
    arrived: list[object] = []
    receiver = Receiver("tcp://127.0.0.1:0", on_event=arrived.append, plain=True)
    stack.enter_context(receiver)
    link = stack.enter_context(LinkEmulator(receiver.address))
    sender = stack.enter_context(Sender(link.address, "pi", plain=True))

    def has_come() -> bool:
        sender.send("front", IMAGE)
        return any(isinstance(event, Frame) for event in arrived)

    until(has_come)
    link.cut(reset=True)
    arrived.clear()
    link.mend()
    until(has_come)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "tcp://127.0.0.1", "tcp://127.0.0.1:0", ""])
def test_a_bad_address_is_named(address: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"address is '{address}', want tcp://HOST:PORT"):
        LinkEmulator(address)


def test_a_bad_limit_is_named(link: LinkEmulator) -> None:
    with pytest.raises(LocalProtocolError, match=r"delay_s is -1, want 0 or more"):
        link.delay_s = -1
    with pytest.raises(LocalProtocolError, match=r"rate is 0 bytes/s, want more than 0, or None"):
        link.rate_bytes_s = 0
    with pytest.raises(LocalProtocolError, match=r"rate is nan bytes/s, want"):
        link.down_rate_bytes_s = float("nan")
