"""The same playbooks on a host with Podman, from blank to frames and back; their order counts."""

from __future__ import annotations

import json
import re
from typing import Final

import pytest
from pis import Fleet, Host, until

NODE: Final = "/etc/camfleet/node"
CAMERA_DEVICE: Final = "/dev/video77"
STATE: Final = "docker inspect --format '{{.RestartCount}} {{.State.StartedAt}}' camfleet-node"
PYTHON: Final = "/usr/local/bin/python-"
COMMON: Final = "golang-github-containers-common"  # of Podman, Buildah and Skopeo
SOCKET: Final = "systemctl is-active podman.socket; systemctl is-enabled podman.socket"
# One fault each on a machine, and the sentence that tells it.
FAULTS: Final[dict[str, tuple[str, dict[str, str], str]]] = {
    "other-engine": (
        "mill",
        {"node_engine": "docker"},
        "found a node under Podman, want it gone before Docker takes the camera: remove-nodes.yml",
    ),
    "docker-there": (
        "display",
        {"node_engine": "podman"},
        "found Docker, want it gone before Podman takes the camera: remove-nodes.yml",
    ),
    "before": (
        "mill",
        {"node_engine": "podman", "ansible_python_interpreter": f"{PYTHON}before"},
        "found Debian 12.9, want 13 for Podman: upgrade it, or set node_engine to docker",
    ),
}
pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def mill(fleet: Fleet) -> Host:
    """A fourth blank host, and a hub that runs."""
    image = fleet.hosts["display"].image
    if fleet.hosts["display"].sh("docker exec camfleet-hub true && echo yes", check=False) != "yes":
        fleet.write()
        played = fleet.play("deploy-hub.yml")
        assert played.code == 0, played.said
    fleet.hosts["mill"] = host = Host("mill", image, "/var/lib/containers")
    until(host.is_up)
    if host.sh(". /etc/os-release; echo $VERSION_ID") != "13":
        pytest.skip("Podman wants Debian 13")
    return host


def write(fleet: Fleet, **variables: object) -> None:
    fleet.write(**({"node_engine": "podman"} | variables))


def is_streaming(fleet: Fleet) -> bool:
    found = fleet.status().get("mill", {})
    return bool(found.get("online")) and (found.get("captured_fps") or 0) > 0


def image_of(host: Host) -> str:
    return host.sh("docker inspect --format '{{.Config.Image}}' camfleet-node")


@pytest.mark.thorough
def test_check_mode_on_a_blank_host_changes_nothing(fleet: Fleet, mill: Host) -> None:
    write(fleet)
    played = fleet.play("deploy-nodes.yml", "--check", "--diff", "--limit", "mill")
    assert re.search("mill +would change", played.said), played.said
    assert mill.sh("ls -d /etc/camfleet; command -v podman docker", check=False) == ""


def test_a_blank_host_sends_frames_by_podman_alone(fleet: Fleet, mill: Host) -> None:
    write(fleet)
    camera = f"c {CAMERA_DEVICE} 0660 root video - 81:7"  # there again after a restart
    mill.sh(f"echo '{camera}' > /etc/tmpfiles.d/camera.conf; systemd-tmpfiles --create camera.conf")
    played = fleet.play("deploy-nodes.yml", "--limit", "mill")
    assert played.code == 0, played.said
    until(lambda: is_streaming(fleet))
    assert mill.sh("podman ps --format '{{.Names}}'") == "camfleet-node"
    assert mill.sh("command -v dockerd", check=False) == ""
    assert mill.sh("systemctl is-active camfleet-node podman.socket") == "active\nactive"
    given = mill.sh("podman inspect --format '{{json .HostConfig}}' camfleet-node")
    settings = json.loads(given)
    assert CAMERA_DEVICE in [device["PathOnHost"] for device in settings["Devices"]]
    assert mill.sh("getent group video").split(":")[2] in settings["GroupAdd"]
    assert settings["LogConfig"]["Size"] == "10MB"
    assert settings["RestartPolicy"]["Name"] == "unless-stopped"


def test_a_second_run_changes_nothing_and_check_mode_says_so(fleet: Fleet, mill: Host) -> None:
    write(fleet)
    before = mill.sh(STATE)
    for words in (["--check", "--diff"], []):
        played = fleet.play("deploy-nodes.yml", "--limit", "mill", *words)
        assert played.code == 0, played.said
        assert played.recap("mill") == (0, 0, 0), played.said
    assert mill.sh(STATE) == before


