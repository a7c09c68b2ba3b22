"""Pages that are filled in here; each word is escaped, wherever it comes from."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from string import Template

from starlette.responses import Response

from camfleet_hub.web.headers import no_store


class FilledPage:
    """One of the pages under `static`, with `$names` in it.

    Args:
        file: its name there.
    """

    def __init__(self, file: str) -> None:
        self._template = Template((Path(__file__).parent / "static" / file).read_text("utf-8"))

    def answer(
        self, status: int, headers: Mapping[str, str] | None, words: Mapping[str, object]
    ) -> Response:
        """Answer with the page, where these words stand for its names."""
        text = self._template.substitute({k: html.escape(str(word)) for k, word in words.items()})
        return Response(text.encode(errors="replace"), status, no_store(headers), "text/html")
