"""The playbooks over SSH, from blank hosts to frames at the hub and back; their order counts."""

from __future__ import annotations

import json
import re
import time
from functools import partial
from typing import Any, Final

import pytest
from pis import CAMERA, DEAD, OVERLAY, Fleet, until

NODE: Final = "/etc/camfleet/node"
IMAGES: Final = "docker images --format '{{.Repository}}:{{.Tag}}' camfleet-node"
CAMERA_DEVICE: Final = "/dev/video77"
FASTER: Final = CAMERA | {"fps": 12}
# One fault each, and the sentence that tells it. Each Python sees the host with a fault.
FAULTS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "misspelt": ({"node_camera": {}}, "there is no variable node_camera, node_cameras was meant"),
    "mistyped": ({"node_steady_s": "long"}, "node_steady_s: found 'long', want a whole number"),
    "late-type": ({"chrony_servers": {}}, "chrony_servers: found {}, want a list"),
    "unknown-option": (
        {"node_cameras": {"yard": {"source": "synthetic", "widht": 320}}},
        "node_cameras.yard.widht: there is none, width was meant",
    ),
    "twice-wrong": (
        {"node_steady_s": "long", "node_cameras": {"yard": {"source": "synthetic", "fps": 0}}},
        "want a whole number; node_cameras.yard.fps: found 0, want more than 0: mend",
    ),
    "no-number": (
        {"node_cameras": {"yard": {"source": "synthetic", "width": "wide"}}},
        "node_cameras.yard.width: found 'wide', want a whole number",
    ),
    "no-source": (
        {"node_cameras": {"yard": {"source": "picamera"}}},
        "node_cameras.yard.source: found 'picamera', want one of",
    ),
    "no-camera": (
        {"node_cameras": {"yard": {"source": "picamera2"}}},
        "camera yard: found no camera of libcamera: see that it is plugged in",
    ),
    "no-device": (
        {"node_cameras": {"yard": {"source": "v4l2", "device": "/dev/video99"}}},
        "camera yard: found no /dev/video99: see that it is plugged in",
    ),
    "stranger": ({"ansible_user": "nobody"}, "give the right user, password or SSH key"),
    "no-password": (
        {"ansible_password": "wrong", "ansible_ssh_private_key_file": "/dev/null"},
        "give the right user, password or SSH key",
    ),
    "no-hub": ({"node_hub_port": 5999}, "port 5999 (Connection refused): see that"),
    "full": (
        {"ansible_python_interpreter": "/usr/local/bin/python-full"},
        "100 MB free in /var/lib, want 1500: remove what it does not need",
    ),
    "late": (
        {"ansible_python_interpreter": "/usr/local/bin/python-late"},
        "s behind this machine's, want 300 at most: set it by",
    ),
    "old": (
        {"ansible_python_interpreter": "/usr/local/bin/python-old"},
        "found Debian 11.9, want Raspberry Pi OS or Debian 12 or 13: write its card anew",
    ),
    "bits": (
        {"ansible_python_interpreter": "/usr/local/bin/python-32bit"},
        "want 64-bit arm or x86: write its card anew",
    ),
    "cut-off": (
        {"ansible_python_interpreter": "/usr/local/bin/python-cut-off"},
        "port 5556 (Network is unreachable): see that",
    ),
}
OTHER_HUB: Final = "other-hub"
OTHER_PORT: Final = 5566
LOCK: Final = "/run/lock/camfleet-rollout.json"
ALL_AT_ONCE: Final = ("-e", '{"waves": [1, "100%"]}')
pytestmark = pytest.mark.timeout(1500)


def image_of(fleet: Fleet, host: str) -> str:
    return fleet.hosts[host].sh("docker inspect --format '{{.Config.Image}}' camfleet-node")


def started_at(fleet: Fleet, host: str) -> str:
    return fleet.hosts[host].sh("docker inspect --format '{{.State.StartedAt}}' camfleet-node")


