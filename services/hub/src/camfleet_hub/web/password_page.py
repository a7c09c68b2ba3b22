"""The page on which who is logged in changes the own password; it works without JavaScript."""

from __future__ import annotations

from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from camfleet.errors import LocalProtocolError
from camfleet_hub.passwords import MIN_PASSWORD, check_password
from camfleet_hub.web.access import LOGIN, address_of, retry_after
from camfleet_hub.web.cookie import cookie_of, set_cookie
from camfleet_hub.web.filled_page import FilledPage
from camfleet_hub.web.form import read_form
from camfleet_hub.web.headers import NO_STORE
from camfleet_hub.web.limiter import TooManyTriesError
from camfleet_hub.web.login import Login
from camfleet_hub.web.rejected import count_as
from camfleet_hub.web.sessions import Session

PASSWORD: Final = "/password"  # noqa: S105 - a path
_PAGE: Final = FilledPage("password.html")
_log = structlog.get_logger()


def add_password(app: FastAPI, login: Login) -> None:
    """Add the routes."""

    @app.head(PASSWORD, include_in_schema=False)
    @app.get(PASSWORD, include_in_schema=False)
    async def page(request: Request) -> Response:
        session = login.browser(cookie_of(request))
        return _page(session) if session else _log_in_first()

    @app.post(PASSWORD, include_in_schema=False)
    async def change(request: Request) -> Response:
        session = login.browser(cookie_of(request))  # a program has no business here
        if session is None:
            return _log_in_first()
        form = await read_form(request)
        new = form.get("new", "")
        if problem := _problem(new, form.get("again", "")):
            return _page(session, problem, 422)
        try:
            cookie = await login.change_password(
                session, form.get("password", ""), new, address_of(request)
            )
        except TooManyTriesError as error:
            problem = f"Too many tries. The next one is possible in {error.whole_s} s."
            return _page(session, problem, 429, retry_after(error))
        except LocalProtocolError as error:
            _log.error("password cannot be changed", user=session.identity.name, problem=str(error))
            return _page(session, "It cannot be kept now; the hub's log says why.", 503)
        if cookie is None:
            count_as(401, request.scope)
            return _page(session, "The current password is wrong.", 403)
        answer = RedirectResponse("/", 303, headers=NO_STORE)
        set_cookie(answer, request, cookie)
        return answer


def _problem(new: str, again: str) -> str:
    """What is wrong with a new password, for people; empty where nothing is."""
    if new != again:
        return "The two new passwords differ."
    try:
        check_password(new)
    except LocalProtocolError as error:
        return f"The new {error}."
    return ""


def _page(
    session: Session, problem: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    words = {"user": session.identity.name, "problem": problem, "least": MIN_PASSWORD}
    return _PAGE.answer(status, headers, words)


def _log_in_first() -> Response:
    return RedirectResponse(f"{LOGIN}?next={PASSWORD}", 303, headers=NO_STORE)
