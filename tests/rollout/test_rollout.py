"""The playbooks over SSH, from blank hosts to frames at the hub and back; their order counts."""

from __future__ import annotations

import json
import time
from typing import Final

import pytest
from pis import CAMERA, Fleet, until

NODE: Final = "/etc/camfleet/node"
LOCK: Final = "/run/lock/camfleet-rollout.json"
ALL_AT_ONCE: Final = ("-e", '{"waves": [1, "100%"]}')
pytestmark = pytest.mark.timeout(1500)


def image_of(fleet: Fleet, host: str) -> str:
    return fleet.hosts[host].sh("docker inspect --format '{{.Config.Image}}' camfleet-node")


def started_at(fleet: Fleet, host: str) -> str:
    return fleet.hosts[host].sh("docker inspect --format '{{.State.StartedAt}}' camfleet-node")


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
    faults: dict[str, tuple[dict[str, object], str]] = {
        "misspelt": (
            {"node_camera": {}},
            "there is no variable node_camera, node_cameras was meant",
        ),
        "mistyped": ({"node_steady_s": "long"}, "node_steady_s"),
        "unknown-option": (
            {"node_cameras": {"yard": {"source": "synthetic", "widht": 320}}},
            "node_cameras.yard.widht: there is none, width was meant",
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
            "see that it is plugged in",
        ),
        "no-device": (
            {"node_cameras": {"yard": {"source": "v4l2", "device": "/dev/video99"}}},
            "found no /dev/video99",
        ),
        "full": ({"preflight_free_mb": 999_999_999}, "remove what it does not need"),
        "late": ({"preflight_clock_s": -1}, "want -1 at most: set it by"),
        "stranger": ({"ansible_user": "nobody"}, "give the right user, password or SSH key"),
        "far": ({"node_hub_port": 5999}, "cannot reach the hub at"),
        "old": ({"preflight_releases": ["99"]}, "write its card anew"),
    }
    fleet.write()
    nodes = fleet.inventory["all"]["children"]["nodes"]["hosts"]
    nodes.clear()
    for name, (variables, _) in faults.items():
        nodes[name] = {"ansible_host": address} | variables
    played = fleet.play("deploy-nodes.yml")
    assert played.code != 0
    for name, (_, sentence) in faults.items():
        assert sentence in played.sentences, (name, sentence, played.said)
        assert played.recap(name)[0] == 0, played.said
    assert fleet.hosts["gate"].sh("ls -d /etc/camfleet", check=False) == ""


def test_blank_hosts_send_frames_and_a_dead_one_holds_nobody_up(fleet: Fleet) -> None:
    fleet.write()
    played = fleet.play("deploy-nodes.yml", *ALL_AT_ONCE)
    assert played.code != 0
    assert "attic: cannot log in" in played.sentences
    assert played.recap("pond")[2] == played.recap("gate")[2] == 0, played.said
    found = fleet.status()
    for name in ("pond", "gate"):
        assert found[name]["online"], found
        assert found[name]["captured_fps"] > 5, found
        mode = fleet.hosts[name].sh(f"stat --format '%a %u' {NODE}/bundle.json")
        assert mode == "600 10001"
        assert fleet.hosts[name].sh("systemctl is-active camfleet-node") == "active"


def test_a_second_run_changes_nothing(fleet: Fleet) -> None:
    before = started_at(fleet, "pond"), started_at(fleet, "gate")
    played = fleet.play("deploy-nodes.yml", "--limit", "pond,gate", *ALL_AT_ONCE)
    assert played.code == 0, played.said
    assert played.recap("pond") == played.recap("gate") == (0, 0, 0), played.said
    assert before == (started_at(fleet, "pond"), started_at(fleet, "gate"))


def test_check_mode_shows_a_change_and_makes_none(fleet: Fleet) -> None:
    fleet.write(node_cameras={"yard": CAMERA | {"fps": 12}})
    before = started_at(fleet, "pond"), fleet.hosts["pond"].sh(f"cat {NODE}/environment")
    played = fleet.play("deploy-nodes.yml", "--check", "--diff", "--limit", "pond")
    assert played.code == 0, played.said
    assert played.recap("pond")[0] > 0
    assert '"fps": 12' in played.said
    assert before == (started_at(fleet, "pond"), fleet.hosts["pond"].sh(f"cat {NODE}/environment"))
    fleet.write()


