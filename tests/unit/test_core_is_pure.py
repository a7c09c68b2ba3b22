"""The core decides and does nothing: what it may import is checked here, module by module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = {
    "camfleet": ROOT / "shared/src",
    "camfleet_node": ROOT / "services/node/src",
    "camfleet_hub": ROOT / "services/hub/src",
}
CORE = {
    "camfleet.admission",
    "camfleet.allowance",
    "camfleet.answers",
    "camfleet.backlog",
    "camfleet.backoff",
    "camfleet.clock",
    "camfleet.codec",
    "camfleet.delivered_frame",
    "camfleet.detection",
    "camfleet.draft",
    "camfleet.errors",
    "camfleet.events",
    "camfleet.forward_link",
    "camfleet.frame",
    "camfleet.hub_link",
    "camfleet.imagezmq.camera_name",
    "camfleet.imagezmq.message",
    "camfleet.intake",
    "camfleet.lack",
    "camfleet.ledger",
    "camfleet.liveness",
    "camfleet.machine_health",
    "camfleet.names",
    "camfleet.node_link",
    "camfleet.pattern",
    "camfleet.payload",
    "camfleet.pulse",
    "camfleet.stats",
    "camfleet.subscriber_link",
    "camfleet.subscription",
    "camfleet.timecode",
    "camfleet.window",
    "camfleet.wire",
}
FAKES = {
    "camfleet.testing",
    "camfleet.testing.clock",
    "camfleet.testing.connection",
    "camfleet.testing.lossy_link",
    "camfleet.testing.paired_link",
    "camfleet.testing.paired_subscribers",
}
EMULATOR = {  # a fake as well, but of a network between real ends
    "camfleet.testing.delay_line",
    "camfleet.testing.emulator",
}
ACTS = {"zmq", "socket", "asyncio", "threading", "time", "random", "os", "logging"}


def modules(package: str) -> dict[str, Path]:
    source = SOURCES[package]
    paths = sorted((source / package).rglob("*.py"))
    names = [path.relative_to(source).with_suffix("").parts for path in paths]
    return {
        ".".join(name).removesuffix(".__init__"): path
        for name, path in zip(names, paths, strict=True)
    }


def imports(path: Path) -> Iterator[str]:
    """Every module that a file names, wherever in the file the import stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, want whole names"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


SHARED = modules("camfleet")


@pytest.mark.parametrize("module", sorted(CORE | FAKES))
def test_the_core_does_no_io(module: str) -> None:
    found = {name for name in imports(SHARED[module]) if name.partition(".")[0] in ACTS}
    assert not found


@pytest.mark.parametrize("module", sorted(CORE))
def test_the_core_imports_only_the_core(module: str) -> None:
    ours = {name for name in imports(SHARED[module]) if name in SHARED} - {"camfleet"}
    assert ours <= CORE


@pytest.mark.parametrize("module", sorted(FAKES - {"camfleet.testing"}))
def test_no_other_fake_needs_the_emulator(module: str) -> None:
    assert not {name for name in imports(SHARED[module]) if name in EMULATOR}


def test_every_fake_is_known_here() -> None:
    assert {name for name in SHARED if name.startswith("camfleet.testing")} == FAKES | EMULATOR


@pytest.mark.parametrize("module", sorted(SHARED.keys() - FAKES - EMULATOR))
def test_nothing_that_ships_needs_a_fake(module: str) -> None:
    assert not {name for name in imports(SHARED[module]) if name in FAKES | EMULATOR}


@pytest.mark.parametrize("package", ["camfleet_node", "camfleet_hub"])
def test_no_service_needs_a_fake(package: str) -> None:
    for module, path in modules(package).items():
        found = {name for name in imports(path) if name in FAKES | EMULATOR}
        assert not found, f"{module} imports {found}"


@pytest.mark.parametrize(
    ("package", "never"),
    [
        ("camfleet", {"camfleet_node", "camfleet_hub"}),
        ("camfleet_node", {"camfleet_hub"}),
        ("camfleet_hub", {"camfleet_node"}),
    ],
)
def test_imports_point_one_way(package: str, never: set[str]) -> None:
    for module, path in modules(package).items():
        found = {name for name in imports(path) if name.partition(".")[0] in never}
        assert not found, f"{module} imports {found}"
