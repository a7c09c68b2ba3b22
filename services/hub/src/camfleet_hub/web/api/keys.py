"""The API's routes for who may send frames or read them: what `enrol` and `revoke` do."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal, Self
from urllib.parse import quote

from fastapi import FastAPI, HTTPException, Path, Response
from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from camfleet.errors import LocalProtocolError
from camfleet.keys import Bundle, Role
from camfleet.names import MAX_NAME_BYTES, check_name
from camfleet.pattern import EVERYTHING
from camfleet_hub.authority import check_host
from camfleet_hub.enrolment import RESERVED, Enrolment
from camfleet_hub.web.api.changes import Asked, Cameras, JsonOnly, checked, refusing
from camfleet_hub.web.api.document import problems
from camfleet_hub.web.api.paging import USUAL, After, Limit, page_of
from camfleet_hub.web.asking import Administrator
from camfleet_hub.web.headers import NO_STORE

_MOST_HOST: Final = 253  # characters (RFC 1035, 2.3.4)
_PLAIN: Final = "this hub is plain (CAMFLEET_HUB_PLAIN), want one with keys"
_Role = Literal["node", "subscriber"]


class KeyView(BaseModel):
    """Somebody who is enrolled."""

    name: str = Field(examples=["garden"])
    role: _Role
    key: str = Field(
        description="Public, in Z85 (ZeroMQ RFC 32).",
        examples=["rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"],
    )
    enrolled_at: datetime
    cameras: list[str] = Field(description="Patterns of what it may read; a node reads nothing.")


class KeyPage(BaseModel):
    """Some of those who are enrolled, by name."""

    keys: list[KeyView]
    after: str | None = Field(description="Ask with this for the next ones; null at the end.")


class Enrol(Asked):
    """Whom to enrol."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_NAME_BYTES,
            description="Unique; printable, without slashes.",
            examples=["garden"],
        ),
        checked(check_name),
    ]
    role: _Role = Field("node", description="Whether it sends frames, or is a program that reads.")
    address: Annotated[
        str,
        Field(
            min_length=1,
            max_length=_MOST_HOST,
            description="Name or address of this hub's machine, as the node or program finds it.",
            examples=["display.local"],
        ),
        checked(check_host),
    ]
    cameras: Cameras | None = Field(
        None, description="What a subscriber may read, by default all; a node reads nothing."
    )
    replace: bool = Field(
        default=False, description="New keys for a name that is enrolled; its old ones end."
    )

    @model_validator(mode="after")
    def _check_cameras(self) -> Self:
        if self.cameras is not None and self.role == "node":
            text = "cameras are for a subscriber alone, want none for a node"
            raise PydanticCustomError("wanted", "{said}", {"said": text})
        return self


class BundleFile(BaseModel):
    """A bundle: all that one peer needs. It holds a secret, and is shown this once."""

    name: str = Field(examples=["garden"])
    role: _Role
    address: str = Field(examples=["tcp://display.local:5556"])
    hub_key: str = Field(description="The hub's public key.", examples=["Yne@$w-vo<fVvi]a<NY6T1"])
    public_key: str = Field(examples=["rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL"])
    secret_key: str = Field(examples=["D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%w"])


def add_keys(app: FastAPI, enrolment: Enrolment | None) -> None:
    """Add the routes."""

    def open_enrolment() -> Enrolment:
        if enrolment is None:
            raise HTTPException(409, _PLAIN)
        return enrolment

    # None of these is a coroutine: they wait for other processes, beside the event loop.

    @app.get("/api/keys", tags=["keys"], responses=problems(403, 409))
    def list_keys(_: Administrator, limit: Limit = USUAL, after: After = None) -> KeyPage:
        """Who is enrolled, with public keys."""
        entries = open_enrolment().keyring.entries()
        shown, end = page_of(entries, lambda entry: entry.name, limit, after)
        views = [
            KeyView(
                name=entry.name,
                role=entry.role.value,
                key=entry.key,
                enrolled_at=entry.enrolled_at,
                cameras=list(entry.cameras) if entry.role is Role.SUBSCRIBER else [],
            )
            for entry in shown
        ]
        return KeyPage(keys=views, after=end)

    @app.post(
        "/api/keys",
        tags=["keys"],
        status_code=201,
        response_class=Response,
        dependencies=[JsonOnly],
        responses=problems(403, 409)
        | {201: {"model": BundleFile, "description": "The bundle, as its file is to be."}},
    )
    def enrol(_: Administrator, asked: Enrol) -> Response:
        """Make the keys of a node or a subscriber, and let it in.

        The answer is its bundle, which holds a secret and is shown this once.
        """
        bundle = _enrol(open_enrolment(), asked)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(asked.name)}.json"}
        return Response(
            bundle.json(), 201, media_type="application/json", headers=NO_STORE | headers
        )

    @app.delete("/api/keys/{name}", tags=["keys"], status_code=204, responses=problems(404, 409))
    def revoke(
        _: Administrator,
        name: Annotated[str, Path(max_length=MAX_NAME_BYTES, examples=["garden"])],
    ) -> None:
        """Let a node or a subscriber in no more; one that is connected is cut off."""
        keyring = open_enrolment().keyring
        try:
            keyring.revoke(name)
        except LocalProtocolError as error:
            with refusing(503):
                is_there = keyring.holds(name)
            raise HTTPException(503 if is_there else 404, str(error)) from error


def _enrol(enrolment: Enrolment, asked: Enrol) -> Bundle:
    role = Role(asked.role)
    address = enrolment.address(role, check_host(asked.address))
    try:
        return enrolment.keyring.enrol(
            asked.name,
            role,
            address,
            cameras=asked.cameras or (EVERYTHING,),
            replace=asked.replace,
        )
    except LocalProtocolError as error:
        with refusing(503):
            is_taken = enrolment.keyring.holds(asked.name) and not asked.replace
        if not is_taken and asked.name not in RESERVED:
            raise HTTPException(503, str(error)) from error
        text = f"{asked.name!r} is taken, want another name, or `replace` for new keys of it"
        raise HTTPException(409, text) from error
