"""The page for the log-in, and the way out: a form that works without JavaScript."""

from __future__ import annotations

import asyncio
import html
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import parse_qs

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.requests import ClientDisconnect

from camfleet_hub.users import ADMIN
from camfleet_hub.web.access import (
    COOKIE,
    LOGIN,
    LOGOUT,
    address_of,
    local_target,
    retry_after,
)
from camfleet_hub.web.login import Login, TooManyTriesError
from camfleet_hub.web.sessions import ABSOLUTE_S

_PAGE: Final = Template((Path(__file__).parent / "static" / "login.html").read_text("utf-8"))
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FORM_BYTES: Final = 4096
_MOST_FIELDS: Final = 8
_FORM_S: Final = 10.0
_NO_STORE: Final = {"Cache-Control": "no-store"}
_WRONG: Final = "Name or password is wrong."


def add_login(app: FastAPI, login: Login) -> None:
    """Add the routes."""

    @app.head(LOGIN, include_in_schema=False)
    @app.get(LOGIN, include_in_schema=False)
    async def page(request: Request) -> Response:
        target = local_target(request.query_params.get("next", "/"))
        if login.browser(request.cookies.get(COOKIE)):
            return _go(target)
        return _page(target)

    @app.post(LOGIN, include_in_schema=False)
    async def log_in(request: Request) -> Response:
        form = await _read_form(request)
        target = local_target(form.get("next", "/"))
        user = form.get("user", "")
        try:
            token = await login.log_in(user, form.get("password", ""), address_of(request))
        except TooManyTriesError as error:
            headers = retry_after(error)
            seconds = headers["Retry-After"]
            problem = f"Too many tries. The next one is possible in {seconds} s."
            return _page(target, user, problem, 429, headers)
        if token is None:
            return _page(target, user, _WRONG, 403)
        answer = _go(target)
        # Lax and not strict, or who follows a link to the wall would find the log-in page. What a
        # request changes needs POST, and so a page of ours: `Access` looks at its Origin.
        answer.set_cookie(
            COOKIE,
            token,
            max_age=int(ABSOLUTE_S),
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="lax",
        )
        return answer

    @app.post(LOGOUT, include_in_schema=False)
    async def log_out(request: Request) -> Response:
        login.log_out(request.cookies.get(COOKIE, ""))
        answer = _go(LOGIN)
        answer.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return answer


def _page(
    target: str,
    user: str = ADMIN,
    problem: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    text = _PAGE.substitute(
        next=html.escape(target), user=html.escape(user), problem=html.escape(problem)
    )
    return HTMLResponse(text, status, _NO_STORE | (headers or {}))


def _go(target: str) -> Response:
    return RedirectResponse(target, 303, headers=_NO_STORE)


async def _read_form(request: Request) -> dict[str, str]:
    """Read a form, within bounds; the last one of fields with the same name."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise HTTPException(415, f"Content-Type is {kind[:100]!r}, want {_FORM}")
    body = bytearray()
    try:
        async with asyncio.timeout(_FORM_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MOST_FORM_BYTES:
                    raise HTTPException(413, f"form is larger than {_MOST_FORM_BYTES} bytes")
    except ClientDisconnect as error:  # nobody is left to read it
        raise HTTPException(400, "form is not whole") from error
    except TimeoutError as error:
        raise HTTPException(408, f"form did not come within {_FORM_S:.0f} s") from error
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise HTTPException(400, "form cannot be read, want name=value pairs in UTF-8") from error
    return {name: values[-1] for name, values in fields.items()}
