"""What is checked on the control machine alone: settings, the example, what roles tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.script import load

ANSIBLE = Path(__file__).parents[2] / "deploy/ansible"
ROLES = sorted((ANSIBLE / "roles").iterdir())
EXAMPLE = ANSIBLE / "inventory/example"

pytest.importorskip("ansible", reason="Ansible is not installed here")

archive, fleet, problems, run, words = (
    load(ANSIBLE / f"filter_plugins/camfleet_{name}.py")
    for name in ("archive", "fleet", "problems", "run", "words")
)


def example() -> dict[str, dict[str, Any]]:
    """The example's hosts, with the variables that each has."""
    found = subprocess.run(
        ["ansible-inventory", "--inventory", str(EXAMPLE), "--list"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    listed = json.loads(found.stdout)
    hosts: dict[str, dict[str, Any]] = listed["_meta"]["hostvars"]
    return {
        host: hosts[host]
        for group in listed["nodes"]["children"]
        for host in listed[group]["hosts"]
    }


def test_the_example_has_twelve_nodes_in_three_groups_without_a_fault() -> None:
    hosts = example()
    assert len(hosts) == 12
    for host, variables in hosts.items():
        assert problems.unknown(variables) == [], host
        assert problems.camera_problems(variables["node_cameras"]) == [], host
        assert problems.setting_problems(variables.get("node_settings", {})) == [], host


def test_the_examples_nodes_are_found_without_a_dns_of_ones_own() -> None:
    addresses = {host: variables["ansible_host"] for host, variables in example().items()}
    assert addresses["pond"] == "{{ inventory_hostname }}.local"
    assert addresses["brook"] == "10.8.0.11"


def test_what_a_camera_can_be_told_is_what_the_node_takes() -> None:
    done = subprocess.run(
        [sys.executable, str(ANSIBLE / "export_settings.py"), "--check"], check=False, timeout=60
    )
    assert done.returncode == 0, "stale: run deploy/ansible/export_settings.py"


@pytest.mark.parametrize("role", ROLES, ids=lambda role: str(role.name))
def test_every_role_has_the_same_shape_and_says_what_it_takes(role: Path) -> None:
    for part in ("defaults", "tasks", "handlers", "meta"):
        assert (role / part / "main.yml").exists(), part
    assert (role / "README.md").exists()
    entries = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    options = {
        name: option for entry in entries.values() for name, option in entry["options"].items()
    }
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text()) or {}
    assert set(defaults) <= set(options)
    for name, option in options.items():
        if "default" in option:
            assert defaults.get(name, option["default"]) == option["default"], name
    for entry in entries:
        assert (role / "tasks" / f"{entry}.yml").exists(), entry


@pytest.mark.parametrize(
    ("camera", "problem"),
    [
        ({"source": "synthetic", "fps": 0.5}, ""),
        ({"source": "synthetic", "fps": "fast"}, "a number"),
        ({"source": "synthetic", "fps": 999}, "at most 240"),
        ({"source": "synthetic", "width": float("inf")}, "a whole number"),
        ({"source": "synthetic", "gray": "yes"}, "true or false"),
        ({"source": "synthetic", "crop": "0,0,50"}, "four numbers"),
        ({"source": "synthetic", "send": "never"}, "one of always, motion"),
        ({"source": "opencv"}, "device: want it"),
        ({"source": "synthetic", "fps": 0}, "found 0, want more than 0"),
        ({"source": "synthetic", "FPS": 5}, "fps was meant"),
        ({"source": "synthetic", "zoom": 5}, "docs/configuration.md lists what there is"),
        ({"sorce": "synthetic"}, "node_cameras.yard.sorce: there is none, source was meant"),
        ("synthetic", "found 'synthetic', want settings by name"),
        ({"source": "v4l2", "motion": {"door": {"min_aera": 1}}}, "min_area was meant"),
        ({"source": "v4l2", "motion": "door"}, "groups of settings by name"),
    ],
)
def test_a_wrong_camera_is_told_before_a_host_is_asked(camera: object, problem: str) -> None:
    found = problems.camera_problems({"yard": camera})
    assert (problem in found[0]) if problem else found == [], found


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"republish": "garden/*", "hosts": ["wall", "display"]}, ""),
        ({"republsh": "garden/*"}, "republish was meant"),
        ({"quality": 101}, "at most 100"),
        ({"hosts": {}}, "a list, or texts separated by commas"),
        ({"web_port": 80}, "hub_settings.web_port: there is none"),
    ],
)
def test_a_wrong_setting_of_the_hub_is_told_too(settings: dict[str, object], problem: str) -> None:
    found = problems.hub_problems(settings)
    assert (problem in found[0]) if problem else found == [], found


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("node_steady_s", "10", ""),
        ("node_steady_s", "long", "found 'long', want a whole number"),
        ("chrony_servers", {}, "found {}, want a list"),
        ("node_bundle", {"secret_key": "abc"}, ""),
        ("node_engine", "podman", ""),
        ("node_engine", "rkt", "found 'rkt', want docker or podman"),
        ("no_role_has_it", "long", ""),
    ],
)
def test_a_variable_of_a_wrong_type_or_choice_is_told_whichever_role_has_it(
    variable: str, value: object, problem: str
) -> None:
    found = problems.wrong({variable: value})
    assert (problem in found[0]) if problem else found == [], found


