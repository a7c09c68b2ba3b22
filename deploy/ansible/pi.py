"""Makes one Pi a node of a hub on this machine, without an inventory: `make pi HOST=pi@garden`.

It starts the hub where none runs, makes the image where these sources have none yet, and runs
deploy-nodes.yml.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parents[1]
IMAGES: Final = ROOT / "build/images"
_ARCHITECTURES: Final = {"aarch64": "arm64", "x86_64": "amd64"}
_HUB: Final = "label=org.opencontainers.image.title=camfleet-hub"


def main() -> None:
    """Do it, and end with the playbook's exit code, or with a line that says what is missing."""
    options = _options()
    user, _, host = options.host.rpartition("@")
    architecture, address = ask(user, host)
    start_hub()
    image = IMAGES / f"camfleet-node-{architecture}.tar"
    _run("make", "-C", str(ROOT), str(image.relative_to(ROOT)))
    hub = options.hub or address
    inventory = describe(user, host, hub, json.loads(options.cameras))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hosts.json"
        path.write_text(json.dumps(inventory), "utf-8")
        command = ["ansible-playbook", "--inventory", str(path), str(FOLDER / "deploy-nodes.yml")]
        done = subprocess.run(
            [*command, *shlex.split(options.words)],
            env=os.environ | {"ANSIBLE_CONFIG": str(FOLDER / "ansible.cfg")},
            check=False,
        )
    if done.returncode == 0:
        print(f"{node_name(host)} is on the wall: http://{hub}:8080/")
    raise SystemExit(done.returncode)


def ask(user: str, host: str) -> tuple[str, str]:
    """Ask the Pi what it is and as what it sees this machine."""
    target = f"{user}@{host}" if user else host
    words = shlex.split(os.environ.get("ANSIBLE_SSH_COMMON_ARGS", ""))
    command = ["ssh", "-o", "StrictHostKeyChecking=accept-new", *words, target]
    done = subprocess.run(
        [*command, 'uname -m; echo "${SSH_CONNECTION%% *}"'],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    lines = done.stdout.split()
    if done.returncode or len(lines) != 2:
        sys.exit(f"{host}: cannot log in: see that `ssh {target}` works, then try again")
    if lines[0] not in _ARCHITECTURES:
        sys.exit(f"{host}: found {lines[0]}, want aarch64: write its card with the 64-bit system")
    return _ARCHITECTURES[lines[0]], lines[1]


def start_hub() -> None:
    """Start the hub on this machine, if none runs."""
    if not _said("docker", "ps", "--quiet", "--filter", _HUB):
        _run(
            "docker", "compose", "--project-directory", str(ROOT), "up", "--detach", "--wait", "hub"
        )


def describe(user: str, host: str, hub: str, cameras: dict[str, Any]) -> dict[str, Any]:
    """An inventory of one node, and of this machine as the hub's."""
    node = {"ansible_host": host, "node_cameras": cameras} | (
        {"ansible_user": user} if user else {}
    )
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    groups = {
        "hub": {"hosts": {"this-machine": here | {"ansible_become": False}}},
        "nodes": {"hosts": {node_name(host): node}},
    }
    return {"all": {"vars": {"hub_address": hub}, "children": groups}}


def node_name(host: str) -> str:
    """A host's name without its domain; an address stays whole."""
    return host if host.replace(".", "").isdigit() else host.partition(".")[0]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host", help="as ssh takes it: pi@garden")
    parser.add_argument(
        "--cameras",
        default='{"front": {"source": "picamera2"}}',
        help="as JSON (default: %(default)s)",
    )
    parser.add_argument("--hub", help="this machine's address, where the Pi cannot tell it")
    parser.add_argument(
        "--words", default="", help="for ansible-playbook: --words=--ask-become-pass"
    )
    return parser.parse_args()


def _run(*command: str) -> None:
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"failed: {shlex.join(command)}")


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True)
    except FileNotFoundError:
        sys.exit(
            f"found no {command[0]} on this machine, want it: apt install docker.io docker-compose"
        )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
