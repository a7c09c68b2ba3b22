"""Lists in pages: each ends with the name after which the next one begins."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Annotated, Final, TypeVar

from fastapi import Query

T = TypeVar("T")
MOST: Final = 500
USUAL: Final = 100
_MOST_NAME: Final = 400  # characters: two names of 128, a profile and slashes

Limit = Annotated[int, Query(ge=1, le=MOST, description="Most that are told at once.")]
After = Annotated[
    str | None,
    Query(max_length=_MOST_NAME, description="Only what comes behind this: `after` of a page."),
]


def page_of(
    items: Sequence[T], name: Callable[[T], str], limit: int, after: str | None
) -> tuple[Sequence[T], str | None]:
    """Return the items of a page, and after which the next one begins; None at the end.

    Args:
        items: all of them, in the order of their names.
        name: tells an item's.
        limit: most on this page.
        after: the last name of the page before; it need not be there any more.
    """
    begin = 0 if after is None else bisect_right(items, after, key=name)
    shown = items[begin : begin + limit]
    return shown, name(shown[-1]) if begin + limit < len(items) else None
