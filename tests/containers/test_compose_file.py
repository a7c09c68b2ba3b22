"""What docker-compose.yml says, without running it: a linter for its every service."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from camfleet_hub.settings import HubSettings
from camfleet_node.settings import NodeSettings

ROOT: Final = Path(__file__).parents[2]
PROFILES: Final = ("", "demo", "node", "monitoring")
# Compose merges what its file shares between services, so it is asked rather than the file.
HARDENED: Final = {
    "cap_drop": ["ALL"],
    "read_only": True,
    "security_opt": ["no-new-privileges:true"],
    "tmpfs": ["/tmp"],  # noqa: S108 - in a container of its own
}

pytestmark = pytest.mark.usefixtures("engine")


def config(*profiles: str, **environment: str) -> dict[str, Any]:
    """The services as Compose reads them; without the secrets' contents or a developer's .env."""
    options = [f"--profile={profile}" for profile in profiles if profile]
    done = subprocess.run(
        ["docker", "compose", "--env-file=/dev/null", *options, "config", "--format=json"],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_valid_and_has_the_hub(profile: str) -> None:
    assert "hub" in config(profile)


def test_without_a_profile_there_is_the_hub_alone() -> None:
    assert list(config()) == ["hub"]


def test_every_service_is_hardened() -> None:
    for name, service in config(*PROFILES).items():
        found = {key: service.get(key) for key in HARDENED}
        assert found == HARDENED, name
        assert "privileged" not in service, name


def test_no_service_can_fill_the_memory_the_disk_or_the_table_of_processes() -> None:
    for name, service in config(*PROFILES).items():
        assert int(service["mem_limit"]) > 0, name
        assert service["pids_limit"] > 0, name
        assert {"max-size", "max-file"} <= set(service["logging"]["options"]), name


def test_every_service_comes_back_and_has_time_to_end() -> None:
    for name, service in config(*PROFILES).items():
        assert service["restart"] in {"unless-stopped", "on-failure:3"}, name
        assert service["stop_grace_period"], name


def test_only_the_wall_nodes_and_subscribers_are_open_to_the_network() -> None:
    published = {
        port["target"]: port["host_ip"]
        for service in config(*PROFILES).values()
        for port in service.get("ports", [])
    }
    is_open = {port for port, address in published.items() if address != "127.0.0.1"}
    assert is_open == {8080, 5556, 5557}


def test_no_image_floats() -> None:
    for name, service in config(*PROFILES).items():
        image = service["image"]
        if not image.startswith("camfleet-"):
            assert re.search(r":v?\d+\.\d+\.\d+$", image), name


def test_the_nodes_begin_when_the_hub_is_healthy_and_they_are_enrolled() -> None:
    nodes = {name: one for name, one in config("demo").items() if name.startswith("demo-")}
    conditions = {
        name: {other: wanted["condition"] for other, wanted in one["depends_on"].items()}
        for name, one in nodes.items()
    }
    healthy = {"hub": "service_healthy"}
    assert conditions.pop("demo-enrol") == healthy
    enrolled = healthy | {"demo-enrol": "service_completed_successfully"}
    assert conditions == dict.fromkeys(conditions, enrolled)
    assert len(conditions) == 4


@pytest.mark.parametrize(
    ("service", "model", "prefix"),
    [
        ("hub", HubSettings, "CAMFLEET_HUB_"),
        ("node", NodeSettings, "CAMFLEET_NODE_"),
    ],
)
def test_every_setting_reaches_its_service(
    service: str, model: type[HubSettings | NodeSettings], prefix: str
) -> None:
    given = {name for name in config("node")[service]["environment"] if name.startswith(prefix)}
    assert given == {prefix + field.upper() for field in model.model_fields}


def test_a_port_is_published_under_the_number_that_its_setting_says() -> None:
    ports = config(CAMFLEET_HUB_WEB_PORT="80")["hub"]["ports"]
    assert any((port["target"], port["published"]) == (80, "80") for port in ports)


def test_no_variable_of_compose_alone_is_named_like_a_setting() -> None:
    """It may stand in .env, of which a service refuses what is named like its settings."""
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    settings = {"CAMFLEET_HUB_" + field.upper() for field in HubSettings.model_fields}
    settings |= {"CAMFLEET_NODE_" + field.upper() for field in NodeSettings.model_fields}
    used = set(re.findall(r"\$\{(CAMFLEET_(?:HUB|NODE)_\w+)", text))
    assert used <= settings


def test_bake_makes_both_images_for_both_architectures_with_their_origin() -> None:
    done = subprocess.run(
        ["docker", "buildx", "bake", "--print"], cwd=ROOT, capture_output=True, check=True
    )
    targets = json.loads(done.stdout)["target"]
    assert set(targets) == {"node", "hub"}
    for target in targets.values():
        assert target["platforms"] == ["linux/amd64", "linux/arm64"]
        assert target["attest"] == ["type=provenance,mode=max", "type=sbom"]
