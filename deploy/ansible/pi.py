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
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parent
ROOT: Final = FOLDER.parents[1]
IMAGES: Final = ROOT / "build/images"
_ARCHITECTURES: Final = {"aarch64": "arm64", "x86_64": "amd64"}
_COMPOSE: Final = ("docker", "compose", "--project-directory", str(ROOT))
_HUB: Final = "label=org.opencontainers.image.title=camfleet-hub"


@dataclass(frozen=True)
class Hub:
    """The hub on this machine, as docker-compose.yml and .env have it.

    Attributes:
        nodes_port: where nodes find it.
        web_port: where browsers do.
        version: its image's tag.
    """

    nodes_port: int
    web_port: int
    version: str


def main() -> None:
    """Do it, and end with the playbook's exit code, or with a line that says what is missing."""
    options = _options()
    user, _, host = options.host.rpartition("@")
    words = shlex.split(options.words)
    architecture, address = ask(user, host, ssh_words(words))
    hub = read_hub(json.loads(_said(*_COMPOSE, "config", "--format", "json")))
    container = start_hub(hub.nodes_port)
    make_image(f"camfleet-node-{architecture}.tar", hub.version)
    hub_address = options.hub or address
    inventory = describe(user, host, json.loads(options.cameras)) | {
        "vars": {
            "hub_address": hub_address,
            "node_hub_port": hub.nodes_port,
            "node_hub_container": container,
        }
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hosts.json"
        path.write_text(json.dumps({"all": inventory}), "utf-8")
        command = ["ansible-playbook", "--inventory", str(path), str(FOLDER / "deploy-nodes.yml")]
        done = subprocess.run(
            [*command, *words],
            env=os.environ | {"ANSIBLE_CONFIG": str(FOLDER / "ansible.cfg")},
            check=False,
        )
    if done.returncode == 0:
        print(f"{node_name(host)} is on the wall: http://{hub_address}:{hub.web_port}/")
    raise SystemExit(done.returncode)


def ask(user: str, host: str, words: list[str]) -> tuple[str, str]:
    """Ask the Pi what it is and as what it sees this machine; `words` are for ssh."""
    target = f"{user}@{host}" if user else host
    command = ["ssh", "-o", "StrictHostKeyChecking=accept-new", *words, target]
    done = subprocess.run(
        [*command, 'uname -m; echo "${SSH_CONNECTION%% *}"'],
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    lines = done.stdout.split()
    if done.returncode or len(lines) != 2:
        tried = shlex.join(["ssh", *words, target])
        sys.exit(f"{host}: cannot log in: see that `{tried}` works, then try again")
    if lines[0] not in _ARCHITECTURES:
        sys.exit(f"{host}: found {lines[0]}, want aarch64: write its card with the 64-bit system")
    return _ARCHITECTURES[lines[0]], lines[1]


def ssh_words(words: list[str]) -> list[str]:
    """What ssh must be told for the same effect as Ansible's own words."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--ssh-common-args", default="")
    parser.add_argument("--private-key", "--key-file", default="")
    parser.add_argument("-e", "--extra-vars", action="append", default=[])
    known, _ = parser.parse_known_args(words)
    variables: dict[str, str] = {}
    for extra in known.extra_vars:
        if extra.startswith("{"):
            variables |= json.loads(extra)
        elif not extra.startswith("@"):
            variables |= dict(pair.split("=", 1) for pair in shlex.split(extra) if "=" in pair)
    told = variables.get("ansible_ssh_common_args") or known.ssh_common_args
    found = shlex.split(told or os.environ.get("ANSIBLE_SSH_COMMON_ARGS", ""))
    key = variables.get("ansible_ssh_private_key_file") or known.private_key
    port = variables.get("ansible_port")
    return found + (["-i", key] if key else []) + (["-p", str(port)] if port else [])


def read_hub(project: dict[str, Any]) -> Hub:
    """Read what `docker compose config` tells of the hub."""
    service = project["services"]["hub"]
    settings = service["environment"]
    return Hub(
        int(settings.get("CAMFLEET_HUB_NODES_PORT") or 5556),
        int(settings.get("CAMFLEET_HUB_WEB_PORT") or 8080),
        service["image"].rpartition(":")[2],
    )


def start_hub(port: int) -> str:
    """Start the hub on this machine, if none runs that nodes find on this port; return its name."""
    container = _running_hub(port)
    if not container:
        _run(*_COMPOSE, "up", "--detach", "--wait", "hub")
        container = _running_hub(port)
    if not container:
        sys.exit(f"found no hub on port {port} of this machine, want one: see `docker compose ps`")
    return container


def _running_hub(port: int) -> str:
    """Name the container; other projects' hubs and those that only do a task have no such port."""
    command = ("docker", "ps", "--filter", _HUB, "--filter", f"publish={port}/tcp")
    names = _said(*command, "--format", "{{.Names}}").split()
    return names[0] if names else ""


def make_image(name: str, version: str) -> None:
    """Make the node's image, unless these sources have it in this version."""
    archive = IMAGES / name
    if archive.exists() and version_of(archive) != version:
        archive.unlink()
    _run("make", "-C", str(ROOT), f"VERSION={version}", str(archive.relative_to(ROOT)))


def version_of(archive: Path) -> str:
    """Tell an archive's tag, or nothing where it has none."""
    try:
        with tarfile.open(archive) as file:
            manifest = file.extractfile("manifest.json")
            tag = json.load(manifest)[0]["RepoTags"][0] if manifest else ""
    except (OSError, tarfile.TarError, ValueError, LookupError, TypeError):
        return ""
    return str(tag).rpartition(":")[2]


def describe(user: str, host: str, cameras: dict[str, Any]) -> dict[str, Any]:
    """The groups of an inventory: one node, and this machine as the hub's."""
    node = {"ansible_host": host, "node_cameras": cameras} | (
        {"ansible_user": user} if user else {}
    )
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    groups = {
        "hub": {"hosts": {"this-machine": here | {"ansible_become": False}}},
        "nodes": {"hosts": {node_name(host): node}},
    }
    return {"children": groups}


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
    if done.returncode:
        sys.exit(f"failed: {shlex.join(command)}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
