"""What the doctor says of a machine that a test has written, and what it advises."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from camfleet.clock import Offset
from camfleet.keys import Bundle, KeyPair, Role
from camfleet_node.doctor.bundle import look_at_bundle
from camfleet_node.doctor.cameras import look_at_camera, look_at_libcamera, look_at_v4l2
from camfleet_node.doctor.devices import holders, look_at_devices, look_at_udev
from camfleet_node.doctor.finding import Finding, Verdict, fail, ok
from camfleet_node.doctor.link import look_at_clock, look_at_hub
from camfleet_node.doctor.machine import look_at_machine
from camfleet_node.host.identity import Identity
from camfleet_node.settings import NodeSettings
from camfleet_node.settings.sources import SyntheticCamera
from camfleet_node.sources import Picture, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from camfleet_node.settings.sources import CameraSettings
    from camfleet_node.sources import Image, Source

VIDEO: Final = 44
HOST: Final = Identity(1000, frozenset({1000, VIDEO}), is_contained=False)
CONTAINED: Final = Identity(10_001, frozenset({10_001}), is_contained=True)
S: Final = 1_000_000_000
CAMERA: Final = SyntheticCamera.model_validate({"source": "synthetic"})
HUB_KEY: Final = KeyPair.make().public


def write(root: Path, path: str, text: str = "") -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def refusing(number: int) -> Callable[[Path], None]:
    def opens(path: Path) -> None:
        raise OSError(number, os.strerror(number), str(path))

    return opens


def opening(_path: Path) -> None:
    """Every device may be opened."""


def devices(
    root: Path, identity: Identity, opens: Callable[[Path], None] = opening, *, wanted: bool = True
) -> list[Finding]:
    return list(look_at_devices(identity, is_wanted=wanted, root=root, opens=opens))


def told(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.verdict.value, finding.found) for finding in findings]


# a line


def test_findings_stand_below_one_another() -> None:
    assert ok("hub", "reached").line == "ok    hub          reached"
    assert fail("camera", "busy", "end it").line == "fail  camera       busy  → end it"


def test_a_finding_is_plain_for_programs() -> None:
    told = {"verdict": "fail", "what": "hub", "found": "x", "remedy": "y"}
    assert fail("hub", "x", "y").as_dict == told


# devices


def test_devices_that_may_be_opened_are_well(tmp_path: Path) -> None:
    for number in (0, 10, 2):
        write(tmp_path, f"dev/video{number}")
    [finding] = devices(tmp_path, HOST)
    assert finding == ok("devices", "/dev/video*: video0, video2, video10 may be opened")


def test_a_device_that_is_in_use_is_not_shut(tmp_path: Path) -> None:
    write(tmp_path, "dev/video0")
    [finding] = devices(tmp_path, HOST, refusing(errno.EBUSY))
    assert finding.verdict is Verdict.OK


def test_a_missing_group_is_named_with_its_number(tmp_path: Path) -> None:
    device = write(tmp_path, "dev/video0")
    gid = device.stat().st_gid
    write(tmp_path, "etc/group", f"video:x:{gid}:\n")
    stranger = Identity(1000, frozenset({gid + 1}), is_contained=False)
    [finding] = devices(tmp_path, stranger, refusing(errno.EACCES))
    assert finding.found == f"/dev/video*: no permission for video0, of group video ({gid})"
    assert finding.remedy == "sudo usermod -aG video USER, and log in anew"
    inside = Identity(1000, frozenset({gid + 1}), is_contained=True)
    [finding] = devices(tmp_path, inside, refusing(errno.EACCES))
    assert finding.remedy == f'group_add: ["{gid}"] in docker-compose.yml'


def test_devices_that_a_container_was_not_given_are_listed(tmp_path: Path) -> None:
    for name in ("video0", "video1", "v4l-subdev0"):
        write(tmp_path, f"sys/class/video4linux/{name}/name")
    write(tmp_path, "sys/class/dma_heap/linux,cma/uevent")
    write(tmp_path, "dev/video0")
    findings = devices(tmp_path, CONTAINED)
    assert told(findings) == [
        ("ok", "/dev/video*: video0 may be opened"),
        ("fail", "/dev/video*: the machine has video1, which are not here"),
        ("fail", "/dev/v4l-subdev*: the machine has v4l-subdev0, which are not here"),
        ("fail", "/dev/dma_heap/*: the machine has linux,cma, which are not here"),
    ]
    assert findings[1].remedy == "devices: [/dev/video1] in docker-compose.yml"
    assert findings[3].remedy == "devices: [/dev/dma_heap/linux,cma] in docker-compose.yml"


def test_a_device_that_the_containers_rules_forbid_is_named(tmp_path: Path) -> None:
    write(tmp_path, "dev/media0")
    [finding] = devices(tmp_path, CONTAINED, refusing(errno.EPERM))
    assert finding.found == "/dev/media*: media0 are not allowed to this container"
    assert finding.remedy == "devices: [/dev/media0] in docker-compose.yml"


def test_no_device_matters_only_where_a_camera_needs_one(tmp_path: Path) -> None:
    assert devices(tmp_path, HOST)[0].verdict is Verdict.FAIL
    assert devices(tmp_path, HOST, wanted=False)[0].verdict is Verdict.OK


def test_a_container_without_udevs_database_is_told_how_to_get_it(tmp_path: Path) -> None:
    assert look_at_udev(tmp_path, CONTAINED).remedy == "volumes: [/run/udev:/run/udev:ro]"
    (tmp_path / "run/udev/data").mkdir(parents=True)
    assert look_at_udev(tmp_path, CONTAINED).verdict is Verdict.OK


def test_who_holds_a_device_is_named(tmp_path: Path) -> None:
    write(tmp_path, "proc/77/comm", "motion\n")
    descriptors = tmp_path / "proc/77/fd"
    descriptors.mkdir()
    (descriptors / "3").symlink_to("/dev/video0")
    (tmp_path / "proc/78").mkdir()
    assert holders(tmp_path / "x", tmp_path) == []
    assert holders(Path("/dev/video0"), tmp_path) == ["motion (process 77)"]


# the machine


def machine(root: Path, identity: Identity = HOST) -> dict[str, Finding]:
    return {f.what: f for f in look_at_machine(identity, "camfleet-node 1.2", 80, root)}


def test_a_raspberry_pi_is_named(tmp_path: Path) -> None:
    write(tmp_path, "proc/device-tree/model", "Raspberry Pi 5 Model B Rev 1.0\0")
    write(tmp_path, "etc/os-release", 'NAME=x\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n')
    write(tmp_path, "proc/sys/kernel/osrelease", "6.12.0-rpi\n")
    expected = "Raspberry Pi 5 Model B Rev 1.0, Debian GNU/Linux 13 (trixie), Linux 6.12.0-rpi"
    assert machine(tmp_path)["machine"] == ok("machine", expected)


def test_little_memory_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "proc/meminfo", "MemTotal: 500000 kB\nMemAvailable: 20000 kB\n")
    finding = machine(tmp_path)["memory"]
    assert (finding.verdict, finding.found) == (
        Verdict.WARN,
        "19 MiB available, 488 MiB may be used",
    )


def test_a_hot_processor_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "sys/class/thermal/thermal_zone0/temp", "81000")
    assert machine(tmp_path)["heat"].found == "processor at 81 °C, want less than 80"


def test_a_weak_power_supply_is_wrong_now_and_a_warning_later(tmp_path: Path) -> None:
    path = "sys/devices/platform/soc/soc:firmware/get_throttled"
    write(tmp_path, path, "50005")
    assert machine(tmp_path)["power"].verdict is Verdict.FAIL
    write(tmp_path, path, "50000")
    assert machine(tmp_path)["power"].verdict is Verdict.WARN


def test_root_is_a_warning(tmp_path: Path) -> None:
    root = Identity(0, frozenset({0}), is_contained=True)
    assert machine(tmp_path, root)["user"].verdict is Verdict.WARN
    assert machine(tmp_path)["user"].verdict is Verdict.OK


# the bundle


def bundle(path: Path, role: Role = Role.NODE) -> Path:
    Bundle("pi", role, "tcp://hub:5556", HUB_KEY, KeyPair.make()).write(path)
    return path


def settings(**values: object) -> NodeSettings:
    return NodeSettings.model_validate({"cameras": {"front": {"source": "synthetic"}}, **values})


def about_bundle(**values: object) -> Finding:
    [finding] = look_at_bundle(settings(**values), HOST)
    return finding


def test_a_good_bundle_is_named_without_its_keys(tmp_path: Path) -> None:
    finding = about_bundle(bundle=bundle(tmp_path / "b.json"))
    assert finding == ok("bundle", f"{tmp_path}/b.json of node 'pi', for tcp://hub:5556")


def test_a_missing_bundle_is_enrolled_for(tmp_path: Path) -> None:
    finding = about_bundle(bundle=tmp_path / "b.json")
    assert finding.found == f"there is no {tmp_path}/b.json"
    assert "camfleet-hub enrol NAME" in finding.remedy


def test_a_bundle_that_others_may_read_is_closed(tmp_path: Path) -> None:
    path = bundle(tmp_path / "b.json")
    path.chmod(0o644)
    assert about_bundle(bundle=path).remedy == f"chmod 600 {path}"


def test_a_folder_in_place_of_a_bundle_is_told(tmp_path: Path) -> None:
    assert (
        "as Docker makes where a file to mount is missing" in about_bundle(bundle=tmp_path).remedy
    )


def test_a_subscribers_bundle_is_no_nodes(tmp_path: Path) -> None:
    finding = about_bundle(bundle=bundle(tmp_path / "b.json", Role.SUBSCRIBER))
    assert finding.found == f"{tmp_path}/b.json is a subscriber's, want a node's"


def test_a_bundle_of_another_name_is_told(tmp_path: Path) -> None:
    finding = about_bundle(bundle=bundle(tmp_path / "b.json"), name="pj")
    assert finding.found.endswith("b.json is of 'pi', CAMFLEET_NODE_NAME says 'pj'")


def test_a_plain_node_needs_no_bundle() -> None:
    assert about_bundle(plain=True).verdict is Verdict.OK


# the way to the hub


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Something that says this to whoever connects, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(answer)
                connection.recv(64)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def greeting(mechanism: bytes) -> bytes:
    begin = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x01" + mechanism.ljust(20, b"\0") + b"\x01"
    return begin.ljust(64, b"\0")


def keys() -> Bundle:
    return Bundle("pi", Role.NODE, "tcp://hub:5556", HUB_KEY, KeyPair.make())


def test_a_plain_hub_is_told_to_a_node_with_keys() -> None:
    with answering(greeting(b"NULL")) as address:
        findings = list(look_at_hub(address, keys()))
    assert findings[1].found == "the hub is plain, without keys, and this node is not"


def test_a_hub_with_keys_is_told_to_a_plain_node() -> None:
    with answering(greeting(b"CURVE")) as address:
        findings = list(look_at_hub(address, None))
    assert findings[1].found == "the hub wants keys, and this node is not"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400\r\n\r\n", b"", greeting(b"NULL")[:20]])
def test_what_is_no_hub_is_told(answer: bytes) -> None:
    with answering(answer) as address:
        findings = list(look_at_hub(address, None))
    assert findings[1].found == f"{address} speaks no ZMTP 3"


def test_a_name_that_is_not_there_is_told() -> None:
    [finding] = look_at_hub("tcp://no-such-host.invalid:5556", None)
    assert finding.verdict is Verdict.FAIL
    assert "no-such-host.invalid" in finding.found


@pytest.mark.parametrize(
    "address", ["hub:5556", "tcp://hub", "ipc:///x", "tcp://hub:99999", "tcp://[::1"]
)
def test_an_address_that_is_none_is_told(address: str) -> None:
    [finding] = look_at_hub(address, None)
    assert finding.remedy == "want tcp://HOST:PORT"


def test_a_clock_that_is_far_off_is_a_warning() -> None:
    finding = look_at_clock(Offset(-3 * S, S // 100))
    assert (finding.verdict, finding.found) == (
        Verdict.WARN,
        "the hub's is 3.000 s behind, ±0.010",
    )
    assert look_at_clock(Offset(S, S // 100)).verdict is Verdict.OK
    assert look_at_clock(Offset(9 * S, 8 * S)).verdict is Verdict.OK, "nobody can be sure of it"
    assert look_at_clock(None).verdict is Verdict.WARN


# cameras


class FakeSource:
    """Gives one picture, none, or hangs."""

    def __init__(self, picture: Picture[Image] | None, released: threading.Event) -> None:
        self._picture = picture
        self._released = released

    def read(self) -> Picture[Image] | None:
        self._released.wait(10)
        return self._picture

    def close(self) -> None:
        self._released.set()


def look_at(opens: Callable[[str, CameraSettings], Source], limit_s: float = 10) -> Finding:
    return look_at_camera("front", CAMERA, opens=opens, limit_s=limit_s)


def released() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


def test_a_camera_that_gives_a_picture_says_its_size() -> None:
    picture = Picture(np.zeros((48, 64, 3), np.uint8), 0, 0)
    finding = look_at(lambda *_: FakeSource(picture, released()))
    assert finding.found.startswith("front: synthetic gives 64x48 after ")


def test_a_camera_that_fails_says_why() -> None:
    def opens(*_: object) -> Source:
        raise SourceError("device is busy")

    assert look_at(opens).found == "front: synthetic: device is busy"


def test_a_camera_that_hangs_is_not_waited_for() -> None:
    event = threading.Event()
    finding = look_at(lambda *_: FakeSource(None, event), limit_s=0.05)
    event.set()
    assert finding.found == "front: synthetic hangs, nothing came within 0.05 s"


# Stands for a driver's library, whose own end waits for its thread: for ever.
HANGING: Final = """
import atexit, sys, threading, types
from camfleet_node import __main__ as program
from camfleet_node.doctor import cameras

never = threading.Event()
atexit.register(never.wait)
sys.modules["hanging"] = types.SimpleNamespace(look=never.wait)
cameras._LIBCAMERA, cameras._MOST_S = "hanging", 0.1
sys.argv = ["camfleet-node", "doctor"]
program.main()
"""


def test_it_ends_by_its_code_though_a_camera_library_hangs() -> None:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
    done = subprocess.run(
        [sys.executable, "-c", HANGING],
        env=inherited,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr  # there are no settings
    hung = "warn  libcamera    hangs, it said nothing within 0.1 s"
    assert hung in done.stdout.splitlines()


def test_a_camera_without_a_picture_is_told() -> None:
    finding = look_at(lambda *_: FakeSource(None, released()))
    assert finding.found == "front: synthetic: it has ended without a picture"


def test_a_machine_without_libcamera_is_fine_where_nothing_needs_it() -> None:
    findings = list(look_at_libcamera(is_wanted=False))
    assert {finding.verdict for finding in findings} == {Verdict.OK}


def test_looking_for_v4l2_devices_raises_nothing() -> None:
    assert Verdict.FAIL not in {finding.verdict for finding in look_at_v4l2()}