@pytest.mark.thorough
def test_a_kernel_that_limits_no_memory_is_asked_for_no_limit(fleet: Fleet, mill: Host) -> None:
    write(fleet, ansible_python_interpreter=f"{PYTHON}unlimited")
    played = fleet.play("deploy-nodes.yml", "--check", "--diff", "--limit", "mill")
    assert played.code == 0, played.said
    assert re.search(r"^ *- +mem_limit: 384m$", played.said, re.MULTILINE), played.said
    assert "mem_limit: 384m" in mill.sh(f"cat {NODE}/compose.yml")


@pytest.mark.thorough
def test_wrong_engines_are_told_before_a_host_is_touched(fleet: Fleet, mill: Host) -> None:
    before = mill.sh(STATE)
    fleet.write()
    nodes = fleet.inventory["all"]["children"]["nodes"]["hosts"]
    nodes.clear()
    for name, (host, variables, _) in FAULTS.items():
        nodes[name] = {"ansible_host": fleet.hosts[host].address} | variables
    played = fleet.play("deploy-nodes.yml")
    assert played.code != 0
    for name, (_, _, sentence) in FAULTS.items():
        told = re.search(f'{name}: [^"]*{re.escape(sentence)}', played.sentences)
        assert told, (name, played.said)
        assert played.recap(name)[0] == 0, played.said
    assert mill.sh(STATE) == before


@pytest.mark.thorough
def test_the_hub_is_refused_beside_a_node_under_podman(fleet: Fleet, mill: Host) -> None:
    before = mill.sh(STATE)
    fleet.write()
    hubs = fleet.inventory["all"]["children"]["hub"]
    hubs["hosts"] = {"mill": {"ansible_host": mill.address}}
    played = fleet.play("deploy-hub.yml")
    assert played.code != 0
    sentence = "want it gone before Docker runs the hub, which needs it: remove-nodes.yml"
    assert sentence in played.sentences, played.said
    assert "node_engine" not in played.sentences
    assert mill.sh(STATE) == before


@pytest.mark.thorough
@pytest.mark.parametrize(
    "change",
    ["systemctl disable podman.socket", "ln -sfn /var/run/podman/podman.sock /run/docker.sock"],
)
def test_check_mode_says_that_the_way_to_podman_would_change(
    fleet: Fleet, mill: Host, change: str
) -> None:
    write(fleet)
    mill.sh(change)
    played = fleet.play("deploy-nodes.yml", "--check", "--limit", "mill")
    assert re.search("mill +would change", played.said), played.said
    played = fleet.play("deploy-nodes.yml", "--limit", "mill")
    assert played.recap("mill") == (1, 0, 0), played.said
    assert mill.sh(SOCKET) == "active\nenabled"


@pytest.mark.thorough
def test_a_node_that_dies_is_started_anew(fleet: Fleet, mill: Host) -> None:
    mill.sh("kill -KILL $(podman inspect --format '{{.State.Pid}}' camfleet-node)")
    until(lambda: mill.sh(STATE).startswith("1 "))
    until(lambda: is_streaming(fleet))


def test_a_host_that_is_restarted_sends_frames_again(fleet: Fleet, mill: Host) -> None:
    mill.restart()
    until(mill.is_up)
    until(lambda: mill.sh("systemctl is-active camfleet-node", check=False) == "active")
    until(lambda: is_streaming(fleet))


def test_a_bad_image_is_rolled_back_by_itself(fleet: Fleet, mill: Host) -> None:
    before = image_of(mill)
    write(fleet, node_image=str(fleet.image("crashing")))
    played = fleet.play("deploy-nodes.yml", "--limit", "mill")
    assert played.code != 0
    assert "mill: the node ends as soon as it is started: out of order" in played.sentences
    assert "it runs again what ran before" in played.sentences, played.said
    assert image_of(mill) == before
    until(lambda: is_streaming(fleet))


