"""Which environment variable stands behind a place in a settings model. It reads none itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel

KEY: Final = "[key]"  # how pydantic marks that a key itself is wrong
_BETWEEN: Final = "__"


@dataclass(frozen=True)
class Place:
    """Where a setting stands.

    Attributes:
        variable: its name, in capitals but for what an operator has named.
        model: that the last part is, or should be, a field of; None where it is no field.
        others: fields of the group's other kinds, which the discriminator did not choose.
        kind: that the discriminator chose; empty without one.
        parts: how many values belong there, separated by commas; 0 where it is one.
    """

    variable: str
    model: type[BaseModel] | None = None
    others: frozenset[str] = frozenset()
    kind: str = ""
    parts: int = 0

    @property
    def group(self) -> str:
        """The variable without its last part."""
        return self.variable.rpartition(_BETWEEN)[0]

    @property
    def siblings(self) -> list[str]:
        """All variables that there are beside it."""
        fields = self.model.model_fields if self.model else {}
        return [f"{self.group}{_BETWEEN}{name.upper()}" for name in fields]


def find_place(prefix: str, model: type[BaseModel], location: Sequence[int | str]) -> Place:
    """Walk along one of pydantic's locations.

    It names fields, keys, numbers in a sequence, the kind that a discriminator chose, and the
    members of a union that were tried. Only the first two stand in a variable's name.
    """
    here: Any = model
    names: list[str] = []
    others: frozenset[str] = frozenset()
    owner: type[BaseModel] | None = None
    kind = ""
    for part in location:
        here = _plain(here)
        if part == KEY:
            break
        if get_origin(here) is dict:
            names.append(str(part))
            owner, here = None, get_args(here)[1]
        elif _is_model(here):
            names.append(str(part).upper())
            field = here.model_fields.get(str(part))
            owner, here = here, field.annotation if field else None
        elif chosen := _member(here, str(part)):
            kind = str(part)
            others = frozenset().union(*(m.model_fields for m in get_args(here) if m is not chosen))
            here = chosen
        else:
            break
    here = _plain(here)
    is_fixed = get_origin(here) is tuple and Ellipsis not in get_args(here)
    parts = len(get_args(here)) if is_fixed else 0
    return Place(prefix + _BETWEEN.join(names), owner, others, kind, parts)


def is_group(annotation: Any) -> bool:  # noqa: ANN401 - any annotation
    """Whether a field has variables of its own below it."""
    plain = _plain(annotation)
    return get_origin(plain) is dict or _is_model(plain)


def _plain(annotation: Any) -> Any:  # noqa: ANN401 - any annotation
    """Without what is said about a type beside it, and without None."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        if get_origin(annotation) in (Union, UnionType):
            members = [member for member in get_args(annotation) if member is not NoneType]
            if len(members) == 1:
                annotation = members[0]
                continue
        return annotation


def _is_model(annotation: Any) -> bool:  # noqa: ANN401 - any annotation
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _member(union: Any, tag: str) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    """The model of a union that a discriminator's value chooses."""
    for member in get_args(union) if get_origin(union) in (Union, UnionType) else ():
        if _is_model(member):
            choices = (get_args(field.annotation) for field in member.model_fields.values())
            if any(tag in names for names in choices):
                chosen: type[BaseModel] = member
                return chosen
    return None
