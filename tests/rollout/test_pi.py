"""`make pi`'s program: what it makes of a host's name. The rest is deploy-nodes.yml's."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).parents[2] / "deploy/ansible/pi.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("camfleet_pi", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pi = load()


@pytest.mark.parametrize(
    ("host", "name"),
    [("garden", "garden"), ("garden.local", "garden"), ("10.0.0.7", "10.0.0.7")],
)
def test_a_node_is_called_as_its_host_without_the_domain(host: str, name: str) -> None:
    assert pi.node_name(host) == name


def test_the_inventory_names_one_node_and_this_machine_as_the_hubs() -> None:
    found = pi.describe("pi", "garden.local", "10.0.0.1", {"front": {"source": "picamera2"}})["all"]
    node = found["children"]["nodes"]["hosts"]["garden"]
    assert (node["ansible_host"], node["ansible_user"]) == ("garden.local", "pi")
    assert found["vars"]["hub_address"] == "10.0.0.1"
    here = found["children"]["hub"]["hosts"]["this-machine"]
    assert here["ansible_connection"] == "local"
    assert here["ansible_become"] is False
