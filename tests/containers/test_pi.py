"""The node's image for a Pi, with the real Picamera2 on libcamera's virtual cameras.

Its processor is emulated where this machine has another one, and it sends to a hub of this
machine's own over CURVE, as on a network of Pis.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from tests.containers.conftest import ARM64, Container, Images, Project, native, runs_arm64, until

HARNESS: Final = Path(__file__).parent / "virtual_camera"
VIRTUAL: Final = "/usr/share/libcamera/pipeline/virtual/virtual.yaml"
SLOW_S: Final = 300.0  # an emulated processor on a busy machine
# Small and slow, for it is emulated.
CAMERAS: Final = {
    "CAMFLEET_NODE_CAMERAS__bars__SOURCE": "picamera2",
    "CAMFLEET_NODE_CAMERAS__bars__CAMERA": "Virtual Camera",
    "CAMFLEET_NODE_CAMERAS__bars__WIDTH": "1280",
    "CAMFLEET_NODE_CAMERAS__bars__HEIGHT": "720",
    "CAMFLEET_NODE_CAMERAS__bars__FPS": "5",
    "CAMFLEET_NODE_CAMERAS__lines__SOURCE": "picamera2",
    "CAMFLEET_NODE_CAMERAS__lines__CAMERA": "Virtual Lines",
    "CAMFLEET_NODE_CAMERAS__lines__WIDTH": "640",
    "CAMFLEET_NODE_CAMERAS__lines__HEIGHT": "480",
    "CAMFLEET_NODE_CAMERAS__lines__PREVIEW_WIDTH": "0",
    "CAMFLEET_NODE_CAMERAS__lines__FPS": "5",
}

pytestmark = pytest.mark.skipif(
    not runs_arm64(), reason="found no emulation of arm64, want it: engine.sh says how"
)


@pytest.fixture(scope="module")
def hub(project: Project) -> Project:
    project("up", "--detach", "--no-build", "--wait", "hub")
    return project


@pytest.fixture
def node(hub: Project, images: Images, run: Callable[..., Container], tmp_path: Path) -> Container:
    """A node of the Pi's image, with the bundle that the hub gave out as a secret file."""
    command = ["camfleet-hub", "enrol", "pi", "--address", "hub", "--out", "-"]
    code, bundle = hub.container("hub").execute(*command)
    assert code == 0, bundle
    secret = tmp_path / "bundle.json"
    secret.write_text(bundle)
    secret.chmod(0o444)  # its owner is another one inside, as with every secret of Compose
    options = [
        f"--platform={ARM64}",
        "--init",
        f"--network={hub.name}_default",
        f"--volume={secret}:/run/secrets/bundle.json:ro",
        f"--volume={HARNESS}:/harness:ro",
        f"--volume={HARNESS / 'virtual.yaml'}:{VIRTUAL}:ro",
        "--env=PYTHONPATH=/harness",
    ]
    return run(images.get("node", ARM64), options=options, settings=CAMERAS)


def test_real_picamera2_in_a_hardened_container_sends_over_curve_to_the_hub(
    hub: Project, node: Container, say: Callable[[str], None]
) -> None:
    cameras = {"pi/bars", "pi/lines"}
    until(lambda: cameras <= hub.received().keys() or not node.state["Running"], SLOW_S)
    assert node.state["Running"], node.log
    hub.wait_frames(sorted(cameras))
    assert '"plain": false' in node.log
    until(lambda: node.execute("camfleet-node", "health")[0] == 0, SLOW_S)
    machine = node.execute("uname", "-m")[1].strip()
    code, took_s = node.stop()
    assert code == 0, node.log
    say(
        f"picamera2 sent from {machine} to {native()} ({os.cpu_count()} cores), stop {took_s:.1f} s"
    )