def test_all_that_is_wrong_with_a_host_is_told_at_once() -> None:
    found = problems.problems(
        {
            "node_camera": {},
            "node_steady_s": "long",
            "node_cameras": {"yard": {"source": "synthetic", "fps": 0, "width": "wide"}},
            "hub_settings": {"quality": 101},
        }
    )
    assert len(found) == 5, found
    assert problems.problems({"node_cameras": []}) == [
        "node_cameras: found [], want values by name"
    ]


def test_the_page_of_variables_is_what_the_roles_take() -> None:
    done = subprocess.run(
        [sys.executable, str(ANSIBLE / "export_variables.py"), "--check"], check=False, timeout=60
    )
    assert done.returncode == 0, "docs/rollout-variables.md is stale: run `make docs`"


SEEN = {"stdout": "healthy|0|1.0 camfleet-node:sha256-0123456789abcdef\n-\nkey=abc"}
MEASURED = {
    "node": "pond",
    "camera": "yard",
    "online": True,
    "captured_fps": 9.9,
    "latency_ms": 12.0,
    "last_frame_s": 0.1,
}


@pytest.mark.parametrize(
    ("seen", "measured", "enrolled", "fault"),
    [
        (SEEN, MEASURED, "abc", ""),
        (SEEN, MEASURED, "another", "its keys were revoked, or are another hub's"),
        ({}, MEASURED, "abc", "the host does not answer"),
        ({}, MEASURED, "", "the host does not answer"),
        ({"stdout": "healthy|0|1.0 x\n-"}, MEASURED, "", "the hub does not know it"),
        ({"stdout": "no node||\n-"}, MEASURED, "abc", "no node is there"),
        ({"stdout": "unhealthy|3|1.0 x\n-\nkey=abc"}, MEASURED, "abc", "it is unhealthy"),
        (SEEN, MEASURED | {"online": False}, "abc", "yard is not online at the hub"),
    ],
)
def test_a_node_that_is_not_well_is_told(
    seen: dict[str, str], measured: dict[str, object], enrolled: str, fault: str
) -> None:
    known = [{"name": "pond", "role": "node", "key": enrolled}] if enrolled else []
    rows = fleet.rows(
        {"host": {"node_name": "pond", "node_seen": seen}}, ["host"], [measured], known
    )
    found = fleet.faults(rows, "pond")
    assert (fault in found[0]) if fault else found == [], found


def test_the_environment_is_read_back_as_it_was_meant() -> None:
    cameras = {"yard": {"source": "opencv", "device": 0, "text": "Bob's $HOME #1"}}
    line = words.dotenv(words.as_told(cameras))
    assert json.loads(line.strip("'"))["yard"] == {
        "source": "opencv",
        "device": "0",
        "text": "Bob's $HOME #1",
    }
    assert "'" not in line[1:-1]


def test_rates_are_asked_for_as_a_share_and_by_default() -> None:
    cameras = {"a": {"source": "synthetic", "fps": 10}, "b": {"source": "picamera2"}}
    assert words.asked(cameras, 0.8) == ["--camera", "a=8.00", "--camera", "b=24.00"]


def test_cameras_that_send_by_choice_need_not_send() -> None:
    cameras = {"a": {"source": "synthetic", "send": "motion"}, "b": {"source": "synthetic"}}
    assert words.quiet(cameras) == ["--quiet", "a"]


