"""The files of the hub's pages, read once: compressed, and under an address of their own version.

What is under that address never changes, so a browser that has it asks for nothing again.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from camfleet_hub.web.bundle import bundle

_FOLDER: Final = Path(__file__).parent / "static"
_SCRIPT: Final = re.compile(r'<script type="module" src="/static/([\w-]+\.js)"></script>')
_ADDRESS: Final = re.compile(r'(?<=")/static/(?=[\w-]+\.(?:js|css)")')
_WHOLE: Final = "whole-"  # before the name of a module with all that it imports
_DIGITS: Final = 12
_FOREVER: Final = "private, max-age=31536000, immutable"  # RFC 8246
_VERSION: Final = '<meta name="page" content="'


class Asset:
    """One file or page, as it is and compressed.

    Args:
        body: its bytes.
        media_type: what they are.
    """

    def __init__(self, body: bytes, media_type: str) -> None:
        self.body = body
        self._media_type = media_type
        self._compressed = gzip.compress(body, mtime=0)
        self._tag = f'"{_digest(body)}"'

    def answer(self, headers: Headers, cache_control: str) -> Response:
        """Answer a GET or HEAD with these headers (RFC 9110, 13.1.2 for what it has already)."""
        told = {"Cache-Control": cache_control, "ETag": self._tag, "Vary": "Accept-Encoding"}
        if headers.get("if-none-match") == self._tag:
            return Response(status_code=304, headers=told)
        if "gzip" not in headers.get("accept-encoding", ""):
            return Response(self.body, media_type=self._media_type, headers=told)
        told["Content-Encoding"] = "gzip"
        return Response(self._compressed, media_type=self._media_type, headers=told)


class Assets:
    """All files of a folder; an application that serves them and nothing else.

    Args:
        folder: it has no folders in it.
    """

    def __init__(self, folder: Path) -> None:
        bodies = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        self._files = {name: Asset(body, _media_type(name)) for name, body in bodies.items()}
        self._scripts: dict[str, Asset] = {}
        self.version = _digest(b"".join(bodies.values()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one file, by its name or by its version and its name."""
        path = scope["path"].removeprefix(scope.get("root_path", "")).removeprefix("/")
        name = path.removeprefix(f"{self.version}/")
        asset = self._files.get(name) or self._scripts.get(name)
        answer: Response
        if scope["method"] not in {"GET", "HEAD"}:
            answer = PlainTextResponse("want GET or HEAD", 405, headers={"Allow": "GET, HEAD"})
        elif asset is None:
            answer = PlainTextResponse(f"there is no file {path[:100]!r}", 404)
        else:
            answer = asset.answer(Headers(scope=scope), "no-cache" if name == path else _FOREVER)
        await answer(scope, receive, send)

    def text(self, name: str) -> str:
        """A page as it stands in its file."""
        return self._files[name].body.decode()

    def page(self, text: str) -> Asset:
        """Make a page of a text: every file by its version, and its modules as one script."""
        text = _SCRIPT.sub(lambda found: found[0].replace(found[1], self._script(found[1])), text)
        text = _ADDRESS.sub(f"/static/{self.version}/", text)
        return Asset(text.replace(_VERSION, _VERSION + self.version).encode(), "text/html")

    def _script(self, name: str) -> str:
        """Serve a module with all that it imports; return the name that it has then."""
        whole = _WHOLE + name
        if whole not in self._scripts:
            text = bundle(name, self.text)
            self._scripts[whole] = Asset(text.encode(), _media_type(whole))
        return whole


@cache
def load_assets() -> Assets:
    """The hub's own."""
    return Assets(_FOLDER)


def _digest(body: bytes) -> str:
    return sha256(body).hexdigest()[:_DIGITS]


def _media_type(name: str) -> str:
    if name.endswith(".js"):
        return "text/javascript"  # RFC 9239; a machine's own table may know another
    return mimetypes.guess_type(name)[0] or "application/octet-stream"