def is_streaming(fleet: Fleet, host: str) -> bool:
    found = fleet.status().get(host, {})
    return bool(found.get("online")) and (found.get("captured_fps") or 0) > 0


def test_check_mode_on_a_blank_host_tells_of_changes_and_makes_none(fleet: Fleet) -> None:
    played = fleet.play("deploy-hub.yml", "--check", "--diff")
    changed, _, failed = played.recap("display")
    assert changed > 0, played.said
    assert failed == 0, played.said
    assert (
        fleet.hosts["display"].sh("ls -d /etc/camfleet /etc/docker; command -v docker", check=False)
        == ""
    )


def test_the_hub_runs_on_a_host_that_was_blank(fleet: Fleet) -> None:
    played = fleet.play("deploy-hub.yml")
    assert played.code == 0, played.said
    assert (
        fleet.hosts["display"].sh("docker exec camfleet-hub camfleet-hub health", check=False) == ""
    )


def test_every_wrong_input_is_told_before_a_host_is_touched(fleet: Fleet) -> None:
    # All of them are the same machine under names of their own, each with one fault.
    address = fleet.hosts["gate"].address
    fleet.write()
    nodes = fleet.inventory["all"]["children"]["nodes"]["hosts"]
    nodes.clear()
    for name, (variables, _) in FAULTS.items():
        nodes[name] = {"ansible_host": address} | variables
    played = fleet.play("deploy-nodes.yml")
    assert played.code != 0
    for name, (_, sentence) in FAULTS.items():
        assert re.search(f'{name}: [^"]*{re.escape(sentence)}', played.sentences), (
            name,
            played.said,
        )
        assert played.recap(name)[0] == 0, played.said
    assert fleet.hosts["gate"].sh("ls -d /etc/camfleet", check=False) == ""


def test_blank_hosts_send_frames_and_a_dead_one_holds_nobody_up(fleet: Fleet) -> None:
    fleet.write()
    pond = fleet.hosts["pond"]
    pond.sh(f"[ -e {CAMERA_DEVICE} ] || mknod {CAMERA_DEVICE} c 81 7; chgrp video {CAMERA_DEVICE}")
    played = fleet.play("deploy-nodes.yml", *ALL_AT_ONCE)
    assert played.code != 0
    assert "attic: cannot log in" in played.sentences
    assert played.recap("pond")[2] == played.recap("gate")[2] == 0, played.said
    for name in ("pond", "gate"):
        until(partial(is_streaming, fleet, name))
        mode = fleet.hosts[name].sh(f"stat --format '%a %u' {NODE}/bundle.json")
        assert mode == "600 10001"
        assert fleet.hosts[name].sh("systemctl is-active camfleet-node chrony") == "active\nactive"
    assert re.search("pond +well", played.said), played.said
    assert "have changed and take effect when it starts anew" in played.sentences
    assert OVERLAY in pond.sh("cat /boot/firmware/config.txt")
    assert "camfleet" not in fleet.hosts["gate"].sh("cat /boot/firmware/config.txt")
    assert pond.sh("cat /etc/chrony/sources.d/camfleet.sources").endswith(f"server {DEAD} iburst")
    given = pond.sh("docker inspect --format '{{json .HostConfig}}' camfleet-node")
    settings = json.loads(given)
    assert CAMERA_DEVICE in [device["PathOnHost"] for device in settings["Devices"]]
    assert pond.sh("getent group video").split(":")[2] in settings["GroupAdd"]


def test_a_host_that_ran_nothing_before_is_passed_over_by_a_rollback(fleet: Fleet) -> None:
    before = started_at(fleet, "gate")
    played = fleet.play("rollback-nodes.yml", "--limit", "gate")
    assert played.code == 0, played.said
    assert "gate: nothing to go back to" in played.sentences, played.said
    assert started_at(fleet, "gate") == before


