"""The page at /api: the document as a person reads it, with a line for curl to try each route."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from camfleet_hub.web.api.document import OPEN, Document, operations
from camfleet_hub.web.headers import NO_STORE

_PAGE: Final = Template((Path(__file__).parents[1] / "static" / "api.html").read_text("utf-8"))
_SCHEMA: Final = "#/components/schemas/"
_FIRST_ERROR: Final = "400"
_MOST_DEPTH: Final = 6  # of an example; ours have three
_EXAMPLES: Final = {"node": "garden", "camera": "pond", "name": "garden", "number": "1"}
_BY_TYPE: Final[dict[str, Any]] = {
    "string": "text",
    "integer": 1,
    "number": 1.5,
    "boolean": False,
    "null": None,
}


def add_page(app: FastAPI) -> None:
    """Add the route."""

    @app.get("/api", include_in_schema=False)
    async def page(request: Request) -> HTMLResponse:
        base = str(request.base_url).rstrip("/")
        return HTMLResponse(render(app.openapi(), base), headers=NO_STORE)


def render(document: Document, base: str) -> str:
    """Write the page for a hub that is asked under this address."""
    groups: dict[str, list[str]] = {tag["name"]: [] for tag in document["tags"]}
    for path, method, operation in operations(document):
        groups[operation["tags"][0]].append(_operation(document, base, path, method, operation))
    texts = {tag["name"]: tag["description"] for tag in document["tags"]}
    return _PAGE.substitute(
        title=_text(document["info"]["title"]),
        version=_text(document["info"]["version"]),
        about="".join(f"<p>{_marked(part)}</p>" for part in _paragraphs(document)),
        contents="".join(
            f'<li><a href="#{name}">{name}</a></li>' for name, found in groups.items() if found
        ),
        groups="".join(
            f'<section id="{name}" aria-labelledby="of-{name}"><h2 id="of-{name}">{name}</h2>'
            f"<p>{_marked(texts[name])}</p>{''.join(found)}</section>"
            for name, found in groups.items()
            if found
        ),
    )


def curl(document: Document, base: str, path: str, method: str, operation: Document) -> str:
    """The line that asks a route, as a shell takes it."""
    words = ["curl"]
    if document.get("security") and path != OPEN:
        words.append('-H "Authorization: Bearer $TOKEN"')
    if method != "get":
        words.append(f"-X {method.upper()}")
    url = base + path
    query = {}
    for parameter in operation.get("parameters", []):
        name, given = parameter["name"], _example_of(document, parameter)
        if parameter["in"] == "path":
            url = url.replace(f"{{{name}}}", quote(str(_EXAMPLES.get(name, given))))
        elif "example" in parameter or parameter["schema"].get("examples"):
            query[name] = given
    body = _body(operation)
    if body is not None:
        text = json.dumps(_least(document, body))
        words.append(f"-H 'Content-Type: application/json' -d '{text}'")
    url += f"?{urlencode(query)}" if query else ""
    quoted = f"'{url}'" if set("?&") & set(url) else url
    return " ".join([*words, quoted])


def example(document: Document, schema: Document, depth: int = 0) -> Any:  # noqa: ANN401 - JSON
    """Something that obeys a schema, for people to look at."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_SCHEMA)
        schema = document["components"]["schemas"][name]
    given = [*schema.get("examples", []), *schema.get("enum", [])]
    given += [schema[one] for one in ("example", "const", "default") if one in schema]
    if given:
        return given[0]
    if "anyOf" in schema:
        return example(document, schema["anyOf"][0], depth)
    kind = schema.get("type")
    if kind == "array":
        item = schema.get("items", {})
        return [example(document, item, depth + 1)] if depth < _MOST_DEPTH else []
    if kind == "object" or "properties" in schema:
        fields = schema.get("properties", {})
        return {name: example(document, one, depth + 1) for name, one in fields.items()}
    return _BY_TYPE.get(str(kind))


def _least(document: Document, body: Document) -> Document:
    """An example of a body with what is required alone."""
    schema = document["components"]["schemas"][body["$ref"].removeprefix(_SCHEMA)]
    fields = schema["properties"]
    return {name: example(document, fields[name]) for name in schema["required"]}


