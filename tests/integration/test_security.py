"""Keys over real sockets: who is not enrolled never gets a byte into the process."""

from __future__ import annotations

import dataclasses
import itertools
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
import zmq

from camfleet.connections import Connections
from camfleet.errors import LocalProtocolError
from camfleet.gate import Gate, cut
from camfleet.keyring import Keyring
from camfleet.keys import Bundle, KeyPair, Role
from camfleet.node_link import LinkState
from camfleet.sender import Sender
from camfleet.sockets import bind_router, open_dealer

if TYPE_CHECKING:
    from tests.integration.conftest import House, Quickest, Until

DEADLINE_S: Final = 30.0
STOP_S: Final = 1.0
MOST: Final = 4
IMAGE: Final = np.zeros((48, 64, 3), np.uint8)
GREETING: Final = struct.Struct("!B8xBBB20sB31x")  # ZMTP 3.0 (ZeroMQ RFC 23)
OPEN: Final = "tcp://127.0.0.1:0"

Message = list[zmq.Frame]


class Door:
    """A listening socket, looked at by hand."""

    def __init__(self, gate: Gate | None, address: str = OPEN) -> None:
        self._gate = gate
        self._context, self.router = bind_router(address, 100, gate, io_threads=2)
        self.address = self.router.get_string(zmq.LAST_ENDPOINT)
        self.port = int(self.address.rpartition(":")[2])
        self.connections = Connections(self.router, self.address, MOST)
        self.router.setsockopt(zmq.RCVTIMEO, 10)

    def hear(self) -> Message | None:
        """One message's parts, if there is one within 10 ms."""
        self.connections.look()
        try:
            return self.router.recv_multipart(copy=False)
        except zmq.Again:
            return None

    def close(self) -> None:
        self.connections.close()
        self.router.close()
        if self._gate is not None:
            self._gate.close()
        self._context.term()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "state")


@pytest.fixture
def gate(keyring: Keyring) -> Gate:
    return Gate(keyring, Role.NODE)


@pytest.fixture
def door(stack: ExitStack, gate: Gate) -> Door:
    door = Door(gate)
    stack.callback(door.close)
    return door


def enrol(keyring: Keyring, door: Door, name: str = "pi", role: Role = Role.NODE) -> Bundle:
    return keyring.enrol(name, role, door.address)


class Dealer:
    """A peer that keeps saying hello."""

    def __init__(self, stack: ExitStack, address: str, bundle: Bundle | None) -> None:
        context, self.socket = open_dealer(address, 10, bundle)
        self.socket.connect(address)
        stack.callback(context.term)
        stack.enter_context(self.socket)
        self.socket.setsockopt(zmq.LINGER, 0)

    def say(self) -> None:
        try:
            self.socket.send(b"hello", zmq.NOBLOCK)
        except zmq.Again:
            return  # there is no connection


def comes_in(door: Door, dealer: Dealer, until: Until) -> Message:
    """Wait for a message of a peer."""

    def heard() -> Message | None:
        dealer.say()
        return door.hear()

    found = until(heard)
    assert found is not None
    return found


def stays_out(door: Door, says: Callable[[], object], until: Until, failures: int = 2) -> None:
    """See that a peer fails so many times, and that nothing of it arrives."""

    def has_failed() -> bool:
        says()
        assert door.hear() is None
        return door.connections.failed >= failures

    until(has_failed)


# who comes in


def test_a_message_carries_the_key_of_who_sent_it_and_that_has_a_name(
    stack: ExitStack, door: Door, gate: Gate, keyring: Keyring, until: Until
) -> None:
    for name in ("pi", "pj"):
        bundle = enrol(keyring, door, name)
        for part in comes_in(door, Dealer(stack, door.address, bundle), until):
            key = part.get("User-Id")
            assert isinstance(key, str)
            assert key == bundle.keys.public
            assert gate.name(key) == name
    # What a connection brings may be read before it is told of.
    until(lambda: (door.hear(), len(door.connections) == 2)[1])
    assert (gate.refused, door.connections.failed) == (0, 0)


