"""Hosts that behave like blank Raspberry Pis, as containers, and playbooks run on them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
ANSIBLE: Final = ROOT / "deploy/ansible"
PREFIX: Final = "camfleet-rollout-"
# Runs on one engine do not touch each other's things, and find what a run that was killed has left.
RUN: Final = str(os.getpid())
CAMERA: Final = {"source": "synthetic", "width": 320, "height": 240, "fps": 10}
OVERLAY: Final = "dtoverlay=imx708"
DEAD: Final = "192.0.2.1"  # RFC 5737: nobody has it
_LONG_S: Final = 1500  # on a busy machine
_POLL_S: Final = 0.2
_RECAP: Final = re.compile(
    r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE
)


def run(*command: str, check: bool = True, given: bytes | None = None) -> str:
    """Run a program; return what it says."""
    done = subprocess.run(command, capture_output=True, timeout=_LONG_S, check=False, input=given)
    said = done.stdout.decode(errors="replace")
    assert not check or done.returncode == 0, (command, said, done.stderr.decode(errors="replace"))
    return said


def until(claim: Callable[[], Any], deadline_s: float = 180) -> Any:  # noqa: ANN401
    """Wait until a claim is true, and return it; the last answer stands in the failure."""
    ends_s = time.monotonic() + deadline_s
    while not (found := claim()):
        assert time.monotonic() < ends_s, f"not within {deadline_s:.0f} s: {found!r}"
        time.sleep(_POLL_S)
    return found


def remove(container: str) -> None:
    """End a host and all that it had."""
    run("docker", "rm", "--force", "--volumes", container, check=False)
    run("docker", "volume", "rm", "--force", container, check=False)


def remove_leftovers() -> None:
    """End the hosts of runs that were killed."""
    command = ("docker", "ps", "--all", "--filter", f"name=^{PREFIX}", "--format", "{{.Names}}")
    for container in run(*command).split():
        pid = container.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            remove(container)


@dataclass(frozen=True)
class Played:
    """What a playbook said and did."""

    code: int
    said: str

    def recap(self, host: str) -> tuple[int, int, int]:
        """What was changed, unreachable and failed on a host."""
        found = {name: tuple(map(int, counts)) for name, *counts in _RECAP.findall(self.said)}
        changed, unreachable, failed = found.get(host, (0, 0, 0))
        return changed, unreachable, failed

    @property
    def sentences(self) -> str:
        """All that was said, as one line, as if it had not been folded."""
        return " ".join(self.said.split())


class Host:
    """One container that is a host."""

    def __init__(self, name: str, image: str, engine: str = "/var/lib/docker") -> None:
        """Start it; `engine` is where its own engine keeps images, a volume, for it has to."""
        self.name = name
        self.image = image
        self.container = f"{PREFIX}{RUN}-{name}"
        run(
            *("docker", "run", "--detach", "--pull=never", "--name", self.container),
            *("--hostname", name, "--privileged", "--cgroupns=private"),
            *("--tmpfs=/run", "--tmpfs=/run/lock", f"--volume={self.container}:{engine}"),
            image,
        )
        self.address = run(
            "docker", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", self.container
        ).strip()

    def restart(self) -> None:
        """Shut it down and start it anew, as a power cut's end does, but in order."""
        run("docker", "restart", self.container)

    def sh(self, command: str, *, check: bool = True) -> str:
        """Run a command on it, as root."""
        return run("docker", "exec", self.container, "sh", "-c", command, check=check).strip()

    def is_up(self) -> bool:
        """Whether one can log in."""
        return self.sh("systemctl is-active ssh", check=False) == "active"

    def remove(self) -> None:
        """End it and all that it had."""
        remove(self.container)


class Fleet:
    """A hub's host and two nodes', the inventory that names them, and playbooks run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hosts: dict[str, Host] = {}
        self.inventory: dict[str, Any] = {}

    def write(self, **variables: object) -> None:
        """Write the inventory; `variables` are for all nodes."""
        everybody = {
            "ansible_user": "pi",
            "ansible_ssh_private_key_file": str(self.folder / "key"),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.folder / 'known'} "
            "-o StrictHostKeyChecking=accept-new -o ConnectTimeout=10",
            "hub_address": self.hosts["display"].address,
            "hub_image": str(self.folder / "camfleet-hub-{arch}.tar"),
            "node_image": str(self.image("good")),
            "node_cameras": {"yard": CAMERA},
            # A machine that builds and runs all of this may be slow; that is no claim here.
            "node_steady_s": 3,
            "node_within_s": 300,
            "node_fps_share": 0.3,
            "node_latency_s": 10,
            "hub_within_s": 300,
            "chrony_options": "-F 1 -x",  # the containers share this machine's clock
        }
        nodes: dict[str, Any] = {
            name: {"ansible_host": host.address}
            for name, host in self.hosts.items()
            if name != "display"
        }
        nodes["pond"] |= {"camera_host_overlays": [OVERLAY], "chrony_servers": [DEAD]}
        self.inventory = {
            "all": {
                "vars": everybody | variables,
                "children": {
                    "hub": {"hosts": {"display": {"ansible_host": self.hosts["display"].address}}},
                    "nodes": {"hosts": nodes | {"attic": {"ansible_host": DEAD}}},
                },
            }
        }

    def image(self, name: str) -> Path:
        """An archive of the node's image: `good`, or one that was made from it."""
        return self.folder / f"camfleet-node-{name}.tar"

    def host_vars(self, host: str, **variables: object) -> None:
        """Set variables of one host."""
        nodes = self.inventory["all"]["children"]["nodes"]["hosts"]
        nodes.setdefault(host, {}).update(variables)

    def play(self, name: str, *words: str) -> Played:
        """Run a playbook over SSH, as a user does."""
        with self._playing(name, *words) as playing:
            said, _ = playing.communicate(timeout=_LONG_S)
        return Played(playing.returncode, said.decode(errors="replace"))

    def play_until(self, claim: Callable[[], Any], name: str, *words: str) -> None:
        """Run a playbook, and kill it as soon as a claim is true."""
        with self._playing(name, *words, output=subprocess.DEVNULL) as playing:
            until(lambda: playing.poll() is not None or claim(), _LONG_S)
            assert playing.poll() is None, "it ended before it was to be killed"

    @contextmanager
    def _playing(
        self, name: str, *words: str, output: int = subprocess.PIPE
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A playbook that runs, and all that it has started; both end here."""
        path = self.folder / "hosts.json"  # which is YAML too
        path.write_text(json.dumps(self.inventory))
        environment = os.environ | {
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "400",
        }
        playing = subprocess.Popen(
            ["ansible-playbook", "--inventory", str(path), str(ANSIBLE / name), *words],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield playing
        finally:
            if playing.poll() is None:
                os.killpg(playing.pid, signal.SIGKILL)
                playing.wait()

    def status(self) -> dict[str, dict[str, Any]]:
        """What the hub measures, by node."""
        said = self.hosts["display"].sh(
            "docker exec camfleet-hub camfleet-hub status --json --seconds 2"
        )
        return {row["node"]: row for row in json.loads(said)}