def test_a_second_run_changes_nothing_and_check_mode_says_so(fleet: Fleet) -> None:
    before = started_at(fleet, "pond"), started_at(fleet, "gate")
    for words in (["--check", "--diff"], []):
        played = fleet.play("deploy-nodes.yml", "--limit", "pond,gate", *ALL_AT_ONCE, *words)
        assert played.code == 0, played.said
        assert played.recap("pond") == played.recap("gate") == (0, 0, 0), played.said
        outcome = "as it should be" if words else "well"
        assert re.search(f"pond +{outcome}", played.said), played.said
    assert before == (started_at(fleet, "pond"), started_at(fleet, "gate"))


def test_check_mode_shows_a_change_and_makes_none(fleet: Fleet) -> None:
    fleet.write(node_cameras={"yard": FASTER})
    before = started_at(fleet, "pond"), fleet.hosts["pond"].sh(f"cat {NODE}/environment")
    played = fleet.play("deploy-nodes.yml", "--check", "--diff", "--limit", "pond")
    assert played.code == 0, played.said
    assert played.recap("pond")[0] > 0
    assert '"fps": 12' in played.said
    assert re.search("pond +would change", played.said), played.said
    assert before == (started_at(fleet, "pond"), fleet.hosts["pond"].sh(f"cat {NODE}/environment"))


def test_an_upgrade_by_canary_goes_on_where_it_was_interrupted(fleet: Fleet) -> None:
    pond, gate = fleet.hosts["pond"], fleet.hosts["gate"]
    older, untouched = image_of(fleet, "pond"), started_at(fleet, "gate")
    targets = fleet.folder / "targets.json"
    fleet.write(
        node_image=str(fleet.image("newer")),
        node_cameras={"yard": FASTER},
        node_targets_file=str(targets),
    )
    words = ("deploy-nodes.yml", "--limit", "pond,gate", *ALL_AT_ONCE)
    # While the image is loaded, and between writing its settings and their proof at the hub.
    copied = f"ls /var/tmp/camfleet-node-*.tar || test $({IMAGES} | wc -l) = 2"
    fleet.play_until(lambda: pond.sh(f"({copied}) >/dev/null && echo yes", check=False), *words)
    written = f"grep --quiet '\"fps\": 12' {NODE}/environment && echo yes"
    fleet.play_until(lambda: pond.sh(written, check=False), *words)
    assert image_of(fleet, "gate") == older
    assert started_at(fleet, "gate") == untouched
    played = fleet.play(*words)
    assert played.code == 0, played.said
    assert image_of(fleet, "pond") == image_of(fleet, "gate") != older
    assert started_at(fleet, "pond") < started_at(fleet, "gate")
    for host in (pond, gate):
        assert sorted(host.sh(IMAGES).splitlines()) == sorted([older, image_of(fleet, host.name)])
        assert host.sh("ls /var/tmp/camfleet-node-*", check=False) == ""
        running = host.sh("docker inspect --format '{{json .Config.Env}}' camfleet-node")
        assert any('"fps": 12' in setting for setting in json.loads(running))
    written_targets = [target["targets"] for target in json.loads(targets.read_text())]
    assert [f"{gate.address}:9102"] in written_targets


def test_an_image_that_crashes_stops_at_the_canary_and_is_rolled_back(fleet: Fleet) -> None:
    before, untouched = image_of(fleet, "pond"), started_at(fleet, "gate")
    fleet.write(node_image=str(fleet.image("crashing")))
    played = fleet.play("deploy-nodes.yml", "--limit", "pond,gate", *ALL_AT_ONCE)
    assert played.code != 0
    assert "pond: the node ends as soon as it is started: out of order" in played.sentences
    assert "it runs again what ran before" in played.sentences, played.said
    assert image_of(fleet, "pond") == before
    until(lambda: is_streaming(fleet, "pond"))
    assert started_at(fleet, "gate") == untouched
    assert played.recap("gate")[0] == 0, played.said


