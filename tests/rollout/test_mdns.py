"""Discovery by mDNS: messages as bytes, and a network of one that answers."""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.script import load

PATH = Path(__file__).parents[2] / "deploy/ansible/inventory/mdns.py"
mdns = load(PATH)
# A pointer back to the answer's own name, as responders write it.
RECORD = struct.pack("!HHIH", 1, 0x8001, 120, 4) + bytes([10, 0, 0, 7])
ANSWER = struct.pack("!6H", 0, 0x8400, 0, 2, 0, 0) + b"\4pond\5local\0" + RECORD
ANSWER += b"\xc0\x0c" + RECORD


def test_an_answer_tells_a_hosts_address() -> None:
    assert mdns.addresses(ANSWER) == {"pond": "10.0.0.7"}


def test_a_question_is_no_answer() -> None:
    assert mdns.addresses(mdns.question([("pond.local", mdns.A)])) == {}


@pytest.mark.parametrize("name", [b"\4po/d\5local\0", b"\4pond\7example\0", b"\1-\3a b\5local\0"])
def test_a_name_that_is_no_host_of_this_network_is_left_out(name: bytes) -> None:
    message = struct.pack("!6H", 0, 0x8400, 0, 1, 0, 0) + name + RECORD
    assert mdns.addresses(message) == {}


@given(st.binary(max_size=300))
def test_no_message_raises(message: bytes) -> None:
    mdns.addresses(message)
    mdns.addresses(ANSWER[:12] + message)


def test_a_name_that_points_to_itself_ends() -> None:
    assert mdns.addresses(struct.pack("!6H", 0, 0x8400, 0, 1, 0, 0) + b"\xc0\x0c" + RECORD) == {}


def test_who_answers_is_in_the_inventory() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as network:
        network.bind(("127.0.0.1", 0))
        network.settimeout(0.1)

        asked: list[bytes] = []
        deadline_s = time.monotonic() + 30

        def answer() -> None:
            while not found and time.monotonic() < deadline_s:
                with suppress(TimeoutError):
                    question, asker = network.recvfrom(9000)
                    asked.append(question)
                    network.sendto(ANSWER, asker)

        found: dict[str, str] = {}
        answering = threading.Thread(target=answer)
        answering.start()
        while not found and time.monotonic() < deadline_s:  # a busy machine answers late
            found = mdns.discover(["pond"], 0.5, network.getsockname())
        answering.join()
    assert b"\4pond\5local" in asked[0]
    assert mdns.inventory(found)["nodes"] == {"hosts": ["pond"]}