def test_an_upgrade_begins_with_a_canary_and_keeps_the_image_before(fleet: Fleet) -> None:
    older = image_of(fleet, "pond")
    fleet.write(node_image=str(fleet.image("newer")))
    played = fleet.play("deploy-nodes.yml", "--limit", "pond,gate", *ALL_AT_ONCE)
    assert played.code == 0, played.said
    assert image_of(fleet, "pond") == image_of(fleet, "gate") != older
    assert started_at(fleet, "pond") < started_at(fleet, "gate")
    kept = fleet.hosts["pond"].sh("docker images --format '{{.Repository}}:{{.Tag}}' camfleet-node")
    assert sorted(kept.splitlines()) == sorted([older, image_of(fleet, "pond")])


@pytest.mark.parametrize("kind", ["crashing", "silent"])
def test_a_bad_image_stops_at_the_canary_and_is_rolled_back(fleet: Fleet, kind: str) -> None:
    before, untouched = image_of(fleet, "pond"), started_at(fleet, "gate")
    fleet.write(node_image=str(fleet.image(kind)), node_within_s=20)
    played = fleet.play("deploy-nodes.yml", "--limit", "pond,gate", *ALL_AT_ONCE)
    assert played.code != 0
    assert "it runs again what ran before" in played.sentences, played.said
    assert ("out of order" if kind == "crashing" else "at the hub") in played.sentences
    assert image_of(fleet, "pond") == before
    assert fleet.status()["pond"]["online"]
    assert started_at(fleet, "gate") == untouched
    assert played.recap("gate")[0] == 0, played.said


def test_rolling_back_by_hand_runs_the_image_before(fleet: Fleet) -> None:
    fleet.write(node_image=str(fleet.image("newer")))
    newer = image_of(fleet, "pond")
    played = fleet.play("rollback-nodes.yml", "--limit", "pond")
    assert played.code == 0, played.said
    assert image_of(fleet, "pond") != newer
    played = fleet.play("rollback-nodes.yml", "--limit", "pond")
    assert played.code == 0, played.said
    assert image_of(fleet, "pond") == newer


def test_the_state_of_the_fleet_is_a_table(fleet: Fleet) -> None:
    played = fleet.play("check-nodes.yml")
    rows = {
        line.strip(" -'").split()[0]: line for line in played.said.splitlines() if "yard" in line
    }
    assert "online" in rows["pond"], played.said
    assert "healthy" in rows["gate"], played.said
    assert "host unreachable" in played.said


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
    played = fleet.play("revoke-nodes.yml", "--limit", "gate")
    assert played.code == 0, played.said
    until(lambda: not fleet.status()["gate"]["online"])
    played = fleet.play("deploy-nodes.yml", "--limit", "gate")
    assert "the hub does not know its keys" in played.sentences, played.said
    played = fleet.play("enrol-nodes.yml", "--limit", "gate")
    assert played.code == 0, played.said
    until(lambda: fleet.status()["gate"]["online"])


def test_the_whole_fleet_is_not_revoked_by_a_forgotten_word(fleet: Fleet) -> None:
    played = fleet.play("revoke-nodes.yml")
    assert played.code != 0
    assert "name whom you mean by --limit" in played.sentences
    assert fleet.status()["pond"]["online"]


def test_a_removed_node_leaves_nothing_behind(fleet: Fleet) -> None:
    played = fleet.play("remove-nodes.yml", "--limit", "gate", "-e", "remove_packages=true")
    assert played.code == 0, played.said
    gate = fleet.hosts["gate"]
    left = gate.sh(
        "ls -d /etc/camfleet /etc/systemd/system/camfleet* /var/lib/docker/* /var/tmp/camfleet*; "
        "command -v docker chronyd",
        check=False,
    )
    assert left == ""
    enrolled = fleet.hosts["display"].sh("docker exec camfleet-hub camfleet-hub nodes")
    assert "gate" not in enrolled
