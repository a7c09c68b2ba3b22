"""A node as a process, in whatever it is stuck: it stops, it tells how it is, it ends by a code."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import House, Quickest, Service, Until

STOP_S: Final = 1.0
WAIT_S: Final = 40.0
NODE: Final = "CAMFLEET_NODE_"
FRONT: Final = f"{NODE}CAMERAS__front__"
NOBODY: Final = "tcp://127.0.0.1:1"
PLAIN: Final = {
    f"{NODE}PLAIN": "true",
    f"{NODE}NAME": "pi",
    f"{NODE}HUB": NOBODY,
    f"{FRONT}SOURCE": "synthetic",
    f"{FRONT}WIDTH": "160",
    f"{FRONT}HEIGHT": "120",
}


def start(house: House, settings: dict[str, str], name: str = "node") -> Service:
    return house.run(["-m", "camfleet_node"], PLAIN | settings, name)


def start_hanging(house: House, **settings: str) -> Service:
    """A node with one camera, which hangs in opening."""
    camera = {"source": "file", "path": fifo(house.folder)}
    variables = {name: value for name, value in PLAIN.items() if not name.startswith(FRONT)}
    variables |= {f"{NODE}CAMERAS": json.dumps({"dead": camera}), **settings}
    return house.run(["-m", "camfleet_node"], variables, "node")


def command(settings: dict[str, str], *words: str) -> tuple[int, str, str]:
    """Run a command of the node; return its exit code and what it said on stdout and stderr."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
    done = subprocess.run(
        [sys.executable, "-m", "camfleet_node", *words],
        env=inherited | settings,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def fifo(folder: Path) -> str:
    """A file that hangs whoever opens it, as one does on a network drive that is dead."""
    path = folder / "dead.mp4"
    if not path.exists():
        os.mkfifo(path, 0o600)
    return str(path)


def healthz(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
            said: dict[str, Any] = json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            said = json.loads(error.read())
    return said


# SIGTERM, within a second


def seconds_to_end(node: Service, number: int = signal.SIGTERM) -> float:
    code, took_s = node.stop(number)
    assert code == 0, node.said()
    return took_s


def is_listening_for_signals(node: Service) -> bool:
    """Whether SIGTERM is blocked, which is the first thing that the program does."""
    for line in Path(f"/proc/{node.process.pid}/status").read_text().splitlines():
        if line.startswith("SigBlk:"):
            return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def test_it_stops_while_it_still_loads_its_parts(
    house: House, until: Until, quickest: Quickest
) -> None:
    def stop() -> float:
        node = start(house, {})
        until(lambda: is_listening_for_signals(node), node.said)
        return seconds_to_end(node)

    assert quickest(stop) < STOP_S


def test_it_stops_while_its_bundle_hangs(house: House, until: Until, quickest: Quickest) -> None:
    def stop() -> float:
        node = start(house, {f"{NODE}PLAIN": "false", f"{NODE}BUNDLE": fifo(house.folder)})
        until(lambda: '"settings"' in node.said(), node.said)
        return seconds_to_end(node)

    assert quickest(stop) < STOP_S


def test_it_stops_while_a_camera_hangs_in_opening(
    house: House, until: Until, quickest: Quickest
) -> None:
    def stop() -> float:
        node = start_hanging(house)
        until(lambda: '"link"' in node.said(), node.said)
        assert "camera is slow to open" in node.said()
        return seconds_to_end(node)

    assert quickest(stop) < STOP_S


def test_it_stops_at_once_while_it_waits_for_a_camera(
    house: House, until: Until, quickest: Quickest
) -> None:
    def stop() -> float:
        node = start_hanging(house)
        until(lambda: '"settings"' in node.said(), node.said)
        return seconds_to_end(node)

    assert quickest(stop) < STOP_S


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_while_no_hub_is_there(
    house: House, until: Until, quickest: Quickest, number: int
) -> None:
    def stop() -> float:
        node = start(house, {})
        until(lambda: '"link"' in node.said(), node.said)
        took_s = seconds_to_end(node, number)
        return took_s if '"stopped"' in node.said() else math.inf  # it was ended by force

    assert quickest(stop) < STOP_S


# what ends it


def test_a_camera_that_hangs_in_opening_ends_it_to_be_started_anew(
    house: House, until: Until
) -> None:
    node = start_hanging(house, **{f"{NODE}STALL_S": "1"})
    until(lambda: node.process.poll() is not None, node.said)
    assert node.process.returncode == 1
    assert "camera dead still hangs" in node.said()


def test_a_file_that_is_missing_is_a_wrong_setting() -> None:
    settings = {f"{NODE}CAMERAS": json.dumps({"lost": {"source": "file", "path": "/nowhere"}})}
    variables = {k: v for k, v in PLAIN.items() if not k.startswith(FRONT)}
    code, _, said = command(variables | settings | {f"{NODE}METRICS_PORT": "0"})
    assert (code, said) == (2, f"setting {NODE}CAMERAS__lost: no such file: /nowhere\n")


def test_a_taken_port_is_a_wrong_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, _, said = command(PLAIN | {f"{NODE}METRICS_PORT": port})
    assert code == 2
    assert said == (
        f"setting {NODE}METRICS_PORT: found 127.0.0.1 port {port}, Address already in use; "
        "want a free port, or 0 for none\n"
    )


def test_an_address_of_another_machine_is_a_wrong_setting() -> None:
    elsewhere = {f"{NODE}METRICS_BIND": "192.0.2.1", f"{NODE}METRICS_PORT": "9102"}
    code, _, said = command(PLAIN | elsewhere)
    wanted = "found 192.0.2.1, want an address of this machine"
    assert (code, said) == (2, f"setting {NODE}METRICS_BIND: {wanted}\n")


# a log that goes nowhere


def run_with(stdout: int, house: House) -> subprocess.Popen[bytes]:
    """A node that streams to the house's hub, and whose log goes there."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
    settings = {
        f"{NODE}BUNDLE": str(house.enrol("pi")),
        f"{FRONT}SOURCE": "synthetic",
        f"{NODE}METRICS_PORT": "0",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "camfleet_node"],
        env=inherited | settings,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stdout,
        start_new_session=True,
    )


def seconds_to_stop(house: House, stdout: int, until: Until) -> float:
    """Start a node whose log goes there, see that it streams, and stop it."""
    process = run_with(stdout, house)
    try:
        until(lambda: house.cameras().get("pi/front", {}).get("state") == "online", house.hub.said)
        house.await_frames("pi/front", more=5)
        begun_s = time.monotonic()
        process.terminate()
        assert process.wait(WAIT_S) == 0
        took_s = time.monotonic() - begun_s
        until(lambda: house.cameras()["pi/front"]["state"] == "offline", house.hub.said)
        return took_s
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_a_full_disk_below_its_log_stops_nothing(
    house: House, until: Until, quickest: Quickest
) -> None:
    house.start_hub()
    with Path("/dev/full").open("wb") as full:
        assert quickest(lambda: seconds_to_stop(house, full.fileno(), until)) < STOP_S


def test_a_log_whose_reader_went_away_stops_nothing(
    house: House, until: Until, quickest: Quickest
) -> None:
    house.start_hub()
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert quickest(lambda: seconds_to_stop(house, writer, until)) < STOP_S
    finally:
        os.close(writer)


def test_a_log_that_nobody_reads_stops_nothing(
    house: House, until: Until, quickest: Quickest
) -> None:
    house.start_hub()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x" * 4096)  # until the pipe is full
    except BlockingIOError:
        os.set_blocking(writer, True)
    try:
        assert quickest(lambda: seconds_to_stop(house, writer, until)) < STOP_S
    finally:
        os.close(writer)
        os.close(reader)


# health, metrics and the doctor


def test_a_node_is_healthy_while_its_frames_flow(
    house: House, until: Until, hold_port: Callable[[], int]
) -> None:
    house.start_hub()
    port = hold_port()
    settings = {f"{NODE}METRICS_PORT": str(port)}
    node = house.start_node("pi", "front", settings=settings)
    until(lambda: command(settings, "health") == (0, "ok\n", ""), node.said)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        told = answer.read().decode()
    assert "camfleet_node_link_online 1.0" in told
    assert 'camfleet_node_frames_captured_total{camera="front"}' in told
    assert 'camfleet_node_build_info{version="' in told
    house.hub.kill()
    until(lambda: command(settings, "health")[0] == 1, node.said)
    gone = ["link: connecting: the hub does not answer"]
    until(lambda: healthz(port)["problems"] == gone, lambda: healthz(port))


def test_without_a_node_health_says_so(hold_port: Callable[[], int]) -> None:
    port = hold_port()
    code, said, _ = command({f"{NODE}METRICS_PORT": str(port)}, "health")
    assert code == 1
    assert said == f"no node answers on 127.0.0.1 port {port}: Connection refused\n"


def examined(settings: dict[str, str]) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """What the doctor finds, by what it looked at."""
    code, said, errors = command(settings, "doctor", "--json")
    assert errors == ""
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(said)["findings"]:
        found.setdefault(finding["what"], []).append(finding)
    return code, found


def examined_until(
    is_told: Callable[[int, dict[str, list[dict[str, str]]]], bool],
    settings: dict[str, str],
    until: Until,
) -> dict[str, list[dict[str, str]]]:
    """What the doctor finds once that is told; a busy machine may outlast his patience."""
    tries: list[tuple[int, dict[str, list[dict[str, str]]]]] = []

    def finds_it() -> bool:
        tries.append(examined(settings))
        return is_told(*tries[-1])

    until(finds_it, lambda: tries)
    return tries[-1][1]


def examined_until_well(settings: dict[str, str], until: Until) -> dict[str, list[dict[str, str]]]:
    return examined_until(lambda code, _: code == 0, settings, until)


def test_the_doctor_finds_nothing_wrong_where_all_is_well(
    house: House, until: Until, hold_port: Callable[[], int]
) -> None:
    house.start_hub()
    port = hold_port()
    bundle = house.enrol("pi")
    settings = {
        f"{NODE}BUNDLE": str(bundle),
        f"{FRONT}SOURCE": "synthetic",
        f"{NODE}METRICS_PORT": str(port),
    }
    found = examined_until_well(settings, until)
    assert [one["verdict"] for one in found["hub"]] == ["ok", "ok"]
    assert found["bundle"][0]["found"] == f"{bundle} of node 'pi', for {house.nodes_address}"
    assert found["clock"][0]["verdict"] == "ok"
    assert found["camera"][0]["found"].startswith("front: synthetic gives 640x480 after ")
    secret = json.loads(bundle.read_text())["secret_key"]
    assert secret not in json.dumps(found)


def test_the_doctor_leaves_a_node_that_runs_alone(
    house: House, until: Until, hold_port: Callable[[], int]
) -> None:
    house.start_hub()
    port = hold_port()
    settings = {f"{NODE}METRICS_PORT": str(port)}
    node = house.start_node("pi", "front", settings=settings)
    until(lambda: command(settings, "health")[0] == 0, node.said)
    camera = {f"{FRONT}SOURCE": "synthetic", f"{NODE}BUNDLE": str(house.enrol("pi"))}
    found = examined_until_well(settings | camera, until)
    assert found["node"][0]["found"] == "runs here, frames flow"
    assert found["clock"][0]["verdict"] == "ok"
    assert "is replaced" not in house.hub.said()
    assert node.said().count('"online"') == 1


def test_the_doctor_names_a_hub_that_wants_keys(house: House, until: Until) -> None:
    house.start_hub()
    wanted = "the hub wants keys, and this node is not"
    examined_until(
        lambda code, found: code == 1 and found["hub"][-1]["found"] == wanted,
        PLAIN | {f"{NODE}HUB": house.nodes_address},
        until,
    )


def test_the_doctor_names_a_key_that_is_revoked(house: House, until: Until) -> None:
    house.start_hub()
    bundle = house.enrol("pi")
    house.run(["-m", "camfleet_hub", "revoke", "pi"], house.settings, "revoke").process.wait(WAIT_S)
    wanted = "it is not enrolled for this port, or revoked"
    examined_until(
        lambda code, found: code == 1 and wanted in found["hub"][-1]["found"],
        {f"{NODE}BUNDLE": str(bundle), f"{FRONT}SOURCE": "synthetic"},
        until,
    )


def test_the_doctor_names_what_is_no_hub() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        code, found = examined(PLAIN | {f"{NODE}HUB": address})
    assert code == 1
    assert found["hub"][1]["found"] == f"{address} speaks no ZMTP 3"


def test_the_doctor_ends_though_the_bundle_hangs(tmp_path: Path) -> None:
    path = fifo(tmp_path)
    code, found = examined({f"{NODE}BUNDLE": path, f"{FRONT}SOURCE": "synthetic"})
    assert code == 1
    assert found["bundle"][0]["found"] == f"{path} hangs, nothing was read within 4 s"
    assert found["camera"][0]["verdict"] == "ok"


def test_the_doctor_names_another_service_on_the_nodes_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        answer = threading.Thread(target=answer_once, args=(other, b"SSH-2.0\r\n"))
        answer.start()
        code, found = examined(PLAIN | {f"{NODE}METRICS_PORT": str(port)})
        answer.join(20)
    assert code == 1
    assert found["node"][0]["found"].startswith("what answers on 127.0.0.1 port")
    assert found["camera"][0]["verdict"] == "ok"


def answer_once(server: socket.socket, said: bytes) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(4096)
        connection.sendall(said)


def test_the_doctor_names_wrong_settings_and_goes_on() -> None:
    code, found = examined({f"{FRONT}SOURCE": "synthetic", f"{FRONT}WIDHT": "800"})
    assert code == 1
    assert found["settings"][0]["found"] == (
        f"{FRONT}WIDHT: there is no such setting, want {FRONT}WIDTH?"
    )
    assert "devices" in found


def test_the_doctor_tells_a_person_in_lines() -> None:
    code, said, _ = command(PLAIN, "doctor")
    assert code == 1
    assert "fail  hub          127.0.0.1 (127.0.0.1) port 1: Connection refused  → " in said


# the command line


def test_the_version_is_told() -> None:
    code, said, _ = command({}, "--version")
    assert (code, said.startswith("camfleet-node ")) == (0, True)


def test_a_wrong_word_is_refused() -> None:
    code, _, said = command({}, "helath")
    assert code == 2
    assert "helath" in said


def test_a_command_can_be_interrupted_where_signals_were_blocked_before(tmp_path: Path) -> None:
    fifo_bundle = {f"{NODE}BUNDLE": fifo(tmp_path), f"{FRONT}SOURCE": "synthetic"}
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CAMFLEET_")}
    doctor = subprocess.Popen(
        ["env", "--block-signal=TERM,INT", sys.executable, "-m", "camfleet_node", "doctor"],
        env=inherited | fifo_bundle,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert doctor.stdout is not None
    with doctor.stdout as said:
        assert said.readline().startswith(b"ok    software")
        doctor.terminate()
        assert doctor.wait(WAIT_S) == -signal.SIGTERM


def test_a_signal_that_comes_before_it_listens_is_heard(house: House, until: Until) -> None:
    # as in the image, where the node is process number 1 and the kernel would drop it
    blocked = ["env", "--block-signal=TERM,INT"]
    node = house.run(["-m", "camfleet_node"], PLAIN, "node", under=blocked)
    until(lambda: is_listening_for_signals(node), node.said)
    node.process.send_signal(signal.SIGTERM)
    assert node.process.wait(WAIT_S) == 0, "Python may take long to start, on a busy machine"
