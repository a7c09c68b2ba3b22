"""One script of many modules: each keeps its own names, and runs once behind what it imports."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from camfleet_hub.web import assets
from camfleet_hub.web.bundle import bundle, imports

FILES = {
    "a.js": """import { B, two as second } from "./b.js";
import {
  log,
} from "./d-e.js";
const own = "a";
log(own, new B().own, await_(second));
function await_(one) { return one(); }
""",
    "b.js": """import { log } from "./d-e.js";
const own = "b";
export class B { own = own; }
export async function three() {}
export function two() { return typeof three; }
log("b runs");
""",
    "d-e.js": """export const lines = [];
export const log = (...words) => lines.push(words.join(" ")) && console.log(words.join(" "));
""",
}


def test_modules_run_once_behind_what_they_import_with_names_of_their_own() -> None:
    assert run(bundle("a.js", FILES.__getitem__)) == ["b runs", "a b function"]


def test_an_import_is_found_by_its_file_and_a_type_is_none() -> None:
    text = FILES["a.js"] + '/** @type {import("./x.js").X} */\n'
    assert imports(text) == ["b.js", "d-e.js"]


def test_modules_that_import_each_other_are_refused() -> None:
    files = {
        "a.js": 'import { b } from "./b.js";\n',
        "b.js": 'import { a } from "./a.js";\n',
    }
    with pytest.raises(ValueError, match=r"each other: a\.js → b\.js → a\.js"):
        bundle("a.js", files.__getitem__)


@pytest.mark.parametrize(
    "line", ["export let a = 1;", "export default 1;", 'import "./b.js";', "export { a };"]
)
def test_what_cannot_be_put_together_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="want imports by name"):
        bundle("a.js", {"a.js": f"{line}\n"}.__getitem__)


@pytest.mark.parametrize("name", ["wall.js", "node.js"])
def test_the_modules_of_each_page_make_one_script(name: str) -> None:
    static = Path(assets.__file__).parent / "static"
    script = bundle(name, lambda one: (static / one).read_text())
    assert f"const ${name.removesuffix('.js')} = " in script
    node = shutil.which("node")
    if node is not None:
        subprocess.run([node, "--check", "-"], input=script, text=True, check=True)


def run(script: str) -> list[str]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    module = f"await import('data:text/javascript,' + encodeURIComponent({json.dumps(script)}))"
    command = [node, "--input-type=module", "-e", module]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