@pytest.mark.thorough
def test_an_image_that_sends_nothing_is_rolled_back_and_its_share_stops_the_waves(
    fleet: Fleet,
) -> None:
    # The canary has nothing to change; the third is the second under another name.
    before = image_of(fleet, "gate")
    fleet.write(node_image=str(fleet.image("newer")), node_cameras={"yard": FASTER})
    fleet.host_vars("gate", node_image=str(fleet.image("silent")), node_within_s=20)
    fleet.host_vars("shed", ansible_host=fleet.hosts["gate"].address)
    played = fleet.play("deploy-nodes.yml", "--limit", "pond,gate,shed", "-e", '{"waves": [1]}')
    assert played.code != 0
    assert "gate: camera yard: " in played.sentences, played.said
    assert "it runs again what ran before" in played.sentences, played.said
    assert image_of(fleet, "gate") == before
    until(lambda: is_streaming(fleet, "gate"))
    assert re.search("shed +untouched", played.said), played.said
    assert played.recap("shed")[0] == 0, played.said
    assert "shed" not in fleet.status()


@pytest.mark.thorough
def test_rolling_back_by_hand_runs_the_image_before(fleet: Fleet) -> None:
    fleet.write(node_image=str(fleet.image("newer")))
    newer = image_of(fleet, "pond")
    played = fleet.play("rollback-nodes.yml", "--limit", "pond")
    assert played.code == 0, played.said
    assert image_of(fleet, "pond") != newer
    played = fleet.play("rollback-nodes.yml", "--limit", "pond")
    assert played.code == 0, played.said
    assert image_of(fleet, "pond") == newer


def test_nodes_go_to_another_hub_and_back_with_the_keys_of_each(fleet: Fleet) -> None:
    display, pond = fleet.hosts["display"], fleet.hosts["pond"]
    image = display.sh("docker inspect --format '{{.Config.Image}}' camfleet-hub")
    display.sh(f"docker run --detach --name {OTHER_HUB} --publish {OTHER_PORT}:5556 {image}")
    here = {
        "node_image": str(fleet.image("newer")),
        "node_cameras": {"yard": FASTER},
        "node_hub_container": "camfleet-hub",
    }
    there = {"node_hub_port": OTHER_PORT, "node_hub_container": OTHER_HUB}
    older, keys = image_of(fleet, "pond"), pond.sh(f"cat {NODE}/bundle.json")
    health = f"docker exec {OTHER_HUB} camfleet-hub health && echo yes"
    until(lambda: display.sh(health, check=False))

    fleet.write(**(here | there))
    played = fleet.play("deploy-nodes.yml", "--limit", "pond")
    assert "pond: the hub does not know its keys" in played.sentences, played.said
    assert played.recap("pond")[0] == 0, played.said
    played = fleet.play("enrol-nodes.yml", "--limit", "pond")
    assert "pond: has new keys" in played.sentences, played.said
    played = fleet.play("deploy-nodes.yml", "--limit", "pond")
    assert played.code == 0, played.said

    fleet.write(**here)
    played = fleet.play("rollback-nodes.yml", "--limit", "pond")
    assert played.code == 0, played.said
    assert pond.sh(f"cat {NODE}/bundle.json") == keys
    assert pond.sh(f"stat --format '%a %u' {NODE}/previous/bundle.json") == "600 10001"
    assert image_of(fleet, "pond") == older
    until(lambda: is_streaming(fleet, "pond"))


def test_a_rollback_that_fails_leaves_what_ran(fleet: Fleet) -> None:
    fleet.hosts["display"].sh(f"docker rm --force --volumes {OTHER_HUB}")
    keys = fleet.hosts["pond"].sh(f"cat {NODE}/bundle.json")
    played = fleet.play("rollback-nodes.yml", "--limit", "pond", "-e", "node_within_s=30")
    assert played.code != 0
    assert "it runs again what ran before" in played.sentences, played.said
    assert "RETRYING" not in played.said
    assert fleet.hosts["pond"].sh(f"cat {NODE}/bundle.json") == keys
    until(lambda: is_streaming(fleet, "pond"))


