"""The way to the hub: its name, its port, what speaks there, if it takes our key, its clock."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from camfleet.backoff import Backoff
from camfleet.clock import Offset
from camfleet.errors import LocalProtocolError
from camfleet.handshakes import Handshakes
from camfleet.keys import Bundle
from camfleet.sender import Sender
from camfleet.sockets import open_dealer
from camfleet_node.doctor.finding import Finding, fail, ok, warn
from camfleet_node.doctor.patience import within

_MOST_S: Final = 4.0  # for each step
_LOOK_S: Final = 0.05
_NS: Final = 1_000_000_000
_FAR_S: Final = 2.0  # off the hub's clock: texts in pictures and logs are misleading
# A greeting of ZMTP 3 (ZeroMQ RFC 23): signature, version, mechanism, who is the server, filler.
_SIGNATURE: Final = b"\xff" + bytes(8) + b"\x7f"
_VERSION: Final = b"\x03\x00"
_GREETING_BYTES: Final = 64


def look_at_hub(address: str, bundle: Bundle | None) -> Iterator[Finding]:
    """Tell how far one gets on the way to the hub; nothing behind the first obstacle.

    Args:
        address: the hub's.
        bundle: this node's keys; None where the link is plain.
    """
    place = _place(address)
    if place is None:
        yield fail("hub", f"address is {address!r}", "want tcp://HOST:PORT")
        return
    host, port = place
    problem = within(_MOST_S, lambda: _reach(host, port))
    if isinstance(problem, Finding):
        yield problem
        return
    if not isinstance(problem, bytes):
        found = (
            f"{address}: no answer within {_MOST_S:g} s: {problem or 'its name is not resolved'}"
        )
        yield fail("hub", found, "check the network, and the resolver in /etc/resolv.conf")
        return
    yield ok("hub", f"{address} is reached")
    greeted = _mechanism(problem)
    wanted = "NULL" if bundle is None else "CURVE"
    if not greeted:
        yield fail("hub", f"{address} speaks no ZMTP 3", "want the hub's port for nodes, 5556")
    elif greeted != wanted:
        is_plain = "the hub is plain, without keys" if greeted == "NULL" else "the hub wants keys"
        remedy = (
            "a bundle by `camfleet-hub enrol NAME`, and no CAMFLEET_NODE_PLAIN"
            if bundle is None
            else "CAMFLEET_HUB_PLAIN=false there, or CAMFLEET_NODE_PLAIN=true here"
        )
        yield fail("hub", f"{is_plain}, and this node is not", remedy)
    else:
        yield _shake_hands(address, bundle)


def look_at_clock(clock: Offset | None) -> Finding:
    """Tell how far this machine's clock is off the hub's."""
    if clock is None:
        return warn("clock", "the hub was not asked for the time", "see the lines above")
    apart_s, sure_s = clock.offset_ns / _NS, clock.uncertainty_ns / _NS
    found = (
        f"the hub's is {abs(apart_s):.3f} s {'ahead' if apart_s > 0 else 'behind'}, ±{sure_s:.3f}"
    )
    if abs(apart_s) - sure_s > _FAR_S:
        return warn("clock", found, "let both keep time: timedatectl set-ntp true, or chrony")
    return ok("clock", found)


def ask_clock(open_sender: Callable[[], Sender]) -> Offset | None:
    """Ask the hub for the time, as a node does; None where it does not tell in time."""
    try:
        with open_sender() as sender:
            deadline_s = time.monotonic() + _MOST_S
            while (clock := sender.clock) is None and time.monotonic() < deadline_s:
                time.sleep(_LOOK_S)
            return clock
    except LocalProtocolError:
        return None


def _place(address: str) -> tuple[str, int] | None:
    """Host and port of an address; None where it is none."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host, port) if parts.scheme == "tcp" and host and port else None


def _reach(host: str, port: int) -> Finding | bytes:
    """Resolve and connect, and return what is said there first."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return fail(
            "hub", f"name {host!r} is not found: {reason}", "check the name, or use an address"
        )
    try:
        with socket.create_connection((host, port), timeout=_MOST_S / 2) as connection:
            return _greet(connection)
    except OSError as error:
        where = found[0][4][0]
        reason = error.strerror or "no answer"
        remedy = "is the hub running, its port published, and no firewall between?"
        if ip_address(str(where)).is_loopback:
            remedy = "is the hub running? In a container this address is the container itself"
        return fail("hub", f"{host} ({where}) port {port}: {reason}", remedy)


def _greet(connection: socket.socket) -> bytes:
    """Read the other side's greeting, which libzmq completes when it knows our version.

    Our own stays without a mechanism: for a wrong one it would hang up, and say nothing.
    """
    heard = b""
    try:
        connection.sendall(_SIGNATURE + _VERSION)
        while len(heard) < _GREETING_BYTES:
            piece = connection.recv(_GREETING_BYTES - len(heard))
            if not piece:
                break
            heard += piece
    except OSError:  # who speaks something else waits, or hangs up
        return heard
    return heard


def _mechanism(greeting: bytes) -> str:
    """The mechanism that a greeting names; empty where it is none."""
    is_one = len(greeting) == _GREETING_BYTES and greeting[0] == 0xFF and greeting[9] == 0x7F
    if not is_one or greeting[10] < 3:
        return ""
    return greeting[12:32].rstrip(b"\0").decode("ascii", "replace")


def _shake_hands(address: str, bundle: Bundle | None) -> Finding:
    """Let libzmq make a connection, with our key where there is one; no message is sent on it."""
    context, dealer = open_dealer(address, 1, bundle)
    try:
        backoff = Backoff(_LOOK_S, 1.0, random.random)
        with dealer, Handshakes(dealer, address, backoff, plain=bundle is None) as handshakes:
            deadline_s = time.monotonic() + _MOST_S
            while time.monotonic() < deadline_s:
                handshakes.look(time.monotonic_ns())
                if handshakes.is_new:
                    word = "plain" if bundle is None else "it lets this key in"
                    return ok("hub", f"a camfleet hub answers, {word}")
                if handshakes.problem:
                    found, _, remedy = handshakes.problem.partition("; want ")
                    return fail("hub", found, remedy)
                handshakes.monitor.poll(int(_LOOK_S * 1000))
    except LocalProtocolError as error:
        return fail("hub", str(error))
    finally:
        context.term()
    return fail("hub", f"no handshake within {_MOST_S:g} s", "is it the hub of this bundle?")