def test_a_peer_may_not_come_in_by_the_identity_of_another(
    stack: ExitStack, door: Door, gate: Gate, keyring: Keyring, until: Until
) -> None:
    bundle = enrol(keyring, door, "pj")
    dealer = Dealer(stack, OPEN.replace(":0", ":1"), bundle)
    dealer.socket.setsockopt(zmq.ROUTING_ID, b"pi")
    dealer.socket.connect(door.address)
    identity, _ = comes_in(door, dealer, until)
    assert identity.bytes == b"pi"  # it proves nothing
    assert gate.name(str(identity.get("User-Id"))) == "pj"


# who stays out


def test_an_unknown_key_gets_no_message_in(
    stack: ExitStack, door: Door, gate: Gate, keyring: Keyring, until: Until
) -> None:
    stranger = dataclasses.replace(enrol(keyring, door), keys=KeyPair.make())
    dealer = Dealer(stack, door.address, stranger)
    stays_out(door, dealer.say, until, failures=1)
    assert gate.refused == 1


def test_a_key_of_another_role_gets_no_message_in(
    stack: ExitStack, door: Door, gate: Gate, keyring: Keyring, until: Until
) -> None:
    dealer = Dealer(stack, door.address, enrol(keyring, door, role=Role.SUBSCRIBER))
    stays_out(door, dealer.say, until, failures=1)
    assert gate.refused == 1


def test_a_peer_without_keys_gets_no_message_in(
    stack: ExitStack, door: Door, gate: Gate, until: Until
) -> None:
    stays_out(door, Dealer(stack, door.address, None).say, until, failures=1)
    assert gate.refused == 0  # it did not get as far


def test_a_peer_with_a_password_gets_no_message_in(
    stack: ExitStack, door: Door, gate: Gate, until: Until
) -> None:
    dealer = Dealer(stack, OPEN.replace(":0", ":1"), None)
    dealer.socket.setsockopt(zmq.PLAIN_USERNAME, b"admin")
    dealer.socket.setsockopt(zmq.PLAIN_PASSWORD, b"admin")
    dealer.socket.connect(door.address)
    stays_out(door, dealer.say, until, failures=1)
    assert gate.refused == 0


def greeting(mechanism: bytes) -> bytes:
    return GREETING.pack(0xFF, 0x7F, 3, 0, mechanism, 0)


READY: Final = b"\x04\x26\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
HELLO: Final = b"\x00\x05hello"
RAW: Final = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "zeros": bytes(4_096),
    "ones": b"\xff" * 4_096,
    "ZMTP before it had a version": b"\x01\x00" + 9 * b"\x06\x00hello",
    "ZMTP 1": b"\xff" + bytes(7) + b"\x01\x7f\x00\x05\x01\x00" + 9 * b"\x06\x00hello",
    "ZMTP 2": b"\xff" + bytes(8) + b"\x7f\x01\x05\x00\x00" + 9 * HELLO,
    "ZMTP 3 without a mechanism": greeting(b"") + READY + HELLO,
    "NULL, and on without waiting": greeting(b"NULL") + READY + 9 * HELLO,
    "PLAIN, and on without waiting": greeting(b"PLAIN") + b"\x04\x06\x05HELLO" + 9 * HELLO,
    "CURVE, and on without a handshake": greeting(b"CURVE") + 9 * HELLO,
    "CURVE with a hello of zeros": greeting(b"CURVE") + b"\x04\xc8\x05HELLO\x01\x00" + bytes(192),
    "CURVE with an endless hello": greeting(b"CURVE") + b"\x06" + b"\x7f" * 8 + bytes(4_096),
    "CURVE with an initiate first": greeting(b"CURVE") + b"\x04\xc8\x08INITIATE" + bytes(191),
}


