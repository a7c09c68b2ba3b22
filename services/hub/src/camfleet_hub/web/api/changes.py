"""What the API's routes that change something have in common: JSON only, and errors as problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Protocol, TypeVar

from fastapi import Depends, HTTPException, Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from camfleet.errors import CamfleetError, LocalProtocolError
from camfleet.pattern import MAX_PATTERN, MOST_CAMERA_PATTERNS
from camfleet_hub.permission import PATTERN, permitted

T = TypeVar("T")
_JSON: Final = "application/json"
_MOST_FOUND: Final = 100


class Asked(BaseModel):
    """A body that is taken at its word: what is not known is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


async def _want_json(request: Request) -> None:
    """A form of another page can send anything but this without being asked (Fetch, CORS)."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise HTTPException(415, f"Content-Type is {kind[:_MOST_FOUND]!r}, want {_JSON}")


JsonOnly: Final = Depends(_want_json)


class Named(Protocol):
    """A row of a table."""

    @property
    def name(self) -> str:
        """By which people know it; unique."""
        ...


@contextmanager
def refusing(status: int) -> Iterator[None]:
    """Answer with this status where what is asked for cannot be; with 503 where a file is why."""
    try:
        yield
    except LocalProtocolError as error:
        is_files = isinstance(error.__cause__, OSError)
        raise HTTPException(503 if is_files else status, str(error)) from error


def checked(check: Callable[[T], object]) -> AfterValidator:
    """Have a field of a body seen by one of our checks."""

    def see(value: T) -> T:
        try:
            check(value)
        except CamfleetError as error:
            raise PydanticCustomError("wanted", "{said}", {"said": str(error)}) from error
        return value

    return AfterValidator(see)


def rows(folder: Path, read: Callable[[Path], list[T]]) -> list[T]:
    """Read a table, or answer that it cannot be."""
    with refusing(503):
        return read(folder)


def want_row(found: Iterable[Named], what: str, name: str) -> None:
    """See that there is a row of this name.

    Raises:
        HTTPException: 404, where there is none.
    """
    if all(row.name != name for row in found):
        raise HTTPException(404, f"there is no {what} {name!r}")


def folder_of(state: Path | None) -> Path:
    """Where users and tokens are kept.

    Raises:
        HTTPException: 409, where nobody logs in.
    """
    if state is None:
        raise HTTPException(409, "nobody logs in at this hub (CAMFLEET_HUB_AUTH), want one with it")
    return state


_Pattern = Annotated[str, Field(max_length=MAX_PATTERN, pattern=PATTERN)]
Cameras = Annotated[
    list[_Pattern],
    Field(
        min_length=1,
        max_length=MOST_CAMERA_PATTERNS,
        description="Patterns of what it may see, by default of all; an administrator sees all.",
        examples=[["garden/*", "*/pond"]],
    ),
    checked(permitted),
]