@pytest.mark.thorough
def test_an_upgrade_is_rolled_back_by_hand(fleet: Fleet, mill: Host) -> None:
    older = image_of(mill)
    write(fleet, node_image=str(fleet.image("newer")))
    played = fleet.play("deploy-nodes.yml", "--limit", "mill")
    assert played.code == 0, played.said
    newer = image_of(mill)
    assert newer != older
    kept = mill.sh("docker images --format '{{.Repository}}:{{.Tag}}' camfleet-node")
    assert len(kept.splitlines()) == 2
    played = fleet.play("rollback-nodes.yml", "--limit", "mill")
    assert played.code == 0, played.said
    assert image_of(mill) == older
    until(lambda: is_streaming(fleet))


@pytest.mark.thorough
def test_the_state_of_the_fleet_has_it(fleet: Fleet, mill: Host) -> None:
    write(fleet)
    until(lambda: "healthy" in mill.sh("docker ps --filter health=healthy"))
    played = fleet.play("check-nodes.yml", "--limit", "mill")
    assert played.code == 0, played.said
    assert re.search("mill +yard +online +.* healthy", played.said), played.said


@pytest.mark.thorough
def test_an_engine_that_does_not_answer_stays(fleet: Fleet, mill: Host) -> None:
    write(fleet)
    mill.sh("printf '#!/bin/sh\\necho out of order >&2; exit 1\\n' > /usr/local/bin/podman")
    mill.sh("chmod +x /usr/local/bin/podman")
    played = fleet.play("remove-nodes.yml", "--limit", "mill", "-e", "remove_packages=true")
    mill.sh("rm /usr/local/bin/podman")
    sentence = "it does not say whether it has other containers: out of order"
    assert sentence in played.sentences, played.said
    assert mill.sh("podman ps --all --quiet") == ""


def test_a_socket_that_was_opened_is_closed_again(fleet: Fleet, mill: Host) -> None:
    write(fleet)
    played = fleet.play("remove-nodes.yml", "--limit", "mill")
    assert played.code == 0, played.said
    assert mill.sh(SOCKET, check=False) == "inactive\ndisabled"
    assert "podman.sock" not in mill.sh("ss --listening --unix --no-header")
    assert mill.sh("ls -d /run/docker.sock /etc/camfleet/podman-opened", check=False) == ""
    assert mill.sh("command -v podman") == "/usr/bin/podman"


@pytest.mark.thorough
def test_a_socket_that_was_open_before_stays_open(fleet: Fleet, mill: Host) -> None:
    write(fleet)
    mill.sh("systemctl enable --now podman.socket")
    for name in ("deploy-nodes.yml", "remove-nodes.yml"):
        played = fleet.play(name, "--limit", "mill")
        assert played.code == 0, played.said
    assert mill.sh(SOCKET) == "active\nenabled"
    assert mill.sh("ls -d /run/docker.sock", check=False) == ""


@pytest.mark.thorough
def test_what_others_share_with_podman_stays(fleet: Fleet, mill: Host) -> None:
    write(fleet)
    mill.sh(f"apt-mark manual {COMMON}; touch /var/lib/containers/theirs")
    played = fleet.play("remove-nodes.yml", "--limit", "mill", "-e", "remove_packages=true")
    assert played.code == 0, played.said
    assert mill.sh("command -v podman", check=False) == ""
    mill.sh("ls /etc/containers/policy.json /var/lib/containers/theirs")
    mill.sh(f"apt-mark auto {COMMON}")
    played = fleet.play("deploy-nodes.yml", "--limit", "mill")
    assert played.code == 0, played.said


def test_a_removed_node_leaves_nothing_behind(fleet: Fleet, mill: Host) -> None:
    write(fleet)
    played = fleet.play("remove-nodes.yml", "--limit", "mill", "-e", "remove_packages=true")
    assert played.code == 0, played.said
    left = mill.sh(
        "ls -d /etc/camfleet /etc/containers /etc/systemd/system/camfleet*"
        " /etc/tmpfiles.d/camfleet* /run/docker.sock /run/podman /var/lib/containers/*"
        " /var/cache/containers /var/tmp/camfleet*; command -v podman conmon crun docker chronyd",
        check=False,
    )
    assert left == ""
    assert mill.sh("systemctl is-active podman.socket", check=False) == "inactive"
    enrolled = fleet.hosts["display"].sh("docker exec camfleet-hub camfleet-hub nodes")
    assert "mill" not in enrolled
