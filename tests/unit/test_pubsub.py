from __future__ import annotations

import pytest

from camfleet_hub.pubsub import check_address

GOOD = ["tcp://rpi1:5555", "tcp://192.168.1.7:5555", "tcp://[fe80::1]:5555", "tcp://rpi-1.local:1"]
BAD = [
    "",
    "rpi1",
    "rpi1:5555",
    "tcp://rpi1",
    "tcp://:5555",
    "tcp://*:5555",
    "tcp://rpi1:0",
    "tcp://rpi1:65536",
    "tcp://rpi1:port",
    "tcp://rpi1:5555/",
    "tcp://rpi1:5555/path",
    "tcp://user@rpi1:5555",
    "tcp://rpi1;rpi2:5555",
    "tcp://rpi 1:5555",
    "tcp://rpi1\n:5555",
    "tcp://[fe80::1:5555",
    "udp://rpi1:5555",
    "ipc:///tmp/socket",
    "inproc://name",
]


@pytest.mark.parametrize("address", GOOD)
def test_an_address_has_a_host_and_a_port(address: str) -> None:
    assert check_address(address) == address


@pytest.mark.parametrize("address", BAD)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="want tcp://HOST:PORT"):
        check_address(address)