@pytest.mark.parametrize("said", RAW.values(), ids=RAW)
def test_raw_bytes_are_hung_up_on_and_never_a_message(
    stack: ExitStack, door: Door, keyring: Keyring, until: Until, said: bytes
) -> None:
    raw = stack.enter_context(socket.create_connection(("127.0.0.1", door.port)))
    raw.setblocking(False)
    raw.sendall(said)

    def is_hung_up() -> bool:
        assert door.hear() is None
        try:
            return raw.recv(4_096) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    until(is_hung_up)
    until(lambda: (door.hear(), len(door.connections) == 0)[1])
    comes_in(door, Dealer(stack, door.address, enrol(keyring, door)), until)


@pytest.mark.parametrize("said", [b"", b"\xff", greeting(b"CURVE")], ids=["none", "one", "all"])
def test_a_greeting_that_goes_no_further_is_hung_up_on(
    stack: ExitStack, door: Door, until: Until, said: bytes
) -> None:
    raw = stack.enter_context(socket.create_connection(("127.0.0.1", door.port)))
    raw.sendall(said)
    stays_out(door, lambda: None, until, failures=1)


def test_without_an_answer_from_the_gate_nobody_comes_in(
    stack: ExitStack, door: Door, gate: Gate, keyring: Keyring, until: Until
) -> None:
    bundle = enrol(keyring, door)
    gate.close()
    assert not gate.is_alive
    stays_out(door, Dealer(stack, door.address, bundle).say, until)


# revoking


def test_a_revoked_key_is_refused_at_once_and_cut_off_while_connected(
    stack: ExitStack, door: Door, gate: Gate, keyring: Keyring, until: Until
) -> None:
    bundle = enrol(keyring, door)
    dealer = Dealer(stack, door.address, bundle)
    descriptor = comes_in(door, dealer, until)[0].get(zmq.SRCFD)
    assert isinstance(descriptor, int)
    keyring.revoke("pi")
    assert gate.name(bundle.keys.public) is None
    cut(descriptor, door.port)

    def is_out() -> bool:
        door.hear()
        return gate.refused == 1 and len(door.connections) == 0

    until(is_out)
    stays_out(door, dealer.say, until, failures=1)
    cut(descriptor, door.port)  # once more does no harm


def test_a_command_of_another_process_counts_from_the_next_handshake_on(
    stack: ExitStack, door: Door, gate: Gate, keyring: Keyring, until: Until
) -> None:
    other = Keyring(keyring.folder)
    bundle = enrol(other, door)
    comes_in(door, Dealer(stack, door.address, bundle), until)
    other.revoke("pi")
    stays_out(door, Dealer(stack, door.address, bundle).say, until, failures=1)
    assert gate.refused == 1


def test_cutting_leaves_other_connections_alone(stack: ExitStack, door: Door) -> None:
    cut(10**6, door.port)
    with socket.socket() as unconnected:
        cut(unconnected.fileno(), 0)
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    mine = stack.enter_context(socket.create_connection(listener.getsockname()))
    other, _ = listener.accept()
    with other:
        cut(other.fileno(), door.port)
        other.sendall(b"alive")
        assert mine.recv(5) == b"alive"


# bounds


def test_connections_above_the_bound_are_turned_away_and_the_others_live_on(
    stack: ExitStack, door: Door, keyring: Keyring, until: Until
) -> None:
    dealer = Dealer(stack, door.address, enrol(keyring, door))
    comes_in(door, dealer, until)
    raw = [
        stack.enter_context(socket.create_connection(("127.0.0.1", door.port)))
        for _ in range(3 * MOST)
    ]
    until(lambda: (door.hear(), door.connections.turned_away >= 2 * MOST + 1)[1])
    until(lambda: (door.hear(), len(door.connections) <= MOST)[1])
    comes_in(door, dealer, until)
    for one in raw:
        one.close()
    until(lambda: (door.hear(), len(door.connections) == 1)[1])
    comes_in(door, Dealer(stack, door.address, enrol(keyring, door, "pj")), until)


