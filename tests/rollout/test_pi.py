"""`make pi`'s program: what it makes of words, settings and names; the playbooks do the rest."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from tests.script import load

PATH = Path(__file__).parents[2] / "deploy/ansible/pi.py"
pi = load(PATH)


@pytest.mark.parametrize(
    ("host", "name"),
    [("garden", "garden"), ("garden.local", "garden"), ("10.0.0.7", "10.0.0.7")],
)
def test_a_node_is_called_as_its_host_without_the_domain(host: str, name: str) -> None:
    assert pi.node_name(host) == name


def test_the_inventory_names_one_node_and_this_machine_as_the_hubs() -> None:
    found = pi.describe("pi", "garden.local", {"front": {"source": "picamera2"}})
    node = found["children"]["nodes"]["hosts"]["garden"]
    assert (node["ansible_host"], node["ansible_user"]) == ("garden.local", "pi")
    here = found["children"]["hub"]["hosts"]["this-machine"]
    assert here["ansible_connection"] == "local"
    assert here["ansible_become"] is False


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], []),
        (["--ask-become-pass", "--private-key", "k"], ["-i", "k"]),
        (["--ssh-common-args=-o A=b"], ["-o", "A=b"]),
        (["-e", "ansible_ssh_common_args='-o A=b' ansible_port=2223"], ["-o", "A=b", "-p", "2223"]),
        (["-e", '{"ansible_ssh_common_args": "-o A=b"}'], ["-o", "A=b"]),
    ],
)
def test_the_first_look_logs_in_as_ansible_will(
    words: list[str], told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANSIBLE_SSH_COMMON_ARGS", raising=False)
    assert pi.ssh_words(words) == told


def test_ports_and_version_are_those_of_compose() -> None:
    environment = {"CAMFLEET_HUB_NODES_PORT": "5566", "CAMFLEET_HUB_WEB_PORT": None}
    service = {"environment": environment, "image": "camfleet-hub:v7"}
    assert pi.read_hub({"services": {"hub": service}}) == pi.Hub(5566, 8080, "v7")


def test_an_image_of_another_version_is_seen(tmp_path: Path) -> None:
    archive = tmp_path / "node.tar"
    content = json.dumps([{"RepoTags": ["camfleet-node:v7"]}]).encode()
    with tarfile.open(archive, "w") as file:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        file.addfile(member, io.BytesIO(content))
    assert pi.version_of(archive) == "v7"
    archive.write_text("none")
    assert pi.version_of(archive) == ""
