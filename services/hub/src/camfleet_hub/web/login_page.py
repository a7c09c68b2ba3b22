"""The page for the log-in, and the way out: a form that works without JavaScript."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from camfleet_hub.users import ADMIN
from camfleet_hub.web.access import LOGIN, LOGOUT, address_of, local_target, retry_after
from camfleet_hub.web.cookie import cookie_of, delete_cookie, set_cookie
from camfleet_hub.web.filled_page import FilledPage
from camfleet_hub.web.form import read_form
from camfleet_hub.web.headers import NO_STORE
from camfleet_hub.web.limiter import TooManyTriesError
from camfleet_hub.web.login import Login
from camfleet_hub.web.rejected import count_as

_PAGE: Final = FilledPage("login.html")
_WRONG: Final = "Name or password is wrong."


def add_login(app: FastAPI, login: Login) -> None:
    """Add the routes."""

    @app.head(LOGIN, include_in_schema=False)
    @app.get(LOGIN, include_in_schema=False)
    async def page(request: Request) -> Response:
        target = local_target(request.query_params.get("next", "/"))
        if login.browser(cookie_of(request)):
            return _go(target)
        return _page(target)

    @app.post(LOGIN, include_in_schema=False)
    async def log_in(request: Request) -> Response:
        form = await read_form(request)
        target = local_target(form.get("next", "/"))
        user = form.get("user", "")
        try:
            cookie = await login.log_in(user, form.get("password", ""), address_of(request))
        except TooManyTriesError as error:
            problem = f"Too many tries. The next one is possible in {error.whole_s} s."
            return _page(target, user, problem, 429, retry_after(error))
        if cookie is None:
            count_as(401, request.scope)
            return _page(target, user, _WRONG, 403)
        await login.log_out(cookie_of(request))  # the one before, whoever it was
        answer = _go(target)
        set_cookie(answer, request, cookie)
        return answer

    @app.post(LOGOUT, include_in_schema=False)
    async def log_out(request: Request) -> Response:
        await login.log_out(cookie_of(request))
        answer = _go(LOGIN)
        delete_cookie(answer, request)
        return answer


def _page(
    target: str,
    user: str = ADMIN,
    problem: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return _PAGE.answer(status, headers, {"next": target, "user": user, "problem": problem})


def _go(target: str) -> Response:
    return RedirectResponse(target, 303, headers=NO_STORE)