def test_a_door_closes_at_once_whatever_stands_before_it(
    stack: ExitStack, keyring: Keyring, until: Until, quickest: Quickest
) -> None:
    names = itertools.count()

    def close() -> float:
        door = Door(Gate(keyring, Role.NODE))
        dealer = Dealer(stack, door.address, enrol(keyring, door, f"pi{next(names)}"))
        comes_in(door, dealer, until)
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.1", door.port)))
        begun_s = time.monotonic()
        door.close()
        return time.monotonic() - begun_s

    assert quickest(close) < STOP_S


def test_an_address_that_is_taken_is_told_and_leaves_nothing_open(
    door: Door, keyring: Keyring
) -> None:
    with pytest.raises(LocalProtocolError, match="cannot bind"):
        bind_router(door.address, 1, Gate(keyring, Role.NODE))


# what the sender is told


def refused(sender: Sender, door: Door, until: Until, says: str) -> None:
    def is_told() -> bool:
        assert door.hear() is None
        return says in sender.refusal

    until(is_told, lambda: sender.refusal)
    assert sender.state is LinkState.REFUSED


def test_a_sender_whose_key_was_revoked_says_so(
    stack: ExitStack, door: Door, keyring: Keyring, until: Until
) -> None:
    bundle = enrol(keyring, door)
    keyring.revoke("pi")
    sender = stack.enter_context(Sender(bundle=bundle))
    refused(sender, door, until, "it is not enrolled for this port, or revoked")


def test_a_sender_with_another_hubs_bundle_says_so(
    stack: ExitStack, door: Door, keyring: Keyring, until: Until
) -> None:
    bundle = dataclasses.replace(enrol(keyring, door), hub_key=KeyPair.make().public)
    sender = stack.enter_context(Sender(bundle=bundle))
    refused(sender, door, until, "has another key than this bundle says")


def test_a_plain_sender_at_a_hub_with_keys_says_so(
    stack: ExitStack, door: Door, until: Until
) -> None:
    sender = stack.enter_context(Sender(door.address, "pi", plain=True))
    refused(sender, door, until, "only keys in")


def test_a_sender_with_keys_at_a_plain_hub_says_so(
    stack: ExitStack, keyring: Keyring, until: Until
) -> None:
    door = Door(None)
    stack.callback(door.close)
    sender = stack.enter_context(Sender(bundle=enrol(keyring, door)))
    refused(sender, door, until, "want the one that made this bundle")


def test_a_refused_sender_comes_in_by_itself_once_its_hub_lets_it(
    stack: ExitStack, keyring: Keyring, until: Until, hold_port: Callable[[], int]
) -> None:
    plain = Door(None, f"tcp://127.0.0.1:{hold_port()}")
    sender = stack.enter_context(Sender(bundle=enrol(keyring, plain)))
    refused(sender, plain, until, "want the one that made this bundle")
    plain.close()
    door = Door(Gate(keyring, Role.NODE), plain.address)
    stack.callback(door.close)
    until(door.hear)
    until(lambda: (sender.state, sender.refusal) == (LinkState.CONNECTING, ""))


@pytest.mark.parametrize("kind", ["refused", "wrong hub", "plain"])
def test_a_refused_sender_closes_at_once(
    door: Door, keyring: Keyring, quickest: Quickest, kind: str
) -> None:
    bundle = enrol(keyring, door)
    keyring.revoke("pi")
    other = dataclasses.replace(bundle, hub_key=KeyPair.make().public)
    made: Callable[[], Sender] = {
        "refused": lambda: Sender(bundle=bundle),
        "wrong hub": lambda: Sender(bundle=other),
        "plain": lambda: Sender(door.address, "pi", plain=True),
    }[kind]

    def close() -> float:
        sender = made()
        begun_s = time.monotonic()
        sender.close()
        return time.monotonic() - begun_s

    assert quickest(close) < STOP_S


