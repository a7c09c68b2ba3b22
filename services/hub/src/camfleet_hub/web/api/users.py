"""The API's routes for who may log in, and see what: as the commands for users do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from fastapi import FastAPI, HTTPException, Response
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field

from camfleet.pattern import EVERYTHING
from camfleet_hub.passwords import MAX_PASSWORD_BYTES, check_password, make_password
from camfleet_hub.permission import Role
from camfleet_hub.users import (
    MAX_NAME,
    User,
    check_user_name,
    list_users,
    remove_user,
    set_user,
)
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
from camfleet_hub.web.asking import Administrator
from camfleet_hub.web.headers import NO_STORE

RoleName = Literal["viewer", "administrator"]
_UserName = Annotated[str, PathParameter(max_length=MAX_NAME, examples=["guest"])]


class UserView(BaseModel):
    """Somebody who may log in."""

    name: str = Field(examples=["guest"])
    role: RoleName
    cameras: list[str] = Field(
        description="Patterns of what it may see.", examples=[["garden/*", "*/pond"]]
    )


class UserPage(BaseModel):
    """Some users, by name."""

    users: list[UserView]
    after: str | None = Field(description="Ask with this for the next ones; null at the end.")


class NewUser(Asked):
    """Who is to log in."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_NAME,
            description="Unique; printable, without slashes and colons.",
            examples=["guest"],
        ),
        checked(check_user_name),
    ]
    role: RoleName = "viewer"
    cameras: Cameras = Field(default_factory=lambda: [EVERYTHING])
    password: (
        Annotated[str, Field(max_length=MAX_PASSWORD_BYTES), checked(check_password)] | None
    ) = Field(None, description="By default one is made, and told in the answer.", examples=[None])
    replace: bool = Field(
        default=False, description="Change one who is there, who has to log in again."
    )


class AddedUser(UserView):
    """A user, with the password where it was made here."""

    password: str | None = Field(
        description="Shown this once; null where it was given, or stays what it was.",
        examples=["wk4h-8s2m-pq7r-nc3d-xt9v"],
    )


def add_users(app: FastAPI, state: Path | None) -> None:
    """Add the routes."""
    # None of these is a coroutine: they wait for files and for argon2, beside the event loop.

    @app.get("/api/users", tags=["users"], responses=problems(403, 409))
    def list_users_(_: Administrator, limit: Limit = USUAL, after: After = None) -> UserPage:
        """Who may log in, by name."""
        found = rows(folder_of(state), list_users)
        shown, end = page_of(found, lambda user: user.name, limit, after)
        return UserPage(users=list(map(_view, shown)), after=end)

    @app.post(
        "/api/users",
        tags=["users"],
        status_code=201,
        dependencies=[JsonOnly],
        responses=problems(403, 409),
    )
    def add_user(_: Administrator, asked: NewUser, response: Response) -> AddedUser:
        """Let somebody log in, or change who may; a session of one who is changed ends."""
        folder = folder_of(state)
        is_there = asked.name in {user.name for user in rows(folder, list_users)}
        if is_there and not asked.replace:
            raise HTTPException(
                409, f"there is a user {asked.name!r} already, want another name, or `replace`"
            )
        given = asked.model_fields_set
        made = None if is_there or asked.password is not None else make_password()
        with refusing(409):
            user = set_user(
                folder,
                asked.name,
                role=Role(asked.role) if "role" in given else None,
                cameras=asked.cameras if "cameras" in given else None,
                password=made or asked.password,
            )
        response.headers.update(NO_STORE)
        return AddedUser(**_view(user).model_dump(), password=made)

    @app.delete("/api/users/{name}", tags=["users"], status_code=204, responses=problems(404, 409))
    def remove_user_(_: Administrator, name: _UserName) -> None:
        """Let a user in no more; a session ends within a second."""
        folder = folder_of(state)
        found = rows(folder, list_users)
        want_row(found, "user", name)
        with refusing(409):
            remove_user(folder, name)


def _view(user: User) -> UserView:
    return UserView(name=user.name, role=user.identity.role.value, cameras=list(user.cameras))
