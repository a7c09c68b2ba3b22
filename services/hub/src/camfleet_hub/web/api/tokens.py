"""The API's routes for tokens, with which programs come in: as the commands for them do."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Response
from fastapi import Path as PathParameter
from pydantic import AwareDatetime, BaseModel, Field

from camfleet.names import MAX_NAME_BYTES, check_name
from camfleet.pattern import EVERYTHING
from camfleet_hub.permission import Role
from camfleet_hub.tokens import Token, add_token, list_tokens, remove_token
from camfleet_hub.web.api.changes import (
    Asked,
    Cameras,
    JsonOnly,
    checked,
    folder_of,
    refusing,
    rows,
    want_row,
)
from camfleet_hub.web.api.document import problems
from camfleet_hub.web.api.paging import USUAL, After, Limit, page_of
from camfleet_hub.web.api.users import RoleName
from camfleet_hub.web.asking import Administrator
from camfleet_hub.web.headers import NO_STORE

_TokenName = Annotated[str, PathParameter(max_length=MAX_NAME_BYTES, examples=["doorbell"])]


class TokenView(BaseModel):
    """A program's right to come in; the token itself is kept nowhere."""

    name: str = Field(examples=["doorbell"])
    role: RoleName
    cameras: list[str] = Field(
        description="Patterns of what it may see.", examples=[["garden/*", "*/pond"]]
    )
    created_at: datetime
    expires_at: datetime | None = Field(description="Null where it holds until it is revoked.")
    is_expired: bool


class TokenPage(BaseModel):
    """Some tokens, by name."""

    tokens: list[TokenView]
    after: str | None = Field(description="Ask with this for the next ones; null at the end.")


class NewToken(Asked):
    """What a program is to come in with."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_NAME_BYTES,
            description="Unique; by it people know the token.",
            examples=["doorbell"],
        ),
        checked(check_name),
    ]
    role: RoleName = "viewer"
    cameras: Cameras = Field(default_factory=lambda: [EVERYTHING])
    expires_at: Annotated[AwareDatetime, Field(strict=False)] | None = Field(
        None,
        description="RFC 3339 with its zone; by default it holds until it is revoked.",
        examples=["2099-12-31T23:59:59Z"],
    )


class AddedToken(BaseModel):
    """A new token, which is shown this once."""

    name: str = Field(examples=["doorbell"])
    token: str = Field(description="For `Authorization: Bearer`.", examples=["camfleet_k3Vd9…"])


def add_tokens(app: FastAPI, state: Path | None) -> None:
    """Add the routes."""
    # None of these is a coroutine: they wait for files, beside the event loop.

    @app.get("/api/tokens", tags=["tokens"], responses=problems(403, 409))
    def list_tokens_(_: Administrator, limit: Limit = USUAL, after: After = None) -> TokenPage:
        """With what programs come in, by name; the expired ones too."""
        found = rows(folder_of(state), list_tokens)
        shown, end = page_of(found, lambda token: token.name, limit, after)
        now = datetime.now(UTC)
        return TokenPage(tokens=[_view(token, now) for token in shown], after=end)

    @app.post(
        "/api/tokens",
        tags=["tokens"],
        status_code=201,
        dependencies=[JsonOnly],
        responses=problems(403, 409),
    )
    def add_token_(_: Administrator, asked: NewToken, response: Response) -> AddedToken:
        """Make a token, and let in who brings it."""
        folder = folder_of(state)
        rows(folder, list_tokens)  # or what is damaged would be told as a conflict
        with refusing(409):
            text = add_token(
                folder,
                asked.name,
                cameras=asked.cameras,
                role=Role(asked.role),
                expires_at=asked.expires_at,
            )
        response.headers.update(NO_STORE)
        return AddedToken(name=asked.name, token=text)

    @app.delete(
        "/api/tokens/{name}", tags=["tokens"], status_code=204, responses=problems(404, 409)
    )
    def revoke_token(_: Administrator, name: _TokenName) -> None:
        """Let a token in no more; what it holds open is cut off within a second."""
        folder = folder_of(state)
        found = rows(folder, list_tokens)
        want_row(found, "token", name)
        with refusing(409):
            remove_token(folder, name)


def _view(token: Token, now: datetime) -> TokenView:
    return TokenView(
        name=token.name,
        role=token.identity.role.value,
        cameras=list(token.cameras),
        created_at=token.created_at,
        expires_at=token.expires_at,
        is_expired=token.is_expired(now),
    )