def test_the_state_of_the_fleet_is_a_table(fleet: Fleet) -> None:
    played = fleet.play("check-nodes.yml")
    rows = {
        line.strip(" -'").split()[0]: line for line in played.said.splitlines() if "yard" in line
    }
    assert "online" in rows["pond"], played.said
    assert "healthy" in rows["gate"], played.said
    assert "host unreachable" in played.said
    assert played.code != 0
    assert "attic: the host does not answer" in played.sentences, played.said
    assert played.recap("pond") == played.recap("gate") == (0, 0, 0), played.said


@pytest.mark.thorough
def test_two_roll_outs_at_once_are_refused_and_a_dead_one_is_passed_over(fleet: Fleet) -> None:
    display = fleet.hosts["display"]
    holder = {"machine": "elsewhere", "pid": 1, "taken_s": time.time()}
    display.sh(f"echo '{json.dumps(holder)}' > {LOCK}")
    played = fleet.play("deploy-nodes.yml", "--limit", "pond")
    assert "another roll-out is under way, by elsewhere" in played.sentences, played.said
    assert played.recap("pond")[0] == 0
    holder["taken_s"] = 0
    display.sh(f"echo '{json.dumps(holder)}' > {LOCK}")
    played = fleet.play("deploy-nodes.yml", "--limit", "pond")
    assert played.code == 0, played.said
    assert display.sh(f"cat {LOCK}") == "{}"


def test_a_revoked_node_is_cut_off_and_comes_back_with_new_keys_alone(fleet: Fleet) -> None:
    fleet.write(node_image=str(fleet.image("newer")), node_cameras={"yard": FASTER})
    played = fleet.play("revoke-nodes.yml", "--limit", "gate")
    assert played.code == 0, played.said
    assert "gate: its keys are revoked, and the hub refuses them" in played.sentences, played.said
    until(lambda: not fleet.status()["gate"]["online"])
    played = fleet.play("check-nodes.yml", "--limit", "gate")
    assert re.search(r"gate +- +revoked", played.said), played.said
    assert played.code != 0
    played = fleet.play("deploy-nodes.yml", "--limit", "gate")
    assert "gate: the hub does not know its keys" in played.sentences, played.said
    assert played.recap("gate")[0] == 0, played.said
    played = fleet.play("enrol-nodes.yml", "--limit", "gate")
    assert played.code == 0, played.said
    until(lambda: fleet.status()["gate"]["online"])


def test_the_whole_fleet_is_not_revoked_by_a_forgotten_word(fleet: Fleet) -> None:
    played = fleet.play("revoke-nodes.yml")
    assert played.code != 0
    assert "name whom you mean by --limit" in played.sentences
    assert fleet.status()["pond"]["online"]


def test_a_removed_node_leaves_nothing_behind(fleet: Fleet) -> None:
    gate = fleet.hosts["gate"]
    # Somebody's Podman beside it is no reason to keep Docker.
    gate.sh("printf '#!/bin/sh\\necho theirs\\n' > /usr/local/bin/podman")
    gate.sh("chmod +x /usr/local/bin/podman")
    played = fleet.play("remove-nodes.yml", "--limit", "gate", "-e", "remove_packages=true")
    assert played.code == 0, played.said
    left = gate.sh(
        "ls -d /etc/camfleet /etc/systemd/system/camfleet* /var/lib/docker/* /var/tmp/camfleet*; "
        "command -v docker chronyd; getent group docker; ls -A /var/lib/containerd",
        check=False,
    )
    assert left == ""
    enrolled = fleet.hosts["display"].sh("docker exec camfleet-hub camfleet-hub nodes")
    assert "gate" not in enrolled
