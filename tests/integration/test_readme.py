"""The README's Python programs, as they stand there but for ports and paths, against a real hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from camfleet.keyring import Keyring
from camfleet.keys import Role

if TYPE_CHECKING:
    from tests.integration.conftest import House, Service, Until

README: Final = Path(__file__).parents[2] / "README.md"
PROGRAMS: Final = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
MOST_LINES: Final = 12

# A camera without hardware, and without OpenCV's seconds to load.
CV2: Final = """
import time

import numpy as np


class VideoCapture:
    def __init__(self, index):
        assert index == 0
        self.image = np.zeros((48, 64, 3), np.uint8)

    def read(self):
        time.sleep(0.1)
        self.image += 1
        return True, self.image
"""


def program(line: str) -> str:
    """Return the one program that has this line."""
    found: str
    (found,) = [text for text in PROGRAMS if line in text.splitlines()]
    return found


class Shelf:
    """Runs programs beside a house's hub, with its ports and a camera of their own."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._modules = house.folder / "modules"
        self._modules.mkdir()
        (self._modules / "cv2.py").write_text(CV2)

    def run(self, text: str, name: str) -> Service:
        for found, wanted in (("5555", "IMAGEZMQ"), ("5556", "NODES"), ("5557", "SUBSCRIBERS")):
            text = text.replace(f":{found}", f":{self._house.ports[wanted]}")
        text = text.replace("workbench.json", str(self._house.enrol("workbench")))
        text = text.replace("desk.json", str(self._house.folder / "desk.json"))
        text = text.replace(".local/state/camfleet", str(self._house.state))
        path = os.pathsep.join(filter(None, [str(self._modules), os.environ.get("PYTHONPATH")]))
        return self._house.run(["-u", "-c", text], {"PYTHONPATH": path}, name)


@pytest.fixture
def shelf(house: House) -> Shelf:
    return Shelf(house)


def test_every_program_of_the_readme_is_run_here() -> None:
    lines = ["import imagezmq", "from camfleet import Sender"]
    lines += ["from camfleet import Keyring, Receiver", "from camfleet import Subscriber"]
    assert sorted(PROGRAMS) == sorted(map(program, lines))


def test_the_imagezmq_program_is_short() -> None:
    assert len(program("import imagezmq").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("line", ["import imagezmq", "from camfleet import imagezmq"])
def test_the_imagezmq_program_puts_its_camera_online(
    house: House, shelf: Shelf, until: Until, line: str
) -> None:
    house.start_hub()
    sending = shelf.run(program("import imagezmq").replace("import imagezmq", line), "program")
    assert_online(house, sending, "imagezmq/workbench", until)


def test_the_sender_program_puts_its_camera_online(
    house: House, shelf: Shelf, until: Until
) -> None:
    house.start_hub()
    sending = shelf.run(program("from camfleet import Sender"), "program")
    assert_online(house, sending, "workbench/lamp", until)


def assert_online(house: House, sending: Service, camera: str, until: Until) -> None:
    def is_online() -> bool:
        assert sending.process.poll() is None, sending.said()
        return house.cameras().get(camera, {}).get("state") == "online"

    until(is_online, lambda: f"{sending.said()}\n{house.hub.said()}")
    house.await_frames(camera, more=2)


def test_the_receiver_program_prints_what_the_sender_program_sends(
    shelf: Shelf, until: Until
) -> None:
    receiving = shelf.run(program("from camfleet import Keyring, Receiver"), "receiver")
    sending = shelf.run(program("from camfleet import Sender"), "sender")

    def have_come() -> bool:
        for service in (receiving, sending):
            assert service.process.poll() is None, service.said()
        return receiving.said().count("workbench lamp (48, 64, 3)\n") >= 2

    until(have_come, lambda: f"{sending.said()}\n{receiving.said()}")


def test_the_subscriber_program_prints_what_a_node_captures(
    house: House, shelf: Shelf, until: Until
) -> None:
    house.start_hub()
    house.start_node("garden", "pond")
    address = f"tcp://127.0.0.1:{house.ports['SUBSCRIBERS']}"
    bundle = Keyring(house.state).enrol("desk", Role.SUBSCRIBER, address)
    bundle.write(house.folder / "desk.json")
    reading = shelf.run(program("from camfleet import Subscriber"), "subscriber")

    def have_come() -> bool:
        assert reading.process.poll() is None, reading.said()
        return reading.said().count("garden pond  (120, 160, 3)\n") >= 2

    until(have_come, lambda: f"{reading.said()}\n{house.hub.said()}")