# what a sender needs


def test_a_sender_finds_its_bundle_by_path_or_at_home(
    stack: ExitStack,
    door: Door,
    keyring: Keyring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".config" / "camfleet" / "bundle.json"
    path.parent.mkdir(parents=True)
    enrol(keyring, door).write(path)
    for sender in (Sender(), Sender(bundle=path), Sender(bundle=str(path)), Sender(node="pi")):
        stack.enter_context(sender)
        assert (sender.address, sender.node) == (door.address, "pi")
    other = stack.enter_context(Sender("tcp://127.0.0.1:1", bundle=path))
    assert other.address == "tcp://127.0.0.1:1"


def test_a_sender_without_a_bundle_teaches_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(LocalProtocolError) as caught:
        Sender("tcp://127.0.0.1:1", "pi")
    for part in ("~/.config/camfleet/bundle.json", "`camfleet-hub enrol NAME`", "plain=True"):
        assert part in str(caught.value)


def test_a_sender_that_contradicts_itself_says_so(door: Door, keyring: Keyring) -> None:
    bundle = enrol(keyring, door)
    reader = enrol(keyring, door, "me", Role.SUBSCRIBER)
    with pytest.raises(LocalProtocolError, match="node is 'pj' and its bundle is that of 'pi'"):
        Sender(node="pj", bundle=bundle)
    with pytest.raises(LocalProtocolError, match="the bundle is a subscriber's, want a node's"):
        Sender(bundle=reader)
    with pytest.raises(LocalProtocolError, match="found a bundle and plain=True, want one"):
        Sender(bundle=bundle, plain=True)
    with pytest.raises(LocalProtocolError, match="plain=True wants an address and a node"):
        Sender(door.address, plain=True)


# why a node is gone


def test_the_hub_says_why_a_node_is_gone(house: House, until: Until) -> None:
    house.start_hub()
    bundle = house.enrol("garden")

    def told(what: str) -> Any:  # noqa: ANN401 - JSON
        answer = house.get("/api/nodes/garden")
        return answer.json[what] if answer.status == 200 else None

    def told_by(what: str, reason: str) -> Any:  # noqa: ANN401 - the same
        found = told(what)
        return found if found and found["reason"] == reason else None

    with Sender(bundle=bundle) as first:
        until(lambda: first.send("front", IMAGE))
        until(lambda: told("state") == "online")
        assert told("gone") is None
        with Sender(bundle=bundle) as second:  # another machine that got the same file
            until(lambda: second.send("front", IMAGE))
            # After its next hello.
            found = until(lambda: told_by("rejection", "another machine has its name"))
            assert "want a bundle for each" in found["problem"]
    until(lambda: told_by("gone", "goodbye"))  # the first may come back for a moment
    with Sender(bundle=bundle) as third:
        until(lambda: third.send("front", IMAGE))
        until(lambda: told("state") == "online")
        Keyring(house.state, reserved=frozenset()).revoke("garden")
        found = until(lambda: told_by("gone", "revoked"))
    assert found == {"reason": "revoked", "detail": "its key was revoked"}
    history = house.get("/api/nodes/garden/history").json
    assert history["gone"] == found
    assert house.get("/api/cameras/garden/front").json["gone"] == found


# commands


class Command:
    """`camfleet-hub` with a command, in a folder of its own."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.folder = house.folder / "desk"
        self.folder.mkdir()

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Run it; return its exit code, what it said, and what it complained of."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
        done = subprocess.run(
            [sys.executable, "-m", "camfleet_hub", *arguments],
            env=inherited | {"HOME": str(self.folder)} | self._house.settings,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def command(house: House) -> Command:
    return Command(house)


def test_enrolling_writes_a_bundle_and_lists_its_name(house: House, command: Command) -> None:
    code, said, complained = command("enrol", "pi", "--address", "display")
    assert (code, complained) == (0, f"made the keys of a new hub in {house.state}\n")
    assert said == "pi is enrolled; its bundle, which nobody else may see: pi.json\n"
    bundle = Bundle.read(command.folder / "pi.json")
    assert (bundle.name, bundle.role) == ("pi", Role.NODE)
    assert bundle.address == f"tcp://display:{house.ports['NODES']}"
    assert command("enrol", "me", "--subscriber", "--out", "mine.json")[0] == 0
    mine = Bundle.read(command.folder / "mine.json")
    assert (mine.role, mine.address) == (
        Role.SUBSCRIBER,
        f"tcp://{socket.gethostname()}:{house.ports['SUBSCRIBERS']}",
    )
    head, *rows = command("nodes")[1].splitlines()
    assert head.split() == ["name", "role", "enrolled", "at", "key", "reads"]
    assert [row.split()[:2] for row in rows] == [["me", "subscriber"], ["pi", "node"]]
    assert rows[1].split()[-2:] == [bundle.keys.public[:8], "-"]


def test_a_bundle_may_go_to_stdout(command: Command) -> None:
    code, said, _ = command("enrol", "pi", "--out", "-")
    path = command.folder / "copied.json"
    path.write_text(said)
    path.chmod(0o600)
    assert code == 0
    assert Bundle.read(path).name == "pi"
    assert [found.name for found in command.folder.iterdir()] == ["copied.json"]


def test_a_name_is_enrolled_again_only_with_replace(house: House, command: Command) -> None:
    assert command("enrol", "pi")[0] == 0
    first = Bundle.read(command.folder / "pi.json")
    code, said, complained = command("enrol", "pi", "--out", "other.json")
    assert (code, said) == (1, "")
    assert complained.startswith("camfleet-hub enrol: 'pi' is enrolled already, as node")
    assert not (command.folder / "other.json").exists()
    assert command("enrol", "pi", "--replace")[0] == 0
    second = Bundle.read(command.folder / "pi.json")
    keyring = Keyring(house.state)
    assert keyring.find(first.keys.public, Role.NODE) is None
    assert keyring.find(second.keys.public, Role.NODE) == "pi"


def test_revoking_takes_a_name_off_the_list(command: Command) -> None:
    assert command("enrol", "pi")[0] == 0
    assert command("revoke", "pi")[:2] == (0, "pi is revoked\n")
    assert len(command("nodes")[1].splitlines()) == 1
    code, _, complained = command("revoke", "pi")
    assert (code, complained) == (1, "camfleet-hub revoke: 'pi' is not enrolled\n")


def test_a_bundle_that_cannot_be_written_enrols_nobody(command: Command) -> None:
    (command.folder / "pi.json").touch()
    for out in ("pi.json", "nowhere/pi.json"):
        code, _, complained = command("enrol", "pi", "--out", out)
        assert code == 1
        assert out in complained
        assert complained.splitlines()[-1].startswith("camfleet-hub enrol: ")
    assert len(command("nodes")[1].splitlines()) == 1


def test_a_state_that_others_may_write_is_told(house: House, command: Command) -> None:
    house.state.mkdir()
    house.state.chmod(0o777)
    code, _, complained = command("enrol", "pi")
    assert (code, complained) == (
        1,
        f"camfleet-hub enrol: {house.state}: found mode 0777, want 0700\n",
    )


def test_to_list_who_is_enrolled_makes_no_hub(house: House, command: Command) -> None:
    for arguments in (["nodes"], ["revoke", "pi"]):
        code, _, complained = command(*arguments)
        assert code == 1
        assert f"found no hub's keys in {house.state}" in complained
    assert not house.state.exists()


def test_a_state_that_cannot_be_looked_into_is_told(house: House, command: Command) -> None:
    house.state = house.folder / ("x" * 300)
    code, _, complained = command("nodes")
    assert code == 1
    assert complained.endswith("File name too long\n")


def test_an_address_that_nobody_gave_is_told(house: House, command: Command) -> None:
    _, _, complained = command("enrol", "pi")
    assert f"at tcp://{socket.gethostname()}:{house.ports['NODES']}; " in complained


MISUSES: Final = {
    "no name": (["enrol"], "required: name"),
    "a path for a name": (["enrol", "../x"], "looks like a path"),
    "an empty name": (["enrol", ""], "is empty"),
    "an unknown command": (["enroll", "pi"], "invalid choice: 'enroll'"),
    "an unknown option": (["revoke", "pi", "--force"], "--force"),
    "an address with a port": (["enrol", "pi", "--address", "hub:5556"], "found 'hub:5556', want"),
    "an address as a URL": (["enrol", "pi", "--address", "tcp://hub"], "found 'tcp://hub', want"),
}


@pytest.mark.parametrize(("arguments", "says"), MISUSES.values(), ids=MISUSES)
def test_a_wrong_command_is_told_and_changes_nothing(
    house: House, command: Command, arguments: list[str], says: str
) -> None:
    code, said, complained = command(*arguments)
    assert (code, said) == (2, "")
    assert says in complained.splitlines()[-1]
    assert not house.state.exists()


def test_the_hubs_own_name_is_not_for_a_node(command: Command) -> None:
    code, _, complained = command("enrol", "imagezmq")
    assert code == 1
    assert "'imagezmq' is the hub's own, want another" in complained


# a hub and nodes as processes


def test_a_node_that_is_revoked_is_cut_off_while_it_streams(
    house: House, command: Command, until: Until
) -> None:
    house.start_hub()
    node = house.start_node("pi", "front")
    house.start_node("pj", "front")
    house.await_frames("pi/front", "pj/front")
    assert command("revoke", "pi")[0] == 0
    until(lambda: house.cameras()["pi/front"]["state"] == "offline", house.hub.said)
    until(lambda: "not enrolled for this port, or revoked" in node.said(), node.said)
    received = house.cameras()["pi/front"]["received"]
    house.await_frames("pj/front", more=10)
    assert house.cameras()["pi/front"]["received"] == received


def test_a_node_may_not_speak_as_another(house: House, until: Until) -> None:
    house.start_hub()
    house.start_node("pi", "front")
    house.await_frames("pi/front")
    thief = dataclasses.replace(Bundle.read(house.enrol("pj")), name="pi")
    with Sender(bundle=thief) as sender:
        sender.stream("front")
        until(lambda: sender.state is LinkState.REFUSED)
    house.await_frames("pi/front", more=10)


def test_a_node_without_a_bundle_teaches_how_to_get_one(house: House) -> None:
    settings = {"HOME": str(house.folder), "CAMFLEET_NODE_CAMERAS": '{"a":{"source":"synthetic"}}'}
    node = house.run(["-m", "camfleet_node"], settings, "node")
    assert node.process.wait(DEADLINE_S) == 2
    last = node.said().splitlines()[-1]
    assert last.startswith("setting CAMFLEET_NODE_BUNDLE: there is no ")
    assert "`camfleet-hub enrol NAME`" in last
    assert "CAMFLEET_NODE_PLAIN=true" in last


def test_a_plain_hub_and_a_plain_node_say_that_they_are(house: House) -> None:
    hub = house.start_hub({"CAMFLEET_HUB_PLAIN": "true"})
    plain = {
        "CAMFLEET_NODE_BUNDLE": "",
        "CAMFLEET_NODE_PLAIN": "true",
        "CAMFLEET_NODE_NAME": "pi",
        "CAMFLEET_NODE_HUB": house.nodes_address,
    }
    node = house.start_node("pi", "front", settings=plain)
    house.await_frames("pi/front")
    for service in (hub, node):
        warnings = [line for line in service.said().splitlines() if '"warning"' in line]
        assert [line for line in warnings if '"plain: ' in line]
