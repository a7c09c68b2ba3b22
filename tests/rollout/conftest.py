"""Blank hosts, a hub and images for all tests of the roll-out; made once, removed at the end."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pis import PREFIX, ROOT, RUN, Fleet, Host, remove_leftovers, run, until

_BASE = os.environ.get("BASE_IMAGE", "debian:trixie-slim")
_HOST_BASE = os.environ.get("HOST_BASE_IMAGE") or _BASE
_HOST = f"{PREFIX}host:{RUN}"
_SERVICES = {service: f"camfleet-{service}:rollout-{RUN}" for service in ("hub", "node")}
_TAGS = (_HOST, *_SERVICES.values())
_HOSTS = ("display", "pond", "gate")
_MADE = {
    "newer": "LABEL org.camfleet.test=newer",
    "crashing": 'ENTRYPOINT ["sh", "-c", "echo first words; echo out of order; exit 3"]',
    "silent": 'HEALTHCHECK CMD true\nENTRYPOINT ["sleep", "infinity"]',
}


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three blank hosts, and images; nothing of ours runs on them yet."""
    if shutil.which("docker") is None or shutil.which("ansible-playbook") is None:
        pytest.skip("no Docker or no Ansible here")
    remove_leftovers()
    fleet = Fleet(tmp_path_factory.mktemp("rollout"))
    try:
        image = _build_host(fleet.folder)
        _build_images(fleet.folder)
        for name in _HOSTS:
            fleet.hosts[name] = Host(name, image)
        for host in fleet.hosts.values():
            until(host.is_up)
        fleet.write()
        yield fleet
    finally:
        for host in fleet.hosts.values():
            host.remove()
        for tag in _TAGS:
            run("docker", "image", "rm", "--force", tag, check=False)


def _build_host(folder: Path) -> str:
    """Build the image of a blank host, which this key opens."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key"))
    context = folder / "host"
    shutil.copytree(Path(__file__).parent / "pi", context)
    shutil.copy(folder / "key.pub", context / "authorized_keys")
    base = f"--build-arg=BASE_IMAGE={_HOST_BASE}"
    run("docker", "buildx", "build", "--load", base, "--tag", _HOST, str(context))
    return _HOST


def _build_images(folder: Path) -> None:
    """Build both services for this machine's architecture, and nodes that do not do their work."""
    architecture = run("docker", "version", "--format", "{{.Server.Arch}}").strip()
    for service, tag in _SERVICES.items():
        archive = folder / f"camfleet-{service}-{architecture}.tar"
        _build(tag, archive, ROOT / f"services/{service}/Dockerfile", ROOT)
    node = folder / f"camfleet-node-{architecture}.tar"
    run("docker", "load", "--input", str(node))
    node.rename(folder / "camfleet-node-good.tar")
    for name, lines in _MADE.items():
        context = folder / name
        context.mkdir()
        dockerfile = context / "Dockerfile"
        dockerfile.write_text(f"FROM {_SERVICES['node']}\n{lines}\n")
        _build(_SERVICES["node"], folder / f"camfleet-node-{name}.tar", dockerfile, context)


def _build(tag: str, archive: Path, dockerfile: Path, context: Path) -> None:
    certificates = os.environ.get("EXTRA_CA") or "/dev/null"
    run(
        *("docker", "buildx", "build", "--quiet", "--provenance=false", "--tag", tag),
        *("--build-arg", f"BASE_IMAGE={_BASE}", "--secret", f"id=extra_ca,src={certificates}"),
        *("--output", f"type=docker,dest={archive}", "--file", str(dockerfile), str(context)),
    )
