"""Errors of the hub's HTTP as problem details (RFC 9457), or as a page where a person asks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camfleet_hub.permission import PATTERN
from camfleet_hub.web.filled_page import FilledPage
from camfleet_hub.web.headers import no_store

PROBLEM: Final = "application/problem+json"
_PAGE: Final = FilledPage("problem.html")
_FIRST_ERROR: Final = 400
_MOST_TEXT: Final = 4096  # bytes of an error's text that are passed on
_MOST_ERRORS: Final = 16
_MOST_FOUND: Final = 60  # characters of what was found that are told
_SECRET: Final = frozenset({"password"})  # fields whose content no answer repeats
_REPLACED: Final = frozenset({"content-type", "content-length"})
_UNCHANGED: Final = "nothing of the hub has changed; its log says more"
_PREFIXES: Final = ("Input should be ", "String should have ", "List should have ", "Value error, ")


class Wrong(BaseModel):
    """One thing in a request that is not as wanted."""

    place: str = Field(description="`query`, `path`, `header` or `body`.", examples=["query"])
    name: str = Field(
        description="Of the parameter, or a JSON pointer (RFC 6901) into the body.",
        examples=["limit"],
    )
    detail: str = Field(examples=["limit is '0', want greater than or equal to 1"])


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": "Not Found",
                "status": 404,
                "detail": "there is no camera 'pond' on a node 'garden'",
            }
        }
    )

    type: str = Field("about:blank", description="Says that `title` is all there is to it.")
    title: str = Field(description="The status in words.")
    status: int = Field(ge=400, le=599)
    detail: str = Field(description="What was found and what was wanted.")
    errors: list[Wrong] | None = Field(
        None, description="Each thing that is wrong, where the request could be read at all."
    )


def problem_body(status: int, detail: str, errors: Sequence[Wrong] = ()) -> bytes:
    """A problem as it goes out."""
    problem = Problem(
        type="about:blank",
        title=_title(status),
        status=status,
        detail=detail,
        errors=list(errors) or None,
    )
    return json.dumps(problem.model_dump(exclude_none=True)).encode()


def refuse(
    connection: HTTPConnection,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Wrong] = (),
) -> Response:
    """Answer with a problem; a browser that opens a page gets one."""
    if "text/html" in connection.headers.get("accept", ""):
        words = {"title": _title(status), "detail": detail, "status": status}
        return _PAGE.answer(status, headers, words)
    told = no_store(headers)
    return Response(problem_body(status, detail, errors), status, told, PROBLEM)


def add_problems(app: FastAPI) -> None:
    """Have every error of an application answered with a problem."""

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        detail = error.detail
        if detail == _title(error.status_code):
            detail = _sentence(request, error)
        return refuse(request, error.status_code, str(detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        errors = [_wrong(found) for found in error.errors()[:_MOST_ERRORS]]
        return refuse(request, 422, "; ".join(one.detail for one in errors), errors=errors)

    @app.exception_handler(Exception)
    async def broken(request: Request, _error: Exception) -> Response:
        return refuse(request, 500, f"the hub could not answer; {_UNCHANGED}")


class Problems:
    """Wraps an application; an error that it answers in plain text goes out as a problem."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun: Message | None = None  # an error's headers, which wait for its text
        text = bytearray()

        async def send_problem(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start" and _is_plain_error(message):
                begun = message
                return
            if begun is None:
                await send(message)
                return
            text.extend(message.get("body", b"")[: _MOST_TEXT - len(text)])
            if message.get("more_body", False):
                return
            held, begun = begun, None
            headers = _kept(held)
            detail = text.decode(errors="replace") or _title(held["status"])
            answer = refuse(HTTPConnection(scope), held["status"], detail, headers)
            await answer(scope, receive, send)

        await self._app(scope, receive, send_problem)


def _is_plain_error(start: Message) -> bool:
    kind = Headers(raw=start.get("headers", [])).get("content-type", "text/plain")
    return start["status"] >= _FIRST_ERROR and kind.startswith("text/plain")


def _kept(start: Message) -> dict[str, str]:
    headers = Headers(raw=start.get("headers", []))
    return {name: value for name, value in headers.items() if name not in _REPLACED}


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _sentence(request: Request, error: HTTPException) -> str:
    """Say what the framework says in two words only."""
    match error.status_code:
        case 404:
            return f"there is nothing at {_found(request.url.path)}"
        case 405:
            wanted = (error.headers or {}).get("Allow", "another")
            return f"method is {request.method}, want {wanted}"
        case _:
            return str(error.detail)


def _wrong(error: Mapping[str, Any]) -> Wrong:
    """Say what was found and what was wanted, in one sentence."""
    place, *path = error["loc"]
    name = _pointer(path) if place == "body" else str(path[0] if path else place)
    what = _what(path) if place == "body" else name
    return Wrong(place=str(place), name=name, detail=_detail(what, error))


def _what(path: list[object]) -> str:
    """A field of the body, or an item of one, as people name it."""
    match path:
        case []:
            return "the body"
        case [*_, field, int(at)]:
            return f"{field}[{at}]"
        case _:
            return str(path[-1])


def _detail(what: str, error: Mapping[str, Any]) -> str:
    kind, wanted = error["type"], _wanted(error["msg"])
    if kind == "missing":
        return f"{what} is missing"
    if kind == "wanted":  # by a check of ours, which says all
        return str(error["msg"])
    if kind == "extra_forbidden":
        return f"{what} is not known here"
    if kind == "json_invalid":
        return f"the body is no JSON: {error.get('ctx', {}).get('error', 'it cannot be read')}"
    if error.get("ctx", {}).get("pattern") == PATTERN:
        wanted = "NODE/CAMERA, for example garden/*"
    found = "not as it should be" if what in _SECRET else _found(error.get("input"))
    return f"{what} is {found}, want {wanted}"


def _wanted(message: str) -> str:
    for prefix in _PREFIXES:
        message = message.removeprefix(prefix)
    return message


def _found(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= _MOST_FOUND else f"{text[:_MOST_FOUND]}…"


def _pointer(path: Iterable[object]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)
