"""Reads forms of pages that work without JavaScript; `TimelyBody` bounds how long they take."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FORM_BYTES: Final = 4096
_MOST_FIELDS: Final = 8


async def read_form(request: Request) -> dict[str, str]:
    """Read a form; the last one of fields with the same name.

    Raises:
        HTTPException: when it is none, or too large.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise HTTPException(415, f"Content-Type is {kind[:100]!r}, want {_FORM}")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_FORM_BYTES:
                raise HTTPException(413, f"form is larger than {_MOST_FORM_BYTES} bytes")
    except ClientDisconnect as error:  # nobody is left to read it
        raise HTTPException(400, "form is not whole") from error
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "form cannot be read, want name=value pairs in UTF-8") from error
    return {name: values[-1] for name, values in fields.items()}
