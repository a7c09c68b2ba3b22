"""The images by themselves: what is in them, as whom they run, how they begin and end."""

from __future__ import annotations

import json
import subprocess
import tarfile
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

import pytest
from tests.containers.conftest import ARM64, Container, Images, docker, native, runs_arm64, until

SERVICES: Final = ("node", "hub")
MOST_BYTES: Final = {"node": 500_000_000, "hub": 350_000_000}
PLAIN: Final = {
    "CAMFLEET_NODE_PLAIN": "true",
    "CAMFLEET_NODE_CAMERAS__front__SOURCE": "synthetic",
}

Run = Callable[..., Container]


def settings(service: str) -> dict[str, str]:
    """What a service needs to run without anybody else."""
    return PLAIN if service == "node" else {}


def words(service: str) -> str:
    """What stands in its log when it does its work."""
    return '"event": "ready"' if service == "hub" else '"event": "settings"'


def parameters() -> list[Any]:
    return [(service, "native") for service in SERVICES] + [("node", ARM64)]


def platform_of(name: str) -> str:
    if name == ARM64 and not runs_arm64():
        pytest.skip("found no emulation of arm64, want it: tests/containers/engine.sh says how")
    return native() if name == "native" else name


@pytest.mark.parametrize(("service", "platform"), parameters())
def test_an_image_is_small(
    images: Images, service: str, platform: str, say: Callable[[str], None]
) -> None:
    image = images.get(service, platform_of(platform))
    container = docker("create", "--pull=never", image).strip()
    try:
        size_bytes = _unpacked_bytes(container)
    finally:
        docker("rm", container)
    say(f"{image} has {size_bytes / 1e6:.0f} MB of files")
    assert size_bytes < MOST_BYTES[service]


def _unpacked_bytes(container: str) -> int:
    """All files of a container that has not run, by the size of each."""
    with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        with tarfile.open(fileobj=process.stdout, mode="r|") as files:
            return sum(member.size for member in files if member.isfile())


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_says_what_it_is(images: Images, service: str) -> None:
    image = images.get(service, native())
    found = json.loads(docker("image", "inspect", image, "--format", "{{json .Config}}"))
    assert found["User"] == "10001:10001"
    assert found["StopSignal"] == "SIGTERM"
    assert found["Entrypoint"][-1] == f"camfleet-{service}"
    assert found["Healthcheck"]["Test"][0] == "CMD"
    labels = {name.rpartition(".")[2]: text for name, text in found["Labels"].items()}
    assert set(labels) >= {"title", "description", "licenses", "version", "revision"}
    assert labels["title"] == f"camfleet-{service}"


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_has_this_version(images: Images, service: str) -> None:
    image = images.get(service, native())
    said = docker("run", "--rm", "--pull=never", image, "--version")
    assert said.strip() == f"camfleet-{service} {version(f'camfleet-{service}')}"


@pytest.mark.parametrize(("service", "platform"), parameters())
def test_a_container_is_nobody_may_nothing_and_ends_when_it_is_asked(
    images: Images, run: Run, service: str, platform: str, say: Callable[[str], None]
) -> None:
    image = images.get(service, platform_of(platform))
    begun_s = time.monotonic()
    container = run(image, settings=settings(service))
    until(lambda: words(service) in container.log)
    started_s = time.monotonic() - begun_s
    _, status = container.execute("cat", "/proc/1/status")
    found = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert found["Uid"].split() == ["10001"] * 4
    assert found["Gid"].split() == ["10001"] * 4
    capabilities = {name: found[name] for name in found if name.startswith("Cap")}
    assert set(capabilities.values()) == {"0" * 16}
    assert found["NoNewPrivs"] == "1"
    code, said = container.execute("touch", "/app/x")
    assert code, "the root file system is not read-only"
    assert "Read-only file system" in said
    code, stopped_s = container.stop()
    assert code == 0, container.log
    say(f"{image} began in {started_s:.1f} s and ended in {stopped_s:.1f} s")


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_that_is_stopped_at_once_ends_cleanly(
    images: Images, run: Run, service: str
) -> None:
    container = run(images.get(service, native()), settings=settings(service))
    code, _ = container.stop()
    assert code == 0, container.log


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_in_an_image_may_be_changed_by_its_user(images: Images, service: str) -> None:
    command = ["run", "--rm", "--pull=never", "--entrypoint=sh", images.get(service, native())]
    find = "find / -xdev -writable -not -type l 2>/dev/null || true"  # it may not see everything
    found = set(docker(*command, "-c", find).split())
    assert {one for one in found if not one.startswith(("/dev", "/proc", "/sys"))} <= {
        "/run/lock",
        "/srv/handover",
        "/tmp",  # noqa: S108 - the container's
        "/var/lib/camfleet",
        "/var/tmp",  # noqa: S108 - the same
    }


@pytest.mark.parametrize("service", SERVICES)
def test_no_compiler_or_installer_is_in_an_image(images: Images, service: str) -> None:
    command = ["run", "--rm", "--pull=never", "--entrypoint=sh", images.get(service, native())]
    assert docker(*command, "-c", "command -v gcc cc pip pip3 curl wget gpg || true") == ""


def test_a_node_is_unhealthy_without_a_hub_and_says_so(images: Images, run: Run) -> None:
    container = run(images.get("node", native()), settings=PLAIN)
    until(lambda: words("node") in container.log)
    until(lambda: "hub" in container.execute("camfleet-node", "health")[1])
    assert container.execute("camfleet-node", "health")[0] == 1


def test_a_hub_without_nodes_is_healthy(images: Images, run: Run) -> None:
    container = run(images.get("hub", native()))
    until(lambda: container.health == "healthy")


def test_a_wrong_setting_ends_a_container_with_its_name(images: Images, run: Run) -> None:
    container = run(images.get("hub", native()), settings={"CAMFLEET_HUB_WEB_PROT": "80"})
    until(lambda: not container.state["Running"])
    assert container.state["ExitCode"] == 2
    assert "CAMFLEET_HUB_WEB_PROT: there is no such setting" in container.log


def test_an_image_of_a_node_has_no_opengl_driver_but_picamera2(images: Images) -> None:
    image = images.get("node", native())
    command = ["run", "--rm", "--pull=never", *("--entrypoint=/app/bin/python", image), "-c"]
    program = "import libcamera, numpy; from picamera2 import Picamera2; print(numpy.__file__)"
    assert docker(*command, program).startswith("/app/")
    files = docker("run", "--rm", "--pull=never", "--entrypoint=ldconfig", image, "-p")
    assert "libcamera.so" in files
    assert not any(name in files for name in ("libLLVM", "libgallium", "libz3"))
