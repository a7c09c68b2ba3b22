"""What the API's routes that change something have in common: JSON only, and errors as problems."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict

from camfleet.errors import LocalProtocolError

NO_STORE: Final = {"Cache-Control": "no-store"}
_JSON: Final = "application/json"
_MOST_FOUND: Final = 100


class Asked(BaseModel):
    """A body that is taken at its word: what is not known is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


async def _want_json(request: Request) -> None:
    """A form of another page can send anything but this without being asked (Fetch, CORS)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise HTTPException(415, f"Content-Type is {kind[:_MOST_FOUND]!r}, want {_JSON}")


JsonOnly: Final = Depends(_want_json)


@contextmanager
def refusing(status: int) -> Iterator[None]:
    """Answer with this status where what is asked for cannot be."""
    try:
        yield
    except LocalProtocolError as error:
        raise HTTPException(status, str(error)) from error
