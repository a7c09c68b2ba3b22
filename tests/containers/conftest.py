"""A real Docker engine, our images out of a clean tree, and projects of Compose on free ports.

Whatever is started here is removed here: containers, networks and volumes have names of their own.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest
from tests.ports import held_ports

T = TypeVar("T")
HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
TAG: Final = "test"
ARM64: Final = "linux/arm64"
BUILD_S: Final = 1200.0
COMMAND_S: Final = 120.0
DEADLINE_S: Final = 120.0  # a busy machine takes half a minute for what else is a second
POLL_S: Final = 0.1
STAND_INS: Final = ("prometheus", "alertmanager")
PORTS: Final = ("WEB", "NODES", "SUBSCRIBERS", "IMAGEZMQ", "REPUBLISH", "METRICS")
# What runs a container as docker-compose.yml does.
HARDENED: Final = (
    "--read-only",
    "--tmpfs=/tmp",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(BUILD_S + 300))  # the first one builds the images


def docker(*arguments: str, timeout_s: float = COMMAND_S) -> str:
    """Run docker and return what it printed; it fails with what it said."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr or done.stdout}"
    return done.stdout


def until(answer: Callable[[], T], timeout_s: float = DEADLINE_S) -> T:
    """Ask again until the answer is true; the last one stands in the failure."""
    deadline_s = time.monotonic() + timeout_s
    while not (found := answer()):
        if time.monotonic() > deadline_s:
            pytest.fail(f"not within {timeout_s:.0f} s; the last answer was {found!r}")
        time.sleep(POLL_S)
    return found


def get(url: str) -> tuple[int, str]:
    """Status and text of what a program asks for; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our hub
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


class Images:
    """Our images by name, once they are built, and what building took."""

    def __init__(self, tree: Path, say: Callable[[str], None]) -> None:
        self._tree = tree
        self._say = say
        self._builds: dict[str, tuple[subprocess.Popen[bytes], Path, float]] = {}

    def start(self, service: str, platform: str) -> None:
        """Begin to build an image; several are built at the same time."""
        words = ["--platform", platform, f"--file=services/{service}/Dockerfile"]
        if authority := os.environ.get("EXTRA_CA"):
            words.append(f"--secret=id=extra_ca,src={authority}")
        self._build(_name(service, platform), words)

    def start_stand_in(self, target: str) -> None:
        """Begin to build what stands in for an image of others."""
        file = HERE.relative_to(ROOT) / "monitoring" / "Dockerfile"
        self._build(f"camfleet-test-{target}", [f"--file={file}", f"--target={target}"])

    def _build(self, name: str, words: Sequence[str]) -> None:
        log = self._tree.with_name(f"{name.replace(':', '-')}.log")
        command = ["docker", "buildx", "build", "--progress=plain", "--provenance=false", *words]
        command += [f"--build-arg=BASE_IMAGE={os.environ.get('BASE_IMAGE', 'debian:trixie-slim')}"]
        self._say(f"building {name}")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, f"--tag={name}", "--load", "."],
                cwd=self._tree,
                stdout=output,
                stderr=output,
            )
        self._builds[name] = process, log, time.monotonic()

    def get(self, service: str, platform: str) -> str:
        """An image's name, as soon as it is built."""
        return self._await(_name(service, platform))

    def get_stand_in(self, target: str) -> str:
        """The name of what stands in for an image of others, as soon as it is built."""
        return self._await(f"camfleet-test-{target}")

    def _await(self, name: str) -> str:
        process, log, begun_s = self._builds[name]
        is_waited_for = process.returncode is None
        code = process.wait(BUILD_S)
        if is_waited_for:
            self._say(f"{name} was there {time.monotonic() - begun_s:.0f} s after its start")
        assert code == 0, "\n".join(log.read_text(errors="replace").splitlines()[-40:])
        return name

    def stop(self) -> None:
        for process, _, _ in self._builds.values():
            if process.poll() is None:
                process.terminate()
                process.wait(COMMAND_S)


def _name(service: str, platform: str) -> str:
    return f"camfleet-{service}:{TAG}{'' if platform == native() else '-' + platform[6:]}"


def native() -> str:
    """The platform of this machine, as Docker names it."""
    return f"linux/{docker('version', '--format', '{{.Server.Arch}}').strip()}"