def _operation(document: Document, base: str, path: str, method: str, operation: Document) -> str:
    name = operation["operationId"]
    parts = [
        f'<article id="{name}">',
        f'<h3><span class="method">{method.upper()}</span> <code>{_text(path)}</code></h3>',
        f"<p>{_marked(operation.get('description') or operation['summary'])}</p>",
        _parameters(operation),
        _fields(document, operation),
        _code(curl(document, base, path, method, operation)),
        _answers(document, operation),
        "</article>",
    ]
    return "".join(parts)


def _parameters(operation: Document) -> str:
    rows = [
        (one["name"], one["in"], _kind(one["schema"]), one.get("description", ""))
        for one in operation.get("parameters", [])
    ]
    return _table("Parameters", ("name", "in", "type", "meaning"), rows)


def _fields(document: Document, operation: Document) -> str:
    body = _body(operation)
    if body is None:
        return ""
    schema = document["components"]["schemas"][body["$ref"].removeprefix(_SCHEMA)]
    required, needs = schema.get("required", []), ("optional", "required")
    rows = [
        (name, needs[name in required], _kind(one), one.get("description", ""))
        for name, one in schema["properties"].items()
    ]
    return _table("Body, as JSON", ("field", "need", "type", "meaning"), rows)


def _answers(document: Document, operation: Document) -> str:
    """The good answers with an example, the others in a line."""
    parts, errors = [], []
    for status, answer in operation["responses"].items():
        if status >= _FIRST_ERROR and "application/json" not in answer.get("content", {}):
            errors.append(f"<li><b>{status}</b> {_marked(answer['description'])}</li>")
            continue
        kinds = ", ".join(answer.get("content", {})) or "no body"
        parts.append(f"<p><b>{status}</b> {_text(kinds)}: {_marked(answer['description'])}</p>")
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema:
            text = json.dumps(example(document, schema), indent=2, ensure_ascii=False)
            parts.append(f"<details><summary>Example</summary>{_code(text)}</details>")
    parts.append(f"<details><summary>Errors</summary><ul>{''.join(errors)}</ul></details>")
    return "".join(parts)


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    cells = "".join(f'<th scope="col">{_text(one)}</th>' for one in head)
    lines = "".join(
        "<tr>"
        f"<th scope='row'><code>{_text(name)}</code></th>"
        f"{''.join(f'<td>{_marked(cell)}</td>' for cell in rest)}</tr>"
        for name, *rest in rows
    )
    return f"<table><caption>{title}</caption><tr>{cells}</tr>{lines}</table>"


def _kind(schema: Document) -> str:
    """A schema in a few words."""
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "$ref" in schema:
        return str(schema["$ref"].removeprefix(_SCHEMA))
    if "enum" in schema:
        return " or ".join(f"`{one}`" for one in schema["enum"])
    words = f"{schema.get('type', 'anything')}"
    if schema.get("type") == "array":
        words = f"list of {_kind(schema.get('items', {}))}"
    least, most = schema.get("minimum"), schema.get("maximum")
    words += f", {least} to {most}" if least is not None and most is not None else ""
    default = schema.get("default")
    return words + (f", by default {json.dumps(default)}" if default is not None else "")


def _body(operation: Document) -> Document | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    found: Document | None = content["schema"] if content else None
    return found


def _example_of(document: Document, parameter: Document) -> object:
    return parameter.get("example", example(document, parameter["schema"]))


def _paragraphs(document: Document) -> list[str]:
    text: str = document["info"]["description"]
    return text.strip().split("\n\n")


def _marked(text: str) -> str:
    """Text with `code` in it, safe in a page."""
    pieces = _text(text).split("`")
    return "".join(f"<code>{one}</code>" if at % 2 else one for at, one in enumerate(pieces))


def _code(text: str) -> str:
    """A block that scrolls by keyboard too."""
    return f'<pre tabindex="0">{_text(text)}</pre>'


def _text(text: str) -> str:
    return html.escape(text)
