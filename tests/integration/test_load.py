"""The load generator against real hubs."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from camfleet.errors import RemoteProtocolError
from camfleet.events import Event
from camfleet.frame import Frame
from camfleet.keyring import Keyring
from camfleet.receiver import Receiver

if TYPE_CHECKING:
    from tests.integration.conftest import House

CAMERAS: Final = 6
# More than twice as many frames as are wanted: a busy machine sends fewer than it was told.
FEW: Final = ("--cameras", str(CAMERAS), "--nodes", "2", "--fps", "20", "--seconds", "4")
DEADLINE_S: Final = 100


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "camfleet.cli", "bench", "fleet", *FEW, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


class Taken:
    """What a receiver was given."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.rejected: list[RemoteProtocolError] = []

    def event(self, event: Event) -> None:
        if isinstance(event, Frame):
            self.frames[f"{event.node}/{event.header.stream}"] += 1

    def reject(self, _node: str, error: RemoteProtocolError) -> None:
        self.rejected.append(error)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_every_camera_is_heard_at_a_plain_hub_that_wants_all(house: House, processes: str) -> None:
    house.start_hub({"CAMFLEET_HUB_PLAIN": "true"})
    done = bench(
        "--plain", "--hub", house.nodes_address, "--processes", processes,
        "--subscribers", f"tcp://127.0.0.1:{house.ports['SUBSCRIBERS']}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "of 120.0 frames/s" in done.stdout
    assert "unwanted" not in done.stdout
    cameras = house.cameras()
    assert len(cameras) == CAMERAS
    for camera in cameras.values():
        assert camera["received"] > 10
        assert camera["lost"] == 0


def test_a_load_enrols_its_nodes_and_leaves_nobody_behind(house: House) -> None:
    house.start_hub()
    done = bench(
        "--enrol", str(house.state), "--hub", house.nodes_address,
        "--subscribers", f"tcp://127.0.0.1:{house.ports['SUBSCRIBERS']}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(camera["received"] > 10 for camera in house.cameras().values())
    assert Keyring(house.state).entries() == []


def test_a_folder_of_bundles_is_a_load(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    for name in ("one", "two"):
        house.enrol(name).rename(folder / f"{name}.json")
    taken = Taken()
    with Receiver(
        "tcp://127.0.0.1:0",
        keyring=Keyring(house.state),
        on_event=taken.event,
        on_reject=taken.reject,
    ) as receiver:
        done = bench("--bundles", str(folder), "--hub", receiver.address)
    assert done.returncode == 0, done.stderr
    assert not taken.rejected
    assert len(taken.frames) == CAMERAS
    assert {name.partition("/")[0] for name in taken.frames} == {"one", "two"}
    assert min(taken.frames.values()) > 10


def test_too_few_bundles_are_named(tmp_path: Path) -> None:
    done = bench("--bundles", str(tmp_path))
    assert done.returncode == 1
    assert "has bundles of 0 nodes, want 2" in done.stderr
