#!/usr/bin/env python3
"""An inventory of the Pis that answer in this network (mDNS, RFC 6762), for Ansible's -i.

It asks for services that Pis announce (such as `_ssh._tcp`), and by name for those that
CAMFLEET_PIS lists, for a fresh Raspberry Pi OS announces none: CAMFLEET_PIS="pi01 pi02 pond". It
asks once, waits for CAMFLEET_MDNS_S seconds (3), and needs nothing but Python.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import time

GROUP = ("224.0.0.251", 5353)
SERVICES = ("_camfleet-node._tcp.local", "_ssh._tcp.local", "_workstation._tcp.local")
A, PTR, SRV = 1, 12, 33
_ANSWER_HERE = 0x8001  # class IN, and the answer to who asks alone (RFC 6762, 5.4)
_MOST_JUMPS = 32
_MOST_RECORDS = 256


def question(names: list[tuple[str, int]]) -> bytes:
    """Write a question for names, each with the type of record that is wanted."""
    asked = b"".join(
        _written(name) + struct.pack("!HH", kind, _ANSWER_HERE) for name, kind in names
    )
    return struct.pack("!6H", 0, 0, len(names), 0, 0, 0) + asked


def addresses(message: bytes) -> dict[str, str]:
    """Read the addresses that an answer tells, by host name; nothing out of what is no answer.

    Only names right below `.local` count, of letters, digits and hyphens.
    """
    try:
        return _addresses(message)
    except (IndexError, struct.error, UnicodeDecodeError, ValueError):
        return {}


def inventory(found: dict[str, str]) -> dict[str, object]:
    """The group `nodes`, as Ansible wants it from a program."""
    variables = {name: {"ansible_host": address} for name, address in found.items()}
    return {"nodes": {"hosts": sorted(found)}, "_meta": {"hostvars": variables}}


def discover(names: list[str], wait_s: float, group: tuple[str, int] = GROUP) -> dict[str, str]:
    """Ask the network, and collect what answers for some seconds."""
    asked = [(service, PTR) for service in SERVICES] + [(f"{name}.local", A) for name in names]
    found: dict[str, str] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        for first in range(0, len(asked), 16):
            link.sendto(question(asked[first : first + 16]), group)
        ends_s = time.monotonic() + wait_s
        while (left_s := ends_s - time.monotonic()) > 0:
            link.settimeout(left_s)
            try:
                message, _ = link.recvfrom(9000)
            except OSError:
                break
            found |= addresses(message)
    return found


def _addresses(message: bytes) -> dict[str, str]:
    _, flags, questions, *counts = struct.unpack_from("!6H", message)
    if not flags & 0x8000:
        return {}
    found: dict[str, str] = {}
    place = 12
    for _ in range(min(questions, _MOST_RECORDS)):
        _, place = _read(message, place)
        place += 4
    for _ in range(min(sum(counts), _MOST_RECORDS)):
        name, place = _read(message, place)
        kind, _, _, size = struct.unpack_from("!HHIH", message, place)
        place += 10
        if kind == A and size == 4:
            host, _, domain = name.partition(".")
            if domain.lower() == "local" and host and not host.strip(_GOOD):
                found[host.lower()] = socket.inet_ntoa(message[place : place + 4])
        place += size
    return found


_GOOD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"


def _written(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".")]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _read(message: bytes, place: int) -> tuple[str, int]:
    """Read a name, which may go on elsewhere (RFC 1035, 4.1.4); return it and where it ends."""
    labels: list[str] = []
    end = 0
    for _ in range(_MOST_JUMPS):
        size = message[place]
        if size >= 0xC0:
            end = end or place + 2
            place = (size & 0x3F) << 8 | message[place + 1]
        elif size:
            labels.append(message[place + 1 : place + 1 + size].decode())
            place += 1 + size
        else:
            return ".".join(labels), end or place + 1
    raise ValueError("a name that never ends")


def main() -> None:
    """Obey Ansible: `--list` asks the network, `--host` has nothing to add."""
    if sys.argv[1:2] == ["--host"]:
        answer: dict[str, object] = {}
    else:
        names = os.environ.get("CAMFLEET_PIS", "").split()
        answer = inventory(discover(names, float(os.environ.get("CAMFLEET_MDNS_S", "3"))))
    json.dump(answer, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
