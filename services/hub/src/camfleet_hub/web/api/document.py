"""/openapi.json: what FastAPI finds out by itself, and what all routes have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from camfleet_hub.web.problems import PROBLEM, Problem

Document = dict[str, Any]

DESCRIPTION: Final = """\
Every camera of a fleet, over HTTP. What you may not see is not there: it is answered with 404.

Every error is a problem of RFC 9457 that says what was found and what was wanted. Lists come in
pages: ask again with what stands in `after` (or `before`) until it is null.
"""
TAGS: Final = {
    "fleet": "Nodes and cameras, with their state and their counters.",
    "pictures": "What the cameras see.",
    "detections": "What detectors found in the pictures.",
    "session": "Who you are to this hub.",
    "keys": "Who may send frames or read them over ZeroMQ. For administrators.",
    "users": "Who may log in. For administrators.",
    "tokens": "With what programs come in over HTTP. For administrators.",
    "operation": "Whether the hub works, and its numbers.",
}
OPEN: Final = "/healthz"  # needs no log-in
_UNSAID: Final = "Successful Response"  # FastAPI's
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch"})
_SECURITY: Final = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token, in `Authorization: Bearer`.",
    },
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": "Name and password (RFC 7617).",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "camfleet_session",
        "description": "A browser's, which it gets at /login.",
    },
}
_TEXTS: Final = {
    "400": "What came is no HTTP, or its body is not whole.",
    "401": "A log-in is wanted.",
    "403": "It is not for you, or a page from elsewhere asks.",
    "404": "There is none, or you may not see it.",
    "408": "The body did not come in time.",
    "409": "It stands against what is there already.",
    "413": "The body is too large.",
    "415": "The body is of another type than `application/json`.",
    "421": "The hub has another name than the `Host` that was asked.",
    "422": "A parameter, or a field of the body, is not as wanted; `errors` tells each.",
    "429": "Too many passwords or tokens were tried.",
    "500": "A fault of the hub; its log has more.",
    "503": "As many are served as there is room for.",
}
_ALWAYS: Final = ("421", "500", "503")
_CLOSED: Final = ("401", "429")
_CHANGING: Final = ("400", "403", "408", "413", "415")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Say of a route that it may answer with these problems."""
    return {status: _answer(str(status)) for status in statuses}


def add_document(app: FastAPI, *, has_login: bool) -> None:
    """Have an application describe itself whole."""

    def openapi() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = complete(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=DESCRIPTION,
                    routes=app.routes,
                    tags=[{"name": name, "description": text} for name, text in TAGS.items()],
                ),
                has_login=has_login,
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's way to extend it


def complete(document: Document, *, has_login: bool) -> Document:
    """Add what every route has in common: problems, and how to come in."""
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for left_over in ("HTTPValidationError", "ValidationError"):
        schemas.pop(left_over, None)
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= schema.pop("$defs", {})
    schemas["Problem"] = schema
    if has_login:
        components["securitySchemes"] = _SECURITY
        document["security"] = [{name: []} for name in _SECURITY]
    for path, method, operation in operations(document):
        is_closed = has_login and path != OPEN
        if has_login and not is_closed:
            operation["security"] = []
        statuses = _ALWAYS + _CLOSED * is_closed + _CHANGING * (method != "get")
        operation["responses"] = _responses(operation["responses"], statuses)
    return document


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Yield each operation with its path and method."""
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield path, method, operation


def _responses(found: Document, statuses: Iterable[str]) -> Document:
    for answer in found.values():
        if answer["description"] == _UNSAID:
            answer["description"] = "What was asked for." if "content" in answer else "It is done."
    if "422" in found:
        found["422"] = _answer("422")
    for status in statuses:
        found.setdefault(status, _answer(status))
    return dict(sorted(found.items()))


def _answer(status: str) -> dict[str, Any]:
    return {
        "description": _TEXTS[status],
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
