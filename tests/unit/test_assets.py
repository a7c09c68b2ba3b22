"""The files of the hub's pages: which there are, how they are answered, what a page asks for."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from camfleet_hub.web.assets import Assets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PAGE = """<meta name="page" content="">
<link rel="stylesheet" href="/static/wall.css">
<link rel="icon" href="/static/icon.svg">
<script type="module" src="/static/a.js"></script>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nb();\n')
    (tmp_path / "b.js").write_text(
        'import { c } from "./c.js";\n/** import("./d.js").D */\nexport function b() {}\n'
    )
    (tmp_path / "c.js").write_text("export const c = 1;\n")
    (tmp_path / "wall.css").write_text("body {}\n")
    return tmp_path


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


def ask(
    assets: Assets, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
) -> Answer:
    """Ask as the hub's application does, with the folder's own path before the file's."""
    raw = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    scope = {
        "type": "http",
        "method": method,
        "path": f"/static{path}",
        "root_path": "/static",
        "headers": raw,
    }
    sent: list[Any] = []

    async def run() -> None:
        async def receive() -> Any:  # noqa: ANN401 - ASGI
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:  # noqa: ANN401 - ASGI
            sent.append(message)

        await assets(scope, receive, send)

    asyncio.run(run())
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], told, b"".join(one.get("body", b"") for one in sent[1:]))


def test_a_page_names_the_version_of_its_files_and_one_script(folder: Path) -> None:
    assets = Assets(folder)
    at = f"/static/{assets.version}/"
    assert assets.page(PAGE).body.decode() == (
        f'<meta name="page" content="{assets.version}">\n'
        f'<link rel="stylesheet" href="{at}wall.css">\n'
        '<link rel="icon" href="/static/icon.svg">\n'
        f'<script type="module" src="{at}whole-a.js"></script>'
    )


def test_the_script_of_a_page_is_kept_forever(folder: Path) -> None:
    assets = Assets(folder)
    assert ask(assets, f"/{assets.version}/whole-a.js").status == 404
    assets.page(PAGE)
    script = ask(assets, f"/{assets.version}/whole-a.js")
    assert "export" not in script.body.decode()
    assert "function b() {}" in script.body.decode()
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"


def test_the_version_changes_with_any_file(folder: Path) -> None:
    before = Assets(folder).version
    assert Assets(folder).version == before
    (folder / "c.js").write_text("other\n")
    assert Assets(folder).version != before


def test_a_file_is_kept_forever_by_its_version_and_asked_for_again_without(folder: Path) -> None:
    assets = Assets(folder)
    pinned = ask(assets, f"/{assets.version}/a.js")
    plain = ask(assets, "/a.js")
    assert pinned.body == plain.body == (folder / "a.js").read_bytes()
    assert "immutable" in pinned.headers["cache-control"]
    assert plain.headers["cache-control"] == "no-cache"
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    kept = ask(assets, "/a.js", headers={"If-None-Match": plain.headers["etag"]})
    assert (kept.status, kept.body) == (304, b"")


def test_who_cannot_read_gzip_gets_the_file_as_it_is(folder: Path) -> None:
    plain = ask(Assets(folder), "/wall.css", headers={"Accept-Encoding": "identity"})
    packed = ask(Assets(folder), "/wall.css", headers={"Accept-Encoding": "br, gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body == b"body {}\n"
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing.js", "/000000000000/a.js", "/../a.js", "/x/../a.js", "//a.js"]
)
def test_what_is_not_there_is_not_found(folder: Path, path: str) -> None:
    assert ask(Assets(folder), path).status == 404


def test_nothing_can_be_put_there(folder: Path) -> None:
    assert ask(Assets(folder), "/a.js", "POST").status == 405