def test_a_failed_task_says_why_in_one_line() -> None:
    failed = {"results": [{"failed": False}, {"failed": True, "msg": "first\n line"}]}
    assert run.reason(failed) == "first line"
    assert run.reason({"msg": "rc 1", "stderr": "a\nb\n"}) == "rc 1: b"


def test_what_is_no_archive_of_an_image_is_refused(tmp_path: Path) -> None:
    from ansible.errors import AnsibleFilterError

    with pytest.raises(AnsibleFilterError, match="make images"):
        archive.read_archive(str(tmp_path / "none.tar"))
    (tmp_path / "text.tar").write_text("text")
    with pytest.raises(AnsibleFilterError, match="is no archive"):
        archive.read_archive(str(tmp_path / "text.tar"))


HERE = {
    "ansible_connection": "local",
    "ansible_become": False,
    "ansible_python_interpreter": sys.executable,
}


def play(folder: Path, playbook: Path, inventory: dict[str, Any]) -> tuple[int, str]:
    """Run a playbook on this machine alone; return its exit code, and what it says in one line."""
    (folder / "hosts.json").write_text(json.dumps({"all": inventory}))
    done = subprocess.run(
        ["ansible-playbook", "--inventory", str(folder / "hosts.json"), str(playbook)],
        env=os.environ
        | {
            "ANSIBLE_CONFIG": str(ANSIBLE / "ansible.cfg"),
            "ANSIBLE_ROLES_PATH": str(ANSIBLE / "roles"),
            "ANSIBLE_FILTER_PLUGINS": str(ANSIBLE / "filter_plugins"),
            "ANSIBLE_NOCOLOR": "1",
            "COLUMNS": "400",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        text=True,
        timeout=120,
    )
    return done.returncode, " ".join(done.stdout.split())


def test_the_state_of_a_fleet_whose_hub_does_not_answer_is_told_in_a_sentence(
    tmp_path: Path,
) -> None:
    gone = {"ansible_host": "127.0.0.1", "ansible_port": 1}
    nodes = {"pond": HERE, "gate": HERE}
    groups = {"hub": {"hosts": {"display": gone}}, "nodes": {"hosts": nodes}}
    everybody = {"hub_address": "127.0.0.1", "node_cameras": {"yard": {"source": "synthetic"}}}
    inventory = {"vars": everybody, "children": groups}
    code, said = play(tmp_path, ANSIBLE / "check-nodes.yml", inventory)
    assert code != 0
    assert "display: found 0 running containers of camfleet-hub (" in said, said


@pytest.mark.parametrize(
    ("folder", "mounted"),
    [
        ("", []),
        ("/etc/camfleet/tls", ["/etc/camfleet/tls:/etc/camfleet/tls:ro"]),
        ("/var/lib/camfleet/tls", []),  # it is in the state already
        ("/etc", None),
        ("/etc/tls/../..", None),
        ("/etc/tls:/etc", None),
    ],
)
def test_the_hub_gets_its_certificates_folder_and_no_folder_of_the_system(
    tmp_path: Path, folder: str, mounted: list[str] | None
) -> None:
    files = {"tls_certificate": f"{folder}/fullchain.pem", "tls_key": f"{folder}/privkey.pem"}
    template = {
        "src": str(ANSIBLE / "roles/hub/templates/compose.yml.j2"),
        "dest": str(tmp_path / "compose.yml"),
    }
    tasks = [
        {"ansible.builtin.import_role": {"name": "hub", "tasks_from": "verify"}},
        {"ansible.builtin.template": template},
    ]
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([{"hosts": "hub", "gather_facts": False, "tasks": tasks}]))
    host = HERE | {
        "hub_settings": files if folder else {},
        "hub_label": "",
        "docker_reference": "camfleet-hub:good",
    }
    code, said = play(tmp_path, playbook, {"children": {"hub": {"hosts": {"display": host}}}})
    if mounted is None:
        assert code != 0
        assert "want paths on the host in a folder of their own" in said, said
    else:
        assert code == 0, said
        service = yaml.safe_load((tmp_path / "compose.yml").read_text())["services"]["hub"]
        assert service["volumes"] == ["/var/lib/camfleet:/var/lib/camfleet", *mounted]