class Container:
    """One container that was started by itself."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def state(self) -> dict[str, Any]:
        found = json.loads(docker("inspect", self.name, "--format", "{{json .State}}"))
        assert isinstance(found, dict)
        return found

    @property
    def health(self) -> str:
        return str(self.state["Health"]["Status"])

    @property
    def log(self) -> str:
        command = ["docker", "logs", self.name]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=COMMAND_S, check=True
        )
        return done.stdout.decode(errors="replace")

    def execute(self, *command: str) -> tuple[int, str]:
        """Run a command inside; return its exit code and what it said."""
        done = subprocess.run(
            ["docker", "exec", self.name, *command],
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def stop(self) -> tuple[int, float]:
        """Ask it to end; return the exit code and how many seconds that took."""
        begun_s = time.monotonic()
        docker("stop", "--time=10", self.name)
        return int(self.state["ExitCode"]), time.monotonic() - begun_s

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name)


class Project:
    """The services of docker-compose.yml, under a name and on ports of their own."""

    def __init__(self, tree: Path, folder: Path, ports: Sequence[int]) -> None:
        self.tree = tree
        self.name = f"camfleet-test-{secrets.token_hex(4)}"
        self.ports = dict(zip(PORTS, ports, strict=True))
        self.environment = {
            f"CAMFLEET_HUB_{name}_PORT": str(port) for name, port in self.ports.items()
        }
        self.environment |= {"CAMFLEET_HUB_BIND": "127.0.0.1", "CAMFLEET_VERSION": TAG}
        self._override = folder / "faster.yml"

    @property
    def wall(self) -> str:
        return f"http://127.0.0.1:{self.ports['WEB']}/"

    def __call__(self, *arguments: str, timeout_s: float = COMMAND_S) -> str:
        """Run docker compose with every profile in sight."""
        files = ["--file=docker-compose.yml"]
        if self._override.exists():
            files.append(f"--file={self._override}")
        done = subprocess.run(
            ["docker", "compose", "--project-name", self.name, *files, *arguments],
            cwd=self.tree,
            env=os.environ | self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert done.returncode == 0, f"compose {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def check_health_every_second(self, services: Sequence[str]) -> None:
        """Hear of bad health within seconds: in docker-compose.yml it takes most of a minute."""
        check = {"interval": "1s", "retries": 2, "start_period": "30s"}
        self.override({service: {"healthcheck": check} for service in services})

    def override(self, services: Mapping[str, Any]) -> None:
        """Run services otherwise than docker-compose.yml says."""
        self._override.write_text(json.dumps({"services": services}))  # JSON is YAML

    def container(self, service: str) -> Container:
        """The container of a service, also of one that has ended."""
        found = self("--profile=*", "ps", "--all", "--quiet", service).split()
        assert len(found) == 1, f"found {len(found)} containers of {service}, want 1"
        return Container(found[0])

    def received(self) -> dict[str, int]:
        """How many frames the hub has received of each camera, by its metrics."""
        _, text = get(f"http://127.0.0.1:{self.ports['METRICS']}/metrics")
        found = {}
        for line in text.splitlines():
            name, _, count = line.rpartition(" ")
            if name.startswith("camfleet_frames_received_total{"):
                labels = dict(label.split("=") for label in name[:-1].partition("{")[2].split(","))
                found[f"{labels['node']}/{labels['camera']}".replace('"', "")] = int(float(count))
        return found

    def wait_frames(self, cameras: Sequence[str], count: int = 3) -> None:
        """Wait until so many more frames of each camera have arrived."""
        before = self.received()

        def have_come() -> bool:
            now = self.received()
            # A hub that was started anew counts from 0.
            grown = {one: now.get(one, 0) - before.get(one, 0) for one in cameras}
            if any(growth < 0 for growth in grown.values()):
                before.clear()
            return all(growth >= count for growth in grown.values())

        until(have_come)

    def remove(self) -> None:
        self("--profile=*", "down", "--volumes", "--timeout=3", "--remove-orphans")


@pytest.fixture(scope="session")
def say(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Tell a person what takes so long."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    begun_s = time.monotonic()

    def tell(text: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stdout.write(f"\n[{time.monotonic() - begun_s:.0f} s] {text}")
            sys.stdout.flush()

    return tell


@pytest.fixture(scope="session")
def engine() -> None:
    """An engine that answers; `make test-containers` sees to it."""
    if shutil.which("docker") is None:
        pytest.skip("found no docker, want a Docker engine: tests/containers/engine.sh")
    done = subprocess.run(["docker", "info"], capture_output=True, check=False, timeout=COMMAND_S)
    if done.returncode:
        pytest.skip("found no Docker engine that answers: tests/containers/engine.sh")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a fresh clone would have: no file that git does not know or ignores."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    tree = tmp_path_factory.mktemp("clean") / "tree"
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    return tree


@pytest.fixture(scope="session")
def images(engine: None, tree: Path, say: Callable[[str], None]) -> Iterator[Images]:  # noqa: ARG001 - skips first
    """Both images for this machine, and the node's for a Pi, each built once."""
    images = Images(tree, say)
    try:
        for platform in dict.fromkeys([native(), ARM64] if runs_arm64() else [native()]):
            images.start("node", platform)
        images.start("hub", native())
        for target in STAND_INS:
            images.start_stand_in(target)
        yield images
    finally:
        images.stop()


def runs_arm64() -> bool:
    """Whether this machine runs programs for arm64, by itself or emulated."""
    if native() == ARM64:
        return True
    try:
        return "enabled" in Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").read_text()
    except OSError:
        return False


@pytest.fixture
def run(engine: None) -> Iterator[Callable[..., Container]]:  # noqa: ARG001 - skips first
    """Start containers by themselves, hardened as they are meant to be."""
    with ExitStack() as stack:

        def start(
            image: str,
            *command: str,
            options: Sequence[str] = (),
            settings: Mapping[str, str] | None = None,
        ) -> Container:
            container = Container(f"camfleet-test-{secrets.token_hex(4)}")
            stack.callback(container.remove)
            environment = [f"--env={name}={value}" for name, value in (settings or {}).items()]
            arguments = [f"--name={container.name}", "--pull=never", *HARDENED, *options]
            docker("run", "--detach", *arguments, *environment, image, *command)
            return container

        yield start


@pytest.fixture(scope="module")
def project(
    images: Images, tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Project]:
    """A project of Compose whose images are there, and of which nothing runs yet."""
    images.get("hub", native())
    images.get("node", native())
    with held_ports(len(PORTS)) as ports:
        project = Project(tree, tmp_path_factory.mktemp("project"), ports)
        try:
            yield project
        finally:
            sys.stdout.write(project("--profile=*", "logs", "--no-color", "--tail=40"))
            project.remove()
