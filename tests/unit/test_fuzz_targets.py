"""The fuzz targets on their seeds and on some thousand mutations: the same ones in every run."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).parents[1] / "fuzz/targets.py"
MUTATIONS = 400


def load() -> object:
    spec = importlib.util.spec_from_file_location("targets", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


targets: object = load()
TARGETS = targets.TARGETS  # type: ignore[attr-defined]  # a module that is loaded by its path


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Change, remove, repeat or add some bytes."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at, size = dice.randrange(len(changed) + 1), dice.randrange(9)
        piece = dice.choice([dice.randbytes(size), bytes(changed[at : at + size]), b""])
        changed[at : at + dice.randrange(9)] = piece
    return bytes(changed)


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_no_message_is_rejected_and_breaks_nothing(name: str) -> None:
    dice = random.Random(name)  # noqa: S311 - the same in every run
    for seed in targets.seeds(name):  # type: ignore[attr-defined]
        targets.attempt(TARGETS[name], seed)  # type: ignore[attr-defined]
        for _ in range(MUTATIONS // 8):
            targets.attempt(TARGETS[name], mutated(seed, dice))  # type: ignore[attr-defined]
