"""The end of the node's program, where a thread waits for ever in a driver's library."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

# Stands for the library, whose own end waits for its thread.
PROGRAM: Final = """
import atexit, sys, threading
from camfleet_node import __main__ as program

never = threading.Event()
atexit.register(never.wait)
if sys.argv[1]:
    threading.Thread(target=never.wait, name=sys.argv[1], daemon=True).start()
{}
"""
LEFT: Final = "capture-front"


def run(said: str, thread: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(said), thread],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "thread",
    [LEFT, "capture device 0", "capture rtsp://garden/live", "close-front", "open-front", "doctor"],
)
def test_it_leaves_whoever_waits_in_a_driver(thread: str) -> None:
    assert run("program._leave(3)", thread).returncode == 3


@pytest.mark.parametrize(("code", "told"), [("None", 0), ("'a text'", 1)])
def test_it_leaves_with_the_code_that_python_would(code: str, told: int) -> None:
    assert run(f"program._leave({code})", LEFT).returncode == told


@pytest.mark.parametrize(
    ("command", "told"),
    [("lambda: 3", 3), ("lambda: None", 0), ("lambda: sys.exit(2)", 2), ("lambda: 1 / 0", 1)],
)
def test_it_leaves_whatever_a_command_does(command: str, told: int) -> None:
    done = run(f"program._obey({command})", LEFT)
    assert done.returncode == told
    assert ("ZeroDivisionError" in done.stderr) is (told == 1)


def test_a_command_that_is_interrupted_leaves_too() -> None:
    said = "def interrupt(): raise KeyboardInterrupt\nprogram._obey(interrupt)"
    assert run(said, LEFT).returncode == 1
