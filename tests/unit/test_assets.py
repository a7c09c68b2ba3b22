"""The files of the hub's pages: which there are, how they are answered, what a page asks for."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from camfleet_hub.web.assets import Assets, load_assets

PAGE = """<meta name="page" content="">
<link rel="stylesheet" href="/static/wall.css">
<link rel="icon" href="/static/icon.svg">
<script type="module" src="/static/a.js"></script>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\nb();\n')
    (tmp_path / "b.js").write_text('import { c } from "./c.js";\n/** import("./d.js").D */\n')
    (tmp_path / "c.js").write_text('import { b } from "./b.js";\n')
    (tmp_path / "wall.css").write_text("body {}\n")
    return tmp_path


def client(assets: Assets) -> TestClient:
    return TestClient(Starlette(routes=[Mount("/static", assets)]))


def test_a_page_names_the_version_of_its_files_and_every_module_that_is_imported(
    folder: Path,
) -> None:
    assets = Assets(folder)
    at = f"/static/{assets.version}/"
    assert assets.page(PAGE).body.decode() == (
        f'<meta name="page" content="{assets.version}">\n'
        f'<link rel="stylesheet" href="{at}wall.css">\n'
        '<link rel="icon" href="/static/icon.svg">\n'
        f'<link rel="modulepreload" href="{at}b.js">\n'
        f'    <link rel="modulepreload" href="{at}c.js">\n'
        f'    <script type="module" src="{at}a.js"></script>'
    )


def test_the_version_changes_with_any_file(folder: Path) -> None:
    before = Assets(folder).version
    assert Assets(folder).version == before
    (folder / "c.js").write_text("other\n")
    assert Assets(folder).version != before


def test_a_file_is_kept_forever_by_its_version_and_asked_for_again_without(folder: Path) -> None:
    assets = Assets(folder)
    pinned = client(assets).get(f"/static/{assets.version}/a.js")
    plain = client(assets).get("/static/a.js")
    assert pinned.content == plain.content == (folder / "a.js").read_bytes()
    assert "immutable" in pinned.headers["cache-control"]
    assert plain.headers["cache-control"] == "no-cache"
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    kept = client(assets).get("/static/a.js", headers={"If-None-Match": plain.headers["etag"]})
    assert (kept.status_code, kept.content) == (304, b"")


def test_who_cannot_read_gzip_gets_the_file_as_it_is(folder: Path) -> None:
    asked = client(Assets(folder))
    plain = asked.get("/static/wall.css", headers={"Accept-Encoding": "identity"})
    with asked.stream("GET", "/static/wall.css", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed) == plain.content == b"body {}\n"
    assert plain.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path", ["", "/", "/nothing.js", "/000000000000/a.js", "/../a.js", "/%2e%2e/a.js", "//a.js"]
)
def test_what_is_not_there_is_not_found(folder: Path, path: str) -> None:
    assert client(Assets(folder)).get(f"/static{path}").status_code == 404


def test_nothing_can_be_put_there(folder: Path) -> None:
    assert client(Assets(folder)).post("/static/a.js").status_code == 405


def test_every_module_of_the_wall_is_one_that_is_there() -> None:
    modules = load_assets().modules("wall.js")
    assert len(modules) > 20
    assert all(load_assets().text(name) for name in modules)
