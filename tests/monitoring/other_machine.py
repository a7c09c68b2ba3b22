"""Runs a module that takes a folder for the root of its machine: `other_machine.py ROOT MODULE`.

A sensor can be faked then by a file, and is read as on any machine.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from camfleet_node.host import text

if __name__ == "__main__":
    _, root, module = sys.argv
    text.ROOT = Path(root)  # type: ignore[misc]  # before whatever reads it is imported
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
