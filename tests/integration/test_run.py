"""`make run` as a person sees it: everything starts, is shown, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from camfleet.keys import Bundle, Role

if TYPE_CHECKING:
    from tests.integration.conftest import House, Service, Until

RUN = Path(__file__).parents[2] / "deploy" / "local" / "run.py"
END_S = 40.0
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and needs prctl")


def run(house: House, *options: str, **settings: str) -> Service:
    settings = {"CAMFLEET_RUN_LOGS": str(logs(house))} | house.settings | settings
    return house.run([str(RUN), *options], settings, "run")


def logs(house: House) -> Path:
    return house.folder / "logs"


def runner(house: House, until: Until, *options: str) -> Service:
    """A run that has said that all is started."""
    service = run(house, "--cameras", "1", *options)
    until(lambda: "Ctrl-C stops everything" in service.said(), service.said)
    return service


def children(pid: int) -> list[int]:
    """Processes that this one has started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended meanwhile
        if int(parent) == pid and state != "Z":
            found.append(int(stat.parent.name))
    return found


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def video(folder: Path) -> Path:
    path = folder / "street.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 20, (64, 48))
    for level in range(0, 250, 10):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return path


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return video(tmp_path_factory.mktemp("media"))


# a run as it should be


def test_a_run_tells_its_address_and_shows_cameras_and_footage(
    house: House, until: Until, street: Path
) -> None:
    service = run(house, "--cameras", "2", "--source", str(street))

    def status() -> str:
        """The last line that tells that all are online: the first ones may come too early."""
        lines = service.said().splitlines(keepends=True)
        told = [line for line in lines if line.startswith("3 of 3 cameras online, ")]
        return told[-1] if told and told[-1].endswith("\n") else ""

    assert until(status, service.said).endswith(" dropped, 0 lost\n")
    assert f"http://127.0.0.1:{house.ports['WEB']}/\n" in service.said()
    assert f"tcp://127.0.0.1:{house.ports['IMAGEZMQ']}\n" in service.said()
    until(lambda: house.cameras()["footage/street"]["state"] == "online")
    footage = house.cameras()["footage/street"]
    assert (footage["width"], footage["height"]) == (64, 48)


def test_a_runs_logs_go_where_it_is_told(house: House, until: Until) -> None:
    service = runner(house, until)
    assert f"logs            {logs(house)}/\n" in service.said()
    assert {path.name for path in logs(house).glob("*.log")} == {"hub.log", "garden.log"}


def test_a_run_has_keys_and_tells_where_a_persons_own_are(house: House, until: Until) -> None:
    service = runner(house, until)
    assert f"your keys       {logs(house)}/me.json" in service.said()
    bundle = Bundle.read(logs(house) / "me.json")
    assert (bundle.name, bundle.role) == ("me", Role.SUBSCRIBER)
    assert "plain" not in (logs(house) / "garden.log").read_text()
    until(house.cameras)


def test_settings_of_nodes_around_it_do_not_disturb_a_run(house: House, until: Until) -> None:
    cameras = json.dumps({"mine": {"source": "file", "path": "/nowhere"}})
    settings = {"CAMFLEET_NODE_CAMERAS": cameras, "CAMFLEET_NODE_NAME": "mine"}
    service = run(house, "--cameras", "1", **settings)
    until(lambda: "Ctrl-C stops everything" in service.said(), service.said)
    until(house.cameras)
    assert "mine/mine" not in house.cameras()


@LINUX
def test_a_run_may_be_bound_to_an_address(house: House, until: Until) -> None:
    service = runner(house, until, "--bind", "127.0.0.2")
    assert f"http://127.0.0.2:{house.ports['WEB']}/\n" in service.said()


# its end


@LINUX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything(house: House, until: Until, number: int) -> None:
    service = runner(house, until)
    until(lambda: len(children(service.process.pid)) == 2)
    pids = children(service.process.pid)
    code, _ = service.stop(number)
    assert code == 0
    assert [pid for pid in pids if is_running(pid)] == []
    assert "Traceback" not in service.said()


@LINUX
def test_an_impatient_second_interrupt_still_stops_everything(house: House, until: Until) -> None:
    service = runner(house, until)
    pids = children(service.process.pid)
    service.process.send_signal(signal.SIGINT)
    until(lambda: "stopping" in service.said())
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(END_S) == 0
    assert [pid for pid in pids if is_running(pid)] == []
    assert "Traceback" not in service.said()


@LINUX
def test_an_interrupt_while_it_starts_stops_everything(house: House, until: Until) -> None:
    service = run(house, "--cameras", "4")
    pids = until(lambda: children(service.process.pid))
    code, _ = service.stop(signal.SIGINT)
    assert code == 0
    # One that was being started just then is ended by the kernel, because its parent has.
    until(lambda: not [pid for pid in pids if is_running(pid)])


@LINUX
def test_when_a_run_is_killed_its_processes_end_too(house: House, until: Until) -> None:
    service = runner(house, until)
    until(lambda: len(children(service.process.pid)) == 2)
    pids = children(service.process.pid)
    service.kill()
    until(lambda: not [pid for pid in pids if is_running(pid)])


@LINUX
def test_when_a_node_ends_it_is_told_and_the_rest_stopped(house: House, until: Until) -> None:
    service = runner(house, until)
    pids = until(lambda: children(service.process.pid)[1:])
    hub = children(service.process.pid)[0]
    os.kill(max(pids), signal.SIGKILL)  # its own node
    assert service.process.wait(END_S) == 1
    assert "garden ended with exit code -9; its last words:" in service.said()
    assert not is_running(hub)


# what is wrong is told


WRONG_OPTIONS = {
    "no such source": (["--source", "/nowhere.avi"], "SOURCE is '/nowhere.avi', want a video"),
    "too few cameras": (["--cameras", "-1"], "CAMERAS is -1, want 0 to 64"),
    "too many cameras": (["--cameras", "65"], "CAMERAS is 65, want 0 to 64"),
    "cameras that are no number": (["--cameras", "few"], "'few'"),
    "an unknown option": (["--colour", "red"], "--colour"),
}


@pytest.mark.parametrize(("options", "says"), WRONG_OPTIONS.values(), ids=WRONG_OPTIONS)
def test_a_wrong_option_is_told_and_nothing_is_started(
    house: House, options: list[str], says: str
) -> None:
    service = run(house, *options)
    assert service.process.wait(END_S) == 2
    assert says in service.said()
    assert "Traceback" not in service.said()


def test_a_source_that_is_no_video_is_told_in_its_nodes_words(house: House, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no pictures here")
    service = run(house, "--cameras", "0", "--source", str(path))
    assert service.process.wait(END_S) == 1
    assert "footage ended with exit code 2; its last words:" in service.said()
    assert f"not a picture or video: {path}" in service.said()


@pytest.mark.parametrize("name", ["WEB", "NODES"])
def test_a_port_in_use_is_told_in_the_hubs_words(house: House, name: str) -> None:
    with socket.create_server(("127.0.0.1", house.ports[name])):
        service = run(house, "--cameras", "1")
        assert service.process.wait(END_S) == 1
    assert "hub ended with exit code 2; its last words:" in service.said()
    assert f"setting CAMFLEET_HUB_{name}_PORT: " in service.said()


def test_an_address_that_is_none_is_told_in_the_hubs_words(house: House) -> None:
    service = run(house, "--bind", "here")
    assert service.process.wait(END_S) == 1
    assert "setting CAMFLEET_HUB_BIND: found 'here'" in service.said()
